//! Which flags a mailbox of the target keeps.

use std::collections::BTreeSet;

use super::keyword;

/// The system flags (RFC 3501 section 2.3.2) that clients may set.
const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];

/// Flags as they can be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Blank-separated.
    pub flags: String,
    /// What is left out, as the target does not keep it or no command can carry it.
    pub dropped: Vec<String>,
    /// Keywords that no command can carry as they are, and the form in which they are sent.
    pub encoded: Vec<(String, String)>,
}

/// The flags to send, by the PERMANENTFLAGS of a mailbox: `\Recent` never, and only what the target keeps.
///
/// Without PERMANENTFLAGS all are kept (RFC 3501 section 7.1). Servers that name nothing but `\*` keep the system flags
/// as well, and there are many.
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
    let mut result = Kept::default();
    let mut sent = Vec::new();
    let words = flags.split_ascii_whitespace();
    for flag in words.filter(|flag| !flag.eq_ignore_ascii_case("\\Recent")) {
        let Some(form) = sendable(flag).filter(|form| is_kept(form)) else {
            result.dropped.push(flag.to_owned());
            continue;
        };
        if form != flag {
            result.encoded.push((flag.to_owned(), form.clone()));
        }
        sent.push(form);
    }
    result.flags = sent.join(" ");
    result
}

/// The words of flags, `\Recent` left out, in one form for comparing.
#[must_use]
pub fn set(flags: &str) -> BTreeSet<String> {
    let words = flags.split_ascii_whitespace();
    let words = words.filter(|flag| !flag.eq_ignore_ascii_case("\\Recent"));
    words.map(str::to_ascii_lowercase).collect()
}

/// The flags that a message is shown with, but for those that servers set by themselves and that are not wanted.
#[must_use]
pub fn own(shown: &str, wanted: &str) -> BTreeSet<String> {
    let wanted = set(wanted);
    let mut shown = set(shown);
    shown.retain(|flag| wanted.contains(flag) || !is_servers(flag));
    shown
}

/// True for keywords that servers set by themselves when a message arrives; nobody has changed anything then.
#[must_use]
pub fn is_servers(flag: &str) -> bool {
    const SET: [&str; 2] = ["$HasAttachment", "$HasNoAttachment"];
    SET.iter().any(|one| one.eq_ignore_ascii_case(flag))
}

/// The form of a flag that can stand in a command: an atom (RFC 3501), with a backslash before it or not. A keyword
/// that is none has another form that is one; a flag with a backslash does not.
#[must_use]
pub fn sendable(flag: &str) -> Option<String> {
    match flag.strip_prefix('\\') {
        Some(atom) => {
            let is_atom = !atom.is_empty() && atom.chars().all(keyword::is_atom_char);
            is_atom.then(|| flag.to_owned())
        }
        None => Some(keyword::encoded(flag)),
    }
}

/// Is what the target has (in any case) this flag of the archive, as it is or in the form in which it is sent?
#[must_use]
pub fn is_same(there: &str, archived: &str) -> bool {
    let sent = || sendable(archived).is_some_and(|sent| sent.eq_ignore_ascii_case(there));
    there.eq_ignore_ascii_case(archived) || sent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_target_keeps_is_sent_and_the_rest_is_named() {
        let all = "\\Seen \\Recent \\Flagged $ok a]b Priv\u{e9} \\x]";
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let encoded = "a=5Db Priv=C3=A9";
        let cases = [
            (None, format!("\\Seen \\Flagged $ok {encoded}"), "\\x]"),
            (
                Some("\\*"),
                format!("\\Seen \\Flagged $ok {encoded}"),
                "\\x]",
            ),
            (
                Some("\\seen \\*"),
                format!("\\Seen $ok {encoded}"),
                "\\Flagged \\x]",
            ),
            (
                Some("\\Seen A=5db"),
                "\\Seen a=5Db".to_owned(),
                "\\Flagged $ok Priv\u{e9} \\x]",
            ),
        ];
        for (permanent, flags, dropped) in cases {
            let permanent = permanent.map(words);
            let kept = kept(permanent.as_deref(), all);
            assert_eq!((&kept.flags, kept.dropped), (&flags, words(dropped)));
            let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
            assert_eq!(kept.encoded[0], pair("a]b", "a=5Db"));
        }
        assert_eq!(kept(Some(&[]), "\\Seen").flags, "");
        assert_eq!(kept(None, "").flags, "");
    }

    #[test]
    fn a_flag_is_known_by_either_form() {
        assert!(is_same("priv=c3=a9", "Priv\u{e9}"));
        assert!(is_same("a]b", "A]b"));
        assert!(!is_same("a5Db", "a]b"));
        assert!(!is_same("\\x", "\\x]"));
        assert_eq!(set("\\Seen \\RECENT \\seen Work"), set("work \\Seen"));
    }

    #[test]
    fn flags_are_a_set_whatever_their_case_order_and_number() {
        assert_eq!(set("\\Seen $A \\Recent"), set("$a  \\SEEN $A"));
        assert_ne!(set("\\Seen"), set("\\Seen $A"));
        assert!(set(" \\recent ").is_empty());
    }
}
