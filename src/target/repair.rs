//! Opt-in repairs of messages that strict servers refuse, on the fly. The archive stays as it is.

use crate::plural::counted;
use std::io::{self, Read};

/// What an import repairs in messages that a strict server refuses; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repairs {
    /// Lone line feeds get a carriage return.
    pub bare_lf: bool,
    /// Zero bytes are left out.
    pub nul: bool,
    /// A last line without its end gets one.
    pub final_newline: bool,
}

/// What was repaired in a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Line feeds that got a carriage return.
    pub bare_lf: u64,
    /// Zero bytes left out.
    pub nul: u64,
    /// The last line got its end.
    pub final_newline: bool,
}

impl Repaired {
    /// True when something was.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// For people: what was changed in a message.
impl std::fmt::Display for Repaired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if self.bare_lf > 0 {
            let feeds = counted(self.bare_lf, "line feed");
            parts.push(format!("carriage returns before {feeds}"));
        }
        if self.nul > 0 {
            parts.push(format!("{} left out", counted(self.nul, "zero byte")));
        }
        if self.final_newline {
            parts.push("an end for the last line".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

/// Repairs what is read through it.
pub struct Repairer<R> {
    inner: R,
    repairs: Repairs,
    repaired: Repaired,
    last: Option<u8>,
    ready: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R> Repairer<R> {
    /// A repairer at the beginning of a message.
    pub fn new(inner: R, repairs: Repairs) -> Self {
        Self {
            inner,
            repairs,
            repaired: Repaired::default(),
            last: None,
            ready: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// What was repaired so far.
    pub fn repaired(&self) -> Repaired {
        self.repaired
    }

    /// Adds the repaired form of the next bytes to `out`.
    pub fn repair(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.repairs == Repairs::default() {
            out.extend_from_slice(bytes);
            return;
        }
        out.reserve(bytes.len());
        for &byte in bytes {
            if byte == 0 && self.repairs.nul {
                self.repaired.nul += 1;
                continue;
            }
            if byte == b'\n' && self.last != Some(b'\r') && self.repairs.bare_lf {
                self.repaired.bare_lf += 1;
                out.push(b'\r');
            }
            out.push(byte);
            self.last = Some(byte);
        }
    }

    /// Adds what belongs after the last byte.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.repairs.final_newline && self.last.is_some_and(|last| last != b'\n') {
            self.repaired.final_newline = true;
            self.last = Some(b'\n');
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl<R: Read> Read for Repairer<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.repairs == Repairs::default() {
            return self.inner.read(buffer);
        }
        while self.given == self.ready.len() {
            if self.ended {
                return Ok(0);
            }
            let mut chunk = [0; 8192];
            let count = self.inner.read(&mut chunk)?;
            let mut ready = std::mem::take(&mut self.ready);
            ready.clear();
            self.given = 0;
            if count == 0 {
                self.ended = true;
                self.finish(&mut ready);
            } else {
                self.repair(&chunk[..count], &mut ready);
            }
            self.ready = ready;
        }
        let count = buffer.len().min(self.ready.len() - self.given);
        buffer[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(bytes: &[u8], repairs: Repairs) -> Vec<u8> {
        let mut out = Vec::new();
        let mut repairer = Repairer::new(bytes, repairs);
        repairer.read_to_end(&mut out).expect("read");
        out
    }

    #[test]
    fn only_what_is_asked_for_is_repaired() {
        let all = Repairs {
            bare_lf: true,
            nul: true,
            final_newline: true,
        };
        assert_eq!(repaired(b"a\nb\r\n\0c", all), b"a\r\nb\r\nc\r\n");
        assert_eq!(repaired(b"a\nb\r\n\0c", Repairs::default()), b"a\nb\r\n\0c");
        let lf = Repairs {
            bare_lf: true,
            ..Repairs::default()
        };
        assert_eq!(repaired(b"\n\n\r\n\0x", lf), b"\r\n\r\n\r\n\0x");
        let newline = Repairs {
            final_newline: true,
            ..Repairs::default()
        };
        assert_eq!(repaired(b"a\r\n", newline), b"a\r\n");
        assert_eq!(repaired(b"", newline), b"");
        // A line end that falls between two reads stays one.
        let long = [vec![b'x'; 8191], b"\r\nend\r\n".to_vec()].concat();
        assert_eq!(repaired(&long, all), long);
    }

    #[test]
    fn what_was_repaired_is_counted_and_told() {
        let said = |bytes: &[u8]| {
            let repairs = Repairs {
                bare_lf: true,
                nul: true,
                final_newline: true,
            };
            let mut through = Repairer::new(bytes, repairs);
            through.read_to_end(&mut Vec::new()).expect("read");
            let repaired = through.repaired();
            assert_eq!(repaired.any(), !repaired.to_string().is_empty());
            repaired.to_string()
        };
        assert_eq!(said(b"a\r\nb\r\n"), "");
        assert_eq!(
            said(b"a\nb\n\0\0\0c"),
            "carriage returns before 2 line feeds, 3 zero bytes left out, an end for the last line"
        );
        assert_eq!(said(b"a\nb\r\n"), "carriage returns before 1 line feed");
        assert_eq!(said(b"a\0\r\n"), "1 zero byte left out");
    }
}
