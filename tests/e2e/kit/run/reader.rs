//! What a server really holds, and changes to it, by python3's imaplib: a client that is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::kit::Endpoint;
use crate::kit::mail::Mail;
use crate::kit::run::python;
use crate::kit::servers::codec::{hex, unhex};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/e2e/kit/run/imap_reader.py"
);

/// One mailbox as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldMailbox {
    /// The name, decoded from modified UTF-7.
    pub name: String,
    /// Hierarchy delimiter.
    pub delimiter: Option<String>,
    /// Attributes of LIST, sorted, without \Marked and \Unmarked.
    pub attributes: Vec<String>,
    /// Is it in LSUB?
    pub subscribed: bool,
    /// False for \Noselect; the rest is then empty.
    pub selectable: bool,
    /// UIDVALIDITY.
    pub uidvalidity: Option<u32>,
    /// UIDNEXT.
    pub uidnext: Option<u32>,
    /// HIGHESTMODSEQ, where the server has CONDSTORE.
    pub highestmodseq: Option<u64>,
    /// In the order of their UIDs.
    pub messages: Vec<HeldMessage>,
}

/// One message as the server shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldMessage {
    /// UID.
    pub uid: u32,
    /// Flags and keywords, sorted, without \Recent.
    pub flags: Vec<String>,
    /// INTERNALDATE as it is on the wire.
    pub internaldate: String,
    /// RFC822.SIZE.
    pub size: u64,
    /// Digest of `BODY.PEEK[]`; `None` when the server sends none.
    pub sha256: Option<String>,
    /// Length of `BODY.PEEK[]`.
    pub length: Option<u64>,
    /// The message, if asked for with [`Reader::with_bodies`].
    #[serde(default, deserialize_with = "body")]
    pub body: Option<Vec<u8>>,
}

/// Nothing that a user or another client would notice has changed: no mailbox, UID, flag, date or byte.
///
/// The order of LIST may change, and HIGHESTMODSEQ may appear, as Dovecot begins to count when first asked.
#[track_caller]
pub fn assert_unchanged(before: &[HeldMailbox], after: &[HeldMailbox]) {
    let by_name = |mailboxes: &[HeldMailbox]| -> BTreeMap<String, HeldMailbox> {
        let stable = mailboxes.iter().cloned().map(|mut mailbox| {
            mailbox.highestmodseq = None;
            (mailbox.name.clone(), mailbox)
        });
        stable.collect()
    };
    let (before, after) = (by_name(before), by_name(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<&&String> = names
        .iter()
        .filter(|name| before.get(**name) != after.get(**name))
        .collect();
    if let Some(first) = changed.first() {
        let strip = |mailbox: Option<&HeldMailbox>| {
            let mut mailbox = mailbox.cloned();
            for message in mailbox.iter_mut().flat_map(|mailbox| &mut mailbox.messages) {
                message.body = None;
            }
            mailbox
        };
        let (before, after) = (strip(before.get(**first)), strip(after.get(**first)));
        panic!("{changed:?} changed on the server; {first} was {before:#?}\nand is {after:#?}");
    }
}

fn body<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(|text| unhex(&text)))
}

/// A mailbox for [`Reader::fill`].
#[derive(Debug, Clone)]
pub struct Filling {
    /// Its name.
    pub mailbox: String,
    /// Subscribe to it.
    pub subscribed: bool,
    /// What to append.
    pub mails: Vec<Mail>,
}

/// The UID of a message that was appended, where the server says it; or what the server says against it.
pub type Appended = Result<Option<u32>, String>;

#[derive(Deserialize)]
struct Outcome {
    uid: Option<u32>,
    refused: Option<String>,
}

impl Outcome {
    fn told(self) -> Appended {
        self.refused.map_or(Ok(self.uid), Err)
    }
}

fn messages_json(mails: &[Mail]) -> Vec<Value> {
    let message = |mail: &Mail| {
        json!({
            "bytes": hex(&mail.bytes),
            "flags": mail.flags,
            "internaldate": mail.internaldate(),
        })
    };
    mails.iter().map(message).collect()
}

/// A login; each call is a connection of its own.
#[derive(Debug, Clone)]
pub struct Reader {
    endpoint: Endpoint,
    user: String,
    password: String,
    bodies: i64,
}

impl Reader {
    /// Reads as this user.
    pub fn new(endpoint: &Endpoint, user: &str, password: &str) -> Self {
        Self {
            endpoint: endpoint.clone(),
            user: user.to_owned(),
            password: password.to_owned(),
            bodies: -1,
        }
    }

    /// Bodies up to this many bytes are read as bytes too, not only as digests.
    pub fn with_bodies(mut self, limit: u32) -> Self {
        self.bodies = i64::from(limit);
        self
    }

    /// Everything the account holds, in the server's order.
    pub fn mailboxes(&self) -> Vec<HeldMailbox> {
        self.ask(&json!({"do": "mailboxes", "bodies": self.bodies, "only": null}))
    }

