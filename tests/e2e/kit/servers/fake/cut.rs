//! Where the connection of a client that appends may end. Knows no protocol.

/// How far an APPEND comes before the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Up to the announcement of the message's literal, which is neither asked for nor read.
    BeforeLiteral,
    /// So many bytes of the literal.
    InLiteral(usize),
    /// To its end; nothing is stored.
    Unstored,
    /// To its end; all is stored, and this many bytes of the tagged answer are sent.
    Stored(usize),
}

/// A [`Cut`] and the message that it hits.
#[derive(Debug, Clone)]
pub struct CutRule {
    /// Counted from 1 over all messages that clients announce, those of one MULTIAPPEND included.
    pub message: usize,
    /// Where.
    pub cut: Cut,
    /// By a reset, which may overtake answers already sent?
    pub reset: bool,
}

impl CutRule {
    /// Does it come before the whole command is read?
    pub fn is_early(&self) -> bool {
        matches!(self.cut, Cut::BeforeLiteral | Cut::InLiteral(_))
    }
}
