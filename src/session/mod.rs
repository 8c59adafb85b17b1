//! The blocking IMAP session wrapper: knows IMAP and no files.

pub mod append;
pub mod blame;
pub mod channel;
pub mod connect;
pub mod fetch;
pub mod guard;
pub mod list;
pub mod places;
pub mod reader;
pub mod response;
pub mod retry;
pub mod steps;
pub mod tls;
pub mod wire;

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use tracing::debug;

use channel::{Capabilities, Channel, Command};
use guard::Guard;
use places::Place;
use retry::{Kind, Result};

/// A logged-in connection.
pub struct Session {
    channel: Rc<RefCell<Channel>>,
    imap: imap::Session<Guard>,
    // Free when the connection is closed, so it goes last.
    _place: Place,
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
