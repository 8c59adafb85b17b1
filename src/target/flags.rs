//! Which flags a mailbox of the target keeps.

/// The flags to send, by the PERMANENTFLAGS of a mailbox: `\Recent` never, and only what the target keeps.
///
/// Without PERMANENTFLAGS all are kept. The second is true when some were dropped.
#[must_use]
pub fn kept(permanent: Option<&[String]>, flags: &str) -> (String, bool) {
    let wanted: Vec<&str> = flags
        .split_whitespace()
        .filter(|flag| !flag.eq_ignore_ascii_case("\\Recent") && is_flag(flag))
        .collect();
    let Some(permanent) = permanent else {
        return (wanted.join(" "), false);
    };
    let any_keyword = permanent.iter().any(|flag| flag == "\\*");
    let kept: Vec<&str> = wanted
        .iter()
        .copied()
        .filter(|flag| {
            any_keyword && !flag.starts_with('\\')
                || permanent.iter().any(|kept| kept.eq_ignore_ascii_case(flag))
        })
        .collect();
    (kept.join(" "), kept.len() < wanted.len())
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
