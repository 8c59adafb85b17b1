//! Lists of accounts (RFC 4180): with the keys of the JSON as names of columns, or with those of the bulk lists that
//! commercial migration services use. It gives out rows; what they mean is for the JSON's reader to say.

use std::path::Path;
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder, Trim};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::location::{AccountsFile, Location};
use super::reader::ConfigReader;
use crate::secret::SecretJson;
use crate::spelling;

/// Our name of a column, and what it may be called, as letters and digits alone.
const COLUMNS: &[(&str, &[&str])] = &[
    (
        "email",
        &[
            "email",
            "emailaddress",
            "mail",
            "address",
            "mailbox",
            "sourceemail",
            "sourceemailaddress",
            "sourceaddress",
            "sourcemailbox",
            "fromemail",
            "user1",
        ],
    ),
    (
        "login",
        &[
            "login",
            "loginname",
            "username",
            "user",
            "sourcelogin",
            "sourceloginname",
            "sourceusername",
            "sourceuser",
        ],
    ),
    (
        "password",
        &["password", "passwd", "pass", "sourcepassword", "password1"],
    ),
    ("password_file", &["passwordfile"]),
    ("password_env", &["passwordenv"]),
    ("password_command", &["passwordcommand"]),
    ("server", &["server", "sourceserver", "sourcehost", "host1"]),
    ("archive", &["archive"]),
    (
        "target_email",
        &[
            "targetemail",
            "targetemailaddress",
            "targetaddress",
            "destinationemail",
            "destinationemailaddress",
            "destinationaddress",
            "destinationmailbox",
            "toemail",
            "user2",
        ],
    ),
    (
        "target_login",
        &[
            "targetlogin",
            "targetloginname",
            "targetusername",
            "targetuser",
            "destinationlogin",
            "destinationloginname",
            "destinationusername",
            "destinationuser",
        ],
    ),
    (
        "target_password",
        &["targetpassword", "destinationpassword", "password2"],
    ),
    ("target_password_file", &["targetpasswordfile"]),
    ("target_password_env", &["targetpasswordenv"]),
    ("target_password_command", &["targetpasswordcommand"]),
    (
        "target_server",
        &[
            "targetserver",
            "targethost",
            "destinationserver",
            "destinationhost",
            "host2",
        ],
    ),
];

