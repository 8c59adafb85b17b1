//! Whoever is on the other side of TLS, or before it.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::super::ANNA;
use super::{Client, one_message};
use crate::kit::PASSWORD;
use crate::kit::run::program::Program;
use crate::kit::servers::listener::Listener;
use crate::kit::servers::port;
use crate::kit::servers::tls::{Certificates, Shown};
use crate::kit::{Endpoint, Security, wait_until};

/// What is put behind the answer to STARTTLS, in plain text, by whoever sits in between, is not believed.
#[test]
fn words_injected_before_tls_are_forgotten() {
    let dir = crate::kit::run::tempdir::TempDir::new();
    let certificates = Certificates::make(dir.path(), Shown::Good);
    let acceptor = certificates.acceptor();
    let listener = Listener::start(move |_, stream| {
        let mut client = Client::new(stream);
        client.say("* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n");
        let Some(heard) = client.hear() else { return };
        client.say(format!(
            "{} OK go\r\n* CAPABILITY IMAP4rev1 INJECTED\r\na1 OK in\r\nx1 OK in\r\nx2 OK in\r\n",
            heard.tag
        ));
        let Ok(mut tls) = acceptor.accept(client.stream) else {
            return;
        };
        // Behind the handshake the true server: it refuses.
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = tls.read(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let tag = line.split(' ').next().unwrap_or_default();
            let answer = if line.contains("CAPABILITY") {
                format!("* CAPABILITY IMAP4rev1\r\n{tag} OK done\r\n")
            } else {
                format!("{tag} NO [AUTHENTICATIONFAILED] it is me who decides\r\n")
            };
            if tls.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let program = Program::new();
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port: listener.port,
        security: Security::StartTls,
        ca_file: Some(certificates.ca_file.clone()),
    };
    program.config(&endpoint, &[(ANNA, PASSWORD)]);
    program
        .export(&[])
        .code(1)
        .says("it is me who decides")
        .warns("sent in plain text behind STARTTLS are ignored");
}

/// OpenSSL's own server, which begins a new handshake in the middle of the conversation (TLS 1.2).
#[test]
fn a_tls_peer_that_renegotiates_is_no_trouble() {
    let dir = crate::kit::run::tempdir::TempDir::new();
    let certificates = Certificates::make(dir.path(), Shown::Good);
    let port = port::free();
    let log = std::fs::File::create(dir.join("log")).expect("create a log");
    let mut server = Command::new("openssl")
        .args(["s_server", "-tls1_2", "-crlf", "-accept", &port.to_string()])
        .arg("-cert")
        .arg(dir.join("server.pem"))
        .arg("-key")
        .arg(dir.join("server.key"))
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a handle"))
        .stderr(log)
        .spawn()
        .expect("start openssl");
    let said = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    wait_until("openssl listens", || said().contains("ACCEPT"));
    let program = Program::new();
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port,
        security: Security::Tls,
        ca_file: Some(certificates.ca_file.clone()),
    };
    program.config(&endpoint, &[(ANNA, PASSWORD)]);
    let running = program.spawn_export(&["--imap-timeout", "10"]);
    let mut stdin = server.stdin.take().expect("a pipe");
    wait_until("the handshake is over", || said().contains("CIPHER is"));
    stdin
        .write_all(b"* OK [CAPABILITY IMAP4rev1] hello\n")
        .expect("greet");
    wait_until("it logs in", || said().contains("LOGIN"));
    // What stands behind this in the same read is not sent.
    stdin.write_all(b"R\n").expect("begin a new handshake");
    wait_until("it is over", || said().contains("SSL_do_handshake -> 1"));
    stdin
        .write_all(b"a1 NO [AUTHENTICATIONFAILED] after the second handshake\n")
        .expect("answer");
    let output = running.wait();
    drop(stdin);
    let _ = server.kill();
    let _ = server.wait();
    output.code(1).says("after the second handshake");
}

/// The connection just ends: after the goodbye, as many servers do, which is none of our business, and in the middle of
/// a message, which is a lost connection.
#[test]
fn a_tls_peer_that_goes_without_close_notify() {
    let dir = crate::kit::run::tempdir::TempDir::new();
    let certificates = Certificates::make(dir.path(), Shown::Good);
    let acceptor = certificates.acceptor();
    let listener = Listener::start(move |number, stream| {
        let Ok(mut tls) = acceptor.accept(stream) else {
            return;
        };
        let _ = tls.write_all(b"* OK [CAPABILITY IMAP4rev1] hello\r\n");
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = tls.read(&mut buffer) {
            let heard = String::from_utf8_lossy(&buffer[..count]).into_owned();
            for line in heard.lines() {
                let (tag, words) = line.split_once(' ').unwrap_or_default();
                let mut data = one_message(words);
                let is_torn = number == 0 && data.contains("BODY[]");
                if is_torn {
                    data.truncate(data.len() - 9);
                } else {
                    data += &format!("{tag} OK done\r\n");
                }
                // What a dropped stream sends is a FIN and nothing else.
                if tls.write_all(data.as_bytes()).is_err() || is_torn || words == "LOGOUT" {
                    return;
                }
            }
        }
    });
    let program = Program::new();
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port: listener.port,
        security: Security::Tls,
        ca_file: Some(certificates.ca_file.clone()),
    };
    program.config(&endpoint, &[(ANNA, PASSWORD)]);
    program.export(&[]).code(0).warns("connection");
    let inbox = program.archive(ANNA).mailbox("INBOX");
    assert_eq!(inbox.messages[&1].bytes, b"Subject: only\r\n\r\none\r\n");
    program.audit(&[]).code(0);
}
