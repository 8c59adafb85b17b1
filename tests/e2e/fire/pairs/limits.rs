//! What each server cannot keep: everything else must arrive as it was. Mail is named as in the kit.

use super::server::Kind::{self, Cyrus, Dovecot, Pymap};

/// What the program must report of a message that the target does not keep as it is.
#[derive(Debug, Clone, Copy)]
pub enum Report {
    /// The target refuses it in these words: `failed.jsonl`, exit code 1; `missing` when it is validated.
    Refused(&'static str),
    /// The target changes it: this finding, with these words in it, when it is validated with `--deep`.
    Found(&'static str, &'static str),
}

/// A message that a server does not keep as it is, when it comes from one of these kinds of servers.
#[derive(Debug)]
pub struct Exception {
    pub mail: &'static str,
    /// Other kinds have refused it or changed it themselves already, so that it can be kept.
    pub from: &'static [Kind],
    pub report: Report,
}

/// What a kind of server cannot keep.
pub struct Limits {
    pub mails: &'static [Exception],
    /// What its `APPEND` leaves of a message that it takes.
    pub stores: fn(&[u8]) -> Vec<u8>,
    /// Keywords are lost.
    pub keeps_keywords: bool,
    /// Levels of mailbox names that it refuses, and what they become.
    pub names: &'static [(&'static str, &'static str)],
}

/// What reading a message of this kind back finds, as a note: the content is the same.
const LINE_ENDS: Report = Report::Found("note rewritten", "line ends");
const FINAL_LINE_END: Report = Report::Found("note rewritten", "final line end");
const OTHER_BODY: Report = Report::Found("error content-differs", "the body differs");
const BARE_LF: Report = Report::Refused("Message contains bare newlines");
const BAD_HEADER: Report = Report::Refused("Message contains invalid header");

const fn exception(mail: &'static str, from: &'static [Kind], report: Report) -> Exception {
    Exception { mail, from, report }
}

/// Stores lines without the carriage return before their end and puts it back for each reader: bare line feeds get
/// one, a carriage return too many and one at the very end are lost. A zero byte becomes 0x80.
const DOVECOT: Limits = Limits {
    mails: &[
        exception("bare line feeds", &[Pymap], LINE_ENDS),
        exception("only line feeds in the body", &[Pymap], LINE_ENDS),
        exception("every byte but zero", &[Pymap], LINE_ENDS),
        exception("zero bytes", &[Pymap], OTHER_BODY),
        exception("bare carriage returns", &[Cyrus, Pymap], OTHER_BODY),
        exception("ends with a carriage return", &[Cyrus, Pymap], OTHER_BODY),
        // As pymap has them: with a carriage return as the last byte.
        exception("no empty line after the headers", &[Pymap], FINAL_LINE_END),
        exception(
            "body without headers and empty line",
            &[Pymap],
            FINAL_LINE_END,
        ),
    ],
    stores: |bytes| {
        let mut stored: Vec<u8> = Vec::with_capacity(bytes.len());
        for (at, &byte) in bytes.iter().enumerate() {
            let rest = &bytes[at + 1..];
            if byte == b'\r' && (rest.is_empty() || rest.starts_with(b"\r\n")) {
                continue;
            }
            if byte == b'\n' && stored.last() != Some(&b'\r') {
                stored.push(b'\r');
            }
            stored.push(if byte == 0 { 0x80 } else { byte });
        }
        stored
    },
    keeps_keywords: true,
    names: &[],
};

/// Strict about what a message is, and about names; 8-bit characters in a header become `X`.
const CYRUS: Limits = Limits {
    mails: &[
        exception("headers cut in the middle", &[Dovecot, Pymap], BAD_HEADER),
        exception("one byte", &[Dovecot, Pymap], BAD_HEADER),
        exception(
            "body without headers and empty line",
            &[Dovecot, Pymap],
            BAD_HEADER,
        ),
        // As pymap has it: with a carriage return as the last byte.
        exception("no empty line after the headers", &[Pymap], BAD_HEADER),
        exception("bare line feeds", &[Pymap], BARE_LF),
        exception("only line feeds in the body", &[Pymap], BARE_LF),
        exception("every byte but zero", &[Pymap], BARE_LF),
        exception(
            "zero bytes",
            &[Pymap],
            Report::Refused("Message contains NUL characters"),
        ),
        exception(
            "8-bit headers",
            &[Dovecot, Pymap],
            Report::Found(
                "error content-differs",
                "header fields changed or gone: subject, x-utf8, x-broken",
            ),
        ),
        exception(
            "Message-ID with 8-bit and quotes",
            &[Dovecot, Pymap],
            Report::Found(
                "error content-differs",
                "header fields changed or gone: message-id",
            ),
        ),
    ],
    stores: |bytes| {
        let mut stored = bytes.to_vec();
        let end = header_end(bytes).unwrap_or(bytes.len());
        for byte in &mut stored[..end] {
            if !byte.is_ascii() {
                *byte = b'X';
            }
        }
        stored
    },
    keeps_keywords: true,
    names: &[
        ("v1.0", "v1=2E0"),
        ("with \"quotes\"", "with =22quotes=22"),
        ("back\\slash", "back=5Cslash"),
        ("100% * all", "100=25 =2A all"),
    ],
};

/// Offers system flags only. Of a message without an empty line it loses the last line feed: appended as
/// `…no end\r\n`, it is `…no end\r` when fetched.
const PYMAP: Limits = Limits {
    mails: &[
        exception(
            "no empty line after the headers",
            &[Dovecot, Cyrus],
            FINAL_LINE_END,
        ),
        exception(
            "body without headers and empty line",
            &[Dovecot],
            FINAL_LINE_END,
        ),
    ],
    stores: |bytes| {
        let kept = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let kept = if header_end(bytes).is_none() {
            kept
        } else {
            bytes
        };
        kept.to_vec()
    },
    keeps_keywords: false,
    names: &[],
};

impl Limits {
    pub fn of(kind: Kind) -> &'static Self {
        match kind {
            Dovecot => &DOVECOT,
            Cyrus => &CYRUS,
            Pymap => &PYMAP,
        }
    }

    /// Does it refuse a message, whoever sends it, in these words?
    pub fn refuses(&self, mail: &str, words: &str) -> bool {
        let mut rows = self.mails.iter().filter(|row| row.mail == mail);
        rows.any(|row| matches!(row.report, Report::Refused(said) if said == words))
    }

    /// What is reported of a message that comes from such a server.
    pub fn report(&self, mail: &str, from: Kind) -> Option<Report> {
        let row = self
            .mails
            .iter()
            .find(|row| row.mail == mail && row.from.contains(&from));
        row.map(|row| row.report)
    }
}

/// Where the empty line begins.
fn header_end(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") {
        return Some(0);
    }
    bytes.windows(4).position(|window| window == b"\r\n\r\n")
}
