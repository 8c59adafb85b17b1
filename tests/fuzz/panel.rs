//! What a panel answers.

use imapsync_bulk_migrator::testing::Reply;
use imapsync_bulk_migrator::testing::address;

use crate::fuzz;

const WORDS: [&str; 14] = [
    "list[]=",
    "&",
    "=",
    "error=1",
    "error=0",
    "&#38;",
    "&amp;",
    "%40",
    "%",
    "<html>",
    "{\"",
    "[",
    "&#x110000;",
    "null",
];

#[test]
fn replies() {
    fuzz("panel", &WORDS, |input| {
        let body = String::from_utf8_lossy(input);
        let Ok(reply) = Reply::decode(&body) else {
            return;
        };
        let _ = reply.verdict();
        let _ = reply.names(address::is_local);
        let _ = reply.details();
        let shown = reply.unclear().to_string();
        assert!(shown.len() < 4096, "{} bytes are shown", shown.len());
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
    });
}
