//! Answers to FETCH in forms that no RFC has: those that can be understood are, and the others cost their own message.

use super::odd_servers::archived_uids;
use super::{ANNA, program_for};
use crate::kit::mail::{Mail, realistic};
use crate::kit::servers::fake::{Behaviour, FakeMailbox, FakeServer};

/// The message in the odd responses below: `MESSAGE` there is its literal, `LATIN` two bytes that are no UTF-8.
const ODD_MESSAGE: &str = "Subject: three\r\n\r\nodd\r\n";

/// Responses for UID 3 in forms of their own; the message can be had all the same.
const READABLE: [(&str, &str); 27] = [
    (
        "attributes behind the body",
        "* 3 FETCH (BODY[] MESSAGE UID 3 FLAGS ())\r\n",
    ),
    (
        "lower case",
        "* 3 fetch (uid 3 flags () body[] MESSAGE)\r\n",
    ),
    (
        "renamed to RFC822",
        "* 3 FETCH (UID 3 FLAGS () RFC822 MESSAGE)\r\n",
    ),
    (
        "partial from zero",
        "* 3 FETCH (UID 3 FLAGS () BODY[]<0> MESSAGE)\r\n",
    ),
    (
        "two blanks",
        "* 3 FETCH  (UID  3 FLAGS ()  BODY[] MESSAGE)\r\n",
    ),
    (
        "a blank before the end",
        "* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE )\r\n",
    ),
    (
        "size below zero",
        "* 3 FETCH (UID 3 RFC822.SIZE -1 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "size above 32 bits",
        "* 3 FETCH (UID 3 RFC822.SIZE 99999999999 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "no date",
        "* 3 FETCH (UID 3 INTERNALDATE NIL FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "an unquoted date",
        "* 3 FETCH (UID 3 INTERNALDATE 1-Jan-2020 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "a Domino date",
        "* 3 FETCH (UID 3 INTERNALDATE \"00-Jan-0000 00:00:00 +0000\" FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "a date in GMT",
        "* 3 FETCH (UID 3 INTERNALDATE \" 1-Jan-2020 00:00:00 GMT\" FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "unknown attributes",
        "* 3 FETCH (UID 3 EMAILID (M1) X-NEW \"a)b\" THREADID NIL SAVEDATE \"x\" FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "an unknown list",
        "* 3 FETCH (UID 3 X-GM-LABELS (\\Inbox \"a (b\" {3}\r\nc)d) FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "a line in front",
        "* 3 FETCH (FLAGS (\\Seen))\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "an empty line in front",
        "\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "an empty response in front",
        "* 3 FETCH ()\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "unsolicited data in front",
        "* 9 EXISTS\r\n* 0 RECENT\r\n* ESEARCH (TAG \"a\") ALL 1\r\n* X-NEW (a\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "another's flags in front",
        "* 1 FETCH (FLAGS (\\Seen) UID 1)\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "line feeds only",
        "* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\n",
    ),
    (
        "a binary literal",
        "* 3 FETCH (UID 3 FLAGS () BODY[] ~MESSAGE)\r\n",
    ),
    (
        "twice",
        "* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "UIDFETCH",
        "* 3 UIDFETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "a message that nobody asked for",
        "* 9 FETCH (UID 999 FLAGS () BODY[] MESSAGE)\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "quoted",
        "* 3 FETCH (UID 3 FLAGS () BODY[] \"Subject: three\")\r\n",
    ),
    (
        "8-bit alert in front",
        "* OK [ALERT] LATIN\r\n* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE)\r\n",
    ),
    (
        "8-bit flag",
        "* 3 FETCH (UID 3 FLAGS (LATIN) BODY[] MESSAGE)\r\n",
    ),
];

/// Responses that do not bring the message of UID 3.
const UNREADABLE: [(&str, &str); 4] = [
    (
        "no closing parenthesis",
        "* 3 FETCH (UID 3 FLAGS () BODY[] MESSAGE\r\n",
    ),
    ("no UID", "* 3 FETCH (FLAGS () X)\r\n"),
    ("an error text", "* 3 FETCH (UID 3 BODY[] {cannot}\r\n"),
    ("UID zero", "* 3 FETCH (UID 0 FLAGS ())\r\n"),
];

fn odd_response(text: &str) -> Vec<u8> {
    let literal = format!("{{{}}}\r\n{ODD_MESSAGE}", ODD_MESSAGE.len());
    let text = text.replace("MESSAGE", &literal);
    let parts: Vec<&[u8]> = text.split("LATIN").map(str::as_bytes).collect();
    parts.join(&b"\xe9\xff"[..])
}

#[test]
fn an_odd_fetch_response_costs_its_own_message_at_most() {
    let readable = READABLE.iter().map(|odd| (odd, true));
    let all = readable.chain(UNREADABLE.iter().map(|odd| (odd, false)));
    for ((name, text), readable) in all {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(51, 5)))
            .on_fetch(3, Behaviour::Raw(odd_response(text)))
            .start();
        let program = program_for(&server);
        let output = program.export(&[]);
        output.code(i32::from(!readable));
        let expected: &[u32] = if readable {
            &[1, 2, 3, 4, 5]
        } else {
            &[1, 2, 4, 5]
        };
        assert_eq!(
            archived_uids(&program),
            expected,
            "{name}\n{}",
            output.describe()
        );
        if readable {
            let message = &program.archive(ANNA).mailbox("INBOX").messages[&3];
            assert!(message.bytes.starts_with(b"Subject: three"), "{name}");
        } else {
            assert_eq!(program.archive(ANNA).failed().len(), 1, "{name}");
        }
    }
}

#[test]
fn scattered_responses_are_put_together() {
    let mails: Vec<Mail> = realistic(52, 4)
        .into_iter()
        .map(|mail| mail.flagged("\\Flagged $Odd"))
        .collect();
    let mut options = FakeServer::options().mailbox(FakeMailbox::new("INBOX").mails(&mails));
    for uid in 1..=4 {
        options = options.on_fetch(uid, Behaviour::Scattered);
    }
    let server = options.start();
    let program = program_for(&server);
    program.export(&[]).code(0);
    let inbox = program.archive(ANNA).mailbox("INBOX");
    for (uid, mail) in (1..).zip(&mails) {
        let message = &inbox.messages[&uid];
        assert_eq!(message.bytes, mail.bytes);
        assert_eq!(message.sidecar["flags"], "\\Flagged $Odd");
        assert_eq!(message.sidecar["internaldate"], mail.internaldate());
    }
}
