//! Line ends that a copy of an archive has lost: CRLF became LF everywhere, as version control and FTP do it.

use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

/// Digest of a message, in raw bytes, as it was before each CRLF became LF; `None` where a CR is left: then that is not
/// what happened.
///
/// # Errors
/// Those of reading.
pub fn digest_with_crlf(message: impl Read) -> io::Result<Option<[u8; 32]>> {
    let mut reader = BufReader::with_capacity(128 * 1024, message);
    let mut digest = Sha256::new();
    loop {
        let bytes = match reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if bytes.is_empty() {
            return Ok(Some(digest.finalize().into()));
        }
        if memchr::memchr(b'\r', bytes).is_some() {
            return Ok(None);
        }
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            digest.update(&rest[..end]);
            digest.update(b"\r\n");
            rest = &rest[end + 1..];
        }
        digest.update(rest);
        let count = bytes.len();
        reader.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_lost_its_line_ends_has_the_digest_that_it_had() {
        let long = format!("{}\r\n", "x".repeat(1000)).repeat(300);
        for text in ["", "a\r\nb", "a\r\n\r\nb\r\n", "\r\n", &long] {
            let lost = text.replace("\r\n", "\n");
            let found = digest_with_crlf(lost.as_bytes()).expect("read");
            assert_eq!(found, Some(Sha256::digest(text).into()), "{}", text.len());
        }
        for other in ["a\r\nb\n", "a\rb\n"] {
            assert_eq!(digest_with_crlf(other.as_bytes()).expect("read"), None);
        }
    }
}
