//! The blocking IMAP session wrapper: knows IMAP and no files.

pub mod append;
mod asked;
pub mod auth;
pub mod blame;
pub mod capability;
pub mod channel;
pub mod command;
pub mod connect;
pub mod dial;
pub mod error;
pub mod fetch;
pub mod guard;
pub mod inventory;
pub mod lane;
mod layer;
pub mod list;
pub mod manage;
pub mod pace;
pub mod peer;
pub mod preset;
pub mod rate;
pub mod reader;
pub mod refusal;
pub mod response;
pub mod retry;
pub mod room;
pub mod select;
pub mod slots;
pub mod steps;
pub mod store;
pub mod tls;
pub mod turns;
pub mod wire;

use std::time::Duration;

use tracing::debug;

use capability::Capabilities;
use channel::Channel;
use command::Command;
use error::{Ending, Result};
use pace::{Ahead, Aside};
use slots::Slot;

/// A logged-in connection.
pub struct Session {
    channel: Channel,
    /// How the login was proved.
    pub mechanism: &'static str,
    /// How long the token lasts that proved it, where that is known.
    pub token_left: Option<Duration>,
    // Free when the connection is closed, so it goes last.
    _slot: Slot,
}

impl Session {
    /// The connection, for our own commands.
    pub fn channel(&mut self) -> &mut Channel {
        &mut self.channel
    }

    /// Asks for the capabilities where the login did not bring them.
    fn after_login(&mut self, before: Capabilities) -> Result<()> {
        let channel = &mut self.channel;
        if channel.capabilities.is_empty() {
            channel.run(&Command::new("CAPABILITY"), |_| {})?;
        }
        if channel.capabilities.is_empty() {
            channel.capabilities = before;
        }
        let without = channel.pace.does_without(Aside::Identification);
        if channel.capabilities.has("ID") && !without {
            // Some servers refuse EXAMINE to connections that have not said who they are (RFC 2971).
            let id = Command::identification();
            if channel.pace.ahead() >= Ahead::Appends {
                channel.run(&id, |_| {}).map_err(|error| {
                    let is_silent = error.ending == Some(Ending::TimedOut);
                    channel.pace.died_of(Aside::Identification, is_silent);
                    error.by(Ending::Aside)
                })?;
            } else {
                let tag = channel.send(&id)?;
                channel.forget(tag);
            }
        }
        Ok(())
    }

    /// Says goodbye. The work is done by then, so trouble is only logged.
    pub fn logout(mut self) {
        self.channel.leaving = true;
        self.channel.reader().wire().close_gracefully(true);
        if let Err(error) = self.channel.run(&Command::new("LOGOUT"), |_| {}) {
            debug!(%error, "LOGOUT");
        }
        self.channel.reader().wire().end();
    }

    /// Says goodbye without waiting for the answer: where nothing was changed, nothing depends on it.
    pub fn leave(mut self) {
        if self.channel.has_unheard() {
            // Anything left unread would make the connection end with a reset.
            return self.logout();
        }
        self.channel.leaving = true;
        self.channel.reader().wire().close_gracefully(true);
        if let Err(error) = self.channel.send(&Command::new("LOGOUT")) {
            debug!(%error, "LOGOUT");
        }
        self.channel.reader().wire().end();
    }
}

/// Several threads may work for one account, each with a session of its own.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Session>();
};

#[cfg(test)]
pub mod tests;
