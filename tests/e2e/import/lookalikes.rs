//! Mail that looks alike and mail that a server has changed: afterwards the target holds each content as often as the
//! archive, whatever the two have in common and whatever tells them apart.

use std::fs;

use super::{
    ANNA, MODERN, aim, assert_holds, assert_same, import, inbox, journal, of_held, of_mails,
    reader, totals,
};
use crate::kit::mail::Mail;
use crate::kit::run::findings::findings;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::servers::fake::{FakeMailbox, FakeServer};

const THEN: u64 = 1_600_000_000;
const LATER: u64 = THEN + 99;

fn mail(text: &str, time: u64) -> Mail {
    Mail::new(text, text.replace('\n', "\r\n")).at(time)
}

/// The same header for all.
fn draft(body: &str, time: u64) -> Mail {
    let text = format!("Message-ID: <d@x>\nDate: then\nSubject: draft\n\n{body}\n");
    mail(&text, time)
}

/// A mailbox of the archive and what the target has in it before.
struct Scene {
    name: &'static str,
    here: Vec<Mail>,
    there: Vec<Mail>,
    /// What the target does not have, by number.
    new: &'static [usize],
}

/// Imports, imports again, imports without the journal: what is new is there once, and what was there is not touched.
fn check(scenes: &[Scene]) {
    let mut options = FakeServer::options()
        .capabilities(MODERN)
        .mailbox(FakeMailbox::new("INBOX"));
    let program = Program::new();
    let mut archive = Handmade::new(&program);
    for scene in scenes {
        options = options.mailbox(FakeMailbox::new(scene.name).mails(&scene.there));
        archive = archive.mailbox(scene.name, &scene.here);
    }
    archive.complete();
    let server = options.start();
    aim(&program, &server.endpoint());
    let check = |when: &str| {
        let all = reader(&server).mailboxes();
        for scene in scenes {
            let new = scene.new.iter().map(|at| scene.here[*at].clone());
            let expected: Vec<Mail> = scene.there.iter().cloned().chain(new).collect();
            let held = all.iter().find(|held| held.name == scene.name);
            assert_same(
                &format!("{}, {when}", scene.name),
                &of_held(held.expect("the mailbox")),
                &of_mails(&expected),
            );
        }
    };
    let new: usize = scenes.iter().map(|scene| scene.new.len()).sum();
    let missing = || {
        let arguments = ["--mode", "validate", "--no-connectivity-test", "-q"];
        program.run(arguments.iter().chain(&["--report", "report.json"]));
        let found = findings(&program);
        found.iter().filter(|it| it["code"] == "missing").count()
    };
    assert_eq!(missing(), new);
    import(&program, &[]).code(0);
    check("first run");
    assert_eq!(totals(&program, ["new"]), [new as u64]);
    import(&program, &[]).code(0);
    check("second run");
    fs::remove_file(journal(&program)).expect("remove the journal");
    import(&program, &[]).code(0);
    check("without the journal");
    assert_eq!(totals(&program, ["new"]), [0]);
    assert!(program.archive(ANNA).failed().is_empty());
    assert_eq!(missing(), 0);
}

#[test]
fn of_one_header_each_content_is_brought_as_often_as_it_is_there() {
    let three = [
        draft("aaa", THEN),
        draft("bbb", THEN + 1),
        draft("ccc", THEN + 2),
    ];
    let sizes = [
        draft("a", THEN),
        draft("bbb", THEN + 1),
        draft("ccccc", THEN + 2),
    ];
    let checked = |body: &str| {
        let draft = String::from_utf8_lossy(&draft(body, LATER).bytes).into_owned();
        Mail::new(body, format!("X-Checked: yes\r\n{draft}")).at(LATER)
    };
    let plain = |number: u32| mail(&format!("Subject: {number}\n\ntext\n"), THEN);
    check(&[
        Scene {
            name: "equal sizes",
            here: three.to_vec(),
            there: vec![draft("bbb", LATER)],
            new: &[0, 2],
        },
        Scene {
            name: "header added",
            here: sizes.to_vec(),
            there: vec![checked("bbb")],
            new: &[0, 2],
        },
        // The size of the one that is wanted is that of one that is not.
        Scene {
            name: "another of its size",
            here: vec![draft("aaa", THEN)],
            there: vec![draft("bbb", LATER)],
            new: &[0],
        },
        Scene {
            name: "others of their sizes",
            here: sizes.to_vec(),
            there: vec![draft("xxxxx", LATER), draft("a", THEN)],
            new: &[1, 2],
        },
        Scene {
            name: "several of several",
            here: [&three[..], &three[..2]].concat(),
            there: vec![three[1].clone(), three[2].clone(), three[2].clone()],
            new: &[0, 3, 4],
        },
        // What a target keeps as it is has another size for a reason.
        Scene {
            name: "another version of one second",
            here: vec![plain(1), plain(2), draft("a longer one", THEN)],
            there: vec![plain(1), plain(2), draft("first", THEN)],
            new: &[2],
        },
    ]);
}

