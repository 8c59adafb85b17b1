//! Removes the secrets in use from texts, however a server, a panel or a program spells them. Applied where text
//! leaves the program, and where it is kept for longer than a secret may be: an account's report, an error that is
//! remembered. Does not know whose secrets they are.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{LazyLock, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

/// What stands for a secret.
const HIDDEN: &str = "[secret]";
/// Shorter ones are not hidden: that would spell them out.
const SHORTEST: usize = 4;
/// Shorter ones may be parts of words by chance: they are hidden where they stand alone.
const SHORT: usize = 6;
/// Secrets that nobody holds any longer but that are still hidden: texts that repeat them may come late.
const FORGOTTEN: usize = 1000;

static KNOWN: LazyLock<RwLock<SecretIndex>> = LazyLock::new(RwLock::default);

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
    known.held.contains_key(&known.digest(secret))
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

/// One way to write a secret: enough to find it in a text, but not to recover it.
#[derive(Clone, Copy)]
struct Spelling {
    start: [u8; SHORTEST],
    length: usize,
    digest: u64,
}

/// A secret that is hidden.
struct Hidden {
    /// How many have it.
    holders: usize,
    spellings: Box<[Spelling]>,
}

/// A digest needs no hashing.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, digest: u64) {
        self.0 = digest;
    }
}

type ByDigest<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Looks secrets up by digests whose key nobody knows: here none of them stands in memory, and a list of a hundred
/// thousand is taken in quickly.
#[derive(Default)]
struct SecretIndex {
    key: RandomState,
    /// By their digests.
    held: ByDigest<Hidden>,
    /// Those without a holder, the oldest first.
    forgotten: VecDeque<u64>,
    /// The number of secrets that are spelled so.
    spellings: ByDigest<usize>,
    /// By how spellings begin: how long they are, the longest first, each with the number of spellings. What a text may
    /// hold is looked up by its length, as passwords of a list may all begin alike.
    lengths: HashMap<[u8; SHORTEST], Vec<(usize, usize)>>,
}

impl SecretIndex {
    fn keep(&mut self, secret: &str) {
        let digest = self.digest(secret);
        if let Some(held) = self.held.get_mut(&digest) {
            held.holders += 1;
            return;
        }
        let written = spellings(secret);
        let spellings = written.iter().filter_map(|text| self.spelling(text));
        let spellings: Box<[Spelling]> = spellings.collect();
        for spelling in &spellings {
            let count = self.spellings.entry(spelling.digest).or_default();
            *count += 1;
            if *count == 1 {
                self.add_length(*spelling);
            }
        }
        let holders = 1;
        self.held.insert(digest, Hidden { holders, spellings });
    }

    fn forget(&mut self, secret: &str) {
        let digest = self.digest(secret);
        let Some(held) = self.held.get_mut(&digest) else {
            return;
        };
        held.holders = held.holders.saturating_sub(1);
        if held.holders == 0 {
            self.forgotten.push_back(digest);
        }
        while self.forgotten.len() > FORGOTTEN {
            let Some(oldest) = self.forgotten.pop_front() else {
                break;
            };
            // It may have found a holder again.
            let is_free = self.held.get(&oldest).is_some_and(|held| held.holders == 0);
            if let Some(held) = is_free.then(|| self.held.remove(&oldest)).flatten() {
                held.spellings
                    .iter()
                    .for_each(|one| self.drop_spelling(*one));
            }
        }
    }

    fn digest(&self, text: &str) -> u64 {
        self.key.hash_one(text)
    }

    fn spelling(&self, text: &str) -> Option<Spelling> {
        Some(Spelling {
            start: start(text.as_bytes())?,
            length: text.len(),
            digest: self.digest(text),
        })
    }

