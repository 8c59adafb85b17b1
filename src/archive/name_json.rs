//! A mailbox's name in the JSON files of an archive: `name` in UTF-8, `wire` as on the wire.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::path::hex;
use crate::mailbox::Name;

#[derive(Serialize, Deserialize)]
struct Both {
    name: String,
    wire: WireName,
}

/// The bytes; JSON cannot hold those that are no UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WireName {
    /// UTF-8, which includes modified UTF-7.
    Text(String),
    /// Anything else.
    Bytes {
        /// The bytes in hex.
        hex: String,
    },
}

impl WireName {
    fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes { hex: hex(bytes) },
        }
    }

    /// The bytes; `None` for broken hex.
    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Bytes { hex } => {
                let digits = hex.as_bytes().chunks(2);
                digits
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                    .collect()
            }
        }
    }
}

pub(super) fn serialize<S: Serializer>(name: &Name, serializer: S) -> Result<S::Ok, S::Error> {
    let both = Both {
        name: name.text().to_owned(),
        wire: WireName::new(name.wire()),
    };
    both.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    let both = Both::deserialize(deserializer)?;
    let wire = both.wire.bytes();
    let wire = wire.ok_or_else(|| D::Error::custom("broken hex in \"wire\""))?;
    Ok(Name::of_both(wire, both.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Holder {
        #[serde(flatten, with = "super")]
        name: Name,
    }

    #[test]
    fn names_that_are_no_utf8_come_back() {
        for wire in [b"INBOX".as_slice(), "Größe".as_bytes(), b"caf\xe9", b""] {
            let name = Name::listed(wire);
            let json = serde_json::to_string(&Holder { name }).expect("valid");
            let back: Holder = serde_json::from_str(&json).expect("valid");
            assert_eq!(back.name.wire(), wire, "{json}");
        }
        let json = r#"{"name":"caf","wire":"caf"}"#;
        let text: Holder = serde_json::from_str(json).expect("valid");
        assert_eq!(serde_json::to_string(&text).expect("valid"), json);
        assert!(serde_json::from_str::<Holder>(r#"{"name":"x","wire":{"hex":"zz"}}"#).is_err());
    }
}
