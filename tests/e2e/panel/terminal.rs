//! Choosing on a terminal: filter, select, all, confirm, leave.

use serde_json::{Value, json};

use super::index::written;
use crate::kit::run::program::Program;
use crate::kit::run::terminal::on_terminal;
use crate::kit::servers::panel::Panel;

/// Runs `--mode index` with somebody who types these steps. Exit code and all that was shown.
fn choose(program: &Program, panel: &Panel, steps: &Value) -> (Option<i32>, String) {
    let flags = panel.flags();
    let mut words = vec!["--mode", "index", "--imap-host", "mail.example.com"];
    words.extend(flags.iter().map(AsRef::<str>::as_ref));
    on_terminal(program, &words, steps)
}

fn panel() -> Panel {
    Panel::start(&json!({
        "alpha.example": ["a1", "a2"],
        "beta.example": ["b1"],
        "gamma.test": ["c1", "c2", "c3"],
    }))
}

fn domains(program: &Program) -> Vec<String> {
    let config = written(program);
    let accounts = config["accounts"].as_array().expect("a list");
    let domain = |account: &Value| {
        let email = account["email"].as_str().unwrap_or_default();
        email.split('@').nth(1).unwrap_or_default().to_owned()
    };
    let mut domains: Vec<String> = accounts.iter().map(domain).collect();
    domains.dedup();
    domains
}

#[test]
fn one_is_filtered_and_chosen() {
    let program = Program::new();
    let steps = json!([["Which domains?", "gam"], ["gam", " "], ["[x]", "\r"]]);
    let (code, shown) = choose(&program, &panel(), &steps);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(domains(&program), ["gamma.test"], "{shown}");
    assert!(shown.contains("type to filter"), "{shown}");
}

#[test]
fn all_are_chosen_and_one_is_taken_back() {
    let program = Program::new();
    let steps = json!([["Which domains?", "\u{1b}[C"], ["[x]", " "], ["[ ]", "\r"]]);
    let (code, shown) = choose(&program, &panel(), &steps);
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(domains(&program), ["beta.example", "gamma.test"], "{shown}");
}

#[test]
fn counts_appear_as_they_become_known() {
    let program = Program::new();
    let mut panel = panel();
    panel.faults(json!([{"on": "list", "times": 3, "do": "slow", "seconds": 0.5}]));
    // Keys redraw the list.
    let steps = json!([
        ["alpha.example  (…)", ""],
        ["gamma.test  (3)", "\u{1b}", "\u{1b}[B"]
    ]);
    let (code, shown) = choose(&program, &panel, &steps);
    assert_eq!(code, Some(130), "{shown}");
}

#[test]
fn leaving_writes_nothing() {
    for key in ["\u{1b}", "\u{3}"] {
        let program = Program::new();
        let (code, shown) = choose(&program, &panel(), &json!([["Which domains?", key]]));
        assert_eq!(code, Some(130), "{shown}");
        assert!(shown.contains("nothing is written"), "{shown}");
        assert!(!program.path("export.pass.config.json").exists());
    }
}

#[test]
fn choosing_none_is_asked_about() {
    let program = Program::new();
    let steps = json!([["Which domains?", "\r"], ["at least one", "\u{1b}"]]);
    let (code, shown) = choose(&program, &panel(), &steps);
    assert_eq!(code, Some(130), "{shown}");
}
