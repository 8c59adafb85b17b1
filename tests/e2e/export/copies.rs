//! Everything that a server holds is in the archive, byte for byte, and the server is as it was.

use super::ANNA;
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, flagged_hostile, hostile, realistic};
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::Program;
use crate::kit::run::reader::{Reader, assert_unchanged};
use crate::kit::servers::cyrus::Cyrus;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, Layout};

const NAMES: [&str; 11] = [
    "Sent Items",
    "Entwürfe",
    "日本語/受信",
    "R&D",
    "&",
    "with \"quotes\"",
    "back\\slash",
    "dotted.name",
    "percent%2Fstar",
    "Deep/er/and/deep est",
    " leading and trailing ",
];

#[test]
fn hostile_mail_comes_from_dovecot_byte_for_byte_and_leaves_it_as_it_was() {
    let dovecot = Dovecot::start(DovecotOptions {
        layout: Layout::Sdbox,
        special_use: true,
        ..DovecotOptions::default()
    });
    let reader = Reader::new(&dovecot.imaps(), ANNA, PASSWORD);
    reader.append("INBOX", &flagged_hostile());
    for name in NAMES {
        reader.create(name);
        reader.append(name, &realistic(8, 2));
    }
    let long = "x".repeat(200);
    reader.create(&long);
    reader.append(&long, &[Mail::simple("in a long name")]);
    let before = reader.mailboxes();
    assert!(before.len() > NAMES.len() + 6, "{}", before.len());

    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    program.export(&[]).code(0).says("complete").hides(PASSWORD);
    let after = reader.mailboxes();
    assert_unchanged(&before, &after);
    assert_archive_equals_server(&program.archive(ANNA), &after);

    program.export(&[]).code(0);
    assert_archive_equals_server(&program.archive(ANNA), &after);
    assert_unchanged(&before, &reader.mailboxes());
}

#[test]
fn maildirs_with_bare_line_feeds_zero_bytes_and_levels_by_dots_come_whole() {
    let dovecot = Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        layout: Layout::MaildirPlusPlus,
        ..DovecotOptions::default()
    });
    dovecot.seed(ANNA, "INBOX", &hostile());
    dovecot.seed(ANNA, "INBOX.Größe.2024.a", &realistic(9, 40));
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let before = reader.mailboxes();
    let program = Program::new();
    program.config(&dovecot.starttls(), &dovecot.accounts());
    program.export(&[]).code(0);
    let after = reader.mailboxes();
    assert_unchanged(&before, &after);
    assert_archive_equals_server(&program.archive(ANNA), &after);
}

#[test]
fn hostile_mail_comes_from_cyrus_byte_for_byte_and_leaves_it_as_it_was() {
    let cyrus = Cyrus::start(&[("bob@example.com", "p w\"\\ä")]);
    let reader = Reader::new(&cyrus.plain(), "bob@example.com", "p w\"\\ä");
    let mut stored = 0;
    for outcome in reader.try_append("INBOX", &flagged_hostile()) {
        stored += u32::from(outcome.is_ok());
    }
    assert!(stored > 20, "{stored}");
    for name in [
        "INBOX.Büro",
        "INBOX.Büro.2024.Q1",
        "INBOX.with blanks",
        "INBOX.日本語",
    ] {
        reader.create(name);
        reader.append(name, &realistic(10, 3));
    }
    let before = reader.mailboxes();
    let program = Program::new();
    program.config(&cyrus.plain(), &[("bob@example.com", "p w\"\\ä")]);
    program.export(&[]).code(0).hides("p w\"\\ä");
    let after = reader.mailboxes();
    assert_unchanged(&before, &after);
    assert_archive_equals_server(&program.archive("bob@example.com"), &after);
}

#[test]
fn subscriptions_attributes_and_names_are_in_the_archive() {
    let dovecot = Dovecot::start(DovecotOptions {
        special_use: true,
        ..DovecotOptions::default()
    });
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    reader.create("Grüße");
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    program.export(&[]).code(0);
    let archive = program.archive(ANNA);
    let meta = archive.mailbox("Grüße").meta;
    assert_eq!(meta["wire"], "Gr&APwA3w-e");
    assert_eq!(meta["delimiter"], "/");
    let state = archive.state();
    let of = |name: &str| {
        let all = state["mailboxes"].as_array().expect("mailboxes").iter();
        all.clone()
            .find(|entry| entry["name"] == name)
            .unwrap_or_else(|| panic!("{name} is not in {state}"))
    };
    assert_eq!(of("Sent")["subscribed"], true);
    assert_eq!(of("Grüße")["subscribed"], false);
    let attributes = of("Sent")["attributes"].as_array().expect("attributes");
    assert!(attributes.iter().any(|attribute| attribute == "\\Sent"));
    assert_eq!(state["server"]["host"], "localhost");
    assert_eq!(state["server"]["port"], dovecot.imaps_port);
    assert_eq!(state["user"], ANNA);
}