#[test]
fn mail_without_a_header_is_one_by_its_text_whatever_its_size_and_date() {
    check(&[
        Scene {
            name: "another date",
            here: vec![mail("\nno header\n", THEN)],
            there: vec![mail("\nno header\n", LATER)],
            new: &[],
        },
        Scene {
            name: "another date and size",
            here: vec![mail("\nno header\n", THEN)],
            there: vec![mail("\nno header\n\n", LATER)],
            new: &[],
        },
        Scene {
            name: "another text",
            here: vec![mail("\nno header\n", THEN), mail("\nno sense\n", THEN)],
            there: vec![mail("\nno heads!\n", LATER), mail("\nno seats\n", THEN)],
            new: &[0, 1],
        },
        // Without an empty line the text stands where a header does.
        Scene {
            name: "text alone",
            here: vec![mail("just text\n", THEN), mail("the same", THEN + 1)],
            there: vec![mail("another text\n", THEN), mail("the same\n", THEN + 1)],
            new: &[0],
        },
        Scene {
            name: "fields that do not count",
            here: vec![
                mail("X-One: y\n\n", THEN),
                mail("X-One: y\n\nok\n", THEN + 1),
            ],
            there: vec![
                mail("Subject: hi\n\n", THEN),
                mail("X-Other: y\n\nok\n", THEN + 1),
            ],
            new: &[0, 1],
        },
        Scene {
            name: "a field in common",
            here: vec![mail("From: a@x\nSubject: one\n\n", THEN)],
            there: vec![mail("From: a@x\nTo: b@x\n\n", THEN)],
            new: &[0],
        },
    ]);
}

#[test]
fn what_a_server_or_another_program_has_changed_is_the_same_message() {
    let raw = |body: &str| {
        mail(
            &format!("Message-ID: <1@x>\nSubject: gr\u{fc}n\n\n{body}\n"),
            THEN,
        )
    };
    let encoded = |words: &str| {
        mail(
            &format!("Message-ID: <1@x>\nSubject: {words}\n\none\n"),
            THEN,
        )
    };
    let blotted = mail("Message-ID: <1@x>\nSubject: grXXn\n\none\n", LATER);
    let field = "X-Gone: 1\nMessage-ID: <d@x>\nDate: then\nSubject: draft\n\naaa\n";
    let zero = |zero: &[u8], body: &str| {
        let text = [b"Subject: n\r\n\r\none", zero, body.as_bytes(), b"\r\n"].concat();
        Mail::new(body, text).at(THEN)
    };
    let bare = |body: &str| Mail::new(body, format!("Subject: n\n\nt\n{body}\n")).at(THEN);
    check(&[
        Scene {
            name: "field left out",
            here: vec![mail(field, THEN), draft("b", THEN)],
            there: vec![draft("aaa", LATER)],
            new: &[1],
        },
        Scene {
            name: "no 8-bit characters",
            here: vec![raw("one")],
            there: vec![blotted.clone()],
            new: &[],
        },
        Scene {
            name: "no 8-bit characters and twins",
            here: vec![raw("one"), raw("two")],
            there: vec![blotted],
            new: &[1],
        },
        Scene {
            name: "words decoded",
            here: vec![encoded("=?UTF-8?Q?gr=C3=BCn?=")],
            there: vec![raw("one")],
            new: &[],
        },
        Scene {
            name: "words encoded",
            here: vec![raw("one")],
            there: vec![encoded("=?ISO-8859-1?B?Z3L8bg==?=")],
            new: &[],
        },
        Scene {
            name: "line ends",
            here: vec![bare("one"), bare("two")],
            there: vec![mail("Subject: n\n\nt\ntwo\n", LATER)],
            new: &[0],
        },
        // Dovecot writes 0x80 for them, others leave them out.
        Scene {
            name: "zero bytes",
            here: vec![zero(b"\0", "two"), zero(b"\0", "too"), zero(b"\0", "to")],
            there: vec![zero(b"\x80", "too"), zero(b"", "to").at(LATER)],
            new: &[0],
        },
        // In some character sets it is one as any other: here the sign of the euro.
        Scene {
            name: "0x80 at the end",
            here: vec![zero(b"\x80", "")],
            there: vec![zero(b"", "").at(LATER)],
            new: &[0],
        },
        Scene {
            name: "0x80 left out",
            here: vec![zero(b"", "five")],
            there: vec![zero(b"\x80", "five").at(LATER)],
            new: &[0],
        },
        Scene {
            name: "0x80 elsewhere",
            here: vec![zero(b"\x80", "x"), zero(b"x\x80", "")],
            there: vec![zero(b"x\x80", "").at(LATER)],
            new: &[0],
        },
        Scene {
            name: "header alone",
            here: vec![mail("Subject: 1\n", THEN), mail("Subject: 2\n\n", THEN)],
            there: vec![mail("Subject: 1\n\n", LATER), mail("Subject: 2\n", LATER)],
            new: &[],
        },
        Scene {
            name: "order and folding",
            here: vec![
                mail("To: a\nSubject: n o p\n\none\n", THEN),
                mail("To: a\nSubject: n o p\n\ntwo\n", THEN),
            ],
            there: vec![mail("Subject: n o\n p\nTo: a\n\ntwo\n", LATER)],
            new: &[0],
        },
    ]);
}

