//! A server as connections are made to it. It makes none itself.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indicatif::DecimalBytes;
use tracing::info;

use super::error::Result;
use super::layer::Connector;
use super::pace::Pace;
use super::preset::Preset;
use super::rate::Rate;
use super::room::Room;
use super::slots::Slots;
use super::turns::Turns;
use crate::budget::{Allowance, Budget, Budgets};
use crate::config::{Account, Server, TlsMode};
use crate::fleet::shard;
use crate::plural::counted;

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
    /// How many messages a second.
    pub(super) messages: Arc<Rate>,
    /// How many bytes a day each account.
    allowance: Arc<Allowance>,
    budgets: Arc<Budgets>,
    /// Of the connected account.
    pub(super) budget: Arc<Budget>,
    /// Which provider it turned out to be.
    known: Arc<OnceLock<&'static Preset>>,
    shards: u32,
    /// How far ahead of its answers it may be sent commands.
    pub pace: Arc<Pace>,
    /// Whose turn it is to append.
    pub turns: Arc<Turns>,
    /// What the first TLS connection negotiated.
    pub(super) met: Arc<OnceLock<String>>,
    /// Made once: reading the system's certificates costs more than a handshake.
    pub(super) tls: Option<Connector>,
}

impl Peer {
    /// Prepares connections; makes none.
    ///
    /// # Errors
    /// `Kind::Permanent` for a `ca_file` that cannot be read.
    pub fn new(server: &Server, timeout: Duration) -> Result<Self> {
        let tls = match server.tls {
            TlsMode::None => None,
            TlsMode::Implicit | TlsMode::StartTls => Some(Connector::new(server)?),
        };
        let limits = server.limits;
        let allowance = Arc::new(Allowance::new(limits.daily));
        Ok(Self {
            server: server.clone(),
            timeout,
            slots: Arc::default(),
            room: Arc::new(Room::new(limits.connections)),
            rate: Arc::new(Rate::new(limits.bytes_per_second)),
            messages: Arc::new(Rate::new(limits.messages_per_second)),
            budgets: Arc::new(Budgets::new(Path::new(""), &allowance)),
            budget: Arc::default(),
            allowance,
            known: Arc::default(),
            shards: 1,
            pace: Arc::default(),
            turns: Arc::default(),
            met: Arc::default(),
            tls,
        })
    }

    /// The same for one account, whose budget it is then that bytes are taken from.
    #[must_use]
    pub fn of(&self, account: &Account) -> Self {
        let server = &account.server;
        let identity = shard::identity(account.whose(), &server.host, server.port);
        Self {
            budget: self.budgets.of(&account.name, &identity),
            ..self.clone()
        }
    }

    /// It is one of those whose limits are known; the configuration wins.
    pub(super) fn follow(&self, preset: &'static Preset) {
        if self.known.set(preset).is_err() {
            return;
        }
        let shards = if self.server.limits.per_run {
            1
        } else {
            self.shards.max(1) as usize
        };
        self.room.preset((preset.connections / shards).max(1));
        self.allowance.preset(preset.daily);
        if let Some(limits) = self.limits_told() {
            info!("{limits}");
        }
    }

    /// The limits that are observed because of what the server is, unless there are none.
    #[must_use]
    pub fn limits_told(&self) -> Option<String> {
        let preset = self.known.get()?;
        let (limits, daily) = (self.server.limits, self.server.limits.daily);
        let mut parts = Vec::new();
        if limits.connections.is_none() {
            parts.push(format!(
                "{} at a time",
                counted(preset.connections, "connection")
            ));
        }
        let of_day = [
            (daily.down, preset.daily.down, "read"),
            (daily.up, preset.daily.up, "sent"),
        ];
        for (configured, known, way) in of_day {
            if let Some(bytes) = known.filter(|_| configured.is_none()) {
                parts.push(format!("{} {way} a day and account", DecimalBytes(bytes)));
            }
        }
        (!parts.is_empty()).then(|| {
            format!(
                "{} is {}, which is taken at most {} (\"limits\" at the server replaces that)",
                self.server.place(),
                preset.name,
                parts.join(", ")
            )
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
    /// Prepares connections to all of them; makes none. Their limits are shared with this many shards, and what a day
    /// has used up is kept in this archive.
    ///
    /// # Errors
    /// As for [`Peer::new`].
    pub fn new(
        servers: &[&Arc<Server>],
        timeout: Duration,
        shards: u32,
        archive: &Path,
    ) -> Result<Self> {
        let mut peers: Vec<(Arc<Server>, Peer)> = Vec::with_capacity(servers.len());
        for server in servers {
            let own = Server {
                limits: server.limits.shared_by(shards),
                ..Server::clone(server)
            };
            let mut peer = Peer::new(&own, timeout)?;
            peer.shards = shards;
            peer.budgets = Arc::new(Budgets::new(archive, &peer.allowance));
            // Two entries may be one host, entered in two ways.
            let same = peers.iter().find(|(known, _)| known.is_at(server));
            if let Some((_, known)) = same {
                peer.slots = Arc::clone(&known.slots);
                peer.room = Arc::clone(&known.room);
                peer.rate = Arc::clone(&known.rate);
                peer.messages = Arc::clone(&known.messages);
                peer.budgets = Arc::clone(&known.budgets);
                peer.allowance = Arc::clone(&known.allowance);
                peer.known = Arc::clone(&known.known);
                peer.pace = Arc::clone(&known.pace);
                peer.turns = Arc::clone(&known.turns);
                peer.met = Arc::clone(&known.met);
            }
            peers.push((Arc::clone(server), peer));
        }
        Ok(Self(Arc::new(peers)))
    }

    /// The limits that are observed because of what servers are, each once.
    #[must_use]
    pub fn limits_told(&self) -> Vec<String> {
        let mut told: Vec<String> = Vec::new();
        for limits in self.0.iter().filter_map(|(_, peer)| peer.limits_told()) {
            if !told.contains(&limits) {
                told.push(limits);
            }
        }
        told
    }

    /// Version and certificate of the server at a host and port, once there was a TLS connection to it.
    #[must_use]
    pub fn met(&self, host: &str, port: u16) -> Option<String> {
        let mut peers = self.0.iter().map(|(_, peer)| peer);
        let peer = peers.find(|peer| peer.server.host == host && peer.server.port == port)?;
        peer.met.get().cloned()
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
