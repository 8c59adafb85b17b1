//! A look at one message of each of some mailboxes, sent along with the questions which mailboxes there are.

use crate::mailbox::Name;
use crate::session::capability::Capabilities;
use crate::session::command::Command;
use crate::session::error::Result;
use crate::session::fetch;
use crate::session::reader::Response;
use crate::session::response::{self, Condition, FetchData, StatusResponse};
use crate::session::select::{self, Selected};

/// A message to be looked at.
#[derive(Debug, Clone)]
pub struct Glance {
    /// The mailbox.
    pub mailbox: Name,
    /// The message.
    pub uid: u32,
}

/// What was seen of it.
pub struct Glanced {
    /// UIDVALIDITY of the mailbox; 0 where the server says none.
    pub uidvalidity: u32,
    /// The message, with what tells it from another.
    pub message: FetchData,
}

/// One of the two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GlanceStep {
    Open,
    Fetch,
}

/// All of them, in the order in which they were sent.
#[derive(Default)]
pub(super) struct Glances {
    /// `None` for what the server did not show.
    pub found: Vec<Option<Glanced>>,
    selected: Selected,
    is_open: bool,
    message: Option<FetchData>,
    uids: Vec<u32>,
}

impl Glances {
    /// The two commands of each.
    pub fn commands(
        &mut self,
        glances: &[Glance],
        server: &Capabilities,
    ) -> Result<Vec<(Command, GlanceStep)>> {
        let mut commands = Vec::new();
        for glance in glances {
            commands.push((
                select::examine(glance.mailbox.wire(), server)?,
                GlanceStep::Open,
            ));
            commands.push((fetch::identified(glance.uid, false), GlanceStep::Fetch));
            self.uids.push(glance.uid);
        }
        Ok(commands)
    }

    pub fn take(&mut self, part: GlanceStep, response: &Response) {
        if part == GlanceStep::Open {
            self.selected.take(response);
            return;
        }
        let wanted = self.uids.get(self.found.len()).copied();
        if let Some(Ok(data)) = response::parse_fetch(response)
            && data.uid.is_some()
            && data.uid == wanted
        {
            self.message = Some(data);
        }
    }

    pub fn ended(&mut self, part: GlanceStep, status: &StatusResponse) {
        let is_ok = status.condition == Condition::Ok;
        if part == GlanceStep::Open {
            self.is_open = is_ok;
            return;
        }
        let uidvalidity = std::mem::take(&mut self.selected).uidvalidity;
        // What is seen while no mailbox is open belongs to another one.
        let message = self.message.take().filter(|_| is_ok && self.is_open);
        self.found.push(message.map(|message| Glanced {
            uidvalidity,
            message,
        }));
    }
}
