//! Lets so many connections at a time through to a server, and turns the others away, with words or without.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::listener::Listener;
use crate::kit::Endpoint;

/// Nobody is held for longer: a program that takes longer hangs.
const LONGEST_HOLD: Duration = Duration::from_secs(280);

/// Stands before one server; gone with the guard.
pub struct Doorman {
    listener: Listener,
    shared: Arc<Shared>,
    server: Endpoint,
}

struct Shared {
    port: u16,
    limit: usize,
    words: &'static str,
    /// Who is inside opens no mailbox before so many others were turned away.
    hold: usize,
    inside: AtomicUsize,
    turned_away: AtomicUsize,
}

impl Doorman {
    /// Who comes when `limit` are inside gets these words, or none, and the end.
    pub fn start(server: &Endpoint, limit: usize, words: &'static str) -> Self {
        Self::holding(server, limit, words, 0)
    }

    /// Those inside stay until `hold` others were turned away.
    pub fn holding(server: &Endpoint, limit: usize, words: &'static str, hold: usize) -> Self {
        let shared = Arc::new(Shared {
            port: server.port,
            limit,
            words,
            hold,
            inside: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
        });
        let listener = Listener::start({
            let shared = Arc::clone(&shared);
            move |_, client| shared.receive(&client)
        });
        Self {
            listener,
            shared,
            server: server.clone(),
        }
    }

    /// The server as the program is to see it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            port: self.listener.port,
            ..self.server.clone()
        }
    }

    /// How many were turned away so far.
    pub fn turned_away(&self) -> usize {
        self.shared.turned_away.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn receive(&self, mut client: &TcpStream) {
        let enters = |inside| (inside < self.limit).then_some(inside + 1);
        let entered = self
            .inside
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, enters);
        if entered.is_err() {
            let _ = client.write_all(self.words.as_bytes());
            self.turned_away.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if let Ok(server) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = server.set_nodelay(true);
            std::thread::scope(|scope| {
                scope.spawn(|| self.pass(client, &server, true));
                self.pass(&server, client, false);
            });
        }
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn pass(&self, mut from: &TcpStream, mut to: &TcpStream, is_client: bool) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..length];
            if is_client && bytes.windows(7).any(|word| word == b"EXAMINE") {
                let since = Instant::now();
                while self.turned_away.load(Ordering::SeqCst) < self.hold
                    && since.elapsed() < LONGEST_HOLD
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }
}
