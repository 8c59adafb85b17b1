//! Names as a target takes them: encoded so that it can be undone, and in modified UTF-7.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::mailbox::Name;

/// Writes what is `forbidden` (given the characters before and after it) as a mark and two hex digits a byte.
///
/// The mark as well, but only where it would read as such an encoding of a character of `emitted`: so it can be undone.
#[must_use]
pub fn escaped(
    level: &str,
    mark: char,
    forbidden: impl Fn(Option<char>, char, Option<char>) -> bool,
    emitted: impl Fn(char) -> bool,
) -> String {
    let mut out = String::new();
    let mut before = None;
    for (at, c) in level.char_indices() {
        let rest = &level[at..];
        let after = rest[c.len_utf8()..].chars().next();
        if forbidden(before, c, after) || encoded_byte(rest, mark, &emitted).is_some() {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(out, "{mark}{byte:02X}");
            }
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    out
}

/// Undoes [`escaped`]; `None` when the bytes are not text.
#[must_use]
pub fn unescaped(level: &str, mark: char, emitted: impl Fn(char) -> bool) -> Option<String> {
    let (mut out, mut rest) = (Vec::new(), level);
    while let Some(c) = rest.chars().next() {
        let byte = encoded_byte(rest, mark, &emitted);
        let size = if byte.is_some() { 3 } else { c.len_utf8() };
        out.extend(byte.as_slice());
        if byte.is_none() {
            out.extend(c.encode_utf8(&mut [0; 4]).bytes());
        }
        rest = &rest[size..];
    }
    String::from_utf8(out).ok()
}

/// The byte that the first three characters stand for.
pub(super) fn encoded_byte(text: &str, mark: char, emitted: impl Fn(char) -> bool) -> Option<u8> {
    let digits = text.strip_prefix(mark)?.get(..2)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let byte = u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
    let c = char::from(byte);
    (!byte.is_ascii() || c == mark || emitted(c)).then_some(byte)
}

/// The next stricter form of a name that the target refused, by the number of refusals so far; `None` when there is no
/// other.
///
/// It can be undone: `%` and two hex digits a byte, from the second on `=` instead, as Cyrus refuses `%`. An empty
/// level becomes the mark alone.
#[must_use]
pub fn sanitised(name: &str, delimiter: Option<char>, attempt: u32) -> Option<String> {
    let mark = if attempt == 1 { '%' } else { '=' };
    let strict = |c: char| match attempt {
        1 => "\"\\*/#~{}^'!;<>`|?:".contains(c) || c.is_control(),
        2 => c.is_ascii_punctuation() && !"-_".contains(c) || c.is_control(),
        _ => !(c.is_ascii_alphanumeric() || "-_ ".contains(c)),
    };
    let blank = |c: char| c == ' ' || c == '.';
    let forbidden = |before: Option<char>, c: char, after: Option<char>| {
        let at_an_end = before.is_none_or(|before| before == ' ') || after.is_none();
        strict(c) && c != mark || blank(c) && at_an_end || Some(c) == delimiter
    };
    let level = |level: &str| {
        // What the plan encoded with the other mark is re-encoded, not encoded twice.
        let planned = delimiter
            .filter(|_| attempt > 1)
            .and_then(|delimiter| unescaped(level, '%', |c| c.is_control() || c == delimiter));
        let level = planned.as_deref().unwrap_or(level);
        if level.is_empty() || level.chars().eq([mark]) {
            let code = if level.is_empty() {
                String::new()
            } else {
                format!("{:02X}", u32::from(mark))
            };
            return format!("{mark}{code}");
        }
        let emitted = |c| (strict(c) || blank(c)) && (attempt > 1 || Some(c) != delimiter);
        escaped(level, mark, forbidden, emitted)
    };
    let other = match delimiter {
        Some(delimiter) => {
            let levels: Vec<String> = name.split(delimiter).map(level).collect();
            levels.join(&delimiter.to_string())
        }
        None => level(name),
    };
    ((1..=3).contains(&attempt) && other != name).then_some(other)
}

/// A name of one level: the delimiters behind the namespace's prefix are encoded, as those below a childless mailbox
/// are.
#[must_use]
pub fn flattened(name: &str, delimiter: char, prefix: &str) -> String {
    let (prefix, levels) = match name.strip_prefix(prefix) {
        Some(levels) => (prefix, levels),
        None => ("", name),
    };
    let encoded = format!("%{:02X}", u32::from(delimiter));
    format!("{prefix}{}", levels.replace(delimiter, &encoded))
}

/// Other names for one that is reserved on the target, as `cur`, `new` and `tmp` where mailboxes are directories:
/// levels begin with an encoded character, so that the old name can be read from them. The mildest come first.
#[must_use]
pub fn masked(name: &str, delimiter: Option<char>, prefix: &str) -> Vec<String> {
    let (prefix, levels) = levels(name, delimiter, prefix);
    let last = levels.len() - 1;
    let any_reserved = levels.iter().any(|level| is_reserved(level));
    let mut names = Vec::new();
    for mark in ['%', '='] {
        let with = |is_meant: &dyn Fn(usize, &str) -> bool| {
            let masked = levels.iter().enumerate().map(|(at, level)| {
                if is_meant(at, level) {
                    masked_level(level, mark)
                } else {
                    (*level).to_owned()
                }
            });
            joined(prefix, masked, delimiter)
        };
        if any_reserved {
            names.push(with(&|_, level| is_reserved(level)));
        }
        names.push(with(&|at, _| at == last));
        names.push(with(&|_, _| true));
    }
    names
}

/// Names of the directories in a Maildir: no mailbox below one can have them.
#[must_use]
pub fn is_reserved(level: &str) -> bool {
    ["cur", "new", "tmp"].contains(&level)
}

fn masked_level(level: &str, mark: char) -> String {
    let mut rest = level.chars();
    let mut out = String::new();
    if let Some(first) = rest.next() {
        for byte in first.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a string cannot fail.
            let _ = write!(out, "{mark}{byte:02X}");
        }
    }
    out + rest.as_str()
}

