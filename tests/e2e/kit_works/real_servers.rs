//! Dovecot, Cyrus, pymap and the reader agree with each other.

use super::ANNA;
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, hostile, realistic};
use crate::kit::run::reader::{Filling, Reader, assert_unchanged};
use crate::kit::servers::cyrus::Cyrus;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, Layout};
use crate::kit::servers::pymap::Pymap;
use crate::kit::servers::tls::Shown;

#[test]
fn dovecot_shows_what_was_seeded_into_its_files() {
    let dovecot = Dovecot::simple();
    let mails = realistic(1, 300);
    dovecot.seed(ANNA, "INBOX", &mails[..250]);
    dovecot.seed(ANNA, "Entwürfe & mehr/v1.0", &mails[250..]);
    let reader = Reader::new(&dovecot.imaps(), ANNA, PASSWORD).with_bodies(u32::MAX);
    let held = reader.mailboxes();
    let names: Vec<&str> = held.iter().map(|mailbox| mailbox.name.as_str()).collect();
    assert!(names.contains(&"Entwürfe & mehr/v1.0"), "{names:?}");
    let messages = [
        reader.mailbox("INBOX").messages,
        reader.mailbox("Entwürfe & mehr/v1.0").messages,
    ]
    .concat();
    assert_eq!(messages.len(), mails.len());
    for (held, mail) in messages.iter().zip(&mails) {
        assert_eq!(held.body.as_deref(), Some(&mail.bytes[..]), "{}", mail.name);
        assert_eq!(held.internaldate, mail.internaldate());
        assert_eq!(held.flags.join(" "), sorted(&mail.flags));
    }
}

#[test]
fn any_password_logs_in_any_way() {
    let odd = "  \"quotes\" \\ {5} Grüße:$%*  ";
    let options = DovecotOptions {
        master: Some(("master".to_owned(), "key".to_owned())),
        ..DovecotOptions::of(&[(ANNA, odd), ("Weird/../User", "b")])
    };
    let dovecot = Dovecot::start(options);
    for endpoint in [dovecot.plain(), dovecot.starttls(), dovecot.imaps()] {
        for (user, password) in dovecot.accounts() {
            assert_eq!(Reader::new(&endpoint, user, password).refusal(), None);
        }
    }
    let as_master = Reader::new(&dovecot.plain(), "Weird/../User*master", "key");
    assert_eq!(as_master.refusal(), None);
    let wrong = Reader::new(&dovecot.plain(), ANNA, "wrong").refusal();
    assert!(wrong.is_some_and(|text| text.contains("AUTHENTICATIONFAILED")));
}

#[test]
fn wrong_certificates_are_wrong() {
    for (shown, word) in [
        (Shown::WrongName, "not valid for"),
        (Shown::Untrusted, "unable to get local issuer"),
    ] {
        let dovecot = Dovecot::start(DovecotOptions {
            certificate: shown,
            ..DovecotOptions::default()
        });
        let refusal = Reader::new(&dovecot.imaps(), ANNA, PASSWORD).refusal();
        assert!(
            refusal.as_ref().is_some_and(|text| text.contains(word)),
            "{refusal:?}"
        );
    }
}

#[test]
fn dovecot_keeps_mail_over_a_restart_with_other_options() {
    let mut dovecot = Dovecot::start(DovecotOptions {
        separator: '.',
        prefix: "INBOX.",
        layout: Layout::MaildirPlusPlus,
        special_use: true,
        ..DovecotOptions::default()
    });
    dovecot.seed(ANNA, "INBOX.Work.2024", &realistic(2, 3));
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    let before = reader.mailbox("INBOX.Work.2024");
    assert_eq!(
        (before.messages.len(), before.delimiter.as_deref()),
        (3, Some("."))
    );
    let sent = reader.mailbox("INBOX.Sent");
    assert!(sent.attributes.contains(&"\\Sent".to_owned()) && sent.subscribed);
    dovecot.options.extra_config = "imap_id_send = name again\n".to_owned();
    dovecot.start_again();
    assert_eq!(reader.mailbox("INBOX.Work.2024"), before);
    dovecot.doveadm(&[
        "mailbox",
        "update",
        "-u",
        ANNA,
        "--uid-validity",
        "77",
        "INBOX.Work.2024",
    ]);
    assert_eq!(reader.mailbox("INBOX.Work.2024").uidvalidity, Some(77));
    dovecot.stop();
    assert!(reader.refusal().is_some());
}

