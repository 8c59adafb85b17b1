//! Mailbox and account names as directory names, reversibly.
//!
//! A directory is the name in UTF-8 with `/`, `%`, control characters, a leading `.` and a trailing `.` or
//! blank percent-encoded. A longer one is cut and a digest added; then `.mailbox.json` has the name. So that no name
//! looks like one with a digest, a `~` before 16 hex digits at the end is encoded too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// Longest directory name, in bytes; file systems allow 255, and a suffix may be added.
const MAX_BYTES: usize = 200;

/// One path component for the name: never empty, `.` or `..`, never with a `/`.
#[must_use]
pub fn encode_name(name: &str) -> String {
    let last = name.chars().count().saturating_sub(1);
    let mut encoded = String::with_capacity(name.len());
    for (index, (at, character)) in name.char_indices().enumerate() {
        let at_an_end =
            index == 0 && character == '.' || index == last && matches!(character, '.' | ' ');
        if at_an_end
            || matches!(character, '/' | '%')
            || character.is_control()
            || is_digest(&name[at..])
        {
            percent_encode(character, &mut encoded);
        } else {
            encoded.push(character);
        }
    }
    if encoded.is_empty() {
        return "%".to_owned();
    }
    if encoded.len() > MAX_BYTES {
        return format!("{}~{}", cut(&encoded), digest(name.as_bytes()));
    }
    encoded
}

/// The name of a directory that [`encode_name`] made and did not cut; `None` for anything else.
#[must_use]
pub fn decode_name(directory: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(directory.len());
    let mut rest = directory.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' && directory != "%" {
            let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    let name = if directory == "%" {
        String::new()
    } else {
        name
    };
    (encode_name(&name) == directory).then_some(name)
}

/// Are both one name to a file system that decomposes characters, as a Mac's does?
#[must_use]
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || one.nfc().eq(other.nfc())
}

/// The entry of a directory with this name, as the file system may have rewritten it; `None` where there is none.
///
/// # Errors
/// What cannot be looked at may still be there.
pub fn find(dir: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    let forms = [name.to_owned(), name.nfc().collect(), name.nfd().collect()];
    for form in forms {
        let path = dir.join(form);
        match fs::symlink_metadata(&path) {
            Ok(_) => return Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// 16 hex digits that tell names apart.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..8])
}

/// Lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Is it the suffix of a name that was cut or collided? Case is ignored, as by some file systems.
fn is_digest(end: &str) -> bool {
    let digits = end.strip_prefix('~').unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn percent_encode(character: char, into: &mut String) {
    use std::fmt::Write;
    let mut buffer = [0; 4];
    for byte in character.encode_utf8(&mut buffer).bytes() {
        // Writing to a String cannot fail.
        let _ = write!(into, "%{byte:02X}");
    }
}

/// At most `MAX_BYTES` less the digest, ending neither inside a character nor inside a `%XX`.
fn cut(encoded: &str) -> &str {
    let mut end = MAX_BYTES - 17;
    while !encoded.is_char_boundary(end) {
        end -= 1;
    }
    let bytes = encoded.as_bytes();
    let escape = (end - 2..end).find(|at| bytes[*at] == b'%');
    &encoded[..escape.unwrap_or(end)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const NASTY: [&str; 24] = [
        "",
        ".",
        "..",
        "...",
        "/",
        "//",
        "%",
        "%2F",
        "a/b",
        "a%2Fb",
        "a.",
        "a ",
        "a. ",
        ".hidden",
        " a",
        "a\0b",
        "a\nb",
        "\u{7f}",
        "\u{85}",
        "../../etc/passwd",
        "Entwürfe",
        "日本語/台北",
        "%",
        "%25",
    ];

    #[test]
    fn names_come_back_and_never_collide() {
        let mut directories = HashSet::new();
        let names: HashSet<&str> = NASTY.into_iter().collect();
        for name in names {
            let directory = encode_name(name);
            assert!(
                !directory.contains('/') && !directory.starts_with('.'),
                "{directory}"
            );
            assert!(!directory.ends_with(['.', ' ']), "{directory}");
            assert!(!directory.chars().any(char::is_control), "{directory}");
            assert_eq!(
                decode_name(&directory).as_deref(),
                Some(name),
                "{directory}"
            );
            assert!(directories.insert(directory), "{name}");
        }
    }

    #[test]
    fn random_names_come_back() {
        let alphabet: Vec<char> = "./%~ aA&-é日\0\n".chars().collect();
        let mut random = 7_usize;
        for _ in 0..5000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let name: String = (0..random >> 40 & 7)
                .map(|place| alphabet[(random >> (place * 5)) % alphabet.len()])
                .collect();
            assert_eq!(
                decode_name(&encode_name(&name)),
                Some(name.clone()),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_name_is_found_in_the_form_that_the_file_system_gave_it() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (composed, decomposed) = ("Caf\u{e9}", "Cafe\u{301}");
        assert!(same_name(composed, decomposed) && !same_name(composed, "Cafe"));
        assert_eq!(find(dir.path(), composed).expect("looked"), None);
        fs::create_dir(dir.path().join(decomposed)).expect("created");
        for name in [composed, decomposed] {
            let found = find(dir.path(), name).expect("looked").expect("there");
            assert_eq!(found, dir.path().join(decomposed));
        }
        assert_eq!(find(dir.path(), "Cafe").expect("looked"), None);
    }

    #[test]
    fn what_looks_like_a_digest_is_encoded_in_any_case() {
        for end in ["~0123456789abcdef", "~0123456789ABCDEF"] {
            let name = format!("Work{end}");
            let directory = encode_name(&name);
            assert_ne!(directory, name);
            assert_eq!(decode_name(&directory), Some(name));
        }
        for plain in [
            "Work~",
            "Work~0123456789abcde",
            "Work~0123456789abcdefg",
            "~x",
        ] {
            assert_eq!(encode_name(plain), plain);
        }
    }

    #[test]
    fn the_longest_name_that_is_not_cut_has_two_hundred_bytes() {
        let name = |length: usize| encode_name(&"x".repeat(length));
        assert_eq!(name(200), "x".repeat(200));
        assert_eq!(name(201).len(), 200);
        // A percent-encoding is cut off whole, wherever it lies.
        for before in 170..190 {
            let name = format!("{}/{}", "x".repeat(before), "y".repeat(100));
            let directory = encode_name(&name);
            let (kept, _) = directory.rsplit_once('~').expect("a digest");
            let whole = kept.ends_with('x') || kept.ends_with('y') || kept.ends_with("%2F");
            assert!(whole, "{kept}");
            assert!(
                directory.len() <= 200 && directory.len() > 196,
                "{directory}"
            );
        }
    }

    #[test]
    fn digests_are_those_of_everybody() {
        assert_eq!(digest(b""), "e3b0c44298fc1c14");
        assert_eq!(hex(&[0, 15, 16, 255]), "000f10ff");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        for unit in ["x", "é", "/", "日/"] {
            let one = encode_name(&unit.repeat(300));
            let other = encode_name(&unit.repeat(301));
            assert!(one.len() <= MAX_BYTES && one.len() > 170, "{}", one.len());
            assert_ne!(one, other);
            let kept = one.rsplit_once('~').map_or("", |(kept, _)| kept);
            assert!(decode_name(kept).is_some(), "{kept}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_gone() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("written");
        assert_eq!(find(dir.path(), "file").expect("there"), Some(file.clone()));
        assert_eq!(find(dir.path(), "other").expect("not there"), None);
        assert!(find(&file, "below").is_err());
    }
}
