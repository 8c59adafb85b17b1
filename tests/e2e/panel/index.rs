//! The configuration that the panel makes.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Output, Program};
use crate::kit::servers::dovecot::Dovecot;
use crate::kit::servers::panel::{Panel, SECRET, STYLES, USER};

/// `--mode index` with these arguments, to the end; no secret may show.
pub(super) fn index(program: &Program, panel: &Panel, arguments: &[&str]) -> Output {
    let fixed = ["--mode", "index", "--imap-host", "mail.example.com"];
    let mut words: Vec<String> = fixed.map(str::to_owned).to_vec();
    words.extend(panel.flags());
    words.extend(arguments.iter().map(|&word| word.to_owned()));
    let output = program.run(words);
    output.hides(SECRET).hides("panel%26secret");
    output
}

pub(super) fn written(program: &Program) -> Value {
    let path = program.path("export.pass.config.json");
    let mode = std::fs::metadata(&path)
        .expect("written")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    serde_json::from_slice(&std::fs::read(path).expect("read")).expect("JSON")
}

fn emails(config: &Value) -> Vec<String> {
    let accounts = config["accounts"].as_array().cloned().unwrap_or_default();
    let email = |account: &Value| account["email"].as_str().unwrap_or_default().to_owned();
    accounts.iter().map(email).collect()
}

#[test]
fn the_panels_mailboxes_become_a_configuration() {
    for style in STYLES {
        let mut panel = Panel::start(&json!({
            "example.com": ["anna", "john.doe", {"name": "gone", "suspended": true}, "Anna"],
            "example.net": [],
            "example.org": ["ben"],
        }));
        panel.set("style", json!(style));
        let program = Program::new();
        let output = index(&program, &panel, &["--all-domains"]);
        output
            .code(0)
            .says("4 accounts of 3 domains")
            .says("4 passwords are blank");
        output
            .says("1 suspended on the panel")
            .says("gone@example.com");
        output
            .says("1 listed more than once")
            .says("Anna@example.com");
        output.says(&format!("the panel's user {USER} is not listed"));
        let config = written(&program);
        assert_eq!(
            emails(&config),
            [
                "anna@example.com",
                "john.doe@example.com",
                "gone@example.com",
                "ben@example.org"
            ],
            "{style}"
        );
        assert_eq!(
            config["server"],
            json!({"host": "mail.example.com", "port": 993, "ssl": true, "starttls": false})
        );
        assert!(
            config["accounts"]
                .as_array()
                .expect("a list")
                .iter()
                .all(|one| one["password"] == "")
        );
        // Any other mode refuses such accounts by name.
        let export = program.export(&[]);
        export
            .code(2)
            .warns("password of account john.doe@example.com is empty");
    }
}

#[test]
fn the_system_mailbox_is_written_and_said() {
    let mut panel = Panel::start(&json!({"example.com": ["anna"]}));
    panel.set("system", json!(true));
    let program = Program::new();
    let output = index(&program, &panel, &["--all-domains"]);
    output
        .code(0)
        .says("system mailbox")
        .says("bob@example.com");
    assert_eq!(
        emails(&written(&program)),
        ["anna@example.com", "bob@example.com"]
    );
}

#[test]
fn a_command_line_of_the_original_indexer_works() {
    let panel = Panel::start(&json!({"example.com": ["anna"]}));
    let program = Program::new();
    program.file("default.key", "of all\n");
    let url = panel.url();
    let output = program.run([
        "--mode",
        "index",
        "--url",
        &url,
        "--username",
        USER,
        "--password",
        SECRET,
        "--no-verify-ssl",
        "--imap-host",
        "old.example.com",
        "--imap-port",
        "1143",
        "--no-imap-ssl",
        "--imap-starttls",
        "--default-password-file",
        "default.key",
        "--out",
        "other.pass.config.json",
        "--overwrite",
        "--domain",
        "EXAMPLE.com",
    ]);
    output
        .code(0)
        .warns("process list")
        .warns("INSECURE")
        .hides(SECRET);
    let bytes = std::fs::read(program.path("other.pass.config.json")).expect("written");
    let config: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(
        config,
        json!({
            "server": {"host": "old.example.com", "port": 1143, "ssl": false, "starttls": true},
            "accounts": [{"email": "anna@example.com", "password": "of all"}],
        })
    );
}

#[test]
fn ports_follow_the_kind_of_tls() {
    let panel = Panel::start(&json!({"example.com": ["anna"]}));
    for (flags, port, ssl, starttls) in [
        (&["--imap-ssl"][..], 993, true, false),
        (&["--no-imap-ssl"], 143, false, false),
        (&["--imap-starttls"], 143, false, true),
        (
            &["--imap-port", "4", "--default-password", "visible one"],
            4,
            true,
            false,
        ),
    ] {
        let program = Program::new();
        let output = index(&program, &panel, &[&["--all-domains"], flags].concat());
        output.code(0).hides("visible one");
        let server = written(&program)["server"].clone();
        assert_eq!(
            (&server["port"], &server["ssl"], &server["starttls"]),
            (&json!(port), &json!(ssl), &json!(starttls))
        );
    }
}

