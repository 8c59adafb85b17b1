//! A server as connections are made to it. It makes none itself.

use std::sync::Arc;
use std::time::Duration;

use native_tls::TlsConnector;

use super::error::Result;
use super::pace::Pace;
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
            pace: Arc::default(),
            turns: Arc::default(),
            tls,
        })
    }
}

/// The servers of a run.
#[derive(Clone)]
pub struct Peers(Arc<Vec<(Arc<Server>, Peer)>>);

impl Peers {
    /// Prepares connections to all of them; makes none.
    ///
    /// # Errors
    /// As for [`Peer::new`].
    pub fn new(servers: &[&Arc<Server>], timeout: Duration) -> Result<Self> {
        let mut peers: Vec<(Arc<Server>, Peer)> = Vec::with_capacity(servers.len());
        for server in servers {
            let mut peer = Peer::new(server, timeout)?;
            // Two entries may be one host, entered in two ways.
            let same = peers.iter().find(|(known, _)| known.is_at(server));
            if let Some((_, known)) = same {
                peer.slots = Arc::clone(&known.slots);
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
