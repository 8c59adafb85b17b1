//! A server as connections are made to it. It makes none itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use native_tls::TlsConnector;

use super::error::Result;
use super::pace::Pace;
use super::rate::Rate;
use super::room::Room;
use super::slots::Slots;
use super::tls;
use super::turns::Turns;
use crate::config::{Account, Server, TlsMode};

/// A server as connections are made to it: where it is, what it must prove, how long it may take. Clones share what is
/// known of its limits.
#[derive(Clone)]
pub struct Peer {
    /// Host, port and protection.
    pub server: Server,
    /// Bounds connecting and every wait for the server.
    pub timeout: Duration,
    /// The slots that it has for us.
    pub slots: Arc<Slots>,
    /// How many connections the configuration allows.
    pub(super) room: Arc<Room>,
    /// How many bytes a second it allows.
    pub(super) rate: Arc<Rate>,
    /// How far ahead of its answers it may be sent commands.
    pub pace: Arc<Pace>,
    /// Whose turn it is to append.
    pub turns: Arc<Turns>,
    /// Made once: reading the system's certificates costs more than a handshake.
    pub(super) tls: Option<TlsConnector>,
}

impl Peer {
    /// Prepares connections; makes none.
    ///
    /// # Errors
    /// [`Kind::Permanent`] for a `ca_file` that cannot be read.
    pub fn new(server: &Server, timeout: Duration) -> Result<Self> {
        let tls = match server.tls {
            TlsMode::None => None,
            TlsMode::Implicit | TlsMode::StartTls => Some(tls::connector(server)?),
        };
        Ok(Self {
            server: server.clone(),
            timeout,
            slots: Arc::default(),
            room: Arc::new(Room::new(server.limits.connections)),
            rate: Arc::new(Rate::new(server.limits.bytes_per_second)),
            pace: Arc::default(),
            turns: Arc::default(),
            tls,
        })
    }
}

/// The servers of a run.
#[derive(Clone)]
pub struct Peers(Arc<Vec<(Arc<Server>, Peer)>>);

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers = self.0.iter().map(|(server, _)| server.place());
        f.debug_list().entries(servers).finish()
    }
}

impl Peers {
    /// Prepares connections to all of them; makes none. Their limits are shared with so many shards.
    ///
    /// # Errors
    /// As for [`Peer::new`].
    pub fn new(servers: &[&Arc<Server>], timeout: Duration, shards: u32) -> Result<Self> {
        let mut peers: Vec<(Arc<Server>, Peer)> = Vec::with_capacity(servers.len());
        for server in servers {
            let own = Server {
                limits: server.limits.shared_by(shards),
                ..Server::clone(server)
            };
            let mut peer = Peer::new(&own, timeout)?;
            // Two entries may be one host, entered in two ways.
            let same = peers.iter().find(|(known, _)| known.is_at(server));
            if let Some((_, known)) = same {
                peer.slots = Arc::clone(&known.slots);
                peer.room = Arc::clone(&known.room);
                peer.rate = Arc::clone(&known.rate);
                peer.pace = Arc::clone(&known.pace);
                peer.turns = Arc::clone(&known.turns);
            }
            peers.push((Arc::clone(server), peer));
        }
        Ok(Self(Arc::new(peers)))
    }

    /// The one that an account is on.
    ///
    /// # Panics
    /// For an account of another configuration.
    #[must_use]
    pub fn of(&self, account: &Account) -> &Peer {
        let mut peers = self.0.iter();
        let own = peers.find(|(server, _)| Arc::ptr_eq(server, &account.server));
        &own.expect("made from the servers of all accounts").1
    }
}
