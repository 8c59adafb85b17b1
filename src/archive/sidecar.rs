//! The JSON file beside each message file. It commits the message: without it the `.eml` is unfinished.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::lenient;
use super::path::hex;

/// The field that proves the others.
const PROOF: &str = "fields_sha256";

/// What is known of a message beside its bytes.
///
/// Sidecars of early versions of the original Python tool hold `mailbox`, `uid`, `flags` and `internaldate` only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Name of the mailbox, in UTF-8; empty where it is not said.
    #[serde(default, deserialize_with = "lenient::text")]
    pub mailbox: String,
    /// UID on the source.
    #[serde(deserialize_with = "lenient::needed_number")]
    pub uid: u32,
    /// UIDVALIDITY on the source.
    #[serde(default, deserialize_with = "lenient::number")]
    pub uidvalidity: Option<u32>,
    /// Flags and keywords, blank-separated.
    #[serde(default, deserialize_with = "lenient::words")]
    pub flags: String,
    /// INTERNALDATE as the source sent it; empty where it had none.
    #[serde(default, deserialize_with = "lenient::text")]
    pub internaldate: String,
    /// Size of the message file, in bytes.
    #[serde(default, deserialize_with = "lenient::number")]
    pub size: Option<u64>,
    /// RFC822.SIZE as the source announced it: a different one under the same UID means a different message.
    #[serde(
        default,
        deserialize_with = "lenient::number",
        skip_serializing_if = "Option::is_none"
    )]
    pub rfc822_size: Option<u64>,
    /// Digest of the message file, in lower-case hex.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Message-ID without angle brackets.
    #[serde(default)]
    pub message_id: Option<String>,
    /// Fields that others have added; kept.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Sidecar {
    /// Reads the bytes of the file.
    ///
    /// # Errors
    /// Those of serde, for anything else than a sidecar.
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut sidecar: Self = serde_json::from_slice(bytes)?;
        if sidecar.sha256.is_none() {
            sidecar.sha256 = sidecar.originals_digest();
        }
        Ok(sidecar)
    }

    /// The digest where the original tool keeps it.
    fn originals_digest(&self) -> Option<String> {
        let digest = self.extra.get("content_sha256")?.as_str()?;
        let is_one = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then(|| digest.to_ascii_lowercase())
    }

    /// False where the fields are no longer those that were written: somebody, or the disk, has changed them since.
    #[must_use]
    pub fn is_as_written(&self) -> bool {
        let proof = self.extra.get(PROOF);
        proof.is_none_or(|proof| proof.as_str() == Some(&self.proof()))
    }

    /// Digest of what is known of the message, a line each; an empty one where it is not known.
    fn proof(&self) -> String {
        let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        let mut lines = format!("{}\n", self.uid);
        for value in [
            number(self.uidvalidity.map(u64::from)).as_str(),
            &self.flags,
            &self.internaldate,
            &number(self.size),
            &number(self.rfc822_size),
            self.sha256.as_deref().unwrap_or_default(),
        ] {
            let _ = writeln!(lines, "{value}");
        }
        hex(&Sha256::digest(lines.as_bytes()))
    }

    /// The bytes of the file, with a fresh proof of its fields.
    ///
    /// # Errors
    /// Never for what was read from JSON; those of serde otherwise.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        let mut written = self.clone();
        written.extra.insert(PROOF.to_owned(), self.proof().into());
        let mut bytes = serde_json::to_vec_pretty(&written)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_tools_sidecars_are_read_and_unknown_fields_kept() {
        let json =
            r#"{"mailbox":"INBOX","uid":42,"flags":"\\Seen","internaldate":null,"note":[1]}"#;
        let sidecar: Sidecar = serde_json::from_str(json).expect("valid");
        assert_eq!(
            (sidecar.uid, sidecar.internaldate.as_str(), sidecar.size),
            (42, "", None)
        );
        let written = sidecar.to_json().expect("valid");
        let again: Sidecar = serde_json::from_slice(&written).expect("valid");
        assert_eq!(again.extra.get("note"), Some(&serde_json::json!([1])));
        assert_eq!(without_proof(again), sidecar);
    }

    #[test]
    fn flags_may_be_a_list_and_a_uid_text() {
        let text = r#"{"mailbox":"INBOX","uid":"42","flags":["\\Seen","$Junk"]}"#;
        let sidecar = Sidecar::parse(text.as_bytes()).expect("valid");
        assert_eq!((sidecar.uid, sidecar.flags.as_str()), (42, "\\Seen $Junk"));
        for odd in ["0.5", "-1", "4294967296", "\"x\"", "null"] {
            let text = format!(r#"{{"mailbox":"INBOX","uid":{odd}}}"#);
            assert!(Sidecar::parse(text.as_bytes()).is_err(), "{odd}");
        }
    }

    #[test]
    fn what_does_not_say_which_message_it_is_may_be_missing_or_odd() {
        for text in [
            r#"{"uid":42}"#,
            r#"{"mailbox":null,"uid":42,"flags":null,"internaldate":1700000000,"size":"x"}"#,
        ] {
            let sidecar = Sidecar::parse(text.as_bytes()).expect("valid");
            assert_eq!((sidecar.uid, sidecar.size), (42, None), "{text}");
            assert_eq!(sidecar.mailbox + &sidecar.internaldate, "", "{text}");
        }
        let size = Sidecar::parse(br#"{"uid":42,"size":"135"}"#).expect("valid");
        assert_eq!(size.size, Some(135));
    }

    fn without_proof(mut sidecar: Sidecar) -> Sidecar {
        sidecar.extra.remove(PROOF).expect("a proof");
        sidecar
    }

    #[test]
    fn what_was_changed_since_it_was_written_is_noticed() {
        let json = r#"{"mailbox":"INBOX","uid":4,"uidvalidity":7,"flags":"\\Seen","internaldate":"x","size":3}"#;
        let sidecar = Sidecar::parse(json.as_bytes()).expect("valid");
        assert!(sidecar.is_as_written(), "nothing speaks against it");
        let written = sidecar.to_json().expect("valid");
        let written = String::from_utf8(written).expect("text");
        let parse = |text: &str| Sidecar::parse(text.as_bytes()).expect("valid");
        assert!(parse(&written).is_as_written());
        for (from, to) in [
            ("\\\\Seen", ""),
            ("\"x\"", "\"y\""),
            (": 3,", ": 4,"),
            (": 7,", ": 8,"),
        ] {
            let altered = written.replace(from, to);
            assert_ne!(altered, written);
            assert!(!parse(&altered).is_as_written(), "{altered}");
        }
    }

    #[test]
    fn the_original_tools_digest_and_uidvalidity_count() {
        let digest = "04022947D53843e09a109da0f54b5016cf0a2172e8a082b747d35fe1a867e166";
        let json = format!(
            r#"{{"mailbox":"Sent","uid":1,"flags":"","internaldate":"x","rfc822_size":135,
                "content_sha256":"{digest}","uidvalidity":"1795644425","account":"a@x.test"}}"#
        );
        let sidecar = Sidecar::parse(json.as_bytes()).expect("valid");
        assert_eq!(sidecar.uidvalidity, Some(1_795_644_425));
        assert_eq!(sidecar.rfc822_size, Some(135));
        assert_eq!(sidecar.sha256, Some(digest.to_lowercase()));
        let written = sidecar.to_json().expect("valid");
        let again = Sidecar::parse(&written).expect("valid");
        assert_eq!(again.extra["account"], "a@x.test");
        assert_eq!(without_proof(again), sidecar);
        let broken = json.replace(digest, "ab");
        assert_eq!(
            Sidecar::parse(broken.as_bytes()).expect("valid").sha256,
            None
        );
    }
}