impl<'a> ConfigReader<'a> {
    /// Hands out the rows of a list, each as an account of the JSON would be, and where it stands. They are not kept:
    /// for a hundred thousand, that would take longer than everything else.
    pub(super) fn list(
        &mut self,
        name: &str,
        mut take: impl FnMut(&mut ConfigReader<'a>, &Location, &Map<String, Value>),
    ) {
        let path = self.resolve(name);
        let shown = path.display();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) => {
                return self.problem("accounts_file", format!("read {shown}: {error}"));
            }
        };
        // Even without a byte order mark, each letter of the first line has a zero byte beside it.
        let has_mark = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        if has_mark || first_line(&bytes).contains(&0) {
            let text = format!("{shown} is UTF-16; save it as UTF-8");
            return self.problem("accounts_file", text);
        }
        let mut csv = ReaderBuilder::new()
            .delimiter(delimiter(&bytes))
            .has_headers(false)
            .flexible(true)
            .trim(Trim::None)
            .from_reader(without_mark(&bytes));
        let mut header = ByteRecord::new();
        // The line that names the separator is a record, too.
        let records_before = usize::from(named_separator(&bytes).is_some());
        for _ in 0..=records_before {
            if !matches!(csv.read_byte_record(&mut header), Ok(true)) {
                return self.problem("accounts_file", format!("{shown} is empty"));
            }
        }
        let (list, keys) = self.columns(name, &header);
        if !list.columns.contains_key("email") {
            return;
        }
        if list.columns.keys().any(|key| key.ends_with("password")) {
            self.check_mode(&path, "the list of accounts");
        }
        let list = Arc::new(list);
        let mut record = ByteRecord::new();
        loop {
            match csv.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    return self.problem("accounts_file", format!("read {shown}: {error}"));
                }
            }
            let at = Location::Line {
                list: Arc::clone(&list),
                line: line_of(&record),
                key: None,
            };
            if let Some(row) = self.row(&record, &keys, &header, &at) {
                let row = SecretJson::new(Value::Object(row));
                if let Some(row) = row.expose().as_object() {
                    take(self, &at, row);
                }
            }
        }
    }

    /// Which column is what.
    fn columns(
        &mut self,
        file: &str,
        header: &ByteRecord,
    ) -> (AccountsFile, Vec<Option<&'static str>>) {
        let line = line_of(header);
        let mut list = AccountsFile {
            file: file.to_owned(),
            ..AccountsFile::default()
        };
        let mut keys = Vec::with_capacity(header.len());
        let mut unknown = Vec::new();
        for (index, name) in header.iter().enumerate() {
            let name = String::from_utf8_lossy(name).trim().to_owned();
            let number = index + 1;
            let key = key_of(&name);
            match key {
                Some(key) => {
                    if let Some((first, _)) = list.columns.insert(key, (number, name.clone())) {
                        let text = format!("columns {first} and {number} both say the {key}");
                        self.problem(format!("{file} line {line}"), text);
                    }
                }
                None if name.is_empty() => {}
                None => unknown.push((number, name)),
            }
            keys.push(key);
        }
        let has_email = list.columns.contains_key("email");
        if !has_email {
            let text = "no column is called email (or source email): this line names the columns, with commas, \
                        semicolons or tabs between them, as in email,password";
            self.problem(format!("{file} line {line}"), text);
        }
        for (number, name) in unknown {
            let is_missing = |key: &&str| !list.columns.contains_key(key);
            if let Some(meant) = nearest_key(&name).filter(is_missing) {
                let text = format!("is unknown; is {meant} meant?");
                self.problem(
                    format!("{file} line {line}, column {number} ({name})"),
                    text,
                );
            } else if has_email {
                let text = format!("{file}: column {number} ({name}) is unknown, and ignored");
                self.warnings.push(text);
            }
            // Else the line may be an account already, with its password.
        }
        (list, keys)
    }

    /// Empty cells say nothing. Blanks are part of a password, but of nothing else.
    fn row(
        &mut self,
        record: &ByteRecord,
        keys: &[Option<&'static str>],
        header: &ByteRecord,
        at: &Location,
    ) -> Option<Map<String, Value>> {
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            return None;
        }
        if record.len() != header.len() {
            let text = format!(
                "has {} fields, and line {} has {}; a text with the separator or a quote in it stands in double \
                 quotes, and a quote in it is doubled",
                record.len(),
                line_of(header),
                header.len()
            );
            self.problem(at, text);
            return None;
        }
        let mut row = Map::new();
        for (key, cell) in keys.iter().zip(record) {
            let Some(key) = key else { continue };
            let Ok(cell) = std::str::from_utf8(cell) else {
                self.problem(at.key(key), "is not UTF-8; save the list as UTF-8");
                return None;
            };
            if cell.trim().contains(['\n', '\r']) {
                let text = "holds a line break; is a double quote not closed?";
                self.problem(at.key(key), text);
                return None;
            }
            if cell.contains('\0') {
                self.problem(at.key(key), "holds a zero byte");
                return None;
            }
            let cell = if key.ends_with("password") {
                cell
            } else {
                cell.trim()
            };
            if !cell.is_empty() {
                row.insert((*key).to_owned(), Value::String(cell.to_owned()));
            }
        }
        Some(row)
    }
}

