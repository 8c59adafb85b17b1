//! The three servers behind one face: how each is reached, and what it calls a mailbox.

use std::any::Any;

use super::super::ANNA;
use crate::kit::Endpoint;
use crate::kit::run::reader::Reader;
use crate::kit::servers::cyrus::Cyrus;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::pymap::Pymap;

pub const PASSWORD: &str = "secret";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Dovecot,
    Cyrus,
    Pymap,
}

impl Kind {
    /// The server's name of a mailbox that lies at these levels.
    pub fn name(self, levels: &[String]) -> String {
        match self {
            Self::Cyrus if levels == ["INBOX"] => "INBOX".to_owned(),
            Self::Cyrus => format!("INBOX.{}", levels.join(".")),
            Self::Dovecot | Self::Pymap => levels.join("/"),
        }
    }

    /// The levels behind the server's name of a mailbox.
    pub fn levels(self, name: &str) -> Vec<String> {
        let (name, delimiter) = match self {
            Self::Cyrus => (name.strip_prefix("INBOX.").unwrap_or(name), '.'),
            Self::Dovecot | Self::Pymap => (name, '/'),
        };
        name.split(delimiter).map(str::to_owned).collect()
    }
}

/// One of them with an account of Anna's; stops when dropped.
pub struct Server {
    /// How it is reached: by TLS where no other test meets the server's, else without. Each run that reads the
    /// system's certificates takes longer for that than for all the rest.
    pub endpoint: Endpoint,
    _running: Box<dyn Any>,
}

impl Server {
    pub fn start(kind: Kind) -> Self {
        match kind {
            Kind::Dovecot => {
                let dovecot = Dovecot::start(DovecotOptions {
                    special_use: true,
                    ..DovecotOptions::of(&[(ANNA, PASSWORD)])
                });
                Self::of(dovecot.plain(), dovecot)
            }
            Kind::Cyrus => {
                let cyrus = Cyrus::start(&[(ANNA, PASSWORD)]);
                Self::of(cyrus.plain(), cyrus)
            }
            Kind::Pymap => {
                let pymap = Pymap::start(ANNA, PASSWORD);
                Self::of(pymap.starttls(), pymap)
            }
        }
    }

    fn of(endpoint: Endpoint, running: impl Any) -> Self {
        Self {
            endpoint,
            _running: Box::new(running),
        }
    }

    /// Anna, through imaplib.
    pub fn reader(&self) -> Reader {
        Reader::new(&self.endpoint, ANNA, PASSWORD)
    }
}
