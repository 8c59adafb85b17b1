//! What providers are known to allow, by what their servers say they are.

use super::channel::Channel;
use crate::budget::Daily;

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Connections at a time.
    pub connections: usize,
    /// Bytes a day of each account.
    pub daily: Daily,
}

/// It cuts accounts off for up to a day at 2,500 MB read and 500 MB sent; the owner's other programs read, too.
const GMAIL: Preset = Preset {
    name: "Gmail",
    connections: 10,
    daily: Daily {
        down: Some(2_000_000_000),
        up: Some(400_000_000),
    },
};

/// Which provider we are logged in to.
#[must_use]
pub fn of(channel: &Channel) -> Option<&'static Preset> {
    let greeting = channel.greeting.as_deref().unwrap_or_default();
    let is_gmail = channel.capabilities.has("X-GM-EXT-1")
        || greeting.to_ascii_lowercase().starts_with("gimap ");
    is_gmail.then_some(&GMAIL)
}
