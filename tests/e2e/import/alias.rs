//! Names that the target takes for others: two of one mailbox are found out whenever the one was filled, and told apart
//! the same way on every run.

use std::collections::BTreeMap;

use super::names::{listing_what_was_made, trimmed_and_cut};
use super::{MODERN, aim, assert_holds, import, inbox, journal, targets, totals};
use crate::kit::mail::{Mail, realistic};
use crate::kit::run::findings::assert_codes;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{Cut, FakeMailbox, FakeOptions, FakeServer};

const PLAIN: &str = "IMAP4rev1 LITERAL+ UIDPLUS MULTIAPPEND";

/// A server that opens "Plan" as "Plan-", too, and lists both, or what was made.
fn undashing(lists_both: bool) -> FakeOptions {
    if lists_both {
        let options = inbox(PLAIN).mailbox(FakeMailbox::new("Plan"));
        listing_what_was_made(options, &["INBOX", "Plan", "Plan-"])
    } else {
        listing_what_was_made(inbox(PLAIN), &["INBOX"])
    }
}

/// INBOX, "Plan" with three of these, "Plan-" with the others.
fn archive(program: &Program, mails: &[Mail]) {
    Handmade::new(program)
        .mailbox("INBOX", &mails[..1])
        .mailbox("Plan", &mails[..3])
        .mailbox("Plan-", &mails[3..])
        .complete();
}

/// Both have their own, and stay where they are: in the next import, in a dry run, and for who validates.
fn are_told_apart(program: &Program, server: &FakeServer, mails: &[Mail]) {
    let mapped = targets(program);
    assert_eq!(mapped["Plan-"], "Plan (2)", "{mapped:#?}");
    stay(program, &mapped, &[]);
    assert_holds(server, "Plan", &mails[..3]);
    assert_holds(server, "Plan (2)", &mails[3..]);
}

fn stay(program: &Program, mapped: &BTreeMap<String, String>, codes: &[&str]) {
    for arguments in [&["--dry-run"][..], &[]] {
        import(program, arguments).code(0);
        assert_eq!(totals(program, ["new"]), [0], "{arguments:?}");
        assert_eq!(targets(program), *mapped, "{arguments:?}");
    }
    let validate = ["--mode", "validate", "--deep", "--imapsync", "never"];
    let report = ["--report", "report.json"];
    program.run(validate.iter().chain(&report)).code(0);
    assert_codes(program, codes);
    assert_eq!(targets(program), *mapped);
}

#[test]
fn a_mailbox_that_an_earlier_run_filled_is_not_filled_under_another_name() {
    for lists_both in [true, false] {
        let server = undashing(lists_both).start();
        let program = Program::new();
        let mails = realistic(181, 6);
        archive(&program, &mails);
        aim(&program, &server.endpoint());
        import(&program, &["--folder", "INBOX", "--folder", "Plan"]).code(0);
        import(&program, &["--dry-run"]).code(0);
        assert_eq!(targets(&program)["Plan-"], "Plan (2)", "{lists_both}");
        import(&program, &[]).code(0);
        are_told_apart(&program, &server, &mails);
    }
}

#[test]
fn a_mailbox_that_was_filled_and_is_not_meant_now_is_another_all_the_same() {
    for lists_both in [true, false] {
        let server = undashing(lists_both).start();
        let program = Program::new();
        let mails = realistic(182, 6);
        archive(&program, &mails);
        aim(&program, &server.endpoint());
        import(&program, &["--folder", "Plan"]).code(0);
        import(&program, &["--folder", "Plan-"]).code(0);
        import(&program, &[]).code(0);
        are_told_apart(&program, &server, &mails);
    }
}

#[test]
fn a_mailbox_that_an_earlier_connection_filled_is_not_filled_under_another_name() {
    for lists_both in [true, false] {
        // The connection ends at the first message of the other one: INBOX and Plan have four.
        let server = undashing(lists_both).cut_append(5, Cut::Unstored).start();
        let program = Program::new();
        let mails = realistic(183, 6);
        archive(&program, &mails);
        aim(&program, &server.endpoint());
        import(&program, &["--imap-timeout", "1"]).code(0);
        are_told_apart(&program, &server, &mails);
    }
}

#[test]
fn what_both_have_in_common_does_not_stand_for_the_other() {
    let server = undashing(true).start();
    let program = Program::new();
    let mails = realistic(184, 3);
    let mails = [&mails[..], &mails[..]].concat();
    archive(&program, &mails);
    aim(&program, &server.endpoint());
    import(&program, &["--folder", "Plan"]).code(0);
    import(&program, &[]).code(0);
    are_told_apart(&program, &server, &mails);
}

#[test]
fn mail_that_others_brought_before_is_told_apart_by_whose_it_is() {
    let mails = realistic(185, 6);
    for (there, own, apart) in [
        (&mails[..3], "Plan", "Plan-"),
        (&mails[3..], "Plan-", "Plan"),
    ] {
        let server = undashing(true).start();
        server.edit(|mailboxes| mailboxes[1] = FakeMailbox::new("Plan").mails(there));
        let program = Program::new();
        archive(&program, &mails);
        aim(&program, &server.endpoint());
        import(&program, &[]).code(0);
        let mapped = targets(&program);
        assert_eq!(mapped[own], own, "{mapped:#?}");
        assert_eq!(totals(&program, ["new", "unchanged"]), [4, 3]);
        assert_holds(&server, "Plan", there);
        let rest = if apart == "Plan" {
            &mails[..3]
        } else {
            &mails[3..]
        };
        assert_holds(&server, &mapped[apart], rest);
        // LSUB, and LIST, have the name that was made.
        let codes = ["note extra-mailbox", "note not-subscribed"];
        stay(&program, &mapped, if own == "Plan" { &[] } else { &codes });
    }
}

