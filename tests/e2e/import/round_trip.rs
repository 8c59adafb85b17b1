//! From one real server to the archive and on to another: bytes, flags, keywords, dates, tree, subscriptions.

use std::collections::BTreeMap;

use super::{ANNA, aim, aim_with, assert_same, date, import, of_held, targets, totals};
use crate::kit::PASSWORD;
use crate::kit::mail::{flagged_hostile, realistic};
use crate::kit::run::program::Program;
use crate::kit::run::reader::{HeldMailbox, Reader, assert_unchanged};
use crate::kit::servers::cyrus::Cyrus;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, Layout};

/// What the target must hold, by the mapping that the report tells.
#[track_caller]
fn assert_arrived(
    source: &[HeldMailbox],
    target: &[HeldMailbox],
    targets: &BTreeMap<String, String>,
) {
    for from in source.iter().filter(|mailbox| mailbox.selectable) {
        let name = targets.get(&from.name);
        let name = name.unwrap_or_else(|| panic!("{} is not in the report", from.name));
        let to = target.iter().find(|mailbox| mailbox.name == *name);
        let to = to.unwrap_or_else(|| panic!("{name} (from {}) is not on the target", from.name));
        assert_same(
            &format!("{} → {name}", from.name),
            &of_held(to),
            &of_held(from),
        );
        assert_eq!(
            to.subscribed, from.subscribed,
            "subscription of {} → {name}",
            from.name
        );
    }
}

/// Flags are one thing, dates another: they must not all be the default for the test to mean anything.
fn assert_telling(source: &[HeldMailbox]) {
    let all = || source.iter().flat_map(|mailbox| &mailbox.messages);
    assert!(all().any(|held| held.flags.iter().any(|flag| flag.starts_with('$'))));
    assert!(all().any(|held| date(&held.internaldate).starts_with("29-Feb-2000")));
    assert!(
        source
            .iter()
            .any(|mailbox| !mailbox.subscribed && mailbox.selectable)
    );
}

#[test]
fn from_slashes_to_dots_below_a_prefix() {
    let a = Dovecot::start(DovecotOptions {
        layout: Layout::Sdbox,
        special_use: true,
        ..DovecotOptions::default()
    });
    let on_a = Reader::new(&a.imaps(), ANNA, PASSWORD);
    on_a.append("INBOX", &flagged_hostile());
    on_a.append("Sent", &realistic(51, 5));
    for name in [
        "Work",
        "Work/2024/Q1",
        "Entwürfe 2",
        "日本語/受信",
        "R&D",
        "with \"quotes\"",
        "back\\slash",
        "dotted.name",
        "percent%2Fstar",
        "Deep/er/and/deep est",
        "empty",
    ] {
        on_a.create(name);
    }
    for name in [
        "Work/2024/Q1",
        "日本語/受信",
        "R&D",
        "dotted.name",
        "with \"quotes\"",
        "back\\slash",
    ] {
        on_a.append(name, &realistic(52, 3));
        on_a.subscribe(name);
    }
    let source = on_a.mailboxes();
    assert_telling(&source);
    let program = Program::new();
    program.config(&a.imaps(), &a.accounts());
    program.export(&[]).code(0);

    let b = Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        layout: Layout::Sdbox,
        special_use: true,
        ..DovecotOptions::default()
    });
    aim(&program, &b.imaps());
    import(&program, &[])
        .code(0)
        .says("complete")
        .hides(PASSWORD);
    let on_b = Reader::new(&b.imaps(), ANNA, PASSWORD);
    let target = on_b.mailboxes();
    let mapped = targets(&program);
    assert_arrived(&source, &target, &mapped);
    for (from, to) in [
        ("INBOX", "INBOX"),
        ("Sent", "INBOX.Sent"),
        ("Work", "INBOX.Work"),
        ("Work/2024/Q1", "INBOX.Work.2024.Q1"),
        ("日本語/受信", "INBOX.日本語.受信"),
        ("Deep/er/and/deep est", "INBOX.Deep.er.and.deep est"),
        ("empty", "INBOX.empty"),
    ] {
        assert_eq!(
            mapped.get(from).map(String::as_str),
            Some(to),
            "{mapped:#?}"
        );
    }
    let messages: u64 = source
        .iter()
        .map(|mailbox| mailbox.messages.len() as u64)
        .sum();
    assert_eq!(totals(&program, ["new", "failed"]), [messages, 0]);

    import(&program, &[]).code(0);
    assert_eq!(
        totals(&program, ["new", "unchanged", "failed"]),
        [0, messages, 0]
    );
    assert_unchanged(&target, &on_b.mailboxes());
}

#[test]
fn from_dots_below_a_prefix_to_slashes() {
    let a = Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        layout: Layout::MaildirPlusPlus,
        ..DovecotOptions::default()
    });
    for (name, seed) in [
        ("INBOX", 53),
        ("INBOX.Größe.2024.a", 54),
        ("INBOX.Archiv", 55),
    ] {
        a.seed(ANNA, name, &realistic(seed, 40));
    }
    let on_a = Reader::new(&a.plain(), ANNA, PASSWORD);
    on_a.store("INBOX", "1:9", "+FLAGS", "$Later \\Flagged");
    on_a.subscribe("INBOX.Archiv");
    let source = on_a.mailboxes();
    let program = Program::new();
    program.config(&a.starttls(), &a.accounts());
    program.export(&[]).code(0);

    let b = Dovecot::simple();
    aim(&program, &b.starttls());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    assert_eq!(mapped["INBOX.Größe.2024.a"], "Größe/2024/a");
    let on_b = Reader::new(&b.plain(), ANNA, PASSWORD);
    assert_arrived(&source, &on_b.mailboxes(), &mapped);
}

#[test]
fn into_cyrus() {
    const BOB: (&str, &str) = ("bob@example.com", "p w\"\\ä");
    let a = Dovecot::start(DovecotOptions {
        special_use: true,
        ..DovecotOptions::of(&[BOB])
    });
    for (name, seed) in [
        ("INBOX", 56),
        ("Sent", 57),
        ("Büro/2024/Q1", 58),
        ("with blanks", 59),
    ] {
        a.seed(BOB.0, name, &realistic(seed, 30));
    }
    let on_a = Reader::new(&a.plain(), BOB.0, BOB.1);
    on_a.store("INBOX", "3:7", "+FLAGS", "$Forwarded \\Answered");
    let source = on_a.mailboxes();
    let program = Program::new();
    program.config(&a.imaps(), &[BOB]);
    program.export(&[]).code(0);

    let cyrus = Cyrus::start(&[BOB]);
    aim_with(&program, &cyrus.plain(), &[BOB], &serde_json::Value::Null);
    import(&program, &[]).code(0).hides(BOB.1);
    let mapped = targets(&program);
    assert_eq!(mapped["Büro/2024/Q1"], "INBOX.Büro.2024.Q1");
    assert_eq!(mapped["Sent"], "INBOX.Sent");
    let on_b = Reader::new(&cyrus.plain(), BOB.0, BOB.1);
    let target = on_b.mailboxes();
    for from in source.iter().filter(|mailbox| mailbox.selectable) {
        let Some(to) = target
            .iter()
            .find(|mailbox| mailbox.name == mapped[&from.name])
        else {
            panic!("{} is not on the target", mapped[&from.name]);
        };
        assert_same(&from.name, &of_held(to), &of_held(from));
    }
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "failed"]), [0, 0]);
    assert_unchanged(&target, &on_b.mailboxes());
}
