//! What the target does not take: said, recorded, and no reason to lose anything else.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    ANNA, MODERN, aim, assert_holds, assert_same, entry, failed, import, inbox, of_held, of_mails,
    program_at, program_for, report, totals,
};
use crate::kit::PASSWORD;
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::findings::assert_codes;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, storage_quota};
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};
use crate::kit::servers::wire::Received;

fn without(mails: &[Mail], gone: &[usize]) -> Vec<Mail> {
    let kept = mails
        .iter()
        .enumerate()
        .filter(|(index, _)| !gone.contains(index));
    kept.map(|(_, mail)| mail.clone()).collect()
}

#[test]
fn a_message_over_the_limit_is_not_sent_but_reported() {
    let mut mails = ["one", "two", "three"].map(Mail::simple);
    mails[1] = Mail::new("big", "Subject: big\r\n\r\n".to_owned() + &"x".repeat(2000));
    for capabilities in [
        "IMAP4rev1 LITERAL+ MULTIAPPEND UIDPLUS APPENDLIMIT=1000",
        "IMAP4rev1 APPENDLIMIT=1000",
    ] {
        let server = inbox(capabilities).start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &["--ignore-errors"]).code(1).says("1000");
        assert_holds(&server, "INBOX", &without(&mails, &[1]));
        assert_eq!(failed(&program), [("INBOX".to_owned(), 2)]);
        assert_eq!(totals(&program, ["new", "failed"]), [2, 1]);
        assert_eq!(
            program.archive(ANNA).failed()[0]["size"],
            mails[1].bytes.len()
        );
        let appends = server.commands_named("APPEND").join("");
        assert!(!appends.contains("Subject: big"), "it was sent");
        assert_eq!(report(&program)["accounts"][0]["status"], "incomplete");
    }
}

#[test]
fn a_refused_message_stops_the_account_unless_errors_are_ignored() {
    let mut mails = realistic(90, 30);
    mails[12] = Mail::simple("poison");
    for capabilities in [MODERN, "IMAP4rev1 LITERAL+ UIDPLUS", "IMAP4rev1"] {
        let server = inbox(capabilities)
            .refuse_body(b"about poison", "NO [TOOBIG] this is too big for me")
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[])
            .code(1)
            .says("INBOX")
            .says("this is too big for me")
            .says("--ignore-errors");
        assert_eq!(
            failed(&program),
            [("INBOX".to_owned(), 13)],
            "{capabilities}"
        );
        let said = program.archive(ANNA).failed()[0]["server"].to_string();
        assert!(
            said.contains("TOOBIG") && said.contains("too big for me"),
            "{said}"
        );

        let again = import(&program, &["--ignore-errors"]);
        again.code(1);
        assert!(
            !again.stderr.contains("until the target has settled"),
            "a refusal is an answer\n{}",
            again.describe()
        );
        assert_holds(&server, "INBOX", &without(&mails, &[12]));
        assert_eq!(
            failed(&program),
            [("INBOX".to_owned(), 13)],
            "{capabilities}"
        );
        server.behave();
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged", "failed"]), [1, 29, 0]);
        assert_holds(&server, "INBOX", &mails);
        assert_eq!(failed(&program), [], "{capabilities}");
    }
}

#[test]
fn the_culprits_in_a_multiappend_are_found_and_all_others_arrive() {
    let mut mails = realistic(91, 80);
    let culprits = [0, 39, 40, 79];
    for culprit in culprits {
        mails[culprit] = Mail::simple(&format!("poison {culprit}"));
    }
    let server = inbox(MODERN)
        .refuse_body(b"about poison", "NO [CANNOT] Message contains poison")
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &["--ignore-errors"])
        .code(1)
        .says("Message contains poison");
    assert_holds(&server, "INBOX", &without(&mails, &culprits));
    let uids: Vec<u64> = failed(&program).into_iter().map(|(_, uid)| uid).collect();
    assert_eq!(uids, [1, 40, 41, 80]);
    let appends = server.commands_named("APPEND").len();
    assert!(
        appends <= 60,
        "{appends} commands: it was not split, it was sent one by one"
    );
}

#[test]
fn refused_keywords_and_flags_cost_neither_the_message_nor_the_other_flags() {
    for capabilities in [MODERN, "IMAP4rev1 LITERAL+ UIDPLUS", "IMAP4rev1 UIDPLUS"] {
        let keep = Mail::simple("plain").flagged("\\Seen $ok");
        let keyword = Mail::simple("keyword").flagged("\\Seen \\Flagged odd:keyword");
        let deleted = Mail::simple("deleted").flagged("\\Seen \\Deleted");
        let server = inbox(capabilities)
            .refuse_flag("odd:keyword", "BAD Invalid keyword")
            .on_append(|message| {
                let refused = message.has_flag("\\Deleted");
                refused.then(|| "NO [CANNOT] APPEND Contains Deleted flag".to_owned())
            })
            .start();
        let mails = [keep.clone(), keyword.clone(), deleted.clone()];
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        let expected = [keep, keyword.flagged("\\Seen \\Flagged"), deleted];
        assert_holds(&server, "INBOX", &expected);
        let text = report(&program).to_string();
        assert!(
            text.contains("flag") || text.contains("keyword"),
            "lost in silence: {text}"
        );
    }
}

