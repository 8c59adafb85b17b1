//! Lists of accounts in CSV: as the JSON's keys, and as commercial services have them; one list for a whole move.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::assert_hidden;
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::archive::assert_archive_equals_server;
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const ANNA: &str = "anna@example.com";
/// Anna where she moves to, and her password there.
const NEW: (&str, &str) = ("anna@new.example", "another-password");
const EXPORT: [&str; 4] = ["--mode", "export", "--imapsync", "never"];

#[test]
fn lists_of_every_spelling_are_read() {
    let dovecot = Dovecot::start(DovecotOptions::of(&[
        (ANNA, PASSWORD),
        ("ben@example.com", "with \"quote\"; and, more "),
    ]));
    dovecot.seed(ANNA, "INBOX", &realistic(1, 2));
    let quoted = "\"with \"\"quote\"\"; and, more \"";
    let lists = [
        format!("email,password\n{ANNA},{PASSWORD}\nben@example.com,{quoted}\n"),
        format!(
            "\u{feff}Source Email;Source Password\r\n{ANNA};{PASSWORD}\r\n\r\nben@example.com;{quoted}"
        ),
        format!("sep=;\r\nEmail;Password\r\n{ANNA};{PASSWORD}\r\nben@example.com;{quoted}\r\n"),
        format!(
            "First Name\tE-Mail\tLogin Name\tPassword\nAnna\t{ANNA}\t\t{PASSWORD}\nBen\tben@example.com\tben@example.com\t{quoted}\n"
        ),
    ];
    for list in lists {
        let program = Program::new();
        program.file("accounts.csv", &list);
        let server = server_json(&dovecot.imaps());
        program.config_json(&json!({"server": server, "accounts_file": "accounts.csv"}));
        let output = program.run(EXPORT);
        output.code(0);
        assert_hidden(&program, &output, PASSWORD);
        assert_eq!(
            output.stderr.contains("First Name"),
            list.contains("First Name")
        );
        let held = Reader::new(&dovecot.imaps(), ANNA, PASSWORD).mailboxes();
        assert_archive_equals_server(&program.archive(ANNA), &held);
        assert!(program.path("exported/ben@example.com").is_dir());
    }
}

#[test]
fn every_problem_is_told_with_line_and_column_together_with_those_of_the_json() {
    let program = Program::new();
    program.file(
        "accounts.csv",
        &format!(
            "email,password,server\n{ANNA},{PASSWORD},\n{ANNA},{PASSWORD},\nben@example.com,,\n\
             carl@example.com,{PASSWORD},nowhere\ndora@example.com,{PASSWORD}\n"
        ),
    );
    program.config_json(&json!({
        "server": {"host": "h", "port": 0},
        "accounts_file": "accounts.csv",
    }));
    let output = program.run(EXPORT);
    assert_hidden(&program, &output, PASSWORD);
    output
        .code(2)
        .warns("has 5 problems")
        .warns("server.port: ")
        .warns("accounts.csv line 3, column 1 (email): anna@example.com is the same account as accounts.csv line 2")
        .warns("accounts.csv line 4, column 2 (password): account ben@example.com has no password")
        .warns("accounts.csv line 5, column 3 (server): there is no server nowhere")
        .warns("accounts.csv line 6: has 2 fields, and line 1 has 3");
}

#[test]
fn no_account_of_a_broken_list_is_lost_in_silence() {
    for (list, said) in [
        (
            format!("email,password\n{ANNA},\"{PASSWORD}\nben@example.com,{PASSWORD}\n"),
            "accounts.csv line 2, column 2 (password): holds a line break; is a double quote not closed?",
        ),
        (
            "email,password\n\n".to_owned(),
            "has no line with an account",
        ),
        ("\n".to_owned(), "accounts.csv is empty"),
    ] {
        let program = Program::new();
        program.file("accounts.csv", &list);
        program.config_json(&json!({"server": {"host": "h"}, "accounts_file": "accounts.csv"}));
        let output = program.run(EXPORT);
        assert_hidden(&program, &output, PASSWORD);
        output.code(2).warns(said);
    }
    let program = Program::new();
    let utf16 = "\u{feff}email,password\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes);
    fs::write(program.path("accounts.csv"), utf16.collect::<Vec<u8>>()).expect("written");
    program.config_json(&json!({"server": {"host": "h"}, "accounts_file": "accounts.csv"}));
    program
        .run(EXPORT)
        .code(2)
        .warns("UTF-16; save it as UTF-8");
}

#[test]
fn a_list_without_its_first_line_does_not_show_the_password_that_stands_there() {
    let program = Program::new();
    program.file(
        "accounts.csv",
        &format!("{ANNA},{PASSWORD}\nben@example.com,other\n"),
    );
    program.config_json(&json!({
        "server": {"host": "imap.example.com"},
        "accounts_file": "accounts.csv",
    }));
    let output = program.run(EXPORT.iter().chain(&["--report", "report.json"]));
    output
        .code(2)
        .warns("accounts.csv line 1: no column is called email");
    assert_hidden(&program, &output, PASSWORD);
}

#[test]
fn one_list_serves_the_whole_move() {
    let a = Dovecot::simple();
    a.seed(ANNA, "INBOX", &realistic(7, 5));
    let b = Dovecot::start(DovecotOptions::of(&[NEW]));
    let program = Program::new();
    program.file(
        "accounts.csv",
        &format!(
            "Source Email,Source Password,Destination Email,Destination Password,target_server\n\
             {ANNA},{PASSWORD},{},{},new\n",
            NEW.0, NEW.1
        ),
    );
    program
        .config_json(&json!({"server": server_json(&a.imaps()), "accounts_file": "accounts.csv"}));
    let target =
        json!({"servers": {"new": server_json(&b.imaps())}, "accounts_file": "accounts.csv"});
    program.file("import.pass.config.json", &target.to_string());
    program.run(EXPORT).code(0);
    let output = program.run(["--mode", "import", "--imapsync", "never"]);
    output.code(0);
    assert_hidden(&program, &output, NEW.1);
    program
        .run(["--mode", "validate", "--deep", "--imapsync", "never"])
        .code(0);
    let there = Reader::new(&b.imaps(), NEW.0, NEW.1);
    assert_eq!(there.mailbox("INBOX").messages.len(), 5);
}

