//! Flags that changed in the archive since the import, and how they get to the target.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{ANNA, MODERN, aim, entry, flag_words, import, inbox, reader, totals};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply, TooMany};
use crate::kit::servers::wire::Received;

/// What users do to a message of the archive.
fn change(archive: &Handmade, mailbox: &str, uid: u32, flags: &str) {
    Handmade::edit(&archive.file(mailbox, uid, "json"), |sidecar| {
        sidecar["flags"] = flags.into();
    });
}

#[test]
fn flags_of_many_mailboxes_follow_in_two_flights() {
    let names: Vec<String> = (0..8).map(|number| format!("Folder {number}")).collect();
    let mails: Vec<Mail> = (0..3)
        .map(|number| Mail::simple(&format!("mail {number}")).flagged("\\Flagged"))
        .collect();
    let server = FakeServer::options()
        .capabilities(MODERN)
        .counting_round_trips(Duration::from_millis(30))
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = Program::new();
    let mut archive = Handmade::new(&program);
    for name in &names {
        archive = archive.mailbox(name, &mails);
    }
    let archive = archive.complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    server.forget();
    import(&program, &[]).code(0);
    let before = server.round_trips();
    let changes = [(1, "\\Flagged \\Seen"), (2, "$done \\Answered"), (3, "")];
    for (uid, flags) in changes {
        for name in &names {
            change(&archive, name, uid, flags);
        }
    }
    server.forget();
    import(&program, &[]).code(0);
    let more = server.round_trips() - before;
    assert!(more <= 2, "{more} round trips\n{}", server.transcript());
    assert_eq!(totals(&program, ["new", "flags_changed"]), [0, 24]);
    for name in &names {
        for (message, (_, flags)) in server.mailbox(name).messages.iter().zip(changes) {
            assert_eq!(flag_words(&message.flags), flag_words(flags));
        }
    }
}

#[test]
fn flags_that_are_there_already_are_on_record_from_then_on() {
    let mails = [Mail::simple("one"), Mail::simple("two")];
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    // As if a connection had been lost after the STORE: the target has done it, and nobody heard.
    change(&archive, "INBOX", 1, "\\Seen");
    reader(&server).store("INBOX", "1", "+FLAGS", "\\Seen");
    server.forget();
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [1]);
    assert_eq!(
        entry(&program, "INBOX")["note"]
            .to_string()
            .matches("stay")
            .count(),
        0
    );
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [0]);
    assert_eq!(server.commands_named("UID STORE").len(), 0);
}

#[test]
fn flags_follow_to_a_server_that_takes_few_messages_in_one_command() {
    let mails: Vec<Mail> = (0..9)
        .map(|number| Mail::simple(&format!("mail {number}")))
        .collect();
    for way in [TooMany::FromAbove, TooMany::Refused("NO")] {
        let server = FakeServer::options()
            .capabilities(&format!("{MODERN} MESSAGELIMIT=4"))
            .message_limit(4, way)
            .mailbox(FakeMailbox::new("INBOX"))
            .start();
        let program = Program::new();
        let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
        aim(&program, &server.endpoint());
        import(&program, &[]).code(0);
        for uid in 1..=9 {
            change(&archive, "INBOX", uid, "\\Seen");
        }
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["flags_changed"]), [9], "{way:?}");
        for message in server.mailbox("INBOX").messages {
            assert_eq!(message.flags, "\\Seen", "{way:?}");
        }
    }
}

#[test]
fn that_a_mailbox_does_not_open_for_flags_is_told() {
    let mails = [Mail::simple("one")];
    let is_shut = Arc::new(AtomicBool::new(false));
    let shut = Arc::clone(&is_shut);
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"))
        .on_command(move |command| {
            let refused = command.name == "SELECT" && shut.load(Ordering::SeqCst);
            refused.then(|| Reply::tagged("NO [NOPERM] not for you"))
        })
        .start();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    change(&archive, "INBOX", 1, "\\Seen");
    is_shut.store(true, Ordering::SeqCst);
    import(&program, &[]).code(0);
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(
        note.contains("flags of 1 message cannot be changed: NO [NOPERM] not for you"),
        "{note}"
    );
}

