//! A mailbox's address, as panels want it: local part and domain apart, the domain in ASCII.

use anyhow::{Result, bail};

/// Longest domain name (RFC 1035 section 2.3.4).
const MAX_DOMAIN: usize = 253;

/// An address, in lower case: panels compare it so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// What stands before the `@`.
    pub local: String,
    /// What stands after it; international names as A-labels (RFC 5890).
    pub domain: String,
}

impl Address {
    /// Reads `local@domain`.
    ///
    /// # Errors
    /// Anything that no panel can have as a mailbox.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((local, domain)) = text.rsplit_once('@') else {
            bail!("{text:?} is not an address of the form name@domain");
        };
        if !is_local(local) {
            bail!("{text:?} is not an address that a panel can have: {local:?} before the @");
        }
        let Some(domain) = domain_to_ascii(domain) else {
            bail!("{text:?} is not an address that a panel can have: {domain:?} is not a domain");
        };
        Ok(Self {
            local: local.to_lowercase(),
            domain,
        })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

/// True for what can stand before the `@`, without quotes (RFC 5321 section 4.1.2; RFC 6531).
#[must_use]
pub fn is_local(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// A domain in lower-case ASCII; `None` for what is none.
#[must_use]
pub fn domain_to_ascii(text: &str) -> Option<String> {
    let ascii = idna::domain_to_ascii(text.trim_end_matches('.')).ok()?;
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    (ascii.len() <= MAX_DOMAIN && ascii.split('.').all(label)).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        let of = |text: &str| Address::parse(text).map(|address| address.to_string());
        assert_eq!(
            of("John.Doe+x@Example.COM").expect("good"),
            "john.doe+x@example.com"
        );
        assert_eq!(
            of("jörg@bücher.example").expect("good"),
            "jörg@xn--bcher-kva.example"
        );
        for bad in [
            "bob",
            "bob@",
            "@example.com",
            "a@b@example.com",
            "a b@example.com",
            "a\n@example.com",
            "bob@exa mple.com",
            "bob@-..com",
            "bob@example.com&user=eve",
            "",
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }
}