    fn drop_spelling(&mut self, spelling: Spelling) {
        let Some(count) = self.spellings.get_mut(&spelling.digest) else {
            return;
        };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.spellings.remove(&spelling.digest);
            self.drop_length(spelling);
        }
    }

    fn add_length(&mut self, spelling: Spelling) {
        let lengths = self.lengths.entry(spelling.start).or_default();
        let at = lengths.partition_point(|(length, _)| *length > spelling.length);
        match lengths.get_mut(at) {
            Some((length, count)) if *length == spelling.length => *count += 1,
            _ => lengths.insert(at, (spelling.length, 1)),
        }
    }

    fn drop_length(&mut self, spelling: Spelling) {
        let Some(lengths) = self.lengths.get_mut(&spelling.start) else {
            return;
        };
        for (length, count) in lengths.iter_mut() {
            *count -= usize::from(*length == spelling.length);
        }
        lengths.retain(|(_, count)| *count > 0);
        if lengths.is_empty() {
            self.lengths.remove(&spelling.start);
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
        self.spellings.contains_key(&self.digest(spelling)) && (length >= SHORT || is_alone())
    }

    fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = String::new();
        let (mut at, mut taken) = (0, 0);
        while let Some(start) = start(text.as_bytes().get(at..).unwrap_or_default()) {
            let found = self.lengths.get(&start).and_then(|lengths| {
                let mut lengths = lengths.iter().map(|(length, _)| *length);
                lengths.find(|length| self.is_at(text, at, *length))
            });
            match found {
                Some(length) => {
                    out.push_str(text.get(taken..at).unwrap_or_default());
                    out.push_str(HIDDEN);
                    at += length;
                    let behind = text.as_bytes().get(at..).unwrap_or_default();
                    let padding = behind.iter().take_while(|byte| **byte == b'=');
                    at += padding.take(2).count();
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
    // Its padding, where it has any, goes with it.
    let encoded = STANDARD_NO_PAD.encode(secret);
    if encoded.contains(['+', '/']) {
        all.push(encoded.replace('+', "-").replace('/', "_"));
    }
    all.push(encoded);
    all.sort_unstable();
    all.dedup();
    all.into_iter().map(Zeroizing::new).collect()
}

/// Nobody spells this byte differently.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*')
}

/// As it is spelled when quoted or escaped, once or twice.
fn quoted(secret: &str) -> Vec<String> {
    let mut all = vec![secret.to_owned()];
    for (space, kept) in [("%20", ""), ("+", ""), ("%20", "/"), ("%20", "~")] {
        let upper = percent(secret, space, kept);
        all.push(small_digits(&upper));
        all.push(upper);
    }
    if secret.contains(['&', '<', '>', '"', '\'']) {
        // Programs differ in which quotation marks they escape.
        all.extend(["", "\"", "\"'"].map(|quotes| html(secret, quotes)));
    }
    if secret.contains(|c| matches!(c, '"' | '\\' | '\'') || !(' '..='~').contains(&c)) {
        all.push(secret.replace('\\', "\\\\").replace('"', "\\\""));
        let json = inside(&serde_json::to_string(secret).unwrap_or_default());
        all.push(in_ascii(&json));
        all.push(json);
        all.push(inside(&format!("{secret:?}")));
        all.push(secret.as_bytes().escape_ascii().to_string());
    }
    if secret.contains('/') {
        // PHP does.
        let json = inside(&serde_json::to_string(secret).unwrap_or_default());
        all.push(in_ascii(&json).replace('/', "\\/"));
    }
    all.sort_unstable();
    all.dedup();
    // Quoted once by the server, and once more by whoever passes it on.
    for once in all.clone() {
        if once.contains(|c: char| matches!(c, '"' | '\\') || c.is_control()) {
            all.push(inside(&serde_json::to_string(&once).unwrap_or_default()));
        }
    }
    all
}

fn inside(quoted: &str) -> String {
    let text = quoted.strip_prefix('"').unwrap_or(quoted);
    text.strip_suffix('"').unwrap_or(text).to_owned()
}

/// As JSON for readers of ASCII alone.
fn in_ascii(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// The same with the digits of `%C3` in small letters.
fn small_digits(percent: &str) -> String {
    let mut parts = percent.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        out.push('%');
        out.push_str(&digits.to_ascii_lowercase());
        out.push_str(rest);
    }
    out
}

/// As in URLs and forms; some keep these.
fn percent(text: &str, space: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push_str(space),
            plain if is_plain(plain) || kept.as_bytes().contains(&plain) => {
                out.push(char::from(plain));
            }
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
        let mut known = SecretIndex::default();
        let secret = "pa\"ss w\\ör&d/";
        known.keep(secret);
        for spelling in [
            secret,
            r#"pa\"ss w\\ör&d/"#,
            r#"pa\"ss w\\\u00f6r&d/"#,
            r#"pa\"ss w\\\u00f6r&d\/"#,
            r#"pa\\\"ss w\\\\ör&d/"#,
            r#"pa\"ss w\\\xc3\xb6r&d/"#,
            "pa%22ss+w%5C%C3%B6r%26d%2F",
            "pa%22ss%20w%5c%c3%b6r%26d/",
            "pa&quot;ss w\\ör&amp;d/",
            "pa\"ss w\\ör&amp;d/",
            "cGEic3Mgd1zDtnImZC8=",
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
        let mut known = SecretIndex::default();
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
        let mut known = SecretIndex::default();
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
        assert_eq!(known.held.len(), FORGOTTEN);
        let counts = known.lengths.values().flatten().map(|(_, count)| count);
        assert_eq!(counts.sum::<usize>(), known.spellings.len());
    }
}