/// The UIDs of a STORE; the test's sets are short.
fn names(command: &Received, uid: u32) -> bool {
    let text = String::from_utf8_lossy(&command.raw).into_owned();
    let set = text.split_whitespace().nth(3).unwrap_or_default();
    command.name == "UID STORE"
        && set.split(',').any(|part| {
            let (first, last) = part.split_once(':').unwrap_or((part, part));
            let bound = |text: &str| text.parse::<u32>().expect("a UID");
            (bound(first)..=bound(last)).contains(&uid)
        })
}

/// What the report says of INBOX.
fn note(program: &Program) -> String {
    entry(program, "INBOX")["note"].to_string()
}

/// A server with an INBOX of these mails, by an import of ours, that answers as the hook says from then on.
fn imported(
    mails: &[Mail],
    hook: impl Fn(&Received) -> Option<Reply> + Send + Sync + 'static,
) -> (FakeServer, Program, Handmade) {
    let server = inbox(MODERN).on_command(hook).start();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", mails).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    (server, program, archive)
}

fn many(count: usize) -> Vec<Mail> {
    let mails = (0..count).map(|number| Mail::simple(&format!("mail {number}")));
    mails.collect()
}

#[test]
fn a_message_whose_flags_are_refused_costs_itself_and_not_its_neighbours() {
    for words in ["NO not this one", "BAD not this one", "NO [SERVERBUG] oh"] {
        let (server, program, archive) = imported(&many(9), move |command| {
            names(command, 7).then(|| Reply::tagged(words))
        });
        for uid in 1..=9 {
            change(&archive, "INBOX", uid, "\\Seen");
        }
        import(&program, &[]).code(0);
        for message in server.mailbox("INBOX").messages {
            let expected = if message.uid == 7 { "" } else { "\\Seen" };
            assert_eq!(message.flags, expected, "{words}: {}", message.uid);
        }
        assert_eq!(totals(&program, ["flags_changed"]), [8], "{words}");
        let told = format!("flags of 1 message cannot be changed: {words}");
        assert!(note(&program).contains(&told), "{}", note(&program));
    }
}

#[test]
fn a_message_whose_flags_end_the_connection_costs_itself_and_not_the_account() {
    let (server, program, archive) = imported(&many(9), |command| {
        names(command, 7).then(|| Reply::Close(Vec::new()))
    });
    for uid in 1..=9 {
        change(&archive, "INBOX", uid, "\\Seen");
    }
    import(&program, &[]).code(0);
    for message in server.mailbox("INBOX").messages {
        let expected = if message.uid == 7 { "" } else { "\\Seen" };
        assert_eq!(message.flags, expected, "{}", message.uid);
    }
    assert_eq!(totals(&program, ["flags_changed"]), [8]);
    let told = "flags of 1 message cannot be changed";
    assert!(note(&program).contains(told), "{}", note(&program));
}

#[test]
fn a_change_that_was_cut_off_in_the_middle_is_completed_and_is_no_users() {
    let cut_once = AtomicBool::new(true);
    let mails: Vec<Mail> = many(3)
        .into_iter()
        .map(|mail| mail.flagged("\\Flagged"))
        .collect();
    let (server, program, archive) = imported(&mails, move |command| {
        let takes_away = command.name == "UID STORE" && command.raw.contains(&b'-');
        let cuts = takes_away && cut_once.swap(false, Ordering::SeqCst);
        cuts.then(|| Reply::Close(Vec::new()))
    });
    for uid in 1..=3 {
        change(&archive, "INBOX", uid, "\\Seen");
    }
    import(&program, &[]).code(0);
    for message in server.mailbox("INBOX").messages {
        assert_eq!(message.flags, "\\Seen", "{}", note(&program));
    }
    assert_eq!(totals(&program, ["flags_changed"]), [3]);
    assert!(!note(&program).contains("stay"), "{}", note(&program));
}

#[test]
fn flags_that_the_target_no_longer_names_are_not_taken_away() {
    let (server, program, archive) = imported(
        &many(1)
            .into_iter()
            .map(|mail| mail.flagged("\\Flagged $work"))
            .collect::<Vec<_>>(),
        |_| None,
    );
    server.edit(|mailboxes| {
        mailboxes[0].permanent_flags = "\\Seen".to_owned();
    });
    change(&archive, "INBOX", 1, "\\Flagged $work \\Seen");
    import(&program, &[]).code(0);
    let held = &server.mailbox("INBOX").messages[0].flags;
    assert_eq!(flag_words(held), flag_words("\\Flagged $work \\Seen"));
    assert_eq!(totals(&program, ["flags_changed"]), [1]);
    server.forget();
    import(&program, &[]).code(0);
    assert_eq!(server.commands_named("UID STORE").len(), 0);
}

