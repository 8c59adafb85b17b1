//! A password that a server repeats stays inside, in whatever step and spelling.

use super::{ANNA, loud, server};
use crate::kit::run::program::Program;
use crate::kit::servers::codec::base64;
use crate::kit::servers::fake::{FakeServer, Reply};
use crate::kit::servers::wire::Received;

const ODD: &str = "s3cr\"et\\W0rd";

/// Exports from a server that answers so; no spelling of the password may be anywhere.
fn hides_what_is_repeated(capabilities: &str, hook: fn(&Received) -> Option<Reply>) {
    let server: FakeServer = server()
        .accounts(&[(ANNA, ODD)])
        .capabilities(capabilities)
        .on_command(hook)
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, ODD)]);
    let output = program.run(loud());
    let quoted = ODD.replace('\\', "\\\\").replace('"', "\\\"");
    let inside = |text: &str| {
        let json = serde_json::to_string(text).expect("JSON");
        json[1..json.len() - 1].to_owned()
    };
    let plain = base64(format!("\0{ANNA}\0{ODD}").as_bytes());
    for spelling in [
        ODD.to_owned(),
        inside(ODD),
        quoted.clone(),
        inside(&quoted),
        base64(ODD.as_bytes()),
        plain,
    ] {
        output.hides(&spelling);
    }
    assert!(output.stderr.contains("[secret]") || super::log_of(&program).contains("[secret]"));
}

fn on(command: &Received, name: &str, reply: &str) -> Option<Reply> {
    let line = reply.replace("{line}", &command.text()).into_bytes();
    (command.name == name).then_some(Reply::Raw(line))
}

#[test]
fn a_refusal_that_quotes_the_login_does_not_show_it() {
    hides_what_is_repeated("IMAP4rev1", |command| {
        on(
            command,
            "LOGIN",
            "{tag} NO [AUTHENTICATIONFAILED] cannot: {line}\r\n",
        )
    });
}

#[test]
fn an_alert_with_the_password_does_not_show_it() {
    hides_what_is_repeated("IMAP4rev1", |command| {
        let alert = format!("* OK [ALERT] your password {ODD} is weak\r\n");
        (command.name == "LOGIN").then(|| Reply::Before(alert.into_bytes()))
    });
}

#[test]
fn a_line_that_is_no_imap_does_not_show_it() {
    hides_what_is_repeated("IMAP4rev1", |command| {
        on(
            command,
            "LOGIN",
            "{tag} {line}\r\n* {line}\r\n{tag} OK in\r\n",
        )
    });
}

#[test]
fn a_later_refusal_does_not_show_it() {
    hides_what_is_repeated("IMAP4rev1", |command| {
        let plain = base64(format!("\0{ANNA}\0{ODD}").as_bytes());
        let answer = format!("{{tag}} NO you are {ODD} or {plain}\r\n");
        on(command, "EXAMINE", &answer)
    });
}

#[test]
fn a_program_does_not_get_the_secrets_of_others() {
    let server = server().start();
    let program = Program::new()
        .env("BEN_PASSWORD", "not for anna")
        .env("PLAIN", "stays");
    program.file("tell.sh", "env >environment; printf wrong");
    let login =
        |email: &str, source: (&str, &str)| serde_json::json!({"email": email, source.0: source.1});
    program.config_json(&serde_json::json!({
        "server": crate::kit::run::program::server_json(&server.endpoint()),
        "accounts": [
            login(ANNA, ("password_command", "sh tell.sh")),
            login("ben@example.com", ("password_env", "BEN_PASSWORD")),
        ],
    }));
    program.export(&[]).code(0);
    let environment = std::fs::read_to_string(program.path("environment")).expect("noted");
    assert!(environment.contains("PLAIN=stays"), "{environment}");
    assert!(!environment.contains("not for anna"), "{environment}");
}
