//! The commands of the fake server that change something: CREATE, SUBSCRIBE, STORE, APPEND. Knows no sockets.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use super::answer::{Answer, Session, ok, tagged};
use super::append::{self, Appended};
use super::cut::{Cut, CutRule};
use super::fetch::contains;
use super::mailbox::FakeMailbox;
use crate::kit::mail::Mail;
use crate::kit::servers::wire::{Announced, Received, Verdict};

/// RFC 7888: a non-synchronising literal under LITERAL- is no longer.
const LITERAL_MINUS: usize = 4096;

impl Session<'_> {
    /// What becomes of a literal that is announced; `held` are answers that must come before.
    pub fn judge(&mut self, literal: &Announced, held: &mut Vec<u8>) -> Verdict {
        let patient = self.shared.options.offers("LITERAL+")
            || self.shared.options.offers("LITERAL-") && literal.length <= LITERAL_MINUS;
        if !literal.synchronising && !patient {
            let length = literal.length;
            return self.expel(
                literal,
                held,
                &format!("a literal {{{length}+}} is not offered"),
            );
        }
        if !self.announces_message(literal) {
            return self.take(literal, held);
        }
        if !self.announced.is_empty() && !self.shared.options.offers("MULTIAPPEND") {
            return self.expel(literal, held, "MULTIAPPEND is not offered");
        }
        let rule = self.count_message();
        match rule {
            Some(CutRule { cut, reset, .. }) => {
                self.record(literal);
                self.broken = reset.then_some(io::ErrorKind::ConnectionReset);
                let asks = matches!(cut, Cut::InLiteral(_)) && literal.synchronising;
                if asks {
                    held.extend_from_slice(b"+ go on\r\n");
                }
                let count = match cut {
                    Cut::InLiteral(count) => count,
                    _ => 0,
                };
                Verdict::Cut(std::mem::take(held), count)
            }
            None if literal.synchronising && self.shared.options.is_too_big(literal.length) => {
                let command = self.record(literal);
                self.announced.clear();
                held.extend(tagged(&command, TOO_BIG));
                Verdict::Refuse(std::mem::take(held))
            }
            None => self.take(literal, held),
        }
    }

    fn take(&mut self, literal: &Announced, held: &mut Vec<u8>) -> Verdict {
        if !literal.synchronising {
            return Verdict::Take(Vec::new());
        }
        self.waits += 1;
        held.extend_from_slice(b"+ go on\r\n");
        Verdict::Take(std::mem::take(held))
    }

    /// A client that does what it must not: noted, told and shown the door.
    fn expel(&mut self, literal: &Announced, held: &mut Vec<u8>, why: &str) -> Verdict {
        let command = self.record(literal);
        self.shared.complain(&command, why);
        held.extend(format!("* BYE {why}\r\n").into_bytes());
        Verdict::Cut(std::mem::take(held), 0)
    }

    /// Notes a command that will not come to its end.
    fn record(&self, literal: &Announced) -> Received {
        let command = literal.command();
        self.shared.commands().push(command.clone());
        command
    }

    /// Is it the literal of a message, and not of a name?
    fn announces_message(&self, literal: &Announced) -> bool {
        let mut words = literal.so_far.split(|byte| *byte == b' ').skip(1);
        let append = words
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case(b"APPEND"));
        append && (!self.announced.is_empty() || literal.command().arguments().len() > 1)
    }

    /// Gives the message its number; the rule that ends the connection before it is read.
    fn count_message(&mut self) -> Option<CutRule> {
        let mut state = self.shared.state();
        state.announced += 1;
        let number = state.announced;
        self.announced.push(number);
        let hits = |rule: &CutRule| rule.message == number && rule.is_early();
        state.cuts.iter().find(|rule| hits(rule)).cloned()
    }

    pub(super) fn append(&mut self, command: &Received, numbers: &[usize]) -> Answer {
        let messages = match append::parse(command) {
            Ok(messages) => messages,
            Err(why) => {
                self.shared.complain(command, &why);
                return Answer::Go(tagged(command, &format!("BAD {why}")));
            }
        };
        let mut state = self.shared.state();
        let cut = state
            .cuts
            .iter()
            .find(|rule| numbers.contains(&rule.message))
            .cloned();
        if let Some(CutRule {
            cut: Cut::Unstored,
            reset,
            ..
        }) = cut
        {
            return Answer::cut(Vec::new(), reset);
        }
        let refusal = state
            .objecting
            .then(|| self.shared.options.objection(&messages))
            .flatten();
        if let Some(text) = refusal {
            self.store_in_part(&mut state.mailboxes, messages);
            return Answer::Go(tagged(command, &text));
        }
        let Some(index) = self
            .shared
            .options
            .index(&state.mailboxes, &messages[0].mailbox)
        else {
            return Answer::Go(tagged(command, "NO [TRYCREATE] no such mailbox"));
        };
        let mailbox = &mut state.mailboxes[index];
        let uids: Vec<u32> = messages
            .into_iter()
            .map(|message| store(mailbox, message))
            .collect();
        let mut out = Vec::new();
        if self.selected.as_ref() == Some(&mailbox.name) {
            out.extend(format!("* {} EXISTS\r\n", mailbox.messages.len()).into_bytes());
        }
        let code = if let Some(wrong) = &self.shared.options.appenduid {
            format!("[APPENDUID {wrong}] ")
        } else if self.shared.options.offers("UIDPLUS") {
            format!("[APPENDUID {} {}] ", mailbox.uidvalidity, set_of(&uids))
        } else {
            String::new()
        };
        let mut end = tagged(command, &format!("OK {code}APPEND completed"));
        if let Some(CutRule {
            cut: Cut::Stored(count),
            reset,
            ..
        }) = cut
        {
            end.truncate(count);
            out.extend(end);
            return Answer::cut(out, reset);
        }
        out.extend(end);
        Answer::Go(out)
    }

    /// Some servers have stored what stood before the message that they refuse.
    fn store_in_part(&self, mailboxes: &mut [FakeMailbox], messages: Vec<Appended>) {
        let options = &self.shared.options;
        let index = options.index(mailboxes, &messages[0].mailbox);
        let Some(index) = index.filter(|_| options.stores_in_part) else {
            return;
        };
        for message in messages {
            if options.objection(std::slice::from_ref(&message)).is_some() {
                return;
            }
            store(&mut mailboxes[index], message);
        }
    }

    /// CREATE, with the special use of RFC 6154 where that is offered.
    pub(super) fn create(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let options = &self.shared.options;
        let (name, attributes) = match arguments {
            [name] => (name, String::new()),
            [name, using] if options.offers("CREATE-SPECIAL-USE") => {
                let using = String::from_utf8_lossy(using);
                let inside = using
                    .strip_prefix("(USE (")
                    .and_then(|using| using.strip_suffix("))"));
                (name, inside.unwrap_or_default().to_owned())
            }
            _ => {
                self.shared.complain(command, "CREATE takes a name");
                return tagged(command, "BAD CREATE takes a name");
            }
        };
        let mut state = self.shared.state();
        let delimiter = options.new_delimiter(&state.mailboxes);
        let mut end = [0; 4];
        let end = delimiter.encode_utf8(&mut end).as_bytes();
        let name = name.strip_suffix(end).unwrap_or(name);
        if let Some(text) = options.create_objection(&String::from_utf8_lossy(name)) {
            return tagged(command, &text);
        }
        if options.index(&state.mailboxes, name).is_some() {
            return tagged(command, "NO [ALREADYEXISTS] Mailbox already exists");
        }
        let parent = name.windows(end.len()).rposition(|window| window == end);
        let orphan =
            parent.is_some_and(|at| options.index(&state.mailboxes, &name[..at]).is_none());
        if options.strict_parents && orphan {
            return tagged(command, "NO [NONEXISTENT] the parent does not exist");
        }
        let mut mailbox = FakeMailbox::new(options.called(name))
            .delimited_by(delimiter)
            .attributes(&attributes);
        mailbox.subscribed = false;
        state.mailboxes.push(mailbox);
        ok(command)
    }

    pub(super) fn subscribe(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let mut state = self.shared.state();
        let name = arguments.first().map_or(&[][..], Vec::as_slice);
        match self.shared.options.index(&state.mailboxes, name) {
            Some(index) => {
                state.mailboxes[index].subscribed = command.name == "SUBSCRIBE";
                ok(command)
            }
            None => tagged(command, "NO [NONEXISTENT] no such mailbox"),
        }
    }

    /// STORE and UID STORE.
    pub(super) fn store(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let [set, how, flags] = arguments else {
            return tagged(command, "BAD STORE takes a set, a way and flags");
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (set, how, flags) = (text(set), text(how).to_uppercase(), text(flags));
        let flags = flags.trim_matches(['(', ')']);
        let (how, silent) = how
            .strip_suffix(".SILENT")
            .map_or((&*how, false), |how| (how, true));
        if let Some(why) = flags
            .split_whitespace()
            .find_map(|flag| append::check_flag(flag).err())
        {
            self.shared.complain(command, &why);
            return tagged(command, &format!("BAD {why}"));
        }
        let mut state = self.shared.state();
        let refusal = self
            .shared
            .options
            .flag_objection(flags)
            .filter(|_| state.objecting);
        if let Some(text) = refusal {
            return tagged(command, &text);
        }
        let mut mailboxes = state.mailboxes.iter_mut();
        let Some(mailbox) = mailboxes.find(|one| Some(&one.name) == self.selected.as_ref()) else {
            return tagged(command, "BAD no mailbox selected");
        };
        if !self.writable {
            return tagged(command, "NO [READ-ONLY] the mailbox is open for reading");
        }
        let by_uid = command.name.starts_with("UID");
        let highest = if by_uid {
            mailbox.next_uid() - 1
        } else {
            number(mailbox.messages.len())
        };
        let kept = mailbox.kept(flags);
        let mut out = Vec::new();
        for (message, sequence) in mailbox.messages.iter_mut().zip(1_u32..) {
            let key = if by_uid { message.uid } else { sequence };
            if !contains(&set, key, highest) {
                continue;
            }
            message.flags = changed(&message.flags, how, &kept);
            if !silent {
                let line = format!(
                    "* {sequence} FETCH (UID {} FLAGS ({}))\r\n",
                    message.uid, message.flags
                );
                out.extend(line.into_bytes());
            }
        }
        out.extend(ok(command));
        out
    }
}