#[test]
fn what_it_writes_exports() {
    let source = Dovecot::simple();
    source.seed("anna@example.com", "INBOX", &realistic(3, 2));
    let panel = Panel::start(&json!({"example.com": ["anna"]}));
    let program = Program::new();
    program.file("default.key", PASSWORD);
    let mut words: Vec<String> = [
        "--mode",
        "index",
        "--imap-host",
        "127.0.0.1",
        "--imap-starttls",
        "--all-domains",
    ]
    .map(str::to_owned)
    .to_vec();
    words.extend(["--imap-port".to_owned(), source.imap_port.to_string()]);
    words.extend([
        "--default-password-file".to_owned(),
        "default.key".to_owned(),
    ]);
    words.extend(panel.flags());
    program.run(words).code(0);
    // The test's own CA is not one that a machine knows.
    let ca_file = source.ca_file.display().to_string();
    let program = program.env("SSL_CERT_FILE", &ca_file);
    program.export(&[]).code(0).says("2");
}

#[test]
fn nothing_is_overwritten_or_half_written() {
    let mut panel = Panel::start(&json!({"a.example": ["anna"], "b.example": ["ben"]}));
    let program = Program::new();
    program.file("export.pass.config.json", "mine");
    index(&program, &panel, &["--all-domains"])
        .code(2)
        .warns("--overwrite");
    assert!(
        panel.asked().is_empty(),
        "it is said before the panel is asked"
    );
    index(&program, &panel, &["--all-domains", "--overwrite"]).code(0);
    assert_eq!(emails(&written(&program)).len(), 2);

    panel.faults(json!([{"on": "list", "times": 1, "do": "fail", "title": "Oops", "reason": "the disk is full"}]));
    let output = index(
        &program,
        &panel,
        &["--all-domains", "--out", "new.pass.config.json"],
    );
    output
        .code(2)
        .warns("the disk is full")
        .warns("nothing is written");
    assert!(!program.path("new.pass.config.json").exists());
    panel.faults(json!([{"on": "list", "times": 1, "do": "fail", "title": "Oops", "reason": "the disk is empty"}]));
    let output = index(
        &program,
        &panel,
        &[
            "--all-domains",
            "--out",
            "new.pass.config.json",
            "--ignore-errors",
        ],
    );
    output
        .code(1)
        .says("the disk is empty")
        .says("1 account of ");
    index(
        &program,
        &panel,
        &["--all-domains", "--out", "no/such.json"],
    )
    .code(2)
    .warns("no directory no");
}

#[test]
fn wrong_words_are_answered() {
    let panel = Panel::start(&json!({"example.com": ["anna"], "example.net": []}));
    let program = Program::new();
    index(&program, &panel, &[])
        .code(2)
        .warns("no terminal")
        .warns("--all-domains");
    assert!(panel.asked().is_empty());
    index(&program, &panel, &["--domain", "elsewhere.org"])
        .code(2)
        .warns("elsewhere.org")
        .warns("example.com, example.net");
    index(&program, &panel, &["--domain", "example.net"])
        .code(2)
        .warns("no mailbox");
    index(&program, &panel, &["--domain", "a.b", "--all-domains"]).code(2);
    index(&program, &panel, &["--config", "x"])
        .code(2)
        .warns("--config does not go with");
    let bare = program.run(["--mode", "index"]);
    bare.code(2)
        .warns("--da-url")
        .warns("--da-username")
        .warns("a password")
        .warns("--imap-host");
    program
        .run(["--mode", "export", "--all-domains"])
        .code(2)
        .warns("does not go with");
}

#[test]
fn a_refused_login_is_one_call() {
    for how in ["401", "page", "redirect", "form"] {
        let mut panel = Panel::start(&json!({"example.com": ["anna"]}));
        panel.set("users", json!({})).set("refusal", json!(how));
        let program = Program::new();
        index(&program, &panel, &["--all-domains"])
            .code(2)
            .warns("login key");
        assert_eq!(panel.asked().len(), 1, "{how}");
    }
}

#[test]
fn names_that_are_none_are_not_left_out_in_silence() {
    let panel = Panel::start(&json!({"example.com": ["anna", "a b"], "no domain": ["ben"]}));
    let program = Program::new();
    index(&program, &panel, &["--all-domains"])
        .code(1)
        .says("2 LEFT OUT")
        .says("\"a b\" of example.com")
        .says("\"no domain\"");
    assert_eq!(emails(&written(&program)), ["anna@example.com"]);
}

#[test]
fn a_panel_without_details_still_lists() {
    let mut panel = Panel::start(&json!({"example.com": ["anna"]}));
    panel.faults(
        json!([{"on": "full_list", "do": "fail", "title": "Unknown", "reason": "no such action"}]),
    );
    let program = Program::new();
    index(&program, &panel, &["--all-domains"])
        .code(0)
        .says("which mailboxes are suspended is not known");
    assert_eq!(emails(&written(&program)), ["anna@example.com"]);
}

#[test]
fn many_domains_of_a_slow_panel() {
    let domains: serde_json::Map<String, Value> = (0..100)
        .map(|n| {
            (
                format!("d{n:03}.example"),
                (0..50).map(|m| json!(format!("box{m}"))).collect(),
            )
        })
        .collect();
    let mut panel = Panel::start(&Value::Object(domains));
    panel.set("delay", json!(0.01));
    let program = Program::new();
    index(&program, &panel, &["--all-domains"])
        .code(0)
        .says("5000 accounts of 100 domains");
    let mut connections: Vec<u64> = panel.asked().iter().map(|asked| asked.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    // Eight at a time; on a busy machine one is sometimes not back yet when the next call wants it.
    assert!(
        connections.len() <= 25,
        "connections are used again: {connections:?}"
    );
}
