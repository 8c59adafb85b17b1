//! Exports, proves and imports all mailboxes of many IMAP accounts. The binary only calls [`main`].

mod accounts;
mod archive;
mod budget;
mod child;
mod cli;
mod clock;
mod commands;
mod compare;
mod config;
mod credential;
mod disk;
mod exit;
mod filter;
mod finding;
mod fleet;
mod http;
mod imapsync;
mod limits;
mod logging;
mod mailbox;
mod mapping;
mod message;
mod meter;
mod mode;
mod outputs;
mod panel;
mod plural;
mod printable;
mod program;
mod progress;
mod redact;
mod report;
mod secret;
mod session;
mod settings;
mod spelling;
mod status;
mod stop;
mod target;
mod waiting;

pub use program::main;

/// What the fuzz targets reach; all else is known to be used, or the compiler says so.
pub mod testing {
    pub use crate::archive::journal::{Journal, Route};
    pub use crate::archive::mailbox::MailboxDir;
    pub use crate::archive::path::{decode_name, encode_name};
    pub use crate::archive::state::ExportState;
    pub use crate::config::limits::Limits;
    pub use crate::config::{Auth, Mechanism, Server, TlsMode};
    pub use crate::credential::{Credential, Token};
    pub use crate::mailbox::{Listed, Name, UidSet};
    pub use crate::message::{
        DateSource, Fingerprint, Identity, Inspector, Oddity, internaldate_for, message_id,
        timestamp,
    };
    pub use crate::panel::address;
    pub use crate::panel::directadmin::reply::Reply;
    pub use crate::secret::Secret;
    pub use crate::session::auth::Login;
    pub use crate::session::peer::Peer;
    pub use crate::session::reader::{BodySink, NoBody, Reader, Response};
    pub use crate::session::steps::Steps;
    pub use crate::session::wire::Wire;
    pub use crate::stop::Stop;

    /// What was not brought over.
    pub mod failed {
        pub use crate::archive::failed::{Transfer, load};
    }

    /// Where mailboxes go.
    pub mod mapping {
        pub use crate::mapping::{SourceMailbox, Target, plan};
    }

    /// Sessions begin.
    pub mod connect {
        pub use crate::session::connect::attempt;
    }

    /// What fails in a session.
    pub mod error {
        pub use crate::session::error::Kind;
    }

    /// Accounts are listed.
    pub mod list {
        pub use crate::session::list::{StatusItems, list};
    }

    /// What refusals mean.
    pub mod refusal {
        pub use crate::session::refusal::{classify, suggested_backoff};
    }

    /// Responses are understood.
    pub mod response {
        pub use crate::session::response::{
            ResponseKind, classify, flag_words, parse_capability, parse_exists, parse_expunge,
            parse_fetch, parse_list, parse_mailbox_status, parse_namespace, parse_quota,
        };
    }
}
