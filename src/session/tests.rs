//! A server for unit tests: each command is answered as the test says.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::capability::Capabilities;
use super::channel::Channel;
use super::peer::Peer;
use super::reader::Reader;
use super::steps::Steps;
use super::wire::Wire;
use crate::config::limits::Limits;
use crate::config::{Auth, Server, TlsMode};
use crate::stop::Stop;

/// A server on this machine that takes one connection, and what it has been asked there.
pub struct Scripted {
    /// The connection, as after a login.
    pub channel: Channel,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Connects to one that offers these capabilities and answers each command, its tag left out, with these lines.
    /// The last line gets the tag; `None`, or `CLOSE` for it, closes the connection.
    pub fn new(
        capabilities: &str,
        answer: impl FnMut(&str) -> Option<String> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&heard);
        thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a connection");
            serve(&stream, &notes, answer);
        });
        let peer = Peer::new(&server(port), Duration::from_secs(20)).expect("no TLS");
        let wire = Wire::connect(&peer, &Stop::new(), &mut Steps::default()).expect("connected");
        let mut channel = Channel::new(Reader::new(wire));
        let words = capabilities.split_whitespace().map(str::to_owned);
        channel.capabilities = Capabilities(words.collect());
        Self { channel, heard }
    }

    /// Commands that have come, without their tags.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("what was heard").clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    heard: &Mutex<Vec<String>>,
    mut answer: impl FnMut(&str) -> Option<String>,
) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while matches!(reader.read_line(&mut line), Ok(read) if read > 0) {
        let (tag, command) = line.trim_end().split_once(' ').expect("a tag");
        heard
            .lock()
            .expect("what was heard")
            .push(command.to_owned());
        let Some(said) = answer(command) else {
            break;
        };
        let mut text = String::new();
        for said in said.lines().filter(|said| *said != "CLOSE") {
            if !said.starts_with("* ") {
                text.push_str(tag);
                text.push(' ');
            }
            text.push_str(said);
            text.push_str("\r\n");
        }
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
        if said.ends_with("CLOSE") {
            break;
        }
        line.clear();
    }
    // What was said before is to arrive: what comes is read on.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = reader.read_to_end(&mut Vec::new());
}

fn server(port: u16) -> Server {
    Server {
        name: None,
        host: "127.0.0.1".to_owned(),
        port,
        tls: TlsMode::None,
        ca_file: None,
        insecure_tls: false,
        min_tls: None,
        limits: Limits::default(),
        auth: Auth::default(),
    }
}