#[test]
fn a_field_that_was_added_to_a_very_long_header_makes_no_other_message() {
    let to: Vec<String> = (0..12_000)
        .map(|it| format!("user{it:05}@long.example"))
        .collect();
    let long = |added: &str, body: &str, time| {
        let to = to.join(",\n ");
        mail(
            &format!("{added}To: {to}\nMessage-ID: <b@x>\n\n{body}\n"),
            time,
        )
    };
    check(&[Scene {
        name: "long",
        here: vec![long("", "one", THEN), long("", "two", THEN)],
        there: vec![long("X-Checked: yes\n", "two", LATER)],
        new: &[0],
    }]);
}

#[test]
fn of_two_copies_the_one_that_is_missing_comes_with_its_own_date() {
    let copies = [draft("same", THEN), draft("same", LATER)];
    check(&[
        Scene {
            name: "the second",
            here: copies.to_vec(),
            there: vec![copies[1].clone()],
            new: &[0],
        },
        Scene {
            name: "the first",
            here: copies.to_vec(),
            there: vec![copies[0].clone()],
            new: &[1],
        },
    ]);
}

#[test]
fn a_view_stands_in_for_what_the_archive_has_lost_elsewhere() {
    let (kept, lost, short) = (
        draft("kept", THEN),
        draft("lost", THEN),
        draft("short", THEN),
    );
    let all = [kept.clone(), lost.clone(), short.clone()];
    let server = inbox(MODERN).start();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &all)
        .listed("Marked", '/', &["\\Flagged"], false, &all)
        .listed("The Whole", '/', &["\\All"], false, &all)
        .complete();
    fs::remove_file(archive.file("INBOX", 2, "eml")).expect("removed");
    fs::write(archive.file("INBOX", 3, "eml"), "Subject: short").expect("cut");
    aim(&program, &server.endpoint());
    import(&program, &["--ignore-errors"]).code(1);
    assert_holds(&server, "INBOX", &[kept]);
    assert_holds(&server, "The Whole", &[lost, short]);
    assert_eq!(server.mailboxes().len(), 2);
}

#[test]
fn a_twin_that_the_archive_has_damaged_is_not_missing_where_the_target_has_it() {
    let twins = [draft("one", THEN), draft("two", THEN)];
    let server = inbox(MODERN).start();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &twins).complete();
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    fs::remove_file(journal(&program)).expect("remove the journal");
    let damaged = draft("tw0", THEN).bytes;
    fs::write(archive.file("INBOX", 2, "eml"), damaged).expect("damaged");
    import(&program, &[]).code(0);
    assert_holds(&server, "INBOX", &twins);
}
