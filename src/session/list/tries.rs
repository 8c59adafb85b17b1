//! An account whose listing kills connections: STATUS is a hint, and is left out.
//!
//! It makes no connections; whoever does keeps this from one to the next.

use super::{Glance, Glanced, Listing, StatusItems, glance};
use crate::mailbox::Listed;
use crate::session::channel::Channel;
use crate::session::error::{Kind, Result};

/// Connections that may die while an account is listed before STATUS is left out.
const ENOUGH: u32 = 2;

/// The listing of one account, on all its connections.
#[derive(Debug, Default)]
pub struct Tries {
    died: u32,
}

impl Tries {
    /// Lists the account, and asks for less than before where connections have died of that.
    ///
    /// # Errors
    /// As for [`list`](super::list).
    pub fn list(
        &mut self,
        channel: &mut Channel,
        numbers: StatusItems,
        wanted: impl Fn(&Listed) -> bool,
    ) -> Result<Listing> {
        let listing = self.glance(channel, numbers, wanted, &[]);
        listing.map(|(listing, _)| listing)
    }

    /// The same with a look at some messages, in the same flight.
    ///
    /// # Errors
    /// As for [`list`](super::list).
    pub fn glance(
        &mut self,
        channel: &mut Channel,
        numbers: StatusItems,
        wanted: impl Fn(&Listed) -> bool,
        glances: &[Glance],
    ) -> Result<(Listing, Vec<Option<Glanced>>)> {
        let numbers = if self.died == 0 {
            numbers
        } else {
            StatusItems::Plain
        };
        let asks_status = self.died < ENOUGH;
        let wanted = |listed: &Listed| asks_status && wanted(listed);
        let seen = glance(channel, numbers, wanted, glances);
        seen.inspect_err(|error| {
            self.died += u32::from(matches!(error.kind, Kind::Transient | Kind::Desync));
        })
    }
}
