//! How counts are said: "1 message", "2 messages", and the verb that goes with them.

use std::borrow::Cow;
use std::fmt::Display;

/// The number and what is counted, given in the singular.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    format!("{number} {}", form(number, noun))
}

/// What is counted, given in the singular, as it stands behind the number.
pub fn form<N: Copy + PartialEq + From<u8>>(number: N, noun: &str) -> Cow<'_, str> {
    if number == N::from(1) {
        Cow::Borrowed(noun)
    } else if noun.ends_with(['s', 'x']) {
        Cow::Owned(format!("{noun}es"))
    } else {
        Cow::Owned(format!("{noun}s"))
    }
}

/// The form of a verb that goes with the number.
pub fn verb<N: Copy + PartialEq + From<u8>>(
    number: N,
    singular: &'static str,
    plural: &'static str,
) -> &'static str {
    if number == N::from(1) {
        singular
    } else {
        plural
    }
}

#[cfg(test)]
mod tests {
    use super::{counted, verb};

    #[test]
    fn one_is_singular_and_all_else_plural() {
        let told = [0_u64, 1, 2].map(|number| {
            let is = verb(number, "is", "are");
            format!("{} {is} there", counted(number, "message"))
        });
        assert_eq!(
            told,
            [
                "0 messages are there",
                "1 message is there",
                "2 messages are there"
            ]
        );
        assert_eq!(counted(2_usize, "mailbox"), "2 mailboxes");
        assert_eq!(counted(1_u32, "mailbox"), "1 mailbox");
        assert_eq!(counted(2_u64, "address"), "2 addresses");
    }
}
