//! How much may be gone of a mailbox without anybody having to look.

/// Fewer messages than this are nothing to worry about, whatever share of a mailbox they are.
const LARGE: u64 = 50;
/// Mailboxes that are emptied every now and then.
const EMPTIED: [&str; 2] = ["\\Trash", "\\Junk"];

/// Enough of `had` are gone for somebody to take a look.
#[must_use]
pub fn is_most(gone: u64, had: u64) -> bool {
    gone >= LARGE && gone * 2 > had
}

/// Special uses (RFC 6154) of a mailbox that is emptied every now and then.
#[must_use]
pub fn is_emptied_often(attributes: &[String]) -> bool {
    let is = |attribute: &String| {
        EMPTIED
            .iter()
            .any(|known| known.eq_ignore_ascii_case(attribute))
    };
    attributes.iter().any(is)
}
