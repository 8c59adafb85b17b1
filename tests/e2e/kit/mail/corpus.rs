//! The corpus for audits: tricky but legitimate mail, and damaged mail. `corpus/README.txt` says how it is written.

use super::Mail;

/// Mail that no audit may object to; drafts apart, it gives no finding at all.
pub fn legitimate() -> Vec<Mail> {
    let files = [
        include_str!("corpus/forwarded.txt"),
        include_str!("corpus/about_imap.txt"),
        include_str!("corpus/shapes.txt"),
    ];
    files.iter().flat_map(|text| read(text)).collect()
}

/// Mail with hardly any header field.
pub fn drafts() -> Vec<Mail> {
    read(include_str!("corpus/drafts.txt"))
}

/// Damaged mail; the first word of a name is the code of the finding.
pub fn damaged() -> Vec<Mail> {
    read(include_str!("corpus/damaged.txt"))
}

fn read(text: &str) -> Vec<Mail> {
    let mails = text.split("%% ").skip(1).enumerate();
    mails
        .map(|(number, mail)| {
            let (name, lines) = mail.split_once('\n').expect("a name");
            let mut bytes = Vec::new();
            for line in lines.lines() {
                if let Some(subject) = line.strip_prefix("@head ") {
                    bytes.extend(head(subject, number).into_bytes());
                } else if let Some(subject) = line.strip_prefix("@second ") {
                    bytes.extend(second(subject, number).into_bytes());
                } else {
                    unescape(line, &mut bytes);
                    bytes.extend(b"\r\n");
                }
            }
            if bytes.ends_with(b"\\\r\n") {
                bytes.truncate(bytes.len() - 3);
            }
            Mail::new(name, bytes)
        })
        .collect()
}

fn head(subject: &str, number: usize) -> String {
    format!(
        "From: Anna <anna@example.com>\r\nTo: Ben <ben@example.com>\r\nSubject: {subject}\r\n\
         Date: Mon, 1 Jan 2024 10:00:00 +0100\r\nMessage-ID: <corpus.{number}@example.com>\r\n"
    )
}

fn second(subject: &str, number: usize) -> String {
    format!(
        "Return-Path: <carl@example.net>\r\nDelivered-To: anna@example.com\r\n\
         Received: from a.example.net by mx.example.com\r\n\tfor <anna@example.com>; Mon, 1 Jan 2024 20:00:01 +0100\r\n\
         Date: Mon, 1 Jan 2024 20:00:00 +0100\r\nFrom: Carl <carl@example.net>\r\nTo: Anna <anna@example.com>\r\n\
         Message-ID: <second.{number}@example.net>\r\nSubject: {subject}\r\n"
    )
}

fn unescape(line: &str, bytes: &mut Vec<u8>) {
    let (mut rest, end) = match line.strip_suffix("\\s") {
        Some(rest) => (rest, " "),
        None => (line, ""),
    };
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.bytes());
        let (digits, after) = after.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
        rest = after;
    }
    bytes.extend(rest.bytes());
    bytes.extend(end.bytes());
}
