//! Takes an APPEND apart, strictly (RFC 3501, 3502, 7888). Stores nothing.

use crate::kit::servers::wire::{Received, counted, list, quoted};

/// One message of an APPEND, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The mailbox's name on the wire.
    pub mailbox: Vec<u8>,
    /// Flags, separated by spaces.
    pub flags: String,
    /// INTERNALDATE without its quotes, where it is said.
    pub internaldate: Option<String>,
    /// The message.
    pub body: Vec<u8>,
}

impl Appended {
    /// Are these bytes in the message?
    pub fn holds(&self, bytes: &[u8]) -> bool {
        let mut windows = self.body.windows(bytes.len().max(1));
        windows.any(|window| window == bytes)
    }

    /// Does it carry this flag, in any case?
    pub fn has_flag(&self, flag: &str) -> bool {
        let mut flags = self.flags.split(' ');
        flags.any(|one| one.eq_ignore_ascii_case(flag))
    }
}

/// The messages of an APPEND; the error says what is wrong with the command.
pub fn parse(command: &Received) -> Result<Vec<Appended>, String> {
    let head = command.tag.len() + " APPEND ".len();
    let rest = command.raw.get(head..).unwrap_or_default();
    let (mailbox, mut rest) = match rest.first() {
        Some(b'"') => quoted(rest),
        Some(b'{') => counted(rest),
        _ => {
            let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
            (rest[..end].to_vec(), &rest[end..])
        }
    };
    if mailbox.is_empty() {
        return Err("APPEND names no mailbox".to_owned());
    }
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (message, after) = one(&mailbox, rest)?;
        messages.push(message);
        rest = after;
    }
    if messages.is_empty() {
        return Err("APPEND without a message".to_owned());
    }
    Ok(messages)
}

fn one<'a>(mailbox: &[u8], rest: &'a [u8]) -> Result<(Appended, &'a [u8]), String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut rest = behind_space(rest)?;
    let mut flags = String::new();
    if rest.first() == Some(&b'(') {
        let (inside, after) = list(rest);
        flags = text(&inside);
        flags = flags.trim_matches(['(', ')']).to_owned();
        rest = behind_space(after)?;
    }
    let mut internaldate = None;
    if rest.first() == Some(&b'"') {
        let (date, after) = quoted(rest);
        internaldate = Some(text(&date));
        rest = behind_space(after)?;
    }
    if rest.first() != Some(&b'{') {
        return Err(format!(
            "no literal where {:?} stands",
            text(&rest[..rest.len().min(40)])
        ));
    }
    let (body, after) = counted(rest);
    for flag in flags.split(' ').filter(|_| !flags.is_empty()) {
        check_flag(flag)?;
    }
    if let Some(date) = &internaldate {
        check_date(date)?;
    }
    let message = Appended {
        mailbox: mailbox.to_vec(),
        flags,
        internaldate,
        body,
    };
    Ok((message, after))
}

fn behind_space(rest: &[u8]) -> Result<&[u8], String> {
    match rest.strip_prefix(b" ") {
        Some(rest) if rest.first().is_some_and(|byte| *byte != b' ') => Ok(rest),
        _ => Err("there must be one space between arguments".to_owned()),
    }
}

/// A system flag that clients may set, or an atom.
pub fn check_flag(flag: &str) -> Result<(), String> {
    const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
    let bad = |byte: u8| !(b'!'..=b'~').contains(&byte) || br#"(){%*"\]"#.contains(&byte);
    let known = SYSTEM.iter().any(|one| one.eq_ignore_ascii_case(flag));
    if known || !flag.is_empty() && !flag.bytes().any(bad) {
        Ok(())
    } else {
        Err(format!("Invalid system flag {flag}"))
    }
}

/// `dd-Mon-yyyy HH:MM:SS +zzzz`, the day in two digits or with a space before it.
fn check_date(date: &str) -> Result<(), String> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const FORM: &[u8] = b"90-Mmm-0000 00:00:00 +0000";
    let fits = |(byte, form): (u8, &u8)| match form {
        b'9' => byte == b' ' || byte.is_ascii_digit(),
        b'0' => byte.is_ascii_digit(),
        b'+' => byte == b'+' || byte == b'-',
        b'M' | b'm' => byte.is_ascii_alphabetic(),
        _ => byte == *form,
    };
    let formed = date.len() == FORM.len() && date.bytes().zip(FORM).all(fits);
    let month = date.get(3..6).and_then(|month| MONTHS.find(month));
    if formed && month.is_some_and(|index| index % 3 == 0) {
        Ok(())
    } else {
        Err(format!("{date:?} is no date-time"))
    }
}

#[test]
fn appends_are_taken_apart_strictly() {
    let parse = |raw: &[u8]| {
        parse(&Received {
            connection: 0,
            tag: "a".to_owned(),
            name: "APPEND".to_owned(),
            raw: raw.to_vec(),
        })
    };
    let messages = parse(
        b"a APPEND {3}\r\nB x (\\Seen $a) \" 1-Feb-2024 01:02:03 -0500\" {4+}\r\n(\"{} {1}\r\nx",
    )
    .expect("two messages");
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0].mailbox, b"B x");
    assert!(messages[0].has_flag("\\seen") && messages[0].has_flag("$a"));
    assert!(messages[0].holds(b"\"{") && !messages[0].holds(b"x"));
    assert_eq!(messages[1].flags, "");
    assert_eq!(messages[1].internaldate, None);
    for wrong in [
        "a APPEND INBOX",
        "a APPEND INBOX  {1}\r\nx",
        "a APPEND INBOX (\\Recent) {1}\r\nx",
        "a APPEND INBOX (a ) {1}\r\nx",
        "a APPEND INBOX \"1-Feb-2024 01:02:03 +0000\" {1}\r\nx",
        "a APPEND INBOX \"01-Fev-2024 01:02:03 +0000\" {1}\r\nx",
        "a APPEND INBOX {1}\r\nxy",
        "a APPEND INBOX x",
    ] {
        assert!(parse(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
}