#[test]
fn one_configuration_with_both_sides_migrates() {
    let a = Dovecot::simple();
    a.seed(ANNA, "INBOX", &realistic(17, 4));
    let b = Dovecot::start(DovecotOptions::of(&[NEW]));
    let program = Program::new();
    program.file(
        "accounts.csv",
        &format!(
            "email,password,server,target_email,target_password,target_server\n\
             {ANNA},{PASSWORD},old,{},{},new\n",
            NEW.0, NEW.1
        ),
    );
    program.config_json(&json!({
        "servers": {"old": server_json(&a.imaps()), "new": server_json(&b.imaps())},
        "accounts_file": "accounts.csv",
    }));
    let migrate = ["--mode", "migrate", "--imapsync", "never"];
    for _ in 0..2 {
        let output = program.run(EXPORT);
        output.code(0);
        let output = program.run(migrate);
        output.code(0);
        assert_hidden(&program, &output, NEW.1);
        assert!(
            !program.path("import.pass.config.json").exists(),
            "it says all itself"
        );
    }
    let there = Reader::new(&b.imaps(), NEW.0, NEW.1);
    assert_eq!(there.mailbox("INBOX").messages.len(), 4);
}

#[test]
fn the_import_template_keeps_what_carries_over_and_nothing_that_is_the_sources_alone() {
    let a = Dovecot::start(DovecotOptions {
        master: Some(("master".to_owned(), "of-the-master-alone".to_owned())),
        ..DovecotOptions::of(&[
            (ANNA, PASSWORD),
            ("ben@example.com", PASSWORD),
            ("carl@example.com", PASSWORD),
        ])
    });
    let b = Dovecot::start(DovecotOptions::of(&[
        ("anna.new@example.com", PASSWORD),
        ("ben@example.com", PASSWORD),
        ("carl@example.com", "carls-new-password"),
    ]));
    a.seed(ANNA, "INBOX", &realistic(18, 2));
    let program = Program::new();
    program.keep_secrets(["of-the-master-alone"]);
    let master = json!({"login": "{email}*master", "password": "of-the-master-alone"});
    program.config_json(&json!({
        "servers": {"old": server_json(&a.imaps())},
        "accounts": [
            {"email": ANNA, "archive": "anna", "server": "old", "auth": {"password": PASSWORD, "mechanism": "plain"},
             "target_email": "anna.new@example.com", "target_server": "new"},
            {"email": "ben@example.com", "server": "old", "password": PASSWORD},
            {"email": "carl@example.com", "server": "old", "auth": master, "target_password": "carls-new-password"},
        ],
        "folder_map": {"A": "B"},
        "imapsync": "never",
    }));
    program.run(["--mode", "export"]).code(0);
    let template = fs::read_to_string(program.path("import.pass.config.json")).expect("a template");
    assert!(!template.contains("of-the-master-alone"));
    let mut template: Value = serde_json::from_str(&template).expect("JSON");
    let named = json!("CHANGE_ME.example.com");
    assert_eq!(
        (
            &template["server"]["host"],
            &template["servers"]["new"]["host"]
        ),
        (&named, &named)
    );
    template["server"] = server_json(&b.imaps());
    template["servers"]["new"] = server_json(&b.imaps());
    program.file("import.pass.config.json", &template.to_string());
    program.run(["--mode", "import"]).code(0);
    let there = Reader::new(&b.imaps(), "anna.new@example.com", PASSWORD);
    assert_eq!(there.mailbox("INBOX").messages.len(), 2);
}

#[test]
fn a_list_that_others_can_read_is_warned_about_and_the_template_names_it_too() {
    let dovecot = Dovecot::simple();
    let program = Program::new();
    program.file(
        "accounts.csv",
        &format!("email,password\n{ANNA},{PASSWORD}\n"),
    );
    let open = fs::Permissions::from_mode(0o644);
    fs::set_permissions(program.path("accounts.csv"), open).expect("its mode");
    let server = server_json(&dovecot.imaps());
    program.config_json(
        &json!({"server": server, "accounts_file": "accounts.csv", "folder_map": {"A": "B"}}),
    );
    program
        .run(EXPORT)
        .code(0)
        .warns("the list of accounts accounts.csv can be read by others");
    let template = fs::read_to_string(program.path("import.pass.config.json")).expect("a template");
    let template: Value = serde_json::from_str(&template).expect("JSON");
    assert_eq!(template["accounts_file"], "accounts.csv");
    assert_eq!(template["folder_map"]["A"], "B");
}

#[test]
fn a_list_instead_of_a_configuration_is_told_what_to_write() {
    let program = Program::new();
    for list in [
        format!("email,password\n{ANNA},{PASSWORD}\n"),
        format!("{ANNA};{PASSWORD}\n"),
    ] {
        program.file("accounts.csv", &list);
        let output = program.run(EXPORT.iter().chain(&["--config", "accounts.csv"]));
        assert_hidden(&program, &output, PASSWORD);
        output
            .code(2)
            .warns("accounts.csv is a list of accounts, and no configuration")
            .warns("\"accounts_file\": \"accounts.csv\"");
    }
}
