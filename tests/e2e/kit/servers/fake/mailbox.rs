//! What the fake server holds: plain data, every field open to a test.

use std::sync::Arc;

use crate::kit::mail::Mail;
use crate::kit::servers::codec::hex;

/// One mailbox.
#[derive(Debug, Clone)]
pub struct FakeMailbox {
    /// Name on the wire, any bytes.
    pub name: Vec<u8>,
    /// Hierarchy delimiter; `None` is NIL.
    pub delimiter: Option<char>,
    /// Attributes of LIST, separated by spaces.
    pub attributes: String,
    /// Is it in LSUB?
    pub subscribed: bool,
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// UIDNEXT, where it is not one above the highest UID.
    pub uidnext: Option<u32>,
    /// The highest UID ever given by APPEND: it is not given again.
    pub given: u32,
    /// PERMANENTFLAGS after SELECT; flags that they do not cover are dropped in silence.
    pub permanent_flags: String,
    /// HIGHESTMODSEQ, said when the server offers CONDSTORE.
    pub highestmodseq: u64,
    /// In the order of their sequence numbers.
    pub messages: Vec<FakeMessage>,
}

impl FakeMailbox {
    /// An empty mailbox, UIDVALIDITY 1, delimiter `/`.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        Self {
            name: name.as_ref().to_vec(),
            delimiter: Some('/'),
            attributes: String::new(),
            subscribed: true,
            uidvalidity: 1,
            uidnext: None,
            given: 0,
            permanent_flags: r"\Answered \Flagged \Deleted \Seen \Draft \*".to_owned(),
            highestmodseq: 1,
            messages: Vec::new(),
        }
    }

    /// Other attributes of LIST, for example `\Sent`.
    pub fn attributes(mut self, attributes: &str) -> Self {
        attributes.clone_into(&mut self.attributes);
        self
    }

    /// Another hierarchy delimiter.
    pub fn delimited_by(mut self, delimiter: char) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Other PERMANENTFLAGS, separated by spaces.
    pub fn permanent_flags(mut self, flags: &str) -> Self {
        flags.clone_into(&mut self.permanent_flags);
        self
    }

    /// Adds a message.
    pub fn message(mut self, message: FakeMessage) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds mail with the UIDs that follow.
    pub fn mails(mut self, mails: &[Mail]) -> Self {
        for mail in mails {
            let uid = self.next_uid();
            self.messages.push(FakeMessage::of(uid, mail));
        }
        self
    }

    /// MAILBOXID (RFC 8474).
    pub fn id(&self) -> String {
        format!("F{}", hex(&self.name))
    }

    /// UIDNEXT.
    pub fn next_uid(&self) -> u32 {
        let highest = self.messages.iter().map(|message| message.uid).max();
        let next = self.given.max(highest.unwrap_or(0)) + 1;
        self.uidnext.unwrap_or(next)
    }

    /// Stores a message and returns its UID.
    pub fn store(&mut self, flags: &str, internaldate: String, body: Vec<u8>) -> u32 {
        let uid = self.next_uid();
        self.given = uid;
        self.uidnext = self.uidnext.map(|_| uid + 1);
        self.highestmodseq += 1;
        self.messages.push(FakeMessage {
            uid,
            flags: self.kept(flags),
            internaldate,
            size: None,
            extra: String::new(),
            modseq: self.highestmodseq,
            body: Arc::new(body),
        });
        uid
    }

    /// The flags that this mailbox keeps, of these.
    pub fn kept(&self, flags: &str) -> String {
        let permanent: Vec<&str> = self.permanent_flags.split_whitespace().collect();
        let keeps = |flag: &&str| {
            let any_keyword = !flag.starts_with('\\') && permanent.contains(&r"\*");
            any_keyword || permanent.iter().any(|one| one.eq_ignore_ascii_case(flag))
        };
        let kept: Vec<&str> = flags.split_whitespace().filter(keeps).collect();
        kept.join(" ")
    }

    /// Is this its name? INBOX in any case; others as `any_case` says.
    pub fn is_called(&self, name: &[u8], any_case: bool) -> bool {
        let same = self.name.eq_ignore_ascii_case(name);
        self.name == name || same && (any_case || name.eq_ignore_ascii_case(b"INBOX"))
    }

    /// Does it hold no messages, only others below it?
    pub fn is_noselect(&self) -> bool {
        self.attributes.to_ascii_lowercase().contains("\\noselect")
    }
}

/// One message. Texts are sent as they stand, so they can be wrong.
#[derive(Debug, Clone)]
pub struct FakeMessage {
    /// UID.
    pub uid: u32,
    /// Flags, separated by spaces.
    pub flags: String,
    /// INTERNALDATE as on the wire, quotes included.
    pub internaldate: String,
    /// RFC822.SIZE as on the wire, where it is not the truth.
    pub size: Option<String>,
    /// Further attributes, put behind the flags, for example `X-GM-MSGID 17`.
    pub extra: String,
    /// MODSEQ.
    pub modseq: u64,
    /// The message.
    pub body: Arc<Vec<u8>>,
}

impl FakeMessage {
    /// An unflagged message of 14 November 2023.
    pub fn new(uid: u32, body: impl Into<Vec<u8>>) -> Self {
        Self::of(uid, &Mail::new("", body))
    }

    /// RFC822.SIZE as a number, 0 where it is none.
    pub fn announced(&self) -> u64 {
        let truth = self.body.len() as u64;
        let said = self.size.as_ref().map(|size| size.parse());
        said.map_or(truth, |size| size.unwrap_or(0))
    }

    /// This mail with this UID.
    pub fn of(uid: u32, mail: &Mail) -> Self {
        Self {
            uid,
            flags: mail.flags.clone(),
            internaldate: format!("\"{}\"", mail.internaldate()),
            size: None,
            extra: String::new(),
            modseq: 1,
            body: Arc::new(mail.bytes.clone()),
        }
    }
}
