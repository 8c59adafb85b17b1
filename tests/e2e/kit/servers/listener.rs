//! Accepts connections for servers inside this process, a thread each; all end with the guard. Knows no protocol.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use native_tls::{TlsAcceptor, TlsStream};

/// A listening port on loopback.
pub struct Listener {
    /// The port.
    pub port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    accepted: AtomicUsize,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Listener {
    /// Calls `serve` in a thread of its own for each connection, with its number, from 0.
    pub fn start(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("listen on loopback");
        let port = socket.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&socket, &shared, &Arc::new(serve))
        });
        Self {
            port,
            shared,
            thread: Some(thread),
        }
    }

    /// Connections accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Ends all connections and waits for their threads.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.shared.close_all();
        let _ = thread.join();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn close_all(&self) {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        for socket in sockets.iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn accept<F>(socket: &TcpListener, shared: &Shared, serve: &Arc<F>)
where
    F: Fn(usize, TcpStream) + Send + Sync + 'static,
{
    let mut threads = Vec::new();
    while let Ok((stream, _)) = socket.accept() {
        if shared.over.load(Ordering::SeqCst) {
            break;
        }
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        // Answers of many small parts must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let (Ok(twin), Ok(end)) = (stream.try_clone(), stream.try_clone()) else {
            continue;
        };
        let mut sockets = shared
            .sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sockets.push(twin);
        drop(sockets);
        let serve = Arc::clone(serve);
        threads.push(std::thread::spawn(move || {
            serve(number, stream);
            // The twin keeps the socket open: the client is told explicitly.
            let _ = end.shutdown(Shutdown::Both);
        }));
    }
    shared.close_all();
    for thread in threads {
        let _ = thread.join();
    }
}

/// A connection, protected or not.
pub enum Stream {
    /// As accepted.
    Plain(TcpStream),
    /// After the handshake.
    Tls(Box<TlsStream<TcpStream>>),
    /// A handshake failed.
    Broken,
}

impl Stream {
    /// The handshake, as the server.
    pub fn start_tls(&mut self, acceptor: &TlsAcceptor) -> io::Result<()> {
        if let Self::Plain(stream) = std::mem::replace(self, Self::Broken) {
            let secured = acceptor.accept(stream).map_err(io::Error::other)?;
            *self = Self::Tls(Box::new(secured));
        }
        Ok(())
    }

    /// The socket below.
    pub fn socket(&self) -> Option<&TcpStream> {
        match self {
            Self::Plain(stream) => Some(stream),
            Self::Tls(stream) => Some(stream.get_ref()),
            Self::Broken => None,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Broken => Ok(0),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Broken => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
            Self::Broken => Ok(()),
        }
    }
}