#[test]
fn a_refused_keyword_costs_itself_and_not_its_neighbours() {
    // One that no command can carry is lost as well, and the message counts once all the same.
    let mail = Mail::simple("labelled").flagged("\\Seen Work NIL Home \\x]");
    // Without UIDPLUS the message's UID there is looked up.
    for capabilities in [MODERN, "IMAP4rev1 UIDPLUS", "IMAP4rev1 LITERAL+"] {
        let server = inbox(capabilities)
            .refuse_flag("NIL", "NO Error in IMAP command")
            .start();
        let program = program_for(&server, "INBOX", std::slice::from_ref(&mail));
        import(&program, &[]).code(0);
        assert_holds(
            &server,
            "INBOX",
            &[mail.clone().flagged("\\Seen Work Home")],
        );
        let note = entry(&program, "INBOX")["note"].to_string();
        assert!(note.contains("1 message without flags"), "{note}");
        assert!(note.contains("NIL"), "{note}");
        // What could not be sent was not lost afterwards.
        let validate = ["--mode", "validate", "--no-connectivity-test", "-q"];
        program.run(validate).code(0).says("note flags-lost");
    }
}

#[test]
fn a_keyword_that_a_mailbox_refuses_once_is_not_sent_there_again() {
    let mut mails = realistic(92, 120);
    for mail in &mut mails {
        mail.flags = "\\Seen NIL".to_owned();
    }
    let server = inbox("IMAP4rev1 UIDPLUS")
        .refuse_flag("NIL", "NO Error in IMAP command")
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    let expected: Vec<Mail> = mails
        .into_iter()
        .map(|mail| mail.flagged("\\Seen"))
        .collect();
    assert_holds(&server, "INBOX", &expected);
    let appends = server.commands_named("APPEND").len();
    assert!(appends < 130, "{appends} commands");
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(note.contains("120 messages without flags"), "{note}");
}

#[test]
fn keywords_that_are_no_atoms_arrive_in_a_form_that_can_be_undone() {
    let dovecot = Dovecot::start(DovecotOptions::default());
    let mails = [
        Mail::simple("one").flagged("\\Seen [Gmail]/Important"),
        Mail::simple("two").flagged("Priv\u{e9} a=5D"),
        Mail::simple("three").flagged("\\Flagged {todo} (x) 50%"),
        Mail::simple("four").flagged("$ok"),
    ];
    let program = program_at(&dovecot.imaps(), "INBOX", &mails);
    import(&program, &[]).code(0);
    let expected = [
        "\\Seen [Gmail=5D/Important",
        "Priv=C3=A9 a=3D5D",
        "\\Flagged =7Btodo} =28x=29 50=25",
        "$ok",
    ];
    let expected: Vec<Mail> = mails
        .iter()
        .zip(expected)
        .map(|(mail, flags)| mail.clone().flagged(flags))
        .collect();
    let held = Reader::new(&dovecot.plain(), ANNA, PASSWORD).mailbox("INBOX");
    assert_same("INBOX", &of_held(&held), &of_mails(&expected));
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(
        note.contains("3 messages without flags that no command can carry")
            && note.contains("Priv\u{e9} as Priv=C3=A9"),
        "{note}"
    );
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "flags_changed"]), [0, 0]);
    let validate = ["--mode", "validate", "--deep", "--imapsync", "never"];
    program
        .run(validate.iter().chain(&["--report", "report.json"]))
        .code(0)
        .says("a=5D as a=3D5D");
    assert_codes(&program, &["note flags-lost"]);
}

#[test]
fn flags_that_the_mailbox_does_not_keep_are_not_sent_and_that_is_said() {
    let server = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX").permanent_flags("\\Seen \\Answered"))
        .start();
    let mails = [
        Mail::simple("one").flagged("\\Seen \\Recent \\Flagged $Label"),
        Mail::simple("two").flagged("\\Answered"),
    ];
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    let expected = [mails[0].clone().flagged("\\Seen"), mails[1].clone()];
    assert_holds(&server, "INBOX", &expected);
    let appends = server.commands_named("APPEND").join("");
    for flag in ["\\Recent", "\\Flagged", "$Label"] {
        assert!(!appends.contains(flag), "{flag} was sent");
    }
    let note = super::entry(&program, "INBOX")["note"].to_string();
    assert!(note.contains("flag"), "dropped in silence: {note}");
}

