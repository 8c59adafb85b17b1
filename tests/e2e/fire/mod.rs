//! Under fire: faults by the hundred, at chosen places or at random, servers of all kinds, and what must hold afterwards.
//!
//! `tests/run` goes through a part of them that differs from place to place but not from run to run;
//! `tests/run --long` goes through all. Nothing but the number differs.

mod crash;
mod cut;
mod disk;
mod hostile;
mod limits;
mod pairs;
mod scale;
mod scene;
mod shapes;

use crate::kit::is_long;
use crate::kit::run::reader::{HeldMailbox, HeldMessage};

/// The user of a default Dovecot and of the fake server.
const ANNA: &str = "anna@example.com";

/// The one in the short form, the other in the long one.
fn effort<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// One message as whoever counts sees it.
type Print = (String, Vec<String>, String);

/// What an account holds, in an order that does not depend on UIDs.
fn contents(mailboxes: &[HeldMailbox]) -> Vec<(String, Print)> {
    let print = |held: &HeldMessage| {
        let digest = held.sha256.clone().unwrap_or_default();
        (digest, held.flags.clone(), held.internaldate.clone())
    };
    let mut all: Vec<_> = mailboxes
        .iter()
        .filter(|mailbox| mailbox.selectable)
        .flat_map(|mailbox| {
            let prints = mailbox.messages.iter().map(print);
            prints.map(|print| (mailbox.name.clone(), print))
        })
        .collect();
    all.sort();
    all
}

/// The same messages as often in the same mailboxes.
#[track_caller]
fn assert_same(held: &[(String, Print)], truth: &[(String, Print)]) {
    let differs = held
        .iter()
        .zip(truth)
        .find(|(held, expected)| held != expected);
    assert!(
        held == truth,
        "the target holds {} messages, not {}; first difference: {differs:#?}",
        held.len(),
        truth.len()
    );
}