/// A name whose levels have at most `longest` bytes on the wire; `None` where they do already.
///
/// A level that is cut ends in `~` and a digest of the whole of it: no two become one, and what is below it stays
/// there.
#[must_use]
pub fn shortened(
    name: &str,
    delimiter: Option<char>,
    prefix: &str,
    longest: usize,
) -> Option<String> {
    let (prefix, levels) = levels(name, delimiter, prefix);
    let cut = levels.iter().map(|level| cut(level, longest));
    let short = joined(prefix, cut, delimiter);
    (short != name).then_some(short)
}

fn cut(level: &str, longest: usize) -> String {
    let length = |text: &str| Name::new(text).wire().len();
    if length(level) <= longest {
        return level.to_owned();
    }
    let digest = Sha256::digest(level.as_bytes());
    let first = digest.first_chunk().copied().unwrap_or_default();
    let digest = format!("{:08x}", u32::from_be_bytes(first));
    let room = longest.saturating_sub(digest.len() + 1);
    let mut kept = String::new();
    for c in level.chars() {
        kept.push(c);
        if length(&kept) > room {
            kept.pop();
            break;
        }
    }
    format!("{}~{digest}", kept.trim_end())
}

/// The namespace's prefix, and the levels behind it: one at least.
fn levels<'n>(name: &'n str, delimiter: Option<char>, prefix: &str) -> (&'n str, Vec<&'n str>) {
    let at = if name.starts_with(prefix) {
        prefix.len()
    } else {
        0
    };
    let (prefix, rest) = name.split_at(at);
    let levels = match delimiter {
        Some(delimiter) => rest.split(delimiter).collect(),
        None => vec![rest],
    };
    (prefix, levels)
}

fn joined(prefix: &str, levels: impl Iterator<Item = String>, delimiter: Option<char>) -> String {
    let levels: Vec<String> = levels.collect();
    let delimiter = delimiter.map(String::from).unwrap_or_default();
    format!("{prefix}{}", levels.join(&delimiter))
}

/// The prefix that a refusal asks for, as Dovecot's "should probably be prefixed with: INBOX."
#[must_use]
pub fn learnt_prefix(words: &str) -> Option<String> {
    let (_, rest) = words.split_once("prefixed with")?;
    let word = rest
        .trim_start_matches([':', ' ', '"'])
        .split_whitespace()
        .next()?;
    let prefix = word.trim_end_matches([')', '"']);
    (!prefix.is_empty()).then(|| prefix.to_owned())
}
