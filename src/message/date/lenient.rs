//! Date headers as people's programs have written them: without a zone, in ISO form, with names written out, years of
//! two digits.
//!
//! Knows no INTERNALDATE. Obsolete forms follow RFC 5322 section 4.3.

use mail_parser::DateTime;

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

/// Does a word of the text name this month?
pub(super) fn names_month(text: &str, number: u8) -> bool {
    let mut words = text.split(|c: char| !c.is_alphabetic());
    words.any(|word| month(word) == Some(number))
}

#[derive(Default)]
struct Found {
    /// Numbers that stand alone, with how many digits they have.
    numbers: Vec<(u16, usize)>,
    date: Option<(u16, u8, u8)>,
    /// Three numbers that may be day, month and year, or month, day and year.
    slashed: Option<(u16, u16, u16)>,
    month: Option<u8>,
    /// The month may be a weekday: `mar` is Tuesday in several languages.
    is_weak: bool,
    time: Option<(u8, u8, u8)>,
    afternoon: Option<bool>,
    zone: Option<(bool, u8, u8)>,
}

impl Found {
    fn take(&mut self, word: &str) {
        let word = word.trim_matches(['"', ';']);
        if let Some((date, time)) = word.split_once(['T', 't'])
            && let Some(date) = iso_date(date)
        {
            self.date = Some(date);
            self.clock(time);
        } else if let Some(date) = iso_date(word).or_else(|| dotted_date(word)) {
            self.date = Some(date);
        } else if let Some(parts) = joined(word) {
            for part in parts {
                self.take(part);
            }
        } else if let Some(numbers) = slashed(word) {
            self.slashed = Some(numbers);
        } else if word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit()) {
            self.clock(word);
        } else if let Some(number) = number(word) {
            self.numbers.push(number);
        } else if let Some(month) = month(word) {
            if self.month.is_none() || self.is_weak {
                self.month = Some(month);
                self.is_weak = word.trim_end_matches('.').eq_ignore_ascii_case("mar");
            }
        } else if let Some(is_afternoon) = half_of_day(word) {
            self.afternoon = Some(is_afternoon);
        } else if let Some(zone) = zone(word) {
            self.zone.get_or_insert(zone);
        } else if self.month.is_some() && is_dotted_clock(word) {
            self.clock(&word.replace('.', ":"));
        }
    }

    /// `05:01:16`, with a fraction, a zone or `AM` behind it.
    fn clock(&mut self, word: &str) {
        let end = word
            .find(|c: char| !c.is_ascii_digit() && c != ':')
            .unwrap_or(word.len());
        let (clock, rest) = word.split_at(end);
        let spread = compact_clock(clock);
        let clock = spread.as_deref().unwrap_or(clock);
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
        let date = self.date.or_else(|| self.named_date());
        let (year, month, day) = date.or_else(|| self.slashed_date())?;
        let (mut hour, mut minute, mut second) = self.time.unwrap_or_default();
        match self.afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        // The end of a day is its last second.
        if (hour, minute, second) == (24, 0, 0) {
            (hour, minute, second) = (23, 59, 59);
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

    /// Where the numbers themselves, or a clock of twelve hours, say which of them is the day.
    fn slashed_date(&self) -> Option<(u16, u8, u8)> {
        let (first, second, year) = self.slashed?;
        let (day, month) = match (first > 12, second > 12) {
            (true, false) => (first, second),
            (false, true) => (second, first),
            (false, false) if first == second || self.afternoon.is_some() => (second, first),
            _ => return None,
        };
        Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
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

/// `14` or `14.`, with how many digits it has.
fn number(word: &str) -> Option<(u16, usize)> {
    let digits = word.strip_suffix('.').unwrap_or(word);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| is_number)?;
    Some((number, digits.len()))
}

/// `AM` or `p.m.`: is it the second half?
fn half_of_day(word: &str) -> Option<bool> {
    match word.replace('.', "").to_ascii_lowercase().as_str() {
        "am" => Some(false),
        "pm" => Some(true),
        _ => None,
    }
}

/// `22.13.20`
fn is_dotted_clock(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let is_number = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.len(), 2 | 3) && parts.iter().all(is_number)
}

/// `22:13:20` of `221320`, `22:13` of `2213`.
fn compact_clock(clock: &str) -> Option<String> {
    let is_compact = matches!(clock.len(), 4 | 6) && !clock.contains(':');
    let pairs = (0..clock.len()).step_by(2);
    is_compact.then(|| {
        let parts: Vec<&str> = pairs.map(|at| &clock[at..at + 2]).collect();
        parts.join(":")
    })
}

/// Years of two and three digits (RFC 5322 section 4.3).
fn full_year((year, digits): (u16, usize)) -> u16 {
    match digits {
        0..=2 if year < 50 => year + 2000,
        0..=3 => year + 1900,
        _ => year,
    }
}

/// `2000-08-23`, `2000/08/23`, `2000.08.23` or `20000823`.
fn iso_date(word: &str) -> Option<(u16, u8, u8)> {
    if word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_digit()) {
        let part = |from: usize| word[from..from + 2].parse::<u8>().ok();
        return Some((word[..4].parse().ok()?, part(4)?, part(6)?));
    }
    let mut parts = word.split(['-', '/', '.']);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || parts.next().is_some() {
        return None;
    }
    Some((year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
}

/// `23.08.2000`: with dots the day always comes first.
fn dotted_date(word: &str) -> Option<(u16, u8, u8)> {
    let (day, month, year) = three_numbers(word, '.')?;
    Some((year, u8::try_from(month).ok()?, u8::try_from(day).ok()?))
}

/// `08/23/2000`, `23/08/2000` or `23-08-2000`.
fn slashed(word: &str) -> Option<(u16, u16, u16)> {
    three_numbers(word, '/').or_else(|| three_numbers(word, '-'))
}

/// Two short numbers and a year of four digits.
fn three_numbers(word: &str, between: char) -> Option<(u16, u16, u16)> {
    let mut parts = word.split(between);
    let (one, other, year) = (parts.next()?, parts.next()?, parts.next()?);
    let is_date = one.len() < 3 && other.len() < 3 && year.len() == 4 && parts.next().is_none();
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| is_date);
    Some((number(one)?, number(other)?, number(year)?))
}

/// `23-Aug-2000` in its parts.
fn joined(word: &str) -> Option<[&str; 3]> {
    let mut parts = word.split(['-', '/']);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    (parts.next().is_none() && month(three[1]).is_some()).then_some(three)
}

/// A month's name, cut to three letters or more.
fn month(word: &str) -> Option<u8> {
    let word = word.trim_end_matches('.').to_lowercase();
    if word.chars().count() < 3 {
        return None;
    }
    let known = NAMES.iter().find(|(names, _)| {
        let mut names = names.split(' ');
        names.any(|name| name.starts_with(&word))
    });
    known.map(|(_, month)| *month)
}

/// Names of months in English, German, French, Italian, Spanish, Portuguese and Dutch.
const NAMES: [(&str, u8); 12] = [
    ("january januari janvier gennaio enero janeiro jänner", 1),
    (
        "february februari février fevrier febbraio febrero fevereiro",
        2,
    ),
    ("march märz maerz mrz mars marzo março maart mrt", 3),
    ("april avril aprile abril", 4),
    ("may mai mei maggio mayo maio", 5),
    ("june juni juin giugno junio junho", 6),
    ("july juli juillet luglio julio julho", 7),
    ("august août aout agosto augustus", 8),
    ("september sept septembre settembre septiembre setembro", 9),
    ("october oktober octobre ottobre octubre outubro", 10),
    ("november novembre noviembre novembro", 11),
    (
        "december dezember décembre decembre dicembre diciembre dezembro",
        12,
    ),
];

/// `+0200`, `+02:00`, `-5`, `GMT+1`, and the names of RFC 5322 section 4.3; any other name means nothing.
fn zone(word: &str) -> Option<(bool, u8, u8)> {
    let west = |hours| Some((true, hours, 0));
    let word = word.to_ascii_uppercase();
    match word.as_str() {
        "Z" | "UT" | "UTC" | "GMT" => return Some((false, 0, 0)),
        "EDT" => return west(4),
        "EST" | "CDT" => return west(5),
        "CST" | "MDT" => return west(6),
        "MST" | "PDT" => return west(7),
        "PST" => return west(8),
        _ => {}
    }
    let mut names = ["GMT", "UTC"].iter();
    let offset = names.find_map(|name| word.strip_prefix(name));
    let (sign, digits) = offset.unwrap_or(&word).split_at_checked(1)?;
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
    // No zone on earth is further off.
    let is_possible = hour <= 14 && minute < 60;
    let (hour, minute) = (u8::try_from(hour).ok()?, u8::try_from(minute).ok()?);
    is_possible.then_some((sign == "-", hour, minute))
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
            "Wed, 23 Aug 2000 05:01:16 +2500",
            "20000823T050116Z",
            "2000.08.23 05:01:16",
            "23.08.2000 05:01:16",
            "08/23/2000 05:01:16",
            "23/08/2000 05:01:16",
            "Mi, 23. August 2000 05:01:16",
            "mer., 23 août 2000 05:01:16",
            "mar, 23 ago 2000 05:01:16",
            "Wed, 23 Aug 2000 05.01.16",
            "Wed, 23 Aug 2000 05:01:16;",
            "\"Wed, 23 Aug 2000 05:01:16 GMT\"",
        ] {
            let expected = "23-Aug-2000 05:01:16 +0000";
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("August 23, 99 12:30 AM EST", "23-Aug-1999 00:30:00 -0500"),
            ("23 Sept 2000 12:01 pm +02:00", "23-Sep-2000 12:01:00 +0200"),
            ("2000-08-23T05:01:16-03:30", "23-Aug-2000 05:01:16 -0330"),
            ("2000-08-23", "23-Aug-2000 00:00:00 +0000"),
            ("23 Aug 2000 24:00", "23-Aug-2000 23:59:59 +0000"),
            (
                "Aug 23 2000 05:01:16 GMT+0100",
                "23-Aug-2000 05:01:16 +0100",
            ),
            ("23 Aug 2000 5:01 p.m. +100", "23-Aug-2000 17:01:00 +0100"),
            ("05/06/2000 5:01 PM", "06-May-2000 17:01:00 +0000"),
            ("Di, 14 Mär 2023 22:13:20", "14-Mar-2023 22:13:20 +0000"),
            ("mar., 14 févr. 2023 22:13:20", "14-Feb-2023 22:13:20 +0000"),
            ("lun, 14 ene 2023 22:13:20", "14-Jan-2023 22:13:20 +0000"),
            ("mar 14 mar 2023", "14-Mar-2023 00:00:00 +0000"),
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
            "05/06/2000 05:01",
            "23 авг 2000",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