/// The text of a message over APPENDLIMIT.
pub const TOO_BIG: &str = "NO [TOOBIG] the message is over the limit";

fn store(mailbox: &mut FakeMailbox, message: Appended) -> u32 {
    let now = || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Mail::new("", "")
            .at(now.map_or(0, |now| now.as_secs()))
            .internaldate()
    };
    let date = message.internaldate.unwrap_or_else(now);
    mailbox.store(&message.flags, format!("\"{date}\""), message.body)
}

/// The flags after a STORE.
fn changed(held: &str, how: &str, flags: &str) -> String {
    let among =
        |flag: &str, flags: &str| flags.split(' ').any(|one| one.eq_ignore_ascii_case(flag));
    let held = held.split_whitespace();
    let all: Vec<&str> = match how {
        "+FLAGS" => held
            .filter(|flag| !among(flag, flags))
            .chain(flags.split_whitespace())
            .collect(),
        "-FLAGS" => held.filter(|flag| !among(flag, flags)).collect(),
        _ => flags.split_whitespace().collect(),
    };
    all.join(" ")
}

/// UIDs that follow each other, as RFC 4315 writes them.
fn set_of(uids: &[u32]) -> String {
    match uids {
        [] => String::new(),
        [one] => one.to_string(),
        [first, .., last] => format!("{first}:{last}"),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("few messages")
}
