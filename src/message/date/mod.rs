//! INTERNALDATE: from what sources and sidecars say to the one form that every server takes.

use mail_parser::{DateTime, MessageParser};

use super::header;

mod lenient;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Where the date of an import comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateSource {
    /// The INTERNALDATE of the source server.
    Server,
    /// The Date header.
    DateHeader,
    /// The topmost Received header.
    Received,
    /// Nowhere: the target server puts its own time.
    None,
    /// The same, as it refuses the date that there is.
    Refused,
}

/// The INTERNALDATE to append a message with, `dd-Mon-yyyy HH:MM:SS +zzzz` (RFC 3501 `date-time`), and its source.
///
/// `raw` is what the source server said, `head` the beginning of the message. A date before 1970 is taken only where
/// there is no other, and then as the first second of 1970: servers store earlier ones as the year 2106, or not at all.
#[must_use]
pub fn internaldate_for(raw: &str, head: &[u8]) -> (Option<String>, DateSource) {
    let mut early = None;
    let dates = [
        (DateSource::Server, of_server(raw)),
        (DateSource::DateHeader, of_header(head, "date")),
        (DateSource::Received, of_header(head, "received")),
    ];
    for (source, date) in dates {
        let Some((date, text)) = date.and_then(|date| Some((date, format(&date)?))) else {
            continue;
        };
        if without_leap_second(&date).to_timestamp() >= 0 {
            return (Some(text), source);
        }
        early.get_or_insert(source);
    }
    match early {
        Some(source) => (Some("01-Jan-1970 00:00:00 +0000".to_owned()), source),
        None => (None, DateSource::None),
    }
}

/// The date in the topmost header of that name: in a Received header, what stands behind the last semicolon.
fn of_header(head: &[u8], name: &str) -> Option<DateTime> {
    let mut parser = MessageParser::new().header_raw(mail_parser::HeaderName::Date);
    parser = parser.header_raw(mail_parser::HeaderName::Received);
    let message = parser.parse_headers(header(head))?;
    let (_, value) = message
        .headers_raw()
        .find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    let is_trace = name.eq_ignore_ascii_case("received");
    let text = value.rsplit_once(';').filter(|_| is_trace);
    let text = text.map_or(value, |(_, date)| date);
    // It guesses where there is no month, and reads a year of two or three digits literally.
    let strict = || DateTime::parse_rfc822(text.trim());
    let likely = |date: &DateTime| {
        format(date).is_some() && date.to_timestamp() >= 0 && lenient::names_month(text, date.month)
    };
    lenient::parse(text)
        .filter(|date| format(date).is_some())
        .or_else(|| strict().filter(likely))
}

/// Seconds since 1970 of an INTERNALDATE in any form that servers send, and other programs write into sidecars.
#[must_use]
pub fn timestamp(raw: &str) -> Option<i64> {
    of_server(raw).map(|date| without_leap_second(&date).to_timestamp())
}

fn of_server(raw: &str) -> Option<DateTime> {
    parse(raw).or_else(|| iso(raw))
}

/// What other programs write into sidecars.
fn iso(raw: &str) -> Option<DateTime> {
    let year = raw.trim().split(['-', '/', '.']).next()?;
    let is_iso = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    lenient::parse(raw).filter(|_| is_iso)
}

/// Reads what servers send for a date: one-digit days, leading blanks, zone names.
fn parse(raw: &str) -> Option<DateTime> {
    let mut words = raw.trim().trim_matches('"').split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next());
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS
        .iter()
        .zip(1_u8..)
        .find(|(name, _)| name.eq_ignore_ascii_case(month))?
        .1;
    let mut parts = time.split(':');
    let mut number = || parts.next()?.parse::<u8>().ok();
    let (hour, minute, second) = (number()?, number()?, number()?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let zone = match zone.unwrap_or("GMT") {
        "GMT" | "UT" | "UTC" | "Z" => (false, 0, 0),
        zone => {
            let (sign, digits) = zone.split_at_checked(1)?;
            let digits: Vec<u8> = digits.bytes().map(|b| b.wrapping_sub(b'0')).collect();
            let [a, b, c, d] = digits[..] else {
                return None;
            };
            if ![a, b, c, d].iter().all(|digit| *digit < 10) || !matches!(sign, "+" | "-") {
                return None;
            }
            (sign == "-", a * 10 + b, c * 10 + d)
        }
    };
    Some(DateTime {
        year: year.parse().ok()?,
        month,
        day: day.parse().ok()?,
        hour,
        minute,
        second,
        tz_before_gmt: zone.0,
        tz_hour: zone.1,
        tz_minute: zone.2,
    })
}