    /// One mailbox; panics when there is none of this name.
    pub fn mailbox(&self, name: &str) -> HeldMailbox {
        let found: Vec<HeldMailbox> =
            self.ask(&json!({"do": "mailboxes", "bodies": self.bodies, "only": name}));
        let found = found.into_iter().next();
        found.unwrap_or_else(|| panic!("{} has no mailbox {name}", self.user))
    }

    /// The error that connecting or logging in ends with.
    pub fn refusal(&self) -> Option<String> {
        let action = json!({"do": "mailboxes", "bodies": -1, "only": ""});
        self.try_ask::<Value>(&action).err()
    }

    /// Appends; the UIDs where the server says them. Panics when a message is refused.
    pub fn append(&self, mailbox: &str, mails: &[Mail]) -> Vec<Option<u32>> {
        let outcomes = self.try_append(mailbox, mails).into_iter().zip(mails);
        outcomes
            .map(|(outcome, mail)| {
                outcome.unwrap_or_else(|text| panic!("APPEND of {}: {text}", mail.name))
            })
            .collect()
    }

    /// Appends; for each message its UID, or what the server says against it.
    pub fn try_append(&self, mailbox: &str, mails: &[Mail]) -> Vec<Appended> {
        let outcomes: Vec<Outcome> = self
            .ask(&json!({"do": "append", "mailbox": mailbox, "messages": messages_json(mails)}));
        outcomes.into_iter().map(Outcome::told).collect()
    }

    /// Makes what is missing of these mailboxes, subscribes to them and appends, all on one connection.
    pub fn fill(&self, mailboxes: &[Filling]) -> Vec<Vec<Appended>> {
        let mailboxes: Vec<Value> = mailboxes
            .iter()
            .map(|filling| {
                json!({
                    "mailbox": filling.mailbox,
                    "subscribed": filling.subscribed,
                    "messages": messages_json(&filling.mails),
                })
            })
            .collect();
        let outcomes: Vec<Vec<Outcome>> = self.ask(&json!({"do": "fill", "mailboxes": mailboxes}));
        let told = outcomes
            .into_iter()
            .map(|mailbox| mailbox.into_iter().map(Outcome::told).collect());
        told.collect()
    }

    /// STORE: `how` is `+FLAGS`, `-FLAGS` or `FLAGS`, `uids` a set such as `1:3,7`.
    pub fn store(&self, mailbox: &str, uids: &str, how: &str, flags: &str) {
        self.act(
            &json!({"do": "store", "mailbox": mailbox, "uids": uids, "how": how, "flags": flags}),
        );
    }

    /// Deletes messages for good.
    pub fn expunge(&self, mailbox: &str, uids: &str) {
        self.act(&json!({"do": "expunge", "mailbox": mailbox, "uids": uids}));
    }

    /// CREATE.
    pub fn create(&self, mailbox: &str) {
        self.on_names("create", &[mailbox]);
    }

    /// RENAME.
    pub fn rename(&self, from: &str, to: &str) {
        self.on_names("rename", &[from, to]);
    }

    /// DELETE.
    pub fn delete(&self, mailbox: &str) {
        self.on_names("delete", &[mailbox]);
    }

    /// SUBSCRIBE.
    pub fn subscribe(&self, mailbox: &str) {
        self.on_names("subscribe", &[mailbox]);
    }

    /// UNSUBSCRIBE.
    pub fn unsubscribe(&self, mailbox: &str) {
        self.on_names("unsubscribe", &[mailbox]);
    }

    fn on_names(&self, action: &str, names: &[&str]) {
        self.act(&json!({"do": action, "names": names}));
    }

    fn act(&self, action: &Value) {
        self.ask::<()>(action);
    }

    fn ask<T: DeserializeOwned>(&self, action: &Value) -> T {
        self.try_ask(action).unwrap_or_else(|error| {
            panic!(
                "imaplib, {} of {} at port {}: {error}",
                action["do"], self.user, self.endpoint.port
            )
        })
    }

    fn try_ask<T: DeserializeOwned>(&self, action: &Value) -> Result<T, String> {
        let job = json!({
            "host": self.endpoint.host,
            "port": self.endpoint.port,
            "security": self.endpoint.security.word(),
            "ca_file": self.endpoint.ca_file,
            "user": self.user,
            "password": self.password,
            "action": action,
        });
        let answer = run_script(&job);
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => {
                Ok(serde_json::from_value(answer["result"].clone()).expect("the script's JSON"))
            }
        }
    }
}

/// The job goes through the pipe: a password has no business among arguments.
fn run_script(job: &Value) -> Value {
    let mut child = python::command()
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("start python3");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(job.to_string().as_bytes())
        .expect("hand over the job");
    drop(pipe);
    let output = child.wait_with_output().expect("run the reader");
    assert!(
        output.status.success(),
        "{SCRIPT} failed; its words are above"
    );
    serde_json::from_slice(&output.stdout).expect("JSON from the reader")
}
