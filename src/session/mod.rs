//! The blocking IMAP session wrapper: knows IMAP and no files.

pub mod append;
pub mod blame;
pub mod capability;
pub mod channel;
pub mod command;
pub mod connect;
pub mod error;
pub mod fetch;
pub mod guard;
pub mod lane;
pub mod list;
pub mod peer;
pub mod reader;
pub mod refusal;
pub mod response;
pub mod retry;
pub mod slots;
pub mod steps;
pub mod tls;
pub mod wire;

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use tracing::debug;

use capability::Capabilities;
use channel::Channel;
use command::Command;
use error::{Kind, Result};
use guard::Guard;
use slots::Slot;

/// A logged-in connection.
pub struct Session {
    channel: Rc<RefCell<Channel>>,
    imap: imap::Session<Guard>,
    // Free when the connection is closed, so it goes last.
    _slot: Slot,
}

impl Session {
    /// The connection, for our own commands.
    #[must_use]
    pub fn channel(&self) -> RefMut<'_, Channel> {
        self.channel.borrow_mut()
    }

    /// Asks for the capabilities where the login did not bring them.
    fn after_login(&mut self, before: Capabilities) -> Result<()> {
        let mut channel = self.channel.borrow_mut();
        if channel.capabilities.is_empty() {
            channel.run(&Command::new("CAPABILITY"), |_| {})?;
        }
        if channel.capabilities.is_empty() {
            channel.capabilities = before;
        }
        Ok(())
    }

    /// Says goodbye. The work is done by then, so trouble is only logged.
    pub fn logout(mut self) {
        self.channel.borrow_mut().leaving = true;
        self.channel().reader().wire().close_gracefully(true);
        if let Err(error) = self.imap.logout() {
            let error = connect::crate_error(&self.channel, error, Kind::Refused);
            debug!(%error, "LOGOUT");
        }
    }
}