#[test]
fn changes_by_the_reader_are_seen_by_the_reader() {
    let dovecot = Dovecot::start(DovecotOptions {
        layout: Layout::Sdbox,
        ..DovecotOptions::default()
    });
    let reader = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    reader.create("Weiß \"x\" \\ &");
    reader.subscribe("Weiß \"x\" \\ &");
    let mails = ["one", "two", "three"].map(|name| Mail::simple(name).at(1_600_000_000));
    assert_eq!(
        reader.append("Weiß \"x\" \\ &", &mails),
        [Some(1), Some(2), Some(3)]
    );
    reader.store("Weiß \"x\" \\ &", "1:2", "+FLAGS", "\\Seen $Forwarded");
    reader.expunge("Weiß \"x\" \\ &", "2");
    reader.rename("Weiß \"x\" \\ &", "plain");
    let held = reader.mailbox("plain");
    let uids: Vec<u32> = held.messages.iter().map(|message| message.uid).collect();
    assert_eq!((uids, held.uidnext), (vec![1, 3], Some(4)));
    assert_eq!(held.messages[0].flags, ["$Forwarded", "\\Seen"]);
    assert_eq!(held.messages[0].internaldate, "13-Sep-2020 12:26:40 +0000");
    reader.unsubscribe("Weiß \"x\" \\ &");
    reader.delete("plain");
    assert_eq!(reader.mailboxes().len(), 1);

    let before = reader.mailboxes();
    assert_unchanged(&before, &reader.mailboxes());
    reader.append("INBOX", &mails);
    let after = reader.mailboxes();
    let noticed = std::panic::catch_unwind(|| assert_unchanged(&before, &after));
    assert!(noticed.is_err());
}

#[test]
fn hostile_mail_reaches_real_servers() {
    let mails = hostile();
    let dovecot = Dovecot::start(DovecotOptions {
        layout: Layout::Sdbox,
        ..DovecotOptions::default()
    });
    let cyrus = Cyrus::start(&[("bob@example.com", "p w\"\\ä")]);
    let by_dovecot = Reader::new(&dovecot.imaps(), ANNA, PASSWORD).with_bodies(u32::MAX);
    let by_cyrus = Reader::new(&cyrus.plain(), "bob@example.com", "p w\"\\ä");
    let refused = |reader: &Reader| -> Vec<String> {
        let outcomes = reader.try_append("INBOX", &mails).into_iter().zip(&mails);
        outcomes
            .filter_map(|(outcome, mail)| Some(format!("{}: {}", mail.name, outcome.err()?)))
            .collect()
    };
    assert_eq!(refused(&by_dovecot), [""; 0]);
    let refused = refused(&by_cyrus);
    let words = ["invalid header", "bare newlines", "NUL characters"];
    let expected = |text: &String| words.iter().any(|word| text.contains(word));
    assert!(
        !refused.is_empty() && refused.iter().all(expected),
        "{refused:#?}"
    );
    let held = by_dovecot.mailbox("INBOX").messages;
    let changed = held
        .iter()
        .zip(&mails)
        .filter(|(held, mail)| held.body.as_deref() != Some(&mail.bytes[..]));
    let changed: Vec<&str> = changed.map(|(_, mail)| mail.name.as_str()).collect();
    // Dovecot makes line ends of bare line feeds, drops a carriage return before another line end, and stores no zero bytes.
    let repaired = [
        "ends with a carriage return",
        "every byte but zero",
        "zero bytes",
        "bare carriage returns",
        "bare line feeds",
        "only line feeds in the body",
    ];
    let strange: Vec<&&str> = changed
        .iter()
        .filter(|name| !repaired.contains(name))
        .collect();
    assert_eq!(strange, [&""; 0]);
    let cyrus_inbox = by_cyrus.mailbox("INBOX");
    assert_eq!(cyrus_inbox.messages.len(), mails.len() - refused.len());
    assert_eq!(cyrus_inbox.delimiter.as_deref(), Some("."));
    let names: Vec<String> = by_cyrus
        .mailboxes()
        .into_iter()
        .map(|held| held.name)
        .collect();
    assert_eq!(names, ["INBOX", "INBOX.Sent", "INBOX.Trash"]);
}

#[test]
fn pymap_keeps_bytes_flags_and_dates() {
    let pymap = Pymap::start(ANNA, PASSWORD);
    let reader = Reader::new(&pymap.starttls(), ANNA, PASSWORD).with_bodies(u32::MAX);
    let mails = realistic(3, 20);
    let fillings = ["INBOX", "Entwürfe & mehr/v1.0"].map(|name| Filling {
        mailbox: name.to_owned(),
        subscribed: true,
        mails: mails.clone(),
    });
    let uids = (101..121).map(|uid| Ok(Some(uid))).collect::<Vec<_>>();
    assert_eq!(reader.fill(&fillings), [uids.clone(), uids]);
    for name in fillings.map(|filling| filling.mailbox) {
        let held = reader.mailbox(&name);
        assert!(held.subscribed && held.messages.len() == mails.len());
        for (held, mail) in held.messages.iter().zip(&mails) {
            assert_eq!(held.body.as_deref(), Some(&mail.bytes[..]), "{}", mail.name);
            assert_eq!(held.internaldate, mail.internaldate());
            assert_eq!(held.flags.join(" "), sorted(&mail.flags));
        }
    }
    let wrong = Reader::new(&pymap.starttls(), ANNA, "wrong").refusal();
    assert!(wrong.is_some());
}

/// A flag list in the order of the reader.
fn sorted(flags: &str) -> String {
    let mut flags: Vec<&str> = flags.split_whitespace().collect();
    flags.sort_unstable();
    flags.join(" ")
}
