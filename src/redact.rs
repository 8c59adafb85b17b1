//! Texts without the secrets in use, whatever spelling a server, a panel or a program repeats them in. Applied where text
//! leaves the program, and where it is kept for longer than a secret may be: an account's report, an error that is
//! remembered. Knows nobody who has a secret.

use std::borrow::{Borrow, Cow};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::{LazyLock, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// What stands for a secret.
const HIDDEN: &str = "[secret]";
/// Shorter ones are not hidden: that would spell them out.
const SHORTEST: usize = 4;
/// Shorter ones are parts of words by chance: they are hidden where they stand alone.
const SHORT: usize = 6;
/// Secrets that nobody holds any more and that are still hidden: what repeats them may come late.
const FORGOTTEN: usize = 1000;

static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

/// From now on this is hidden. Each call needs its [`forget`].
pub fn keep(secret: &str) {
    if secret.len() >= SHORTEST {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.keep(secret);
    }
}

/// One holder less; after the last one it is hidden for a while.
pub fn forget(secret: &str) {
    if secret.len() >= SHORTEST {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        known.forget(secret);
    }
}

/// True for a secret that is hidden.
#[must_use]
pub fn is_kept(secret: &str) -> bool {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.holders.contains_key(secret)
}

/// The base64 of what is sent somewhere, as a server may repeat it: hidden for a while from now on.
pub fn sent_in_base64(bytes: &[u8]) {
    let text = Zeroizing::new(STANDARD.encode(bytes));
    keep(&text);
    forget(&text);
}

/// The text without secrets.
#[must_use]
pub fn redacted(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.redacted(text)
}

/// A secret as a key; wiped when dropped.
#[derive(PartialEq, Eq)]
struct Text(Zeroizing<String>);

impl Text {
    fn of(secret: &str) -> Self {
        Self(Zeroizing::new(secret.to_owned()))
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[derive(Default)]
struct Known {
    /// How many hold a secret.
    holders: HashMap<Text, usize>,
    /// Those without a holder, the oldest first.
    forgotten: VecDeque<Text>,
    /// The number of secrets that are spelled so.
    spellings: HashMap<Text, usize>,
    /// By how spellings begin: how long they are, each with the number of spellings. What a text may hold is looked up
    /// by its length, as passwords of a list may all begin alike.
    lengths: HashMap<[u8; SHORTEST], BTreeMap<usize, usize>>,
}

impl Known {
    fn keep(&mut self, secret: &str) {
        if let Some(holders) = self.holders.get_mut(secret) {
            *holders += 1;
            return;
        }
        for spelling in spellings(secret) {
            let Some(start) = start(spelling.as_bytes()) else {
                continue;
            };
            let length = spelling.len();
            let count = self.spellings.entry(Text(spelling)).or_default();
            *count += 1;
            if *count == 1 {
                let lengths = self.lengths.entry(start).or_default();
                *lengths.entry(length).or_default() += 1;
            }
        }
        self.holders.insert(Text::of(secret), 1);
    }

    fn forget(&mut self, secret: &str) {
        let Some(holders) = self.holders.get_mut(secret) else {
            return;
        };
        *holders = holders.saturating_sub(1);
        if *holders == 0 {
            self.forgotten.push_back(Text::of(secret));
        }
        while self.forgotten.len() > FORGOTTEN {
            let Some(oldest) = self.forgotten.pop_front() else {
                break;
            };
            // It may have found a holder again.
            if self.holders.get(&oldest) == Some(&0) {
                self.holders.remove(&oldest);
                self.drop_spellings(&oldest.0);
            }
        }
    }

    fn drop_spellings(&mut self, secret: &str) {
        for spelling in spellings(secret) {
            let Some(start) = start(spelling.as_bytes()) else {
                continue;
            };
            let Some(count) = self.spellings.get_mut(spelling.as_str()) else {
                continue;
            };
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.spellings.remove(spelling.as_str());
                self.drop_length(start, spelling.len());
            }
        }
    }

    fn drop_length(&mut self, start: [u8; SHORTEST], length: usize) {
        let Some(lengths) = self.lengths.get_mut(&start) else {
            return;
        };
        if let Some(count) = lengths.get_mut(&length) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                lengths.remove(&length);
            }
        }
        if lengths.is_empty() {
            self.lengths.remove(&start);
        }
    }

    /// A spelling of this length stands there; a short one alone.
    fn is_at(&self, text: &str, at: usize, length: usize) -> bool {
        let (Some(before), Some(spelling)) = (text.get(..at), text.get(at..at + length)) else {
            return false;
        };
        let goes_on = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let after = text.get(at + length..).unwrap_or_default();
        let is_alone = || !goes_on(before.chars().next_back()) && !goes_on(after.chars().next());
        self.spellings.contains_key(spelling) && (length >= SHORT || is_alone())
    }

    fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = String::new();
        let (mut at, mut taken) = (0, 0);
        while let Some(start) = start(text.as_bytes().get(at..).unwrap_or_default()) {
            let found = self.lengths.get(&start).and_then(|lengths| {
                let is_here = |length: &&usize| self.is_at(text, at, **length);
                lengths.keys().rev().find(is_here).copied()
            });
            match found {
                Some(length) => {
                    out.push_str(text.get(taken..at).unwrap_or_default());
                    out.push_str(HIDDEN);
                    at += length;
                    taken = at;
                }
                None => at += 1,
            }
        }
        if taken == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(text.get(taken..).unwrap_or_default());
        Cow::Owned(out)
    }
}

