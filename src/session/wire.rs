//! The bytes: TCP, implicit TLS and STARTTLS, with time-outs on connecting, reading and writing.
//!
//! It knows nothing of IMAP but the order in which TLS begins.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;
use tracing::debug;

use super::error::{Ending, Kind, Result, SessionError, Stage};
use super::layer::{Attempt, Layer};
use super::peer::Peer;
use super::rate::Rate;
use super::room::Seat;
use super::steps::{Step, Steps};
use super::tls::{self, Tap};
use crate::budget::{Budget, Direction};
use crate::config::{Server, TlsMode};
use crate::stop::Stop;
use crate::waiting::Waiting;

/// How often a waiting read checks whether the run was asked to stop.
const TICK: Duration = Duration::from_millis(250);
/// A read of fewer bytes may be all that the server sends before it hears from us.
const SMALL: usize = 16 * 1024;
/// How long a read that brings nothing goes on after the run was asked to stop.
const PATIENCE_WHEN_STOPPING: Duration = Duration::from_millis(500);

enum Stream {
    Plain(TcpStream),
    Tls(Box<Layer>),
    /// While TLS is being negotiated, and for good when that failed.
    Closed,
}

/// One connection to a server.
pub struct Wire {
    stream: Stream,
    timeout: Duration,
    stop: Stop,
    rate: Arc<Rate>,
    messages: Arc<Rate>,
    budget: Arc<Budget>,
    /// Bytes that the last read brought.
    last_read: usize,
    // Free when the connection is closed, so it goes last.
    _seat: Seat,
}

impl Wire {
    /// Connects, and negotiates TLS at once where the server wants it so.
    ///
    /// # Errors
    /// [`Kind::Permanent`] when the name does not resolve or the certificate is not trusted, else [`Kind::Transient`].
    pub fn connect(peer: &Peer, stop: &Stop, steps: &mut Steps) -> Result<Self> {
        let timeout = peer.timeout;
        let seat = peer.room.enter(stop)?;
        let tcp = connect_tcp(&peer.server, timeout, stop, steps)?;
        let setup = |error: &io::Error| SessionError::transport("set up the connection", error);
        tcp.set_nodelay(true).map_err(|error| setup(&error))?;
        tcp.set_read_timeout(Some(TICK.min(timeout)))
            .and_then(|()| tcp.set_write_timeout(Some(TICK.min(timeout))))
            .map_err(|error| setup(&error))?;
        let mut wire = Self {
            stream: Stream::Plain(tcp),
            timeout,
            stop: stop.clone(),
            rate: Arc::clone(&peer.rate),
            messages: Arc::clone(&peer.messages),
            budget: Arc::clone(&peer.budget),
            last_read: 0,
            _seat: seat,
        };
        wire.close_gracefully(false);
        if peer.server.tls == TlsMode::Implicit {
            wire.start_tls(peer, steps)?;
        }
        Ok(wire)
    }

    /// Negotiates TLS on the open connection.
    ///
    /// # Errors
    /// [`Kind::Permanent`] when the certificate is not trusted; the connection is closed then.
    pub fn start_tls(&mut self, peer: &Peer, steps: &mut Steps) -> Result<()> {
        steps.begin(Step::Tls);
        let stream = std::mem::replace(&mut self.stream, Stream::Closed);
        let (Stream::Plain(tcp), Some(connector)) = (stream, &peer.tls) else {
            let text = "TLS is on already, or not wanted";
            return Err(SessionError::new(Kind::Permanent, text));
        };
        let server = &peer.server;
        let began = Instant::now();
        let mut attempt = connector.connect(server, Tap::new(tcp));
        let tls = loop {
            match attempt {
                Attempt::Done(tls) => break tls,
                Attempt::Halfway(halfway) => {
                    self.check_wait(began.elapsed(), "TLS handshake")?;
                    attempt = halfway.go_on();
                }
                Attempt::Failed(text) => return Err(tls::handshake_error(server, &text)),
            }
        };
        let details = tls::details(tls.certificate(), tls.tap());
        peer.met.get_or_init(|| details.to_string());
        steps.tls = Some(details);
        self.stream = Stream::Tls(Box::new(tls));
        Ok(())
    }

    /// Longest wait for the server.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Chooses how the connection ends: gracefully or, as at first, at once.
    ///
    /// At once means that what was written but has not gone out yet is thrown away, even when the process is killed:
    /// else the kernel would go on sending for as long as it takes, and the server would append messages that the next
    /// run cannot see yet.
    pub fn close_gracefully(&self, gracefully: bool) {
        let Some(tcp) = self.tcp() else {
            return;
        };
        let linger = (!gracefully).then_some(Duration::ZERO);
        if let Err(error) = rustix::net::sockopt::set_socket_linger(tcp, linger) {
            debug!(%error, "SO_LINGER");
        }
    }

    fn tcp(&self) -> Option<&TcpStream> {
        match &self.stream {
            Stream::Plain(tcp) => Some(tcp),
            Stream::Tls(tls) => Some(tls.tap().tcp()),
            Stream::Closed => None,
        }
    }