/// `None` for days and times that no calendar has, which servers refuse.
fn format(date: &DateTime) -> Option<String> {
    let date = without_leap_second(date);
    let sane = date.is_valid()
        && (1..=9999).contains(&date.year)
        && date.day <= days_in(date.year, date.month)
        && date.tz_hour <= 14
        && date.tz_minute <= 59;
    let month = MONTHS.get(usize::from(date.month).checked_sub(1)?)?;
    sane.then(|| {
        format!(
            "{:02}-{month}-{:04} {:02}:{:02}:{:02} {}{:02}{:02}",
            date.day,
            date.year,
            date.hour,
            date.minute,
            date.second,
            if date.tz_before_gmt { '-' } else { '+' },
            date.tz_hour,
            date.tz_minute
        )
    })
}

/// A leap second, which servers refuse, is the second before it.
fn without_leap_second(date: &DateTime) -> DateTime {
    DateTime {
        second: date.second.min(59),
        ..*date
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_forms_become_the_canonical_one() {
        for (raw, expected) in [
            ("14-Nov-2023 22:13:20 +0100", "14-Nov-2023 22:13:20 +0100"),
            (" 4-Nov-2023 02:03:04 -0930", "04-Nov-2023 02:03:04 -0930"),
            ("4-nov-2023 22:13:20 GMT", "04-Nov-2023 22:13:20 +0000"),
            ("29-Feb-2024 23:59:60 +0000", "29-Feb-2024 23:59:59 +0000"),
        ] {
            let (date, source) = internaldate_for(raw, b"");
            assert_eq!(date.as_deref(), Some(expected), "{raw}");
            assert_eq!(source, DateSource::Server);
        }
    }

    #[test]
    fn without_a_sane_date_the_headers_say_it() {
        let head = b"Received: from a by b;\r\n Tue, 3 Feb 2015 04:05:06 +0200\r\nDate: Mon, 2 Feb 2015 03:04:05 -0500\r\n\r\n";
        let only_received = b"Received: from b by c;\r\n Tue, 3 Feb 2015 04:05:06 +0200\r\nReceived: from a by b;\r\n Mon, 2 Feb 2015 04:05:06 +0200\r\n\r\n";
        for raw in [
            "",
            "NIL",
            "00-Jan-0000 00:00:00 +0000",
            "31-Feb-2020 10:00:00 +0000",
            "1-Jan-2020",
            "14-Nov-2023 22:13:20 +9x00",
        ] {
            assert_eq!(
                internaldate_for(raw, head),
                (
                    Some("02-Feb-2015 03:04:05 -0500".to_owned()),
                    DateSource::DateHeader
                ),
                "{raw}"
            );
            assert_eq!(
                internaldate_for(raw, only_received),
                (
                    Some("03-Feb-2015 04:05:06 +0200".to_owned()),
                    DateSource::Received
                ),
                "{raw}"
            );
            assert_eq!(
                internaldate_for(raw, b"Subject: x\r\n\r\nDate: body"),
                (None, DateSource::None)
            );
        }
    }

    #[test]
    fn a_month_that_is_none_is_no_date_and_what_other_programs_write_is_one() {
        for garbage in ["Tue, 14 Foo 2023 22:13:20 +0100", "14 2023 22:13"] {
            let head = format!("Date: {garbage}\r\n\r\n");
            let found = internaldate_for("", head.as_bytes());
            assert_eq!(found, (None, DateSource::None), "{garbage}");
        }
        let head = b"Date: Tue, 14 Nov 2023  7:03: 1 +0100\r\n\r\n";
        let (date, _) = internaldate_for("", head);
        assert_eq!(date.as_deref(), Some("14-Nov-2023 07:03:01 +0100"));
        let (date, source) = internaldate_for("2015-02-02T03:04:05-05:00", b"");
        assert_eq!(date.as_deref(), Some("02-Feb-2015 03:04:05 -0500"));
        assert_eq!(source, DateSource::Server);
        assert_eq!(timestamp("2015-02-02T03:04:05-05:00"), Some(1_422_864_245));
    }

    #[test]
    fn a_date_before_1970_is_the_last_choice() {
        let later = b"Date: Mon, 2 Feb 2015 03:04:05 -0500\r\n\r\n";
        let first = "01-Jan-1970 00:00:00 +0000";
        for raw in ["01-Jan-1970 00:00:00 +0100", "31-Dec-1969 23:59:59 +0000"] {
            let (date, source) = internaldate_for(raw, later);
            assert_eq!(date.as_deref(), Some("02-Feb-2015 03:04:05 -0500"));
            assert_eq!(source, DateSource::DateHeader);
            let (date, source) = internaldate_for(raw, b"Subject: x\r\n\r\n");
            assert_eq!((date.as_deref(), source), (Some(first), DateSource::Server));
        }
        let early = b"Date: Sat, 20 Jul 1968 20:17:40 +0000\r\n\r\n";
        let (date, source) = internaldate_for("NIL", early);
        assert_eq!(
            (date.as_deref(), source),
            (Some(first), DateSource::DateHeader)
        );
    }
}
