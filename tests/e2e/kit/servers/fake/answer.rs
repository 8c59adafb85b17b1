//! What the fake server answers to a command, on one connection. Knows no sockets.

use std::io;

use super::fetch::{Request, contains, taken};
use super::mailbox::FakeMailbox;
use super::{Reply, Shared};
use crate::kit::Security;
use crate::kit::servers::codec::unbase64;
use crate::kit::servers::script::fill_in;
use crate::kit::servers::wire::Received;

/// What to send, and what becomes of the connection.
pub enum Answer {
    /// Send, go on.
    Go(Vec<u8>),
    /// Send, close.
    Close(Vec<u8>),
    /// Send, then a reset.
    Reset(Vec<u8>),
    /// Send, say nothing more.
    Stall(Vec<u8>),
    /// Ask for the secret of AUTHENTICATE.
    AskSecret,
    /// Send, then the handshake.
    StartTls(Vec<u8>),
}

impl Answer {
    /// Send, and the end, by a reset or in good order.
    pub fn cut(bytes: Vec<u8>, reset: bool) -> Self {
        if reset {
            Self::Reset(bytes)
        } else {
            Self::Close(bytes)
        }
    }
}

/// One connection's state.
pub struct Session<'a> {
    pub(super) shared: &'a Shared,
    secured: bool,
    logged_in: bool,
    /// Name of the mailbox that is open.
    pub(super) selected: Option<Vec<u8>>,
    /// By SELECT?
    pub(super) writable: bool,
    /// Numbers of the messages of the APPEND that is coming in.
    pub(super) announced: Vec<usize>,
    /// How often the client waited for `+`.
    pub(super) waits: usize,
    /// Why the connection ends by a reset, where it does.
    pub(super) broken: Option<io::ErrorKind>,
}

