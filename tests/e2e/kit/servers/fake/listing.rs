//! LIST, LSUB and STATUS of the fake server. Changes nothing.

use super::answer::{Session, ok, tagged};
use super::mailbox::{FakeMailbox, FakeMessage};
use crate::kit::servers::wire::Received;

impl Session<'_> {
    /// LIST, with the STATUS of RFC 5819 when it is asked for.
    pub(super) fn list(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::new();
        let state = self.shared.state();
        match &self.shared.options.list_lines {
            Some(lines) => out.extend(lines.iter().flat_map(|line| [line, &b"\r\n"[..]].concat())),
            None => out.extend(self.listed(&state.mailboxes, arguments)),
        }
        let options = arguments
            .last()
            .map(|last| String::from_utf8_lossy(last).to_uppercase());
        if options.is_some_and(|options| options.contains("STATUS"))
            && self.shared.options.offers("LIST-STATUS")
        {
            for mailbox in &state.mailboxes {
                if !mailbox.is_noselect() {
                    out.extend(self.status_line(mailbox));
                }
            }
        }
        out.extend(ok(command));
        out
    }

    /// Nothing but the delimiter for the empty pattern, one mailbox for a name; all for any wildcard.
    fn listed(&self, mailboxes: &[FakeMailbox], arguments: &[Vec<u8>]) -> Vec<u8> {
        let selection = arguments
            .first()
            .is_some_and(|first| first.starts_with(b"("));
        let pattern = arguments.get(1 + usize::from(selection));
        let pattern = pattern.map_or(&b"*"[..], Vec::as_slice);
        if pattern.is_empty() {
            let mut root = FakeMailbox::new("").attributes("\\Noselect");
            root.delimiter = Some(self.shared.options.new_delimiter(mailboxes));
            return list_line("LIST", &root);
        }
        let wild = pattern.iter().any(|byte| b"*%(".contains(byte));
        let any_case = self.shared.options.any_case;
        let chosen = mailboxes
            .iter()
            .filter(|one| wild || one.is_called(pattern, any_case));
        chosen
            .flat_map(|mailbox| list_line("LIST", mailbox))
            .collect()
    }

    pub(super) fn lsub(&self, command: &Received) -> Vec<u8> {
        let state = self.shared.state();
        let subscribed = state.mailboxes.iter().filter(|mailbox| mailbox.subscribed);
        let mut out: Vec<u8> = subscribed
            .flat_map(|mailbox| list_line("LSUB", mailbox))
            .collect();
        out.extend(ok(command));
        out
    }

    pub(super) fn status(&self, command: &Received, arguments: &[Vec<u8>]) -> Vec<u8> {
        let state = self.shared.state();
        match self.named(&state.mailboxes, arguments) {
            Some(mailbox) => [self.status_line(mailbox), ok(command)].concat(),
            None => tagged(command, "NO [NONEXISTENT] no such mailbox"),
        }
    }

    fn status_line(&self, mailbox: &FakeMailbox) -> Vec<u8> {
        let modseq = if self.shared.options.offers("CONDSTORE") {
            format!(" HIGHESTMODSEQ {}", mailbox.highestmodseq)
        } else {
            String::new()
        };
        let sizes = mailbox.messages.iter().map(FakeMessage::announced);
        let size = if self.shared.options.offers("STATUS=SIZE") {
            format!(" SIZE {}", sizes.sum::<u64>())
        } else {
            String::new()
        };
        let items = format!(
            " (MESSAGES {} UIDNEXT {} UIDVALIDITY {}{modseq}{size})\r\n",
            mailbox.messages.len(),
            mailbox.next_uid(),
            mailbox.uidvalidity
        );
        [b"* STATUS ", &quoted(&mailbox.name)[..], items.as_bytes()].concat()
    }
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
