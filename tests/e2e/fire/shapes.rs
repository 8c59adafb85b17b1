//! The round trip between a plain Dovecot and servers of other shapes, in both directions: what was exported arrives,
//! a second import appends nothing, and a validation that reads everything back has nothing to say.

use std::any::Any;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::ANNA;
use crate::kit::mail::{Mail, flagged_hostile, realistic};
use crate::kit::run::findings::findings;
use crate::kit::run::program::{EXPORT, IMPORT, Program};
use crate::kit::run::reader::{Filling, HeldMailbox, Reader};
use crate::kit::servers::codec::hex;
use crate::kit::servers::courier::Courier;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, Layout, storage_quota};
use crate::kit::{Endpoint, PASSWORD};

/// A server with an account of Anna's.
struct Shape {
    endpoint: Endpoint,
    delimiter: char,
    /// What stands before the names of all mailboxes but INBOX.
    prefix: &'static str,
    _running: Box<dyn Any>,
}

impl Shape {
    fn dovecot(options: DovecotOptions) -> Self {
        let (delimiter, prefix) = (options.separator, options.prefix);
        let dovecot = Dovecot::start(options);
        Self {
            endpoint: dovecot.plain(),
            delimiter,
            prefix,
            _running: Box::new(dovecot),
        }
    }

    fn courier() -> Self {
        let courier = Courier::start(&[(ANNA, PASSWORD)]);
        Self {
            endpoint: courier.plain(),
            delimiter: '.',
            prefix: "INBOX.",
            _running: Box::new(courier),
        }
    }

    fn reader(&self) -> Reader {
        Reader::new(&self.endpoint, ANNA, PASSWORD)
    }

    fn name(&self, levels: &[&str]) -> String {
        if levels == ["INBOX"] {
            return "INBOX".to_owned();
        }
        format!(
            "{}{}",
            self.prefix,
            levels.join(&self.delimiter.to_string())
        )
    }
}

fn simple() -> Shape {
    Shape::dovecot(DovecotOptions::default())
}

/// Levels of each mailbox, and what is in it. A mailbox has mail or children, not both, as a file has.
fn account() -> Vec<(&'static [&'static str], Vec<Mail>)> {
    let mut sent = realistic(401, 5);
    sent.push(sent[0].clone());
    vec![
        (&["INBOX"], realistic(402, 12)),
        (&["Sent"], sent),
        (&["Projekte", "Überblick"], realistic(403, 4)),
        (&["Projekte", "2024"], realistic(404, 3)),
        (&["R&D", "Größe ~ 日本"], hard_mail()),
    ]
}

/// Hostile mail, with flags and dates, as far as every server keeps it byte for byte.
fn hard_mail() -> Vec<Mail> {
    let is_kept = |mail: &Mail| {
        let bytes = &mail.bytes;
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "");
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        end.is_some_and(|end| end + 4 < bytes.len())
            && bytes.ends_with(b"\r\n")
            && bytes.len() < 1024 * 1024
            && !bytes.starts_with(b"From ")
            && !text.contains(['\r', '\n', '\0'])
    };
    let mut mails = flagged_hostile();
    mails.retain(is_kept);
    assert!(mails.len() > 20, "{} are left", mails.len());
    mails
}

/// Mailbox, digest, flags and date of a message.
type Copied = (String, String, Vec<String>, String);

/// All messages, in order.
fn messages(mailboxes: &[HeldMailbox]) -> Vec<Copied> {
    let mut all: Vec<Copied> = mailboxes
        .iter()
        .filter(|mailbox| mailbox.selectable)
        .flat_map(|mailbox| {
            let messages = mailbox.messages.iter();
            messages.map(|held| {
                let digest = held.sha256.clone().expect("a digest");
                let date = held.internaldate.replacen(
                    ' ',
                    "0",
                    usize::from(held.internaldate.starts_with(' ')),
                );
                (mailbox.name.clone(), digest, held.flags.clone(), date)
            })
        })
        .collect();
    all.sort();
    all
}