fn start(bytes: &[u8]) -> Option<[u8; SHORTEST]> {
    bytes.first_chunk().copied()
}

/// Plain, as IMAP and JSON quote it, escaped as Rust, forms and HTML do, and in base64.
fn spellings(secret: &str) -> Vec<Zeroizing<String>> {
    let mut all = if secret.bytes().all(is_plain) {
        vec![secret.to_owned()]
    } else {
        quoted(secret)
    };
    all.push(STANDARD.encode(secret));
    all.push(URL_SAFE_NO_PAD.encode(secret));
    // Where more follows, base64 has no padding.
    all.push(STANDARD_NO_PAD.encode(secret));
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(Zeroizing::new).collect()
}

/// Nobody spells this byte in another way.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*')
}

/// As those spell it who quote or escape, once or twice.
fn quoted(secret: &str) -> Vec<String> {
    let mut all = vec![
        secret.to_owned(),
        secret.replace('\\', "\\\\").replace('"', "\\\""),
        inside(&serde_json::to_string(secret).unwrap_or_default()),
        inside(&format!("{secret:?}")),
        secret.as_bytes().escape_ascii().to_string(),
        percent(secret, "%20"),
        percent(secret, "+"),
        // Programs differ in which quotation marks they escape.
        html(secret, ""),
        html(secret, "\""),
        html(secret, "\"'"),
    ];
    // Quoted once by the server, and once more by whoever tells it on.
    for once in all.clone() {
        all.push(inside(&serde_json::to_string(&once).unwrap_or_default()));
    }
    all
}

fn inside(quoted: &str) -> String {
    let text = quoted.strip_prefix('"').unwrap_or(quoted);
    text.strip_suffix('"').unwrap_or(text).to_owned()
}

fn percent(text: &str, space: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push_str(space),
            plain if is_plain(plain) => out.push(char::from(plain)),
            // Writing to a String cannot fail.
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}

fn html(text: &str, quotes: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if quotes.contains(c) => out.push_str("&quot;"),
            '\'' if quotes.contains(c) => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_hidden() {
        let mut known = Known::default();
        let secret = "pa\"ss w\\ör&d";
        known.keep(secret);
        for spelling in [
            secret,
            r#"pa\"ss w\\ör&d"#,
            r#"pa\\\"ss w\\\\ör&d"#,
            r#"pa\"ss w\\\xc3\xb6r&d"#,
            "pa%22ss+w%5C%C3%B6r%26d",
            "pa&quot;ss w\\ör&amp;d",
            "pa\"ss w\\ör&amp;d",
            "cGEic3Mgd1zDtnImZA==",
        ] {
            let text = known.redacted(spelling);
            assert!(
                text.contains(HIDDEN) && !text.contains("pa"),
                "{spelling}: {text}"
            );
            let inside = format!("NO <{spelling}> is wrong");
            assert_eq!(known.redacted(&inside), "NO <[secret]> is wrong");
        }
        assert_eq!(known.redacted("nothing here ö"), "nothing here ö");
    }

    #[test]
    fn the_longest_is_hidden_and_short_ones_only_where_they_stand_alone() {
        let mut known = Known::default();
        for secret in ["abcdef", "abcdefgh", "1234", "xyz"] {
            if secret.len() >= SHORTEST {
                known.keep(secret);
            }
        }
        assert_eq!(
            known.redacted("xabcdefghx 12345 1234 xyz"),
            "x[secret]x 12345 [secret] xyz"
        );
    }

    #[test]
    fn a_secret_without_a_holder_is_hidden_for_a_while() {
        let mut known = Known::default();
        known.keep("hunter22");
        known.keep("hunter22");
        known.forget("hunter22");
        known.forget("hunter22");
        assert_eq!(known.redacted("hunter22"), HIDDEN);
        for number in 0..=FORGOTTEN {
            let other = format!("other-{number:06}");
            known.keep(&other);
            known.forget(&other);
        }
        assert_eq!(known.redacted("hunter22"), "hunter22");
        assert_eq!(known.holders.len(), FORGOTTEN);
        let alive: usize = known.lengths.values().flat_map(BTreeMap::values).sum();
        assert_eq!(alive, known.spellings.len());
    }
}
