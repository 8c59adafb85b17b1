//! What the fake server answers to a command, on one connection. Knows no sockets.

use super::fetch::{Request, contains};
use super::mailbox::FakeMailbox;
use super::{Reply, Shared};
use crate::kit::Security;
use crate::kit::codec::unbase64;
use crate::kit::script::fill_in;
use crate::kit::wire::Received;

/// What to send, and what becomes of the connection.
pub enum Answer {
    /// Send, go on.
    Go(Vec<u8>),
    /// Send, close.
    Close(Vec<u8>),
    /// Send, say nothing more.
    Stall(Vec<u8>),
    /// Ask for the secret of AUTHENTICATE.
    AskSecret,
    /// Send, then the handshake.
    StartTls(Vec<u8>),
}

/// One connection's state.
pub struct Session<'a> {
    shared: &'a Shared,
    secured: bool,
    logged_in: bool,
    /// Name of the mailbox that is open.
    selected: Option<Vec<u8>>,
}

impl<'a> Session<'a> {
    /// Before any command.
    pub fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            secured: false,
            logged_in: false,
            selected: None,
        }
    }

    /// The answer to one command: a hook's, or the server's own.
    pub fn answer(&mut self, command: &Received) -> Answer {
        let mut hooks = self.shared.options.hooks.iter();
        let reply = hooks.find_map(|hook| hook(command));
        let fill = |bytes: &[u8]| fill_in(bytes, &command.tag);
        match reply {
            None => self.own_answer(command),
            Some(Reply::Raw(bytes)) => Answer::Go(fill(&bytes)),
            Some(Reply::Close(bytes)) => Answer::Close(fill(&bytes)),
            Some(Reply::Stall(bytes)) => Answer::Stall(fill(&bytes)),
            Some(Reply::Before(bytes)) => {
                let before = fill(&bytes);
                let join = |after: Vec<u8>| [before.clone(), after].concat();
                match self.own_answer(command) {
                    Answer::Go(after) => Answer::Go(join(after)),
                    Answer::Close(after) => Answer::Close(join(after)),
                    Answer::Stall(after) => Answer::Stall(join(after)),
                    other => other,
                }
            }
        }
    }

    fn own_answer(&mut self, command: &Received) -> Answer {
        let arguments = command.arguments();
        let name = command.name.as_str();
        match name {
            "LOGOUT" => {
                let text = format!("* BYE bye\r\n{} OK LOGOUT done\r\n", command.tag);
                return Answer::Close(text.into_bytes());
            }
            "STARTTLS" => {
                self.secured = true;
                return Answer::StartTls(ok(command));
            }
            "AUTHENTICATE" if arguments.len() < 2 => return Answer::AskSecret,
            "AUTHENTICATE" => return Answer::Go(self.secret(command, &arguments[1])),
            _ => {}
        }
        Answer::Go(match name {
            "CAPABILITY" => untagged(command, &format!("* CAPABILITY {}", self.capabilities())),
            "LOGIN" => self.login(command, &arguments),
            "NOOP" | "ENABLE" => ok(command),
            _ if !self.logged_in => tagged(command, "BAD not logged in"),
            "ID" => untagged(command, "* ID (\"name\" \"fake\")"),
            "NAMESPACE" => untagged(
                command,
                &format!("* NAMESPACE {}", self.shared.options.namespace),
            ),
            "LIST" => self.list(command, &arguments),
            "LSUB" => self.lsub(command),
            "STATUS" => self.status(command, &arguments),
            "EXAMINE" | "SELECT" => self.select(command, &arguments),
            "UNSELECT" => {
                self.selected = None;
                ok(command)
            }
            "FETCH" | "UID FETCH" => return self.fetch(command, &arguments),
            "SEARCH" | "UID SEARCH" => self.search(command, &arguments),
            _ => tagged(command, "BAD unknown command"),
        })
    }

    fn offers(&self, capability: &str) -> bool {
        let mut words = self.shared.options.capabilities.split(' ');
        words.any(|word| word.eq_ignore_ascii_case(capability))
    }

    fn capabilities(&self) -> String {
        let starttls = self.shared.options.security == Security::StartTls && !self.secured;
        let capabilities = &self.shared.options.capabilities;
        if starttls {
            format!("{capabilities} STARTTLS")
        } else {
            capabilities.clone()
        }
    }

    fn login(&mut self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        match arguments {
            _ if self.offers("LOGINDISABLED") => {
                tagged(command, "NO [PRIVACYREQUIRED] LOGIN is disabled")
            }
            [user, password] => self.admit(command, user, password),
            _ => tagged(command, "BAD LOGIN wants user and password"),
        }
    }

    /// The end of AUTHENTICATE PLAIN (RFC 4616).
    pub fn secret(&mut self, command: &Received, line: &[u8]) -> Vec<u8> {
        let decoded = unbase64(&String::from_utf8_lossy(line)).unwrap_or_default();
        let parts: Vec<&[u8]> = decoded.split(|b| *b == 0).collect();
        match parts.as_slice() {
            [_, user, password] => self.admit(command, user, password),
            _ => tagged(command, "BAD not the form of PLAIN"),
        }
    }

    fn admit(&mut self, command: &Received, user: &[u8], password: &[u8]) -> Vec<u8> {
        let accounts = &self.shared.options.accounts;
        let known = accounts
            .iter()
            .any(|(name, secret)| name.as_bytes() == user && secret.as_bytes() == password);
        if known || accounts.is_empty() {
            self.logged_in = true;
            let capabilities = self.capabilities();
            tagged(
                command,
                &format!("OK [CAPABILITY {capabilities}] logged in"),
            )
        } else {
            tagged(command, "NO [AUTHENTICATIONFAILED] wrong user or password")
        }
    }

    /// LIST, with the STATUS of RFC 5819 when it is asked for.
    fn list(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        let state = self.shared.state();
        match &self.shared.options.list_lines {
            Some(lines) => out.extend(lines.iter().flat_map(|line| [line, &b"\r\n"[..]].concat())),
            None => {
                for mailbox in &state.mailboxes {
                    out.extend(list_line("LIST", mailbox));
                }
            }
        }
        let options = arguments
            .last()
            .map(|last| String::from_utf8_lossy(last).to_uppercase());
        if options.is_some_and(|options| options.contains("STATUS")) && self.offers("LIST-STATUS") {
            for mailbox in &state.mailboxes {
                if !mailbox
                    .attributes
                    .to_ascii_lowercase()
                    .contains("\\noselect")
                {
                    out.extend(self.status_line(mailbox));
                }
            }
        }
        out.extend(ok(command));
        out
    }

    fn lsub(&self, command: &Received) -> Vec<u8> {
        let state = self.shared.state();
        let subscribed = state.mailboxes.iter().filter(|mailbox| mailbox.subscribed);
        let mut out: Vec<u8> = subscribed
            .flat_map(|mailbox| list_line("LSUB", mailbox))
            .collect();
        out.extend(ok(command));
        out
    }

    fn status(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let state = self.shared.state();
        let wanted = arguments.first();
        match state
            .mailboxes
            .iter()
            .find(|mailbox| Some(&mailbox.name) == wanted)
        {
            Some(mailbox) => [self.status_line(mailbox), ok(command)].concat(),
            None => tagged(command, "NO [NONEXISTENT] no such mailbox"),
        }
    }

    fn status_line(&self, mailbox: &FakeMailbox) -> Vec<u8> {
        let modseq = if self.offers("CONDSTORE") {
            format!(" HIGHESTMODSEQ {}", mailbox.highestmodseq)
        } else {
            String::new()
        };
        let items = format!(
            " (MESSAGES {} UIDNEXT {} UIDVALIDITY {}{modseq})\r\n",
            mailbox.messages.len(),
            mailbox.next_uid(),
            mailbox.uidvalidity
        );
        [b"* STATUS ", &quoted(&mailbox.name)[..], items.as_bytes()].concat()
    }

    fn select(&mut self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let state = self.shared.state();
        let wanted = arguments.first();
        let Some(mailbox) = state
            .mailboxes
            .iter()
            .find(|mailbox| Some(&mailbox.name) == wanted)
        else {
            self.selected = None;
            return tagged(command, "NO [NONEXISTENT] no such mailbox");
        };
        self.selected = Some(mailbox.name.clone());
        let modseq = if self.offers("CONDSTORE") {
            format!("* OK [HIGHESTMODSEQ {}] ok\r\n", mailbox.highestmodseq)
        } else {
            String::new()
        };
        let access = if command.name == "SELECT" {
            "READ-WRITE"
        } else {
            "READ-ONLY"
        };
        format!(
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* OK [PERMANENTFLAGS ()] none\r\n\
             * {} EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY {}] ok\r\n* OK [UIDNEXT {}] ok\r\n{modseq}\
             {} OK [{access}] {} completed\r\n",
            mailbox.messages.len(),
            mailbox.uidvalidity,
            mailbox.next_uid(),
            command.tag,
            command.name,
        )
        .into_bytes()
    }

    fn fetch(&self, command: &Received, arguments: &[Vec<u8>]) -> Answer {
        let text = |index: usize| -> String {
            let word = arguments
                .get(index)
                .map(|word| String::from_utf8_lossy(word));
            word.unwrap_or_default().to_uppercase()
        };
        let modifier = text(2);
        let mut words = modifier.split([' ', '(', ')']);
        let changed_since = words
            .find(|word| *word == "CHANGEDSINCE")
            .and_then(|_| words.next()?.parse().ok());
        let request = Request {
            by_uid: command.name.starts_with("UID"),
            set: text(0),
            items: text(1),
            changed_since,
        };
        let mut state = self.shared.state();
        let state = &mut *state;
        let selected = state
            .mailboxes
            .iter()
            .find(|mailbox| Some(&mailbox.name) == self.selected.as_ref());
        match selected {
            Some(mailbox) => request.answer(&command.tag, mailbox, &mut state.rules),
            None => Answer::Go(tagged(command, "BAD no mailbox selected")),
        }
    }

    /// ALL, or `UID set`; nothing finer.
    fn search(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let state = self.shared.state();
        let selected = state
            .mailboxes
            .iter()
            .find(|mailbox| Some(&mailbox.name) == self.selected.as_ref());
        let Some(mailbox) = selected else {
            return tagged(command, "BAD no mailbox selected");
        };
        let set = match arguments {
            [key, set] if key.eq_ignore_ascii_case(b"UID") => {
                String::from_utf8_lossy(set).into_owned()
            }
            _ => "1:*".to_owned(),
        };
        let highest = mailbox
            .messages
            .iter()
            .map(|message| message.uid)
            .max()
            .unwrap_or(0);
        let mut line = "* SEARCH".to_owned();
        for (message, number) in mailbox.messages.iter().zip(1_u32..) {
            if contains(&set, message.uid, highest) {
                let shown = if command.name == "SEARCH" {
                    number
                } else {
                    message.uid
                };
                line += &format!(" {shown}");
            }
        }
        untagged(command, &line)
    }
}

fn tagged(command: &Received, text: &str) -> Vec<u8> {
    format!("{} {text}\r\n", command.tag).into_bytes()
}

fn ok(command: &Received) -> Vec<u8> {
    tagged(command, &format!("OK {} completed", command.name))
}

fn untagged(command: &Received, line: &str) -> Vec<u8> {
    [line.as_bytes(), b"\r\n", &ok(command)].concat()
}

fn list_line(kind: &str, mailbox: &FakeMailbox) -> Vec<u8> {
    let delimiter = match mailbox.delimiter {
        None => "NIL".to_owned(),
        Some('\\') => r#""\\""#.to_owned(),
        Some(c) => format!("\"{c}\""),
    };
    let head = format!("* {kind} ({}) {delimiter} ", mailbox.attributes);
    [head.as_bytes(), &quoted(&mailbox.name), b"\r\n"].concat()
}

/// A quoted string, or a literal where the name holds what quotes cannot.
fn quoted(name: &[u8]) -> Vec<u8> {
    if name.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return [format!("{{{}}}\r\n", name.len()).as_bytes(), name].concat();
    }
    let mut text = vec![b'"'];
    for byte in name {
        if matches!(byte, b'"' | b'\\') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text.push(b'"');
    text
}