fn round_trip(from: &Shape, to: &Shape) {
    let account = account();
    let fillings: Vec<Filling> = account
        .iter()
        .map(|(levels, mails)| Filling {
            mailbox: from.name(levels),
            subscribed: true,
            mails: mails.clone(),
        })
        .collect();
    for outcome in from.reader().fill(&fillings).into_iter().flatten() {
        outcome.expect("the source takes it");
    }
    let program = Program::new();
    program.config(&from.endpoint, &[(ANNA, PASSWORD)]);
    program.run(EXPORT).code(0);
    program.target_config(&to.endpoint, &[(ANNA, PASSWORD)]);
    program.run(IMPORT).code(0).says("import complete");
    let mut expected: Vec<Copied> = account
        .iter()
        .flat_map(|(levels, mails)| {
            let copied = |mail: &Mail| {
                let mut flags: Vec<String> =
                    mail.flags.split_whitespace().map(str::to_owned).collect();
                flags.sort();
                (
                    to.name(levels),
                    hex(&Sha256::digest(&mail.bytes)),
                    flags,
                    mail.internaldate(),
                )
            };
            mails.iter().map(copied)
        })
        .collect();
    expected.sort();
    let held = to.reader().mailboxes();
    assert_eq!(messages(&held), expected);
    let again = program.run(IMPORT.iter().chain(&["--report", "report.json"]));
    again.code(0);
    assert_eq!(messages(&to.reader().mailboxes()), expected);
    let validate = [
        "--mode",
        "validate",
        "--deep",
        "--imapsync",
        "never",
        "--report",
        "report.json",
    ];
    let validated = program.run(validate);
    assert_eq!(findings(&program), [json!(null); 0], "{}", validated.stderr);
    validated.code(0);
}

fn both_ways(shape: impl Fn() -> Shape) {
    round_trip(&simple(), &shape());
    round_trip(&shape(), &simple());
}

fn with(layout: Layout, extra_config: &str) -> Shape {
    Shape::dovecot(DovecotOptions {
        layout,
        extra_config: extra_config.to_owned(),
        ..DovecotOptions::default()
    })
}

#[test]
fn courier_with_everything_below_inbox() {
    both_ways(Shape::courier);
}

#[test]
fn many_messages_in_a_file() {
    both_ways(|| with(Layout::Mdbox, ""));
}

#[test]
fn a_file_per_mailbox() {
    both_ways(|| with(Layout::Mbox, "mbox_write_locks = fcntl\n"));
}

#[test]
fn a_quota_with_a_largest_message() {
    let largest = "plugin {\n quota_max_mail_size = 2M\n}\n";
    both_ways(|| {
        with(
            Layout::Maildir,
            &format!("{}{largest}", storage_quota("100M")),
        )
    });
}

#[test]
fn nothing_but_imap4rev1() {
    let plain = "protocol imap {\n imap_capability = IMAP4rev1\n}\n";
    both_ways(|| with(Layout::Maildir, plain));
}

#[test]
fn a_view_of_all_mail() {
    let view = |home: &str| {
        format!(
            "mail_plugins = virtual\nnamespace virtual {{\n prefix = virtual/\n separator = /\n location = virtual:{home}\n \
             mailbox All {{\n  special_use = \\All\n  auto = no\n }}\n}}\n"
        )
    };
    let dir = crate::kit::run::tempdir::TempDir::new();
    let all = dir.join("All");
    std::fs::create_dir(&all).expect("create the view");
    std::fs::write(all.join("dovecot-virtual"), "*\n  all\n").expect("write the view");
    crate::kit::servers::dovecot::give_to_server(dir.path());
    let source = with(Layout::Maildir, &view(&dir.path().display().to_string()));
    round_trip(&source, &simple());
}