/// What to write instead, for somebody who gives a list in place of a configuration.
pub fn instead_of(path: &Path, bytes: &[u8]) -> Option<String> {
    let first = String::from_utf8_lossy(header_line(bytes));
    let first = first.trim();
    let separator = char::from(delimiter(bytes));
    let cells: Vec<&str> = first
        .split(separator)
        .map(|cell| cell.trim_matches(['"', ' ']))
        .collect();
    let is_list = !first.starts_with(['{', '[', '"'])
        && cells
            .iter()
            .any(|cell| key_of(cell).is_some() || cell.contains('@'));
    let name = path.file_name().unwrap_or_default().display();
    is_list.then(|| {
        format!(
            "{} is a list of accounts, and no configuration. Write one that names it, and give that one with \
             --config:\n\n  {{\n    \"server\": {{\"host\": \"imap.example.com\"}},\n    \"accounts_file\": \
             \"{name}\"\n  }}",
            path.display()
        )
    })
}

fn key_of(name: &str) -> Option<&'static str> {
    let name: String = name
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect();
    let mut columns = COLUMNS.iter();
    columns
        .find(|(_, names)| names.contains(&name.as_str()))
        .map(|(key, _)| *key)
}

/// The key that a column nearly says. Numbers are on purpose.
fn nearest_key(name: &str) -> Option<&'static str> {
    let names = COLUMNS.iter().flat_map(|(_, names)| names.iter().copied());
    let has_number = name.chars().any(char::is_numeric);
    let nearest = spelling::nearest(name, names).filter(|_| !has_number);
    nearest.and_then(key_of)
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.next().unwrap_or_default()
}

/// The separator that a first line such as `sep=;` names, as Excel reads and writes it.
fn named_separator(bytes: &[u8]) -> Option<u8> {
    let first = first_line(without_mark(bytes)).trim_ascii_start();
    let (word, separator) = first.split_at_checked(4)?;
    // All but a tab may have blanks behind it.
    match (word.eq_ignore_ascii_case(b"sep="), separator) {
        (true, [separator, rest @ ..]) if rest.trim_ascii().is_empty() => Some(*separator),
        _ => None,
    }
}

/// The line that names the columns.
fn header_line(bytes: &[u8]) -> &[u8] {
    let bytes = without_mark(bytes);
    let first = first_line(bytes);
    match named_separator(bytes) {
        Some(_) => first_line(bytes[first.len()..].trim_ascii_start()),
        None => first,
    }
}

/// The separator that is named, or that the first line has most of.
fn delimiter(bytes: &[u8]) -> u8 {
    if let Some(separator) = named_separator(bytes) {
        return separator;
    }
    let first = first_line(bytes);
    let count = |separator: u8| memchr::memchr_iter(separator, first).count();
    // Of several that are as frequent the last one wins.
    *b"\t;,"
        .iter()
        .max_by_key(|separator| count(**separator))
        .unwrap_or(&b',')
}

/// Where a record begins, counted from 1.
fn line_of(record: &ByteRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_other_services_are_known() {
        let cases = [
            ("E-Mail", "email"),
            ("Source Email", "email"),
            ("source_login_name", "login"),
            ("Destination Password", "target_password"),
            ("Destination E-Mail Address", "target_email"),
            ("target_server", "target_server"),
        ];
        for (name, key) in cases {
            assert_eq!(key_of(name), Some(key), "{name}");
        }
        for name in ["First Name", "Surname", "Department", "User Name 3"] {
            assert_eq!((key_of(name), nearest_key(name)), (None, None), "{name}");
        }
        assert_eq!(nearest_key("Pasword"), Some("password"));
        assert_eq!(nearest_key("Target Pasword"), Some("target_password"));
        for (key, names) in COLUMNS {
            assert_eq!(key_of(key), Some(*key));
            assert!(!names.is_empty());
        }
    }

    #[test]
    fn the_separator_is_what_the_first_line_has() {
        for (text, separator) in [
            ("a,b\n1;2;3;4", b','),
            ("a;b;c\n", b';'),
            ("a\tb", b'\t'),
            ("a", b','),
            ("sep=;\na,b,c\n", b';'),
            ("\u{feff}SEP=\t\r\na\tb\n", b'\t'),
        ] {
            assert_eq!(delimiter(text.as_bytes()), separator, "{text}");
        }
    }
}
