//! Date headers as people's programs have written them: without a zone, in ISO form, with names written out, years of
//! two digits.
//!
//! Knows no INTERNALDATE. Obsolete forms follow RFC 5322 section 4.3.

use mail_parser::DateTime;

use super::MONTHS;

/// Reads a Date header in any order of day, month, year and time; `None` where one of the first three is missing.
///
/// A time without a zone is taken as UTC, a date without a time as midnight.
pub(super) fn parse(text: &str) -> Option<DateTime> {
    let text = without_comments(text);
    let mut found = Found::default();
    let spaced = text.replace(',', " ");
    for word in spaced.split_ascii_whitespace() {
        found.take(word);
    }
    found.date()
}

#[derive(Default)]
struct Found {
    /// Numbers that stand alone, with how many digits they have.
    numbers: Vec<(u16, usize)>,
    date: Option<(u16, u8, u8)>,
    month: Option<u8>,
    time: Option<(u8, u8, u8)>,
    afternoon: Option<bool>,
    zone: Option<(bool, u8, u8)>,
}

impl Found {
    fn take(&mut self, word: &str) {
        if let Some((date, time)) = word.split_once(['T', 't'])
            && let Some(date) = iso_date(date)
        {
            self.date = Some(date);
            self.clock(time);
        } else if let Some(date) = iso_date(word) {
            self.date = Some(date);
        } else if let Some(parts) = joined(word) {
            for part in parts {
                self.take(part);
            }
        } else if word.contains(':') && !word.starts_with(['+', '-']) {
            self.clock(word);
        } else if word.bytes().all(|byte| byte.is_ascii_digit()) {
            self.numbers
                .extend(word.parse().ok().map(|number| (number, word.len())));
        } else if let Some(month) = month(word) {
            self.month.get_or_insert(month);
        } else if word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm") {
            self.afternoon = Some(word.eq_ignore_ascii_case("pm"));
        } else if let Some(zone) = zone(word) {
            self.zone.get_or_insert(zone);
        }
    }

    /// `05:01:16`, with a fraction, a zone or `AM` behind it.
    fn clock(&mut self, word: &str) {
        let end = word
            .find(|c: char| !c.is_ascii_digit() && c != ':')
            .unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        let mut parts = clock.split(':');
        let mut number = || parts.next()?.parse::<u8>().ok();
        let Some((hour, minute)) = number().zip(number()) else {
            return;
        };
        self.time = Some((hour, minute, number().unwrap_or(0)));
        let rest = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        if !rest.is_empty() {
            self.take(rest);
        }
    }

    fn date(self) -> Option<DateTime> {
        let (year, month, day) = self.date.or_else(|| self.named_date())?;
        let (mut hour, minute, second) = self.time.unwrap_or_default();
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (tz_before_gmt, tz_hour, tz_minute) = self.zone.unwrap_or_default();
        Some(DateTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
            tz_before_gmt,
            tz_hour,
            tz_minute,
        })
    }

    /// Two numbers beside a month's name: the day and the year, in this order unless the first cannot be a day.
    fn named_date(&self) -> Option<(u16, u8, u8)> {
        let month = self.month?;
        let [first, second] = self.numbers[..] else {
            return None;
        };
        let (day, year) = if first.1 > 2 || first.0 > 31 {
            (second, first)
        } else {
            (first, second)
        };
        Some((full_year(year), month, u8::try_from(day.0).ok()?))
    }
}

/// Years of two and three digits (RFC 5322 section 4.3).
fn full_year((year, digits): (u16, usize)) -> u16 {
    match digits {
        0..=2 if year < 50 => year + 2000,
        0..=3 => year + 1900,
        _ => year,
    }
}

/// `2000-08-23` or `2000/08/23`.
fn iso_date(word: &str) -> Option<(u16, u8, u8)> {
    let mut parts = word.split(['-', '/']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || parts.next().is_some() {
        return None;
    }
    Some((year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
}

/// `23-Aug-2000` in its parts.
fn joined(word: &str) -> Option<[&str; 3]> {
    let mut parts = word.split(['-', '/']);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    (parts.next().is_none() && month(three[1]).is_some()).then_some(three)
}

/// A month's English name, cut to three letters or more.
fn month(word: &str) -> Option<u8> {
    const LONG: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    if word.len() < 3 {
        return None;
    }
    let position = LONG
        .iter()
        .zip(MONTHS)
        .position(|(long, short)| long.starts_with(&word) || word.eq_ignore_ascii_case(short))?;
    u8::try_from(position + 1).ok()
}

/// `+0200`, `+02:00`, `-5`, and the names of RFC 5322 section 4.3; any other name means nothing.
fn zone(word: &str) -> Option<(bool, u8, u8)> {
    let west = |hours| Some((true, hours, 0));
    match word.to_ascii_uppercase().as_str() {
        "Z" | "UT" | "UTC" | "GMT" => return Some((false, 0, 0)),
        "EDT" => return west(4),
        "EST" | "CDT" => return west(5),
        "CST" | "MDT" => return west(6),
        "MST" | "PDT" => return west(7),
        "PST" => return west(8),
        _ => {}
    }
    let (sign, digits) = word.split_at_checked(1)?;
    if !matches!(sign, "+" | "-") {
        return None;
    }
    let digits = digits.replace(':', "");
    let number: u16 = digits.parse().ok()?;
    let (hour, minute) = match digits.len() {
        1 | 2 => (number, 0),
        3 | 4 => (number / 100, number % 100),
        _ => return None,
    };
    Some((
        sign == "-",
        u8::try_from(hour).ok()?,
        u8::try_from(minute).ok()?,
    ))
}

/// The text without `(comments)`.
fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        super::super::format(&parse(text)?)
    }

    #[test]
    fn dates_are_read_as_programs_have_written_them() {
        for text in [
            "Wed, 23 Aug 2000 05:01:16",
            "23 Aug 2000 05:01:16 Z",
            "Wed Aug 23 05:01:16 2000",
            "Wed Aug 23 05:01:16 GMT 2000",
            "2000-08-23T05:01:16Z",
            "2000-08-23 05:01:16.123",
            "2000/08/23 05:01:16",
            "Wed, 23 Aug 100 05:01:16 +0000",
            "Wed, 23 Aug 00 05:01:16 UT",
            "23-Aug-2000 05:01:16 +0000 (what (a) clock)",
            "Wednesday, August 23, 2000 5:01:16 AM",
            "Wed, 23 Aug 2000 05:01:16 XYZT",
        ] {
            let expected = "23-Aug-2000 05:01:16 +0000";
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("August 23, 99 12:30 AM EST", "23-Aug-1999 00:30:00 -0500"),
            ("23 Sept 2000 12:01 pm +02:00", "23-Sep-2000 12:01:00 +0200"),
            ("2000-08-23T05:01:16-03:30", "23-Aug-2000 05:01:16 -0330"),
            ("2000-08-23", "23-Aug-2000 00:00:00 +0000"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "23 2000 05:01",
            "August 2000",
            "31 Feb 2000 10:00:00",
            "1 2 3 Aug 2000",
            "2000-13-01",
            "99999999999999999999 Aug 2000 05:01",
            "23 Aug 2000 25:01:16",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
