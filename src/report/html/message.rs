//! A message that the page names: its date, its sender, its size, where it lies. Nothing of its content.

use maud::{Markup, html};

use super::facts::bytes;
use super::shown;
use crate::archive::excerpt::Excerpt;

/// A message in a row.
pub struct Named<'a> {
    /// What is known of it.
    pub message: Option<&'a Excerpt>,
    /// Its size, where nothing else is known.
    pub size: Option<u64>,
    /// Its file in the archive.
    pub file: Option<&'a str>,
    /// Its UID, where it has one.
    pub uid: Option<u32>,
}

impl Named<'_> {
    /// The archive has nothing of it: the server did not hand it over.
    fn is_only_there(&self) -> bool {
        self.file.is_none() && self.uid.is_some()
    }
}

/// What the columns are called; subjects only where they were asked for.
pub fn columns<'a>(mut messages: impl Iterator<Item = &'a Named<'a>>) -> Vec<&'static str> {
    let mut names = vec!["Date", "From"];
    if messages.any(|named| {
        named
            .message
            .is_some_and(|message| message.subject.is_some())
    }) {
        names.push("Subject");
    }
    names.push("Size");
    names
}

/// The cells of these columns.
pub fn cells(named: &Named<'_>, columns: &[&str]) -> Markup {
    let message = named.message;
    let text = |value: fn(&Excerpt) -> Option<&String>| {
        let value = message.and_then(value);
        value.map(String::as_str).unwrap_or_default()
    };
    let date = text(|message| message.date.as_ref());
    let date = date.replace('T', " ").replace('Z', " UTC");
    let size = message.and_then(|message| message.size).or(named.size);
    html! {
        td { @if date.is_empty() && named.is_only_there() { "not known" } @else { (date) } }
        td.words {
            @let from = text(|message| message.from.as_ref());
            @if from.is_empty() && named.is_only_there() { "not known" } @else { (shown(from)) }
        }
        @if columns.contains(&"Subject") {
            td.words { (shown(text(|message| message.subject.as_ref()))) }
        }
        td.n { @if let Some(size) = size { (bytes(size)) } }
    }
}

/// Where the original lies: its file and its digest, or else the number that the server has for it.
pub fn place(named: &Named<'_>) -> Markup {
    let digest = named.message.and_then(|message| message.sha256.as_deref());
    html! {
        @if let Some(file) = named.file { (shown(file)) }
        @else if let Some(uid) = named.uid { "on the old server only, UID " (uid) }
        @if let Some(digest) = digest { br; small { "SHA-256 " code { (shown(digest)) } } }
    }
}
