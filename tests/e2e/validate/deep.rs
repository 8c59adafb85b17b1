//! Bodies read back and compared.

use super::{imported, mails};
use crate::kit::mail::hostile;
use crate::kit::run::findings::findings;

fn text(number: usize) -> String {
    String::from_utf8(mails()[number].bytes.clone()).expect("text")
}

#[test]
fn all_messages_are_identical_after_an_import() {
    let scene = imported();
    scene
        .validate(&["--deep"], 0, &[])
        .says("7 of them were read back and compared with the archive by SHA-256: 7 are identical");
    let compared = scene.compared("compared");
    assert_eq!(
        (&compared["read_back"], &compared["identical"]),
        (&7.into(), &7.into())
    );
}

#[test]
fn an_altered_body_is_found_by_reading_it_back_only() {
    let scene = imported();
    let altered = text(1).replace("This is about", "That is about");
    assert_eq!(altered.len(), text(1).len());
    scene.replace(1, altered.into_bytes());
    scene.validate(&[], 0, &[]);
    scene.validate(&["--deep"], 1, &["error content-differs"]);
    assert_eq!(findings(&scene.program)[0]["uid"], 2);
    assert!(
        findings(&scene.program)[0]["text"]
            .as_str()
            .expect("text")
            .contains("body differs")
    );
}

#[test]
fn another_size_is_worth_a_look_and_servers_habits_are_named() {
    let scene = imported();
    let rewritten = text(1)
        .replace("Date:", "X-Seen: 1\r\nDate:")
        .replace("To: bob", "To:\r\n bob");
    scene.replace(1, rewritten.into_bytes());
    scene.validate(&[], 1, &["warning size-differs"]);
    let output = scene.validate(&["--deep"], 0, &["note rewritten"]);
    output.says("header added: x-seen; header re-folded");
    let compared = scene.compared("compared");
    assert_eq!(
        (&compared["header_added"], &compared["header_refolded"]),
        (&1.into(), &1.into())
    );
    scene.replace(1, format!("{}\r\n", text(1)).into_bytes());
    scene
        .validate(&["--deep"], 0, &["note rewritten"])
        .says("final line end");
}

#[test]
fn a_sample_is_the_same_each_time_and_about_as_large_as_asked() {
    let scene = imported();
    scene.validate(&["--deep", "--sample", "50"], 0, &[]);
    let first = scene.compared("compared")["read_back"].clone();
    scene.validate(&["--deep", "--sample", "50"], 0, &[]);
    assert_eq!(scene.compared("compared")["read_back"], first);
    let read = first.as_u64().expect("a number");
    assert!((1..7).contains(&read), "{read} of 7");
    scene.validate(&["--deep", "--sample", "100"], 0, &[]);
    assert_eq!(scene.compared("compared")["read_back"], 7);
}

#[test]
fn hostile_mail_comes_through_or_differs_as_is_said() {
    let scene = imported();
    scene.reader().create("Odd");
    for mail in hostile() {
        // What the server itself refuses is not under test.
        drop(scene.reader().try_append("Odd", &[mail]));
    }
    let source = scene.dovecot.imaps();
    scene.program.config(&source, &scene.dovecot.accounts());
    scene.program.export(&["--output-dir", "odd"]).code(0);
    scene.validate(&["--deep", "--input-dir", "odd"], 0, &[]);
}
