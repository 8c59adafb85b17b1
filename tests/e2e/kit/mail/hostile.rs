//! Mail that breaks programs: each a shape that was seen in the wild or that a protocol invites.

use super::Mail;

const HEAD: &str = "Message-ID: <hostile@kit.example>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\
                    From: Anna <anna@example.com>\r\nTo: bob@example.org\r\n";

/// All of them. Real servers refuse or repair some: zero bytes, bare line feeds, headers that are none.
pub fn hostile() -> Vec<Mail> {
    let mut mails = odd_shapes();
    mails.extend(odd_bytes());
    mails.extend(protocol_in_bodies());
    mails.extend(big_ones());
    mails.extend(odd_identities());
    mails
}

fn body(name: &str, body: impl AsRef<[u8]>) -> Mail {
    let head = format!("{HEAD}Subject: {name}\r\n\r\n");
    Mail::new(name, [head.as_bytes(), body.as_ref()].concat())
}

fn odd_shapes() -> Vec<Mail> {
    vec![
        Mail::new(
            "no empty line after the headers",
            format!("{HEAD}Subject: no end\r\n"),
        ),
        Mail::new(
            "headers cut in the middle",
            "Message-ID: <cut@kit.example>\r\nSubject: cu",
        ),
        body("empty body", ""),
        Mail::new("only an empty line", "\r\n"),
        Mail::new("one byte", "x"),
        Mail::new("no headers at all", "\r\nonly a body\r\n"),
        Mail::new(
            "body without headers and empty line",
            "this is no header line\r\nnor is this\r\n",
        ),
        body("no final line end", "the last line has no end"),
        body("ends with a carriage return", "the end\r"),
        body("empty lines at the end", "text\r\n\r\n\r\n\r\n"),
        body("final dot lines", ".\r\n..\r\n. \r\n.\r\n"),
        Mail::new(
            "mbox From line first",
            format!(
                "From anna@example.com Tue Nov 14 22:13:20 2023\r\n{HEAD}Subject: mbox\r\n\r\ntext\r\n"
            ),
        ),
        body(
            "From lines in the body",
            "From here on\r\n>From there\r\n>>From\r\nFrom \r\n",
        ),
        body(
            "multipart without its end",
            "--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n--x\r\n--y--",
        ),
        Mail::new(
            "nested message and attachments",
            format!(
                "{HEAD}Subject: multipart\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b1\r\n\r\n\
                 preamble\r\n--b1\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\n\
                 {HEAD}Subject: inner\r\n\r\ninner\r\n--b1\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQK\r\n--b1--\r\nepilogue\r\n"
            ),
        ),
    ]
}

fn odd_bytes() -> Vec<Mail> {
    vec![
        Mail::new(
            "8-bit headers",
            [
                HEAD.as_bytes(),
                b"Subject: Gr\xfc\xdfe in Latin-1\r\nX-UTF8: Gr\xc3\xbc\xc3\x9fe\r\nX-Broken: \xff\xfe\x80\r\n\r\ntext\r\n",
            ]
            .concat(),
        ),
        body("every byte but zero", (1..=255_u8).collect::<Vec<_>>()),
        body("zero bytes", b"a\0b\0\0c\r\n"),
        body("bare carriage returns", "one\rtwo\r\r\nthree\r\rfour\r\n"),
        body("bare line feeds", "one\ntwo\n\nthree\r\nfour\n"),
        body("only line feeds in the body", "\n\n\n"),
        body("spaces and tabs at line ends", "text \t \r\n \r\n\t\r\n"),
        body("form feeds and escapes", "\x0c\x1b[31mred\x1b[0m\x07\x08\r\n"),
        body("line separators of Unicode", "a\u{2028}b\u{2029}c\u{85}d\u{feff}\r\n"),
    ]
}

/// What looks like the protocol around it.
fn protocol_in_bodies() -> Vec<Mail> {
    vec![
        body(
            "tagged answers",
            "a1 OK done\r\nx3 NO\r\nA0001 BAD no\r\n1 OK FETCH completed\r\na1 OK [READ-ONLY] x\r\n",
        ),
        body(
            "untagged answers",
            "* 5 FETCH (UID 7 BODY[] {5}\r\nhello)\r\n* BYE bye\r\n* 1 EXPUNGE\r\n* OK [UIDVALIDITY 1]\r\n",
        ),
        body("closing brackets", ")\r\n)\r\n))\r\n)"),
        body(
            "literals at line ends",
            "{10}\r\n0123456789{5}\r\n{3+}\r\n~{4}\r\n{99999999999}\r\n{0}\r\n",
        ),
        body("continuations", "+ OK\r\n+\r\n+ \r\nDONE\r\n"),
        body(
            "quotes and backslashes",
            "\"\\\"\r\n\\\r\n\"\"\r\nUID 9 \"UID 10\"\r\n",
        ),
        Mail::new(
            "protocol in the subject",
            format!("{HEAD}Subject: \") BODY[] {{3}}\r\n\r\n{{3}}\r\nabc)\r\n"),
        ),
        body("a literal as the last bytes", "{10}"),
    ]
}

fn big_ones() -> Vec<Mail> {
    let line = "0123456789".repeat(10_000);
    let folded = "abc def ghi \r\n ".repeat(5_000);
    let attachment = format!("{}\r\n", "QUJD".repeat(19)).repeat(40_000);
    vec![
        body("one line of 100 kB", format!("{line}\r\n")),
        body("one line of 100 kB without end", &line),
        Mail::new(
            "a header of 70 kB, folded",
            format!("{HEAD}Subject: long\r\nReferences: {folded}end\r\n\r\ntext\r\n"),
        ),
        Mail::new(
            "a header of 70 kB in one line",
            format!("{HEAD}Subject: {}\r\n\r\ntext\r\n", &line[..70_000]),
        ),
        Mail::new(
            "2,000 headers",
            format!(
                "{HEAD}{}\r\ntext\r\n",
                "X-Again: and again\r\n".repeat(2_000)
            ),
        ),
        body("an attachment of 3 MB", attachment),
    ]
}

fn odd_identities() -> Vec<Mail> {
    let same = |text: &str| {
        format!(
            "Message-ID: <same@kit.example>\r\nFrom: anna@example.com\r\nSubject: twin\r\n\r\n{text}\r\n"
        )
    };
    vec![
        Mail::new("Message-ID shared, first", same("one")),
        Mail::new("Message-ID shared, other text", same("two")),
        Mail::new("Message-ID shared, same bytes as the first", same("one")),
        Mail::new(
            "no Message-ID",
            "From: anna@example.com\r\nSubject: nobody\r\n\r\ntext\r\n",
        ),
        Mail::new(
            "empty Message-ID",
            "Message-ID:\r\nSubject: empty\r\n\r\ntext\r\n",
        ),
        Mail::new(
            "two Message-IDs",
            "Message-ID: <first@kit.example>\r\nMessage-ID: <second@kit.example>\r\nSubject: two\r\n\r\ntext\r\n",
        ),
        Mail::new(
            "Message-ID folded and without brackets",
            "Message-ID:\r\n  no.brackets@kit.example\r\nSubject: folded\r\n\r\ntext\r\n",
        ),
        Mail::new(
            "Message-ID with 8-bit and quotes",
            b"Message-ID: <\"q \\\" \xe4\"@kit.example>\r\n\r\ntext\r\n".to_vec(),
        ),
    ]
}
