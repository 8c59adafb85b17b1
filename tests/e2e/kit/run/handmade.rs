//! Archives written by the test from the documented format alone: whatever they hold, no export had to bring it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::program::Program;
use crate::kit::mail::Mail;
use crate::kit::servers::codec::{hex, utf7};

/// Whose archive it is.
const ANNA: &str = "anna@example.com";

/// Anna's archive in the program's `exported`.
pub struct Handmade {
    /// The account's directory.
    pub dir: PathBuf,
    mailboxes: Vec<Value>,
}

impl Handmade {
    /// An archive without mailboxes.
    pub fn new(program: &Program) -> Self {
        Self::of(program, ANNA)
    }

    /// The same of another account.
    pub fn of(program: &Program, email: &str) -> Self {
        let dir = program.path("exported").join(email);
        fs::create_dir_all(&dir).expect("create the account's directory");
        private(&dir, 0o700);
        Self {
            dir,
            mailboxes: Vec::new(),
        }
    }

    /// A subscribed mailbox, delimiter `/`, UIDs from 1.
    pub fn mailbox(self, name: &str, mails: &[Mail]) -> Self {
        self.listed(name, '/', &[], true, mails)
    }

    /// A mailbox as its server listed it.
    pub fn listed(
        mut self,
        name: &str,
        delimiter: char,
        attributes: &[&str],
        subscribed: bool,
        mails: &[Mail],
    ) -> Self {
        let directory = directory_of(name);
        let uidvalidity = 1_600_000_000 + self.mailboxes.len();
        let dir = self.dir.join(&directory);
        fs::create_dir(&dir).expect("create a mailbox's directory");
        private(&dir, 0o700);
        let meta = json!({
            "name": name,
            "wire": utf7(name),
            "delimiter": delimiter.to_string(),
            "attributes": attributes,
            "uidvalidity": uidvalidity,
        });
        write(&dir.join(".mailbox.json"), meta.to_string());
        for (mail, uid) in mails.iter().zip(1_u32..) {
            let stem = dir.join(format!("u{uid:010}"));
            write(&stem.with_extension("eml"), &mail.bytes);
            let sidecar = sidecar(name, uidvalidity, uid, mail);
            write(&stem.with_extension("json"), sidecar.to_string());
        }
        let bytes: usize = mails.iter().map(|mail| mail.bytes.len()).sum();
        let mut state = meta;
        let more = json!({
            "directory": directory,
            "subscribed": subscribed,
            "uidnext": mails.len() + 1,
            "highestmodseq": null,
            "messages": mails.len(),
            "bytes": bytes,
            "complete": true,
            "uids": if mails.is_empty() { String::new() } else { format!("1:{}", mails.len()) },
        });
        for (key, value) in more.as_object().expect("an object") {
            state[key] = value.clone();
        }
        self.mailboxes.push(state);
        self
    }

    /// The state of an export that brought everything.
    pub fn complete(self) -> Self {
        self.state(true)
    }

    /// The state of an export that was cut off.
    pub fn incomplete(self) -> Self {
        self.state(false)
    }

    fn state(self, complete: bool) -> Self {
        let state = json!({
            "format": 1,
            "tool": "imapsync-bulk-migrator",
            "version": "0.1.0",
            "server": {"host": "old.example.com", "port": 993, "tls": "implicit"},
            "user": ANNA,
            "started": "2024-01-01T00:00:00Z",
            "finished": if complete { json!("2024-01-01T00:01:00Z") } else { Value::Null },
            "complete": complete,
            "mailboxes": self.mailboxes,
        });
        write(&self.dir.join("export-state.json"), state.to_string());
        self
    }

    /// A mailbox's directory.
    pub fn mailbox_dir(&self, name: &str) -> PathBuf {
        self.dir.join(directory_of(name))
    }

    /// The message file or, with `json`, the sidecar of a message.
    pub fn file(&self, mailbox: &str, uid: u32, extension: &str) -> PathBuf {
        self.mailbox_dir(mailbox)
            .join(format!("u{uid:010}.{extension}"))
    }

    /// Changes the JSON of a file.
    pub fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
        let text = fs::read_to_string(path).expect("read a JSON file");
        let mut value = serde_json::from_str(&text).expect("JSON");
        change(&mut value);
        write(path, value.to_string());
    }
}

fn sidecar(mailbox: &str, uidvalidity: usize, uid: u32, mail: &Mail) -> Value {
    json!({
        "mailbox": mailbox,
        "uid": uid,
        "uidvalidity": uidvalidity,
        "flags": mail.flags,
        "internaldate": mail.internaldate(),
        "size": mail.bytes.len(),
        "sha256": hex(&Sha256::digest(&mail.bytes)),
        "message_id": null,
    })
}

/// Writes a file of the archive.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
    private(path, 0o600);
}

/// Gives a file or directory this mode.
pub fn private(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set a mode");
}

/// As the README says: `/`, `%`, control characters, a leading `.`, a trailing `.` or blank percent-encoded.
fn directory_of(name: &str) -> String {
    let last = name.chars().count() - 1;
    let mut directory = String::new();
    for (index, c) in name.chars().enumerate() {
        let at_an_end = index == 0 && c == '.' || index == last && matches!(c, '.' | ' ');
        if at_an_end || matches!(c, '/' | '%') || c.is_control() {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                directory += &format!("%{byte:02X}");
            }
        } else {
            directory.push(c);
        }
    }
    directory
}
