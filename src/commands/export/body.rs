//! The sink of one FETCH command: a body on its way into the directory of the mailbox it was asked of.

use std::io::{self, Write};

use crate::archive::incoming::Incoming;
use crate::archive::mailbox::MailboxDir;
use crate::progress::Arriving;
use crate::session::reader::BodySink;

/// The body that is arriving, if it is to go anywhere.
#[derive(Default)]
pub struct ArrivingBody {
    dir: Option<MailboxDir>,
    incoming: Option<Incoming>,
    arriving: Arriving,
}

impl ArrivingBody {
    /// One whose bytes are counted there.
    pub fn counted(arriving: Arriving) -> Self {
        Self {
            arriving,
            ..Self::default()
        }
    }

    /// Bodies go to this directory; without one they are passed over.
    pub fn goes_to(&mut self, dir: Option<&MailboxDir>) {
        if dir.is_none() {
            self.incoming = None;
        }
        if self.dir.is_some() != dir.is_some() {
            self.dir = dir.cloned();
        }
    }

    /// What has arrived.
    pub fn take(&mut self) -> Option<Incoming> {
        self.incoming.take()
    }
}

impl BodySink for ArrivingBody {
    fn begin(&mut self, announced: u64) -> io::Result<()> {
        let Some(dir) = &self.dir else {
            return Ok(());
        };
        let incoming = self.incoming.get_or_insert_with(|| dir.incoming());
        incoming.begin(announced);
        self.arriving.clear();
        Ok(())
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match &mut self.incoming {
            Some(incoming) => {
                self.arriving.add(chunk.len() as u64);
                incoming.write_all(chunk)
            }
            None => Ok(()),
        }
    }
}