    /// Has the kernel acknowledge at once what was read. Servers that leave Nagle's algorithm on (Courier does) send
    /// the next small piece only then, and the kernel would wait 40 ms for something of ours to send along.
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        if let Some(tcp) = self.tcp()
            && let Err(error) = rustix::net::sockopt::set_tcp_quickack(tcp, true)
        {
            debug!(%error, "TCP_QUICKACK");
        }
    }

    /// Tells a TLS peer that nothing more comes (RFC 8446 section 6.1); some log its absence as an error.
    pub fn end(&mut self) {
        if let Stream::Tls(tls) = &mut self.stream
            && let Err(error) = tls.shutdown()
        {
            debug!(%error, "close_notify");
        }
    }

    /// True when the server has sent something that nobody has read; what TLS holds of it does not count.
    #[must_use]
    pub fn has_arrived(&self) -> bool {
        let tcp = match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls.tap().tcp(),
            Stream::Closed => return false,
        };
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        rustix::net::recv(tcp, &mut [0_u8], flags).is_ok_and(|(_, count)| count > 0)
    }

    /// Reads what is there, waiting up to the time-out for the first byte; never returns 0.
    ///
    /// # Errors
    /// [`Kind::Transient`] on a lost connection or time-out, [`Kind::Stopped`] when the run is being stopped.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let began = Instant::now();
        if self.last_read < SMALL {
            self.acknowledge();
        }
        let mut waiting: Option<Waiting> = None;
        loop {
            let result = match &mut self.stream {
                Stream::Plain(tcp) => tcp.read(buffer),
                Stream::Tls(tls) => tls.read(buffer),
                Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
            };
            match result {
                Ok(0) => {
                    let end = io::ErrorKind::UnexpectedEof.into();
                    return Err(SessionError::transport("read from the server", &end));
                }
                Ok(count) => {
                    self.last_read = count;
                    self.budget.spend(Direction::Down, count);
                    self.wait_for(&self.rate, count)?;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => {
                    let waited = began.elapsed();
                    self.check_wait(waited, "read from the server")?;
                    if waiting.is_none() && Waiting::is_long(waited, self.timeout) {
                        waiting = Some(Waiting::tell(waited, self.timeout));
                    }
                }
                Err(error) => return Err(SessionError::transport("read from the server", &error)),
            }
        }
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// [`Kind::Transient`] on a lost connection or time-out.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.wait_for(&self.rate, bytes.len())?;
        self.budget.spend(Direction::Up, bytes.len());
        let doing = "write to the server";
        let (mut left, mut since) = (bytes, Instant::now());
        let mut waiting: Option<Waiting> = None;
        while !left.is_empty() {
            let result = match &mut self.stream {
                Stream::Plain(tcp) => tcp.write(left),
                Stream::Tls(tls) => tls.write(left),
                Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
            };
            match result {
                Ok(0) => {
                    let error = io::ErrorKind::WriteZero.into();
                    return Err(SessionError::transport(doing, &error));
                }
                Ok(count) => {
                    left = &left[count..];
                    since = Instant::now();
                    waiting = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A batch that is begun is not cut off by a stop, only by a server that takes nothing.
                Err(error) if is_timeout(&error) => {
                    let waited = since.elapsed();
                    if waited >= self.timeout {
                        return Err(self.timed_out(doing));
                    }
                    if waiting.is_none() && Waiting::is_long(waited, self.timeout) {
                        waiting = Some(Waiting::tell(waited, self.timeout));
                    }
                }
                Err(error) => return Err(SessionError::transport(doing, &error)),
            }
        }
        Ok(())
    }

    /// What may go today.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// A message comes or goes: waits until the rate allows it.
    ///
    /// # Errors
    /// [`Kind::Stopped`] when the run is being stopped.
    pub fn one_message(&self, way: Direction) -> Result<()> {
        self.budget.spend_message(way);
        self.wait_for(&self.messages, 1)
    }

    /// Waits as long as this many take at the rate that is allowed.
    fn wait_for(&self, rate: &Rate, count: usize) -> Result<()> {
        let wait = rate.wait_after(count);
        if !wait.is_zero() && self.stop.sleep(wait) {
            return Err(SessionError::stopped());
        }
        Ok(())
    }

    fn check_wait(&self, waited: Duration, doing: &str) -> Result<()> {
        if waited >= self.timeout {
            return Err(self.timed_out(doing));
        }
        self.check_stop(waited)
    }

    /// What has been waited for so long is not waited for any longer when the run is being stopped.
    ///
    /// # Errors
    /// [`Kind::Stopped`].
    pub fn check_stop(&self, waited: Duration) -> Result<()> {
        if waited >= PATIENCE_WHEN_STOPPING && self.stop.requested() {
            return Err(SessionError::stopped());
        }
        Ok(())
    }

    fn timed_out(&self, doing: &str) -> SessionError {
        let seconds = self.timeout.as_secs_f64();
        SessionError::new(
            Kind::Transient,
            format!("{doing}: no answer for {seconds} s (--imap-timeout)"),
        )
        .by(Ending::TimedOut)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.budget.settle();
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn connect_tcp(
    server: &Server,
    timeout: Duration,
    stop: &Stop,
    steps: &mut Steps,
) -> Result<TcpStream> {
    steps.begin(Step::Resolve);
    let (host, port) = (server.host.as_str(), server.port);
    let name = (host.to_owned(), port);
    let resolved = stop
        .unless_requested(move || name.to_socket_addrs())
        .ok_or_else(SessionError::stopped)?;
    let addresses = resolved.map_err(|error| {
        let text = format!("host {host} does not resolve: {error}; check server.host");
        SessionError::new(Kind::Permanent, text).at(Stage::Name)
    })?;
    steps.begin(Step::Connect);
    let mut last = None;
    for address in addresses {
        let connected = stop
            .unless_requested(move || TcpStream::connect_timeout(&address, timeout))
            .ok_or_else(SessionError::stopped)?;
        match connected {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = Some((address, error)),
        }
    }
    let Some((address, error)) = last else {
        let text = format!("host {host} has no address; check server.host");
        return Err(SessionError::new(Kind::Permanent, text).at(Stage::Name));
    };
    let doing = if host.parse() == Ok(address.ip()) {
        format!("connect to {host} port {port}")
    } else {
        format!("connect to {host} port {port} ({})", address.ip())
    };
    Err(SessionError::transport(&doing, &error))
}
