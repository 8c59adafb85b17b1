//! The parts of a message that FETCH may ask for. Knows no mailbox.

/// What stands between the brackets of `BODY[…]` or `BODY.PEEK[…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    /// Nothing: the message.
    Whole,
    /// `HEADER`.
    Header,
    /// `HEADER.FIELDS (…)`, as it was asked for.
    Fields(String),
}

impl Section {
    /// All that the attributes of a FETCH, in capitals, ask for.
    pub fn all(items: &str) -> Vec<Self> {
        let mut sections = Vec::new();
        let mut rest = items;
        while let Some(start) = rest
            .find("BODY[")
            .into_iter()
            .chain(rest.find("BODY.PEEK["))
            .min()
        {
            let inside = rest[start..]
                .split_once('[')
                .map_or("", |(_, inside)| inside);
            let (section, after) = inside.split_once(']').unwrap_or((inside, ""));
            rest = after;
            match section {
                "" => sections.push(Self::Whole),
                "HEADER" => sections.push(Self::Header),
                fields if fields.starts_with("HEADER.FIELDS (") => {
                    sections.push(Self::Fields(fields.to_owned()));
                }
                // Nobody asks a fake server for more.
                _ => {}
            }
        }
        sections
    }

    /// The attribute as FETCH answers it; none where it is not of the header.
    pub fn of_header(&self, message: &[u8]) -> Option<Vec<u8>> {
        let (name, text) = match self {
            Self::Whole => return None,
            Self::Header => ("HEADER", header(message).to_vec()),
            Self::Fields(asked) => (asked.as_str(), chosen(message, asked)),
        };
        let head = format!("BODY[{name}] {{{}}}\r\n", text.len());
        Some([head.as_bytes(), &text].concat())
    }
}

/// Up to and with the first empty line; everything where there is none.
fn header(message: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        if line == b"\r\n" || line == b"\n" {
            break;
        }
    }
    &message[..end]
}

/// The fields asked for, folded as they are, and an empty line.
fn chosen(message: &[u8], asked: &str) -> Vec<u8> {
    let names: Vec<&str> = asked
        .split(['(', ')', ' '])
        .map(|name| name.trim_matches('"'))
        .collect();
    let mut text = Vec::new();
    let mut inside = false;
    for line in header(message).split_inclusive(|byte| *byte == b'\n') {
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        if !folded {
            let name = line.split(|byte| *byte == b':').next().unwrap_or(line);
            let name = String::from_utf8_lossy(name);
            inside = line.contains(&b':')
                && names
                    .iter()
                    .any(|one| one.eq_ignore_ascii_case(name.trim()));
        }
        if inside {
            text.extend_from_slice(line);
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

#[test]
fn sections_are_cut_as_servers_do() {
    let items = "(UID BODY.PEEK[HEADER.FIELDS (TO SUBJECT)] BODY[HEADER] BODY.PEEK[])";
    let sections = Section::all(items);
    assert_eq!(sections[1..], [Section::Header, Section::Whole]);
    let message = b"From: a\r\nSubject: b\r\n c\r\nto : d\r\n\r\nSubject: no\r\n";
    let part = |section: &Section, message: &[u8]| {
        section
            .of_header(message)
            .map(|part| String::from_utf8_lossy(&part).into_owned())
    };
    assert_eq!(
        part(&sections[0], message).as_deref(),
        Some("BODY[HEADER.FIELDS (TO SUBJECT)] {26}\r\nSubject: b\r\n c\r\nto : d\r\n\r\n")
    );
    assert_eq!(
        part(&sections[1], b"no header at all").as_deref(),
        Some("BODY[HEADER] {16}\r\nno header at all")
    );
    assert_eq!(
        part(&sections[0], b"").as_deref(),
        Some("BODY[HEADER.FIELDS (TO SUBJECT)] {2}\r\n\r\n")
    );
    assert_eq!(part(&Section::Whole, message), None);
}
