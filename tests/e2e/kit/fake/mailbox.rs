//! What the fake server holds: plain data, every field open to a test.

use std::sync::Arc;

use crate::kit::mail::Mail;

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
            highestmodseq: 1,
            messages: Vec::new(),
        }
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

    /// UIDNEXT.
    pub fn next_uid(&self) -> u32 {
        let highest = self.messages.iter().map(|message| message.uid).max();
        self.uidnext.unwrap_or(highest.unwrap_or(0) + 1)
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
