//! A server as connections are made to it. It makes none itself.

use std::sync::Arc;
use std::time::Duration;

use native_tls::TlsConnector;

use super::error::Result;
use super::slots::Slots;
use super::tls;
use crate::config::{Server, TlsMode};

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
            tls,
        })
    }
}
