//! A TCP proxy that damages one chosen byte of a conversation: ends it there, resets, falls silent or garbles.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::listener::Listener;
use crate::kit::Endpoint;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the program to the server.
    ToServer,
    /// From the server to the program.
    ToClient,
}

/// What becomes of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Both sides see an end in good order.
    Close,
    /// Both sides see a reset, which may overtake bytes that are under way.
    Reset,
    /// The connection stays, nothing passes any more.
    Stall,
    /// This one byte becomes another one.
    Garble,
    /// The program sees an end in good order; what it had sent reaches the server [`LATE`] after that.
    Late,
}

/// How long after the end bytes still arrive.
const LATE: Duration = Duration::from_millis(1500);

/// Where it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// In which of the two streams.
    pub way: Way,
    /// After this many bytes, of all connections together or, with `always`, of each.
    pub at: usize,
    /// What happens.
    pub fault: Fault,
    /// On each connection until [`Proxy::heal`], not once.
    pub always: bool,
}

/// A proxy before one server; ends with the guard.
pub struct Proxy {
    listener: Listener,
    shared: Arc<Shared>,
    server: Endpoint,
}

struct Shared {
    port: u16,
    damage: Mutex<Option<Damage>>,
    /// What has passed to the server and to the client, all connections one after the other.
    passed: [Mutex<Vec<u8>>; 2],
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Listens before `server`, on the same host name.
    pub fn start(server: &Endpoint, damage: Option<Damage>) -> Self {
        let shared = Arc::new(Shared {
            port: server.port,
            damage: Mutex::new(damage),
            passed: [Mutex::default(), Mutex::default()],
        });
        let listener = Listener::start({
            let shared = Arc::clone(&shared);
            move |_, client| shared.serve(&client)
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

    /// From now on everything passes.
    pub fn heal(&self) {
        *lock(&self.shared.damage) = None;
    }

    /// Has the damage been done? Only for damage that is done once.
    pub fn is_done(&self) -> bool {
        lock(&self.shared.damage).is_none()
    }

    /// What has passed one way so far.
    pub fn passed(&self, way: Way) -> Vec<u8> {
        lock(&self.shared.passed[way as usize]).clone()
    }
}

impl Shared {
    fn serve(&self, client: &TcpStream) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return;
        };
        // A test that is over must not wait for a server that is silent.
        let _ = server.set_nodelay(true);
        std::thread::scope(|scope| {
            scope.spawn(|| self.pump(Way::ToServer, client, &server));
            self.pump(Way::ToClient, &server, client);
        });
    }

    fn pump(&self, way: Way, mut from: &TcpStream, mut to: &TcpStream) {
        let mut own = 0;
        let mut buffer = [0; 16 * 1024];
        loop {
            let length = match from.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(length) => length,
            };
            let bytes = &mut buffer[..length];
            let mut passed = lock(&self.passed[way as usize]);
            let fault = self.take(way, own, passed.len(), length);
            own += length;
            match fault {
                None => {
                    passed.extend_from_slice(bytes);
                    drop(passed);
                }
                Some((index, Fault::Garble)) => {
                    bytes[index] ^= 0x15;
                    passed.extend_from_slice(bytes);
                    drop(passed);
                }
                Some((_, Fault::Late)) => {
                    drop(passed);
                    let _ = from.shutdown(Shutdown::Both);
                    std::thread::sleep(LATE);
                    let _ = to.write_all(bytes);
                    break;
                }
                Some((index, fault)) => {
                    passed.extend_from_slice(&bytes[..index]);
                    drop(passed);
                    let _ = to.write_all(&bytes[..index]);
                    break_off(fault, from, to);
                    return;
                }
            }
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        let _ = from.shutdown(Shutdown::Read);
    }

    /// Is one of the next `length` bytes the one? `own` bytes have passed on this connection, `all` on all.
    fn take(&self, way: Way, own: usize, all: usize, length: usize) -> Option<(usize, Fault)> {
        let mut damage = lock(&self.damage);
        let planned = damage.filter(|planned| planned.way == way)?;
        let before = if planned.always { own } else { all };
        let index = planned.at.checked_sub(before)?;
        if index >= length {
            return None;
        }
        if !planned.always {
            *damage = None;
        }
        Some((index, planned.fault))
    }
}

/// Ends both sides as the fault says; a stalled connection lasts until the client gives it up.
fn break_off(fault: Fault, from: &TcpStream, to: &TcpStream) {
    match fault {
        Fault::Reset => {
            for side in [from, to] {
                // Closing with this option resets. It is closed for good when the last handle is dropped.
                let _ = rustix::net::sockopt::set_socket_linger(side, Some(Duration::ZERO));
                let _ = rustix::net::connect_unspec(side);
            }
        }
        Fault::Stall => {
            // Reads on without passing anything, so that nobody is held up by a full buffer.
            let mut nothing = [0; 16 * 1024];
            let mut from = from;
            while matches!(from.read(&mut nothing), Ok(length) if length > 0) {}
        }
        Fault::Close | Fault::Garble | Fault::Late => {}
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
