//! Which flags a mailbox of the target keeps.

use std::collections::BTreeSet;

/// The system flags (RFC 3501 section 2.3.2) that clients may set.
const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// Flags as they can be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Blank-separated.
    pub flags: String,
    /// What is left out, as the target does not keep it or no command can carry it.
    pub dropped: Vec<String>,
}

/// The flags to send, by the PERMANENTFLAGS of a mailbox: `\Recent` never, and only what the target keeps.
///
/// Without PERMANENTFLAGS all are kept (RFC 3501 section 7.1). Servers that name nothing but `\*` keep the system flags
/// as well: there are many.
#[must_use]
pub fn kept(permanent: Option<&[String]>, flags: &str) -> Kept {
    let is_kept = |flag: &str| {
        let Some(permanent) = permanent else {
            return true;
        };
        let any_keyword = permanent.iter().any(|kept| kept == "\\*");
        let star_alone = any_keyword && permanent.len() == 1;
        permanent.iter().any(|kept| kept.eq_ignore_ascii_case(flag))
            || any_keyword && !flag.starts_with('\\')
            || star_alone
                && SYSTEM
                    .iter()
                    .any(|system| system.eq_ignore_ascii_case(flag))
    };
    let wanted = flags
        .split_whitespace()
        .filter(|flag| !flag.eq_ignore_ascii_case("\\Recent"));
    let (kept, dropped): (Vec<&str>, Vec<&str>) =
        wanted.partition(|flag| is_flag(flag) && is_kept(flag));
    Kept {
        flags: kept.join(" "),
        dropped: dropped.into_iter().map(str::to_owned).collect(),
    }
}

/// The words of flags, `\Recent` left out, in one form for comparing.
#[must_use]
pub fn set(flags: &str) -> BTreeSet<String> {
    let words = flags.split_ascii_whitespace();
    let words = words.filter(|flag| !flag.eq_ignore_ascii_case("\\Recent"));
    words.map(str::to_ascii_lowercase).collect()
}

/// A flag that can stand in a command: an atom (RFC 3501), with a backslash before it or not.
fn is_flag(flag: &str) -> bool {
    let atom = flag.strip_prefix('\\').unwrap_or(flag);
    let special = |b: u8| matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']');
    !atom.is_empty()
        && atom
            .bytes()
            .all(|b| (0x21..0x7f).contains(&b) && !special(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_target_keeps_is_sent_and_the_rest_is_named() {
        let all = "\\Seen \\Recent \\Flagged $ok a]b Priv\u{e9}";
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let cases = [
            (None, "\\Seen \\Flagged $ok", "a]b Priv\u{e9}"),
            (Some("\\*"), "\\Seen \\Flagged $ok", "a]b Priv\u{e9}"),
            (Some("\\seen \\*"), "\\Seen $ok", "\\Flagged a]b Priv\u{e9}"),
            (Some("\\Seen"), "\\Seen", "\\Flagged $ok a]b Priv\u{e9}"),
        ];
        for (permanent, flags, dropped) in cases {
            let permanent = permanent.map(words);
            let kept = kept(permanent.as_deref(), all);
            assert_eq!((kept.flags.as_str(), kept.dropped), (flags, words(dropped)));
        }
        assert_eq!(kept(Some(&[]), "\\Seen").flags, "");
    }
}