#[test]
fn an_account_over_its_quota_stops_and_goes_on_when_it_has_more() {
    let mails = realistic(92, 120);
    let bytes: usize = mails.iter().map(|mail| mail.bytes.len()).sum();
    let quota = |kilobytes: usize| storage_quota(&format!("{kilobytes}K"));
    let mut dovecot = Dovecot::start(DovecotOptions {
        extra_config: quota(bytes / 1024 / 2),
        ..DovecotOptions::default()
    });
    let program = Program::new();
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    aim(&program, &dovecot.imaps());
    import(&program, &["--ignore-errors"])
        .code(1)
        .says(ANNA)
        .says("quota");
    let on_b = Reader::new(&dovecot.plain(), ANNA, PASSWORD);
    assert!(on_b.mailbox("INBOX").messages.len() < 120);
    assert_eq!(
        failed(&program),
        [],
        "an account that is full says nothing about its messages"
    );
    dovecot.options.extra_config = quota(bytes / 1024 * 3);
    dovecot.start_again();
    import(&program, &[]).code(0);
    assert_same("INBOX", &of_held(&on_b.mailbox("INBOX")), &of_mails(&mails));
}

#[test]
fn over_quota_is_not_tried_message_by_message() {
    let mails = realistic(93, 40);
    let room = AtomicUsize::new(5);
    let server = inbox("IMAP4rev1 UIDPLUS")
        .on_append(move |_| {
            let left = room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
            left.is_err()
                .then(|| "NO [OVERQUOTA] Mailbox is full".to_owned())
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &["--ignore-errors"])
        .code(1)
        .says("Mailbox is full")
        .says("quota");
    assert_holds(&server, "INBOX", &mails[..5]);
    assert_eq!(server.commands_named("APPEND").len(), 6);
    server.behave();
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn after_a_full_account_the_next_run_has_nothing_to_wait_for() {
    let mails = realistic(94, 40);
    let room = AtomicUsize::new(5);
    let server = inbox(MODERN)
        .on_append(move |_| {
            let left = room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
            left.is_err()
                .then(|| "NO [OVERQUOTA] Mailbox is full".to_owned())
        })
        .start();
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &["--ignore-errors"]).code(1).says("quota");
    server.behave();
    let output = import(&program, &[]);
    output.code(0);
    assert!(!output.stderr.contains("waiting"), "{}", output.stderr);
    assert_holds(&server, "INBOX", &mails);
}

#[test]
fn one_account_that_fails_leaves_the_others_alone() {
    let mails = realistic(94, 10);
    let server = inbox(MODERN).accounts(&[(ANNA, PASSWORD)]).start();
    let program = Program::new();
    Handmade::new(&program).mailbox("INBOX", &mails).complete();
    let accounts = [("missing@example.com", "x"), (ANNA, PASSWORD)];
    super::aim_with(
        &program,
        &server.endpoint(),
        &accounts,
        &serde_json::Value::Null,
    );
    import(&program, &["--ignore-errors"])
        .code(1)
        .says("missing@example.com");
    assert_holds(&server, "INBOX", &mails);
    assert_eq!(report(&program)["accounts"][0]["status"], "failed");
    assert_eq!(report(&program)["accounts"][1]["status"], "complete");
}

#[test]
fn a_keyword_that_ends_the_connection_costs_itself_and_not_the_account() {
    let names = |command: &Received, flag: &[u8]| {
        let mut windows = command.raw.windows(flag.len());
        command.name == "UID STORE" && windows.any(|window| window == flag)
    };
    let server = inbox(MODERN)
        .on_append(|message| {
            let refused = message.flags.contains("$bad");
            refused.then(|| "NO not these".to_owned())
        })
        .on_command(move |command| names(command, b"$bad").then(|| Reply::Close(Vec::new())))
        .start();
    let mails = [
        Mail::simple("one").flagged("\\Seen $good $bad"),
        Mail::simple("two").flagged("\\Flagged"),
        Mail::simple("three").flagged("$good $bad"),
    ];
    let program = program_for(&server, "INBOX", &mails);
    import(&program, &[]).code(0);
    let mut held = mails.clone();
    for mail in &mut held {
        mail.flags = mail.flags.replace("$bad", "");
    }
    assert_holds(&server, "INBOX", &held);
    let note = entry(&program, "INBOX")["note"].to_string();
    let told = "2 messages without flags that the target does not keep ($bad)";
    assert!(note.contains(told), "{note}");
}

#[test]
fn a_system_flag_that_is_refused_costs_itself_and_not_the_others() {
    let server = inbox(MODERN)
        .refuse_flag("\\Deleted", "NO not that one")
        .start();
    let mail = Mail::simple("one").flagged("\\Seen \\Deleted \\Flagged");
    let program = program_for(&server, "INBOX", std::slice::from_ref(&mail));
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &[mail.flagged("\\Seen \\Flagged")]);
    let note = entry(&program, "INBOX")["note"].to_string();
    let told = "1 message without flags that the target does not keep";
    assert!(note.contains(told) && note.contains("Deleted"), "{note}");
}
