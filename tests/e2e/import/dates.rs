//! Dates: where the source gives none, the headers' are used as far as anyone can read them, and the rest is told.

use serde_json::json;

use super::{ANNA, MODERN, aim, date, entry, import, inbox, program_for};
use crate::kit::PASSWORD;
use crate::kit::mail::Mail;
use crate::kit::run::handmade::Handmade;
use crate::kit::run::program::Program;
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::Dovecot;

#[test]
fn a_date_header_that_people_can_read_is_used_and_only_the_others_get_the_time_of_the_import() {
    let written = [
        "Wed, 23 Aug 2000 05:01:16",
        "2000-08-23T05:01:16Z",
        "Wednesday, August 23, 2000 5:01:16 AM",
        "Wed, 23 Aug 100 05:01:16 +0000",
        "Wed Aug 23 05:01:16 2000",
        "someday",
        "Sat, 20 Jul 1968 20:17:40 +0000",
    ];
    let mail = |written: &&str| {
        let text = format!("Subject: {written}\r\nDate: {written}\r\n\r\ntext\r\n");
        Mail::new(*written, text)
    };
    let mails: Vec<Mail> = written.iter().map(mail).collect();
    let dovecot = Dovecot::simple();
    let program = Program::new();
    let archive = Handmade::new(&program).mailbox("INBOX", &mails).complete();
    for uid in 1..=7 {
        Handmade::edit(&archive.file("INBOX", uid, "json"), |sidecar| {
            sidecar["internaldate"] = json!("00-Jan-0000 00:00:00 +0000");
        });
    }
    aim(&program, &dovecot.plain());
    import(&program, &[]).code(0);
    let held = Reader::new(&dovecot.plain(), ANNA, PASSWORD)
        .mailbox("INBOX")
        .messages;
    let dates: Vec<String> = held.iter().map(|held| date(&held.internaldate)).collect();
    for (date, written) in dates.iter().zip(&written[..5]) {
        assert_eq!(date, "23-Aug-2000 05:01:16 +0000", "{written}");
    }
    assert!(!dates[5].contains("2000"), "{dates:?}");
    assert_eq!(dates[6], "01-Jan-1970 00:00:00 +0000");
    let note = entry(&program, "INBOX")["note"].to_string();
    assert!(
        note.contains("6 messages with the date in the headers")
            && note.contains("1 message with the time of the import"),
        "{note}"
    );
    import(&program, &[]).code(0);
    assert_eq!(super::totals(&program, ["new", "unchanged"]), [0, 7]);
}

#[test]
fn a_message_whose_date_the_target_refuses_arrives_with_the_time_of_the_import() {
    let mails = [
        Mail::simple("far off").at(7_000_000_000),
        Mail::simple("ordinary").flagged("\\Seen"),
    ];
    for capabilities in [MODERN, "IMAP4rev1"] {
        let server = inbox(capabilities)
            .on_append(|message| {
                let date = message.internaldate.as_deref().unwrap_or_default();
                date.contains("2191")
                    .then(|| "BAD [CLIENTBUG] Invalid date-time".to_owned())
            })
            .start();
        let program = program_for(&server, "INBOX", &mails);
        import(&program, &[]).code(0);
        let held = server.mailbox("INBOX").messages;
        assert_eq!(held.len(), 2, "{}", server.transcript());
        let note = entry(&program, "INBOX")["note"].to_string();
        let told = "1 message with the time of the import, as the target refuses their date";
        assert!(note.contains(told), "{note}");
        let ordinary = held.iter().find(|held| held.flags == "\\Seen");
        let ordinary = ordinary.expect("the other one");
        assert!(
            ordinary.internaldate.contains("2023"),
            "{}",
            ordinary.internaldate
        );
    }
}

#[test]
fn a_date_behind_a_very_long_header_is_used_and_validated() {
    let line = format!("X-Long: {}\r\n", "abcdefgh ".repeat(100));
    let header = line.repeat(400);
    let text = format!(
        "Subject: far down\r\n{header}Date: Wed, 23 Aug 2000 05:01:16 +0000\r\n\r\ntext\r\n"
    );
    let server = inbox(MODERN).start();
    let program = Program::new();
    let archive = Handmade::new(&program)
        .mailbox("INBOX", &[Mail::new("far down", text)])
        .complete();
    Handmade::edit(&archive.file("INBOX", 1, "json"), |sidecar| {
        sidecar["internaldate"] = json!("");
    });
    aim(&program, &server.endpoint());
    import(&program, &[]).code(0);
    let held = server.mailbox("INBOX").messages;
    assert_eq!(held[0].internaldate, "\"23-Aug-2000 05:01:16 +0000\"");
    let validate = ["--mode", "validate", "--no-connectivity-test"];
    program.run(validate).code(0).says("0 errors, 0 warnings");
}