#[test]
fn without_the_journal_what_was_told_apart_is_known_by_what_it_holds() {
    let mails = realistic(186, 6);
    for lists_both in [true, false] {
        let server = undashing(lists_both).start();
        let program = Program::new();
        archive(&program, &mails);
        aim(&program, &server.endpoint());
        import(&program, &[]).code(0);
        std::fs::remove_file(journal(&program)).expect("removed");
        import(&program, &["--dry-run"]).code(0);
        assert_eq!(targets(&program)["Plan-"], "Plan (2)", "{lists_both}");
        assert_eq!(totals(&program, ["new"]), [0]);
        import(&program, &[]).code(0);
        assert_eq!(totals(&program, ["new", "unchanged"]), [0, 7]);
        are_told_apart(&program, &server, &mails);
    }
}

#[test]
fn without_the_journal_names_that_the_target_trims_or_cuts_lead_where_they_led() {
    let server = inbox(MODERN).calling(trimmed_and_cut).start();
    let program = Program::new();
    let names = [
        "Plan",
        "Plan ",
        "Correspondence 2023",
        "Correspondence 2024",
        "Alone ",
    ];
    let mails: Vec<Mail> = names.iter().map(|name| Mail::simple(name)).collect();
    let mut archive = Handmade::new(&program);
    for (name, mail) in names.iter().zip(&mails) {
        archive = archive.mailbox(name, std::slice::from_ref(mail));
    }
    archive.complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    let count = server.mailboxes().len();
    std::fs::remove_file(journal(&program)).expect("removed");
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 5]);
    assert_eq!(targets(&program), mapped);
    assert_eq!(server.mailboxes().len(), count);
    for (name, mail) in names.iter().zip(&mails) {
        assert_holds(&server, &mapped[*name], std::slice::from_ref(mail));
    }
    stay(&program, &mapped, &[]);
}

/// They came one after another, in another order than that of the plan.
#[test]
fn without_the_journal_names_that_differ_in_case_lead_to_their_own_mail() {
    let server = inbox(MODERN).names_in_any_case().start();
    let program = Program::new();
    let mails = realistic(188, 6);
    let names = ["PLAN", "plan", "Plan"];
    let mut archive = Handmade::new(&program);
    for (name, mails) in names.iter().zip(mails.chunks(2)) {
        archive = archive.mailbox(name, mails);
    }
    archive.complete();
    aim(&program, &server.endpoint());
    let mut mapped = BTreeMap::new();
    for name in names {
        import(&program, &["--folder", name]).code(0);
        mapped.extend(targets(&program));
    }
    std::fs::remove_file(journal(&program)).expect("removed");
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 6], "{mapped:?}");
    let mapped = targets(&program);
    for (name, mails) in names.iter().zip(mails.chunks(2)) {
        assert_holds(&server, &mapped[*name], mails);
    }
    stay(&program, &mapped, &[]);
}

#[test]
fn mailboxes_that_hold_the_same_are_two_where_the_target_has_two() {
    let mails = realistic(187, 3);
    let with = |name: &str| FakeMailbox::new(name).mails(&mails);
    let server = inbox(MODERN)
        .mailbox(with("Plan"))
        .mailbox(with("Plan-"))
        .start();
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("Plan", &mails)
        .mailbox("Plan-", &mails)
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new", "unchanged"]), [0, 6]);
    let mapped = targets(&program);
    assert_eq!(mapped["Plan-"], "Plan-");
    stay(&program, &mapped, &[]);
}

/// It puts everything below INBOX, when it is made.
#[test]
fn what_the_target_makes_by_another_name_is_found_in_its_list() {
    let server = inbox(MODERN)
        .meanwhile(|command, mailboxes| {
            for mailbox in mailboxes.iter_mut() {
                if command.name != "CREATE" && !mailbox.name.starts_with(b"INBOX") {
                    mailbox.name = [b"INBOX/".as_slice(), &mailbox.name].concat();
                }
            }
        })
        .start();
    let mails = realistic(128, 4);
    let program = Program::new();
    Handmade::new(&program)
        .mailbox("Work", &mails[..2])
        .mailbox("Later", &mails[2..])
        .mailbox("Empty", &[])
        .complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let mapped = targets(&program);
    assert_eq!(mapped["Work"], "INBOX/Work");
    assert_holds(&server, "INBOX/Work", &mails[..2]);
    assert_holds(&server, "INBOX/Later", &mails[2..]);
    assert_eq!(server.mailboxes().len(), 4);
    import(&program, &[]).code(0);
    assert_eq!(totals(&program, ["new"]), [0]);
    assert_eq!(targets(&program), mapped);
    assert_eq!(server.mailboxes().len(), 4);
}