#[test]
fn a_keyword_that_is_refused_later_is_left_out_and_told_once() {
    let server = inbox(MODERN)
        .refuse_flag("$no", "NO keyword not allowed")
        .start();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &many(4))
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    for uid in 1..=4 {
        change(&archive, "INBOX", uid, "\\Seen $yes $no");
    }
    import(&program, &[]).code(0);
    for message in server.mailbox("INBOX").messages {
        assert_eq!(flag_words(&message.flags), flag_words("\\Seen $yes"));
    }
    assert_eq!(totals(&program, ["flags_changed"]), [4]);
    let told = "4 messages without flags that the target does not keep ($no)";
    assert!(note(&program).contains(told), "{}", note(&program));
    server.forget();
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [0]);
    assert_eq!(server.commands_named("UID STORE").len(), 0);
    program
        .run(["--mode", "validate", "--no-connectivity-test"])
        .code(0);
}

#[test]
fn flags_that_the_target_does_not_show_are_told_and_those_of_deleted_messages_are_not() {
    let is_mute = Arc::new(AtomicBool::new(false));
    let mute = Arc::clone(&is_mute);
    let (server, program, archive) = imported(&many(3), move |command| {
        let refused = command.name == "UID FETCH" && mute.load(Ordering::SeqCst);
        refused.then(|| Reply::tagged("NO [NOPERM] not for you"))
    });
    for uid in 1..=3 {
        change(&archive, "INBOX", uid, "\\Seen");
    }
    is_mute.store(true, Ordering::SeqCst);
    import(&program, &[]).code(0);
    let told = "flags of 3 messages cannot be changed: NO [NOPERM] not for you";
    assert!(note(&program).contains(told), "{}", note(&program));
    is_mute.store(false, Ordering::SeqCst);
    server.edit(|mailboxes| {
        mailboxes[0].messages.remove(1);
    });
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "flags_changed"]), [0, 2]);
    assert!(!note(&program).contains("flags of"), "{}", note(&program));
}

#[test]
fn what_the_target_was_found_to_have_follows_where_its_flags_were_the_archives() {
    let mails: Vec<Mail> = many(3)
        .into_iter()
        .map(|mail| mail.flagged("\\Flagged"))
        .collect();
    let server = inbox(MODERN).start();
    server.edit(|mailboxes| {
        mailboxes[0] = FakeMailbox::new("INBOX").mails(&mails);
        mailboxes[0].messages[2].flags = "\\Answered".to_owned();
    });
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [0]);
    for uid in 1..=3 {
        change(&archive, "INBOX", uid, "\\Flagged \\Seen");
    }
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [2]);
    let held = server.mailbox("INBOX").messages;
    assert_eq!(flag_words(&held[0].flags), flag_words("\\Flagged \\Seen"));
    assert_eq!(held[2].flags, "\\Answered");
}

#[test]
fn a_dry_run_counts_what_would_follow_and_stores_nothing() {
    let (server, program, archive) = imported(&many(3), |_| None);
    for uid in 1..=3 {
        change(&archive, "INBOX", uid, "\\Seen");
    }
    reader(&server).store("INBOX", "2", "+FLAGS", "\\Flagged");
    server.forget();
    import(&program, &["--dry-run"]).code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [2]);
    assert!(note(&program).contains("stay"), "{}", note(&program));
    assert_eq!(server.commands_named("UID STORE").len(), 0);
    assert_eq!(server.commands_named("SELECT").len(), 0);
}

#[test]
fn a_mailbox_that_nobody_has_opened_takes_new_flags_as_any_other() {
    let mails: Vec<Mail> = many(3)
        .into_iter()
        .map(|mail| mail.flagged("\\Flagged"))
        .collect();
    let dovecot = Dovecot::simple();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &dovecot.plain());
    import(&program, &[]).code(0);
    for uid in 1..=3 {
        change(&archive, "INBOX", uid, "\\Seen");
    }
    // All are recent.
    let output = import(&program, &[]);
    assert!(!output.stderr.contains("WARN"), "{}", output.stderr);
    output.code(0);
    assert_eq!(totals(&program, ["flags_changed"]), [3]);
    let held = Reader::new(&dovecot.plain(), ANNA, PASSWORD).mailbox("INBOX");
    for message in held.messages {
        assert_eq!(message.flags, ["\\Seen"]);
    }
}