impl<'a> Session<'a> {
    /// Before any command.
    pub fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            secured: false,
            logged_in: false,
            selected: None,
            writable: false,
            announced: Vec::new(),
            waits: 0,
            broken: None,
        }
    }

    /// The end of a connection without a command: in good order, or as an error.
    pub fn farewell(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    /// Has a login succeeded?
    pub fn is_logged_in(&self) -> bool {
        self.logged_in
    }

    /// How often the client waited for `+` since the last call.
    pub fn take_waits(&mut self) -> usize {
        std::mem::take(&mut self.waits)
    }

    /// The answer to one command: a hook's, or the server's own.
    pub fn answer(&mut self, command: &Received) -> Answer {
        let numbers = std::mem::take(&mut self.announced);
        if let Some(meanwhile) = &self.shared.options.meanwhile {
            meanwhile(command, &mut self.shared.state().mailboxes);
        }
        let mut hooks = self.shared.options.hooks.iter();
        let reply = hooks.find_map(|hook| hook(command));
        let fill = |bytes: &[u8]| fill_in(bytes, &command.tag);
        match reply {
            None => self.own_answer(command, &numbers),
            Some(Reply::Raw(bytes)) => Answer::Go(fill(&bytes)),
            Some(Reply::Close(bytes)) => Answer::Close(fill(&bytes)),
            Some(Reply::Stall(bytes)) => Answer::Stall(fill(&bytes)),
            Some(Reply::Before(bytes)) => {
                let before = fill(&bytes);
                let join = |after: Vec<u8>| [before.clone(), after].concat();
                match self.own_answer(command, &numbers) {
                    Answer::Go(after) => Answer::Go(join(after)),
                    Answer::Close(after) => Answer::Close(join(after)),
                    Answer::Reset(after) => Answer::Reset(join(after)),
                    Answer::Stall(after) => Answer::Stall(join(after)),
                    other => other,
                }
            }
        }
    }

    fn own_answer(&mut self, command: &Received, numbers: &[usize]) -> Answer {
        let name = command.name.as_str();
        if name == "APPEND" && self.logged_in {
            return self.append(command, numbers);
        }
        let arguments = command.arguments();
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
            "CREATE" => self.create(command, &arguments),
            "SUBSCRIBE" | "UNSUBSCRIBE" => self.subscribe(command, &arguments),
            "STORE" | "UID STORE" => self.store(command, &arguments),
            "FETCH" | "UID FETCH" => return self.fetch(command, &arguments),
            "SEARCH" | "UID SEARCH" => self.search(command, &arguments),
            _ => tagged(command, "BAD unknown command"),
        })
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
            _ if self.shared.options.offers("LOGINDISABLED") => {
                tagged(command, "NO [PRIVACYREQUIRED] LOGIN is disabled")
            }
            [user, password] => self.admit(command, user, password),
            _ => tagged(command, "BAD LOGIN wants user and password"),
        }
    }

    /// The end of AUTHENTICATE PLAIN (RFC 4616) and XOAUTH2.
    pub fn secret(&mut self, command: &Received, line: &[u8]) -> Vec<u8> {
        let decoded = unbase64(&String::from_utf8_lossy(line)).unwrap_or_default();
        if let Some(bearer) = decoded.strip_prefix(b"user=") {
            let mut parts = bearer.split(|b| *b == 1);
            let (user, token) = (parts.next(), parts.next());
            let token = token.and_then(|token| token.strip_prefix(b"auth=Bearer "));
            return self.admit(command, user.unwrap_or_default(), token.unwrap_or_default());
        }
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

    /// The mailbox that the first argument names.
    pub(super) fn named<'m>(
        &self,
        mailboxes: &'m [FakeMailbox],
        arguments: &[Vec<u8>],
    ) -> Option<&'m FakeMailbox> {
        let index = self.shared.options.index(mailboxes, arguments.first()?)?;
        Some(&mailboxes[index])
    }

    fn select(&mut self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let mut state = self.shared.state();
        state.openings += 1;
        let openings = state.openings - 1;
        let Some(mailbox) = self.named(&state.mailboxes, arguments) else {
            self.selected = None;
            return tagged(command, "NO [NONEXISTENT] no such mailbox");
        };
        self.selected = Some(mailbox.name.clone());
        let modseq = if self.shared.options.offers("CONDSTORE") {
            format!("* OK [HIGHESTMODSEQ {}] ok\r\n", mailbox.highestmodseq)
        } else {
            String::new()
        };
        let said = match &self.shared.options.opened_as {
            Some(said) => said(mailbox.uidvalidity, openings),
            None => Some(mailbox.uidvalidity),
        };
        let uidvalidity = said.map_or_else(String::new, |said| {
            format!("* OK [UIDVALIDITY {said}] ok\r\n")
        });
        let id = if self.shared.options.offers("OBJECTID") {
            format!("* OK [MAILBOXID ({})] ok\r\n", mailbox.id())
        } else {
            String::new()
        };
        self.writable = command.name == "SELECT";
        let (access, flags) = if self.writable {
            ("READ-WRITE", mailbox.permanent_flags.as_str())
        } else {
            ("READ-ONLY", "")
        };
        format!(
            "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* OK [PERMANENTFLAGS ({flags})] these\r\n\
             * {} EXISTS\r\n* 0 RECENT\r\n{uidvalidity}* OK [UIDNEXT {}] ok\r\n{modseq}{id}\
             {} OK [{access}] {} completed\r\n",
            mailbox.messages.len(),
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
            limit: self.shared.options.message_limit,
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
        let numbered = || (1_u32..).zip(&mailbox.messages);
        let found = numbered().filter(|(_, message)| contains(&set, message.uid, highest));
        let found = found.map(|(_, message)| message.uid).collect();
        let (found, end) = taken(found, self.shared.options.message_limit);
        let mut line = "* SEARCH".to_owned();
        for (number, message) in numbered().filter(|(_, message)| found.contains(&message.uid)) {
            let is_plain = command.name == "SEARCH";
            line += &format!(" {}", if is_plain { number } else { message.uid });
        }
        if let Some(end) = end {
            return [line.as_bytes(), b"\r\n", &tagged(command, &end)].concat();
        }
        untagged(command, &line)
    }
}

/// The tagged end of a command.
pub fn tagged(command: &Received, text: &str) -> Vec<u8> {
    format!("{} {text}\r\n", command.tag).into_bytes()
}

/// The tagged end of a command that was carried out.
pub fn ok(command: &Received) -> Vec<u8> {
    tagged(command, &format!("OK {} completed", command.name))
}

fn untagged(command: &Received, line: &str) -> Vec<u8> {
    [line.as_bytes(), b"\r\n", &ok(command)].concat()
}
