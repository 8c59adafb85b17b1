//! How the program connects and logs in: TLS in every form, passwords of every kind, errors that help.

use std::fs;

use serde_json::{Value, json};

use super::{ANNA, program_for};
use crate::kit::PASSWORD;
use crate::kit::Security;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Program, server_json};
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};
use crate::kit::servers::script::{Script, ScriptServer};
use crate::kit::servers::tls::Shown;

#[test]
fn every_session_ends_in_good_order() {
    for security in [Security::Plain, Security::StartTls, Security::Tls] {
        let server = FakeServer::options()
            .security(security)
            .mailbox(FakeMailbox::new("INBOX").mails(&realistic(40, 3)))
            .start();
        let program = program_for(&server);
        program.export(&[]).code(0);
        let audit = ["--mode", "audit", "--no-connectivity-test", "-q"];
        program.run(audit).code(0);
        crate::kit::wait_until("all sessions to end by close_notify", || {
            server.ended_in_order() == server.connections()
        });
    }
}

#[test]
fn odd_passwords_log_in_by_any_protection() {
    let passwords = [
        "  leading and trailing  ",
        "quotes \" and \\ backslashes \\\"",
        "Grüße, 日本語 €",
        "{5} % * ( ) ] ' ` $HOME #",
        "beyond \u{1f4a9}",
    ];
    let accounts: Vec<(String, String)> = (0..)
        .zip(passwords)
        .map(|(number, password)| (format!("user{number}@example.com"), password.to_owned()))
        .collect();
    let dovecot = Dovecot::start(DovecotOptions {
        accounts,
        ..DovecotOptions::default()
    });
    for endpoint in [dovecot.plain(), dovecot.starttls(), dovecot.imaps()] {
        let program = Program::new();
        program.config(&endpoint, &dovecot.accounts());
        let output = program.export(&["-v", "-v"]);
        output.code(0);
        for password in passwords {
            output.hides(password);
        }
    }
}

#[test]
fn every_source_of_a_password_and_a_master_user_work() {
    let dovecot = Dovecot::start(DovecotOptions {
        master: Some(("master".to_owned(), "pass key".to_owned())),
        ..DovecotOptions::of(&[
            ("file@example.com", "from file "),
            ("env@example.com", "from env"),
            ("command@example.com", "from command"),
            ("too@example.com", "from command"),
            ("other@example.com", "never told"),
        ])
    });
    let program = Program::new().env("MAIL_PASSWORD", "from env");
    program.file("password.txt", "from file \n");
    program.file(
        "password.sh",
        "echo >> asked; printf '%s\\n' 'from command'",
    );
    program.config_json(&json!({
        "server": server_json(&dovecot.imaps()),
        "accounts": [
            {"email": "file@example.com", "password_file": "password.txt"},
            {"email": "env@example.com", "password_env": "MAIL_PASSWORD"},
            {"email": "command@example.com", "password_command": "sh password.sh"},
            {"email": "too@example.com", "password_command": "sh password.sh"},
            {"email": "other@example.com", "login": "other@example.com*master", "password": "pass key"},
        ],
    }));
    // With the test before it, for two accounts.
    program
        .run(["--mode", "export", "--imapsync", "never"])
        .code(0);
    let asked = fs::read_to_string(program.path("asked")).expect("the command was run");
    assert_eq!(asked.lines().count(), 1, "once a run");
    assert_eq!(
        program.archive("other@example.com").state()["user"],
        "other@example.com*master"
    );

    // The template keeps the sources and asks for a host.
    let template = fs::read_to_string(program.path("import.pass.config.json")).expect("a template");
    let template: Value = serde_json::from_str(&template).expect("JSON");
    assert_eq!(template["server"]["host"], "CHANGE_ME.example.com");
    let accounts = template["accounts"].as_array().expect("accounts");
    assert_eq!(accounts.len(), 5);
    assert_eq!(accounts[1]["password_env"], "MAIL_PASSWORD");
    assert_eq!(accounts[4]["login"], "other@example.com*master");
    // It is the administrator's from then on.
    program.file("import.pass.config.json", "mine");
    program.export(&[]).code(0);
    let kept = fs::read_to_string(program.path("import.pass.config.json"));
    assert_eq!(kept.ok().as_deref(), Some("mine"));
}

#[test]
fn login_disabled_means_authenticate_plain() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LOGINDISABLED AUTH=PLAIN")
        .accounts(&[(ANNA, "tab\tand \u{1f4a9}")])
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(80, 2)))
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, "tab\tand \u{1f4a9}")]);
    program.export(&[]).code(0).hides("\u{1f4a9}");
    assert_eq!(server.commands_named("LOGIN"), [""; 0]);

    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LOGINDISABLED")
        .start();
    let program = super::program_for(&server);
    program
        .export(&[])
        .code(1)
        .says("LOGIN")
        .says("starttls")
        .hides(PASSWORD);
    assert_eq!(server.commands_named("LOGIN"), [""; 0]);
}

#[test]
fn a_server_that_offers_sasl_login_alone_is_entered() {
    let odd = "hush \u{1f4a9} not to be seen";
    let mut options = DovecotOptions::of(&[(ANNA, odd)]);
    options.extra_config = "auth_mechanisms = login\n".to_owned();
    let dovecot = Dovecot::start(options);
    dovecot.seed(ANNA, "INBOX", &realistic(81, 2));
    let program = Program::new();
    program.config(&dovecot.imaps(), &[(ANNA, odd)]);
    program.export(&[]).code(0).hides(odd);
    assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 2);
}

#[test]
fn who_asks_for_login_gets_sasl_login_where_it_is_offered() {
    for (mechanisms, is_offered) in [("login plain", true), ("plain", false)] {
        let mut options = DovecotOptions::of(&[(ANNA, PASSWORD)]);
        options.extra_config = format!("auth_mechanisms = {mechanisms}\n");
        let dovecot = Dovecot::start(options);
        let program = Program::new();
        let mut server = server_json(&dovecot.imaps());
        server["auth"] = json!({"mechanism": "login"});
        program.config_json(
            &json!({"server": server, "accounts": [{"email": ANNA, "password": PASSWORD}]}),
        );
        let output = program.export(&["-v", "-v"]);
        output.code(0).hides(PASSWORD);
        let is_sasl = output.stderr.contains("AUTHENTICATE LOGIN");
        assert_eq!(is_sasl, is_offered, "{}", output.describe());
    }
}

#[test]
fn a_goodbye_that_speaks_of_the_login_is_a_refusal_and_one_of_connections_is_not() {
    for (said, tries) in [
        ("* BYE Login failed, wrong user or password\r\n", 1),
        ("* BYE Authentication failed, closing connection\r\n", 1),
        ("* BYE [AUTHENTICATIONFAILED] no\r\n", 1),
        ("* BYE Too many failed logins from your address\r\n", 1),
        ("* BYE Temporary authentication failure, try again\r\n", 2),
        ("* BYE Too many connections from your address\r\n", 2),
        ("* BYE going down\r\n", 2),
    ] {
        let server = FakeServer::options()
            .mailbox(FakeMailbox::new("INBOX"))
            .on_command(move |command| {
                let first = command.name == "LOGIN" && command.connection == 0;
                first.then(|| Reply::Close(said.as_bytes().to_vec()))
            })
            .start();
        let program = program_for(&server);
        let output = program.export(&[]);
        output.code(i32::from(tries == 1));
        assert_eq!(server.connections(), tries, "{said}: {}", output.describe());
    }
}

#[test]
fn a_server_that_offers_nothing_that_is_spoken_is_told_as_such() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1 LOGINDISABLED AUTH=CRAM-MD5")
        .start();
    let program = super::program_for(&server);
    let tested = program.run(["--mode", "test", "--imapsync", "never"]);
    tested.code(1).says("no password was sent");
    for guess in ["password is wrong", "correct the passwords"] {
        assert!(!tested.stdout.contains(guess), "{}", tested.stdout);
    }
    assert_eq!(server.commands_named("AUTHENTICATE"), [""; 0]);
}

#[test]
fn a_wrong_password_is_told_in_the_servers_words_and_tried_once() {
    let server = FakeServer::options().accounts(&[(ANNA, "right")]).start();
    let program = super::program_for(&server);
    program
        .export(&[])
        .code(1)
        .says(ANNA)
        .says("wrong user or password")
        .hides(PASSWORD);
    assert_eq!(server.connections(), 1);

    let dovecot = Dovecot::simple();
    let program = Program::new();
    program.config(&dovecot.imaps(), &[(ANNA, "not this one")]);
    program
        .export(&[])
        .code(1)
        .says("AUTHENTICATIONFAILED")
        .hides("not this one");
}

#[test]
fn a_password_that_the_server_repeats_is_not_repeated_by_us() {
    let server = FakeServer::options()
        .on_command(|command| {
            let login = command.name == "LOGIN";
            login.then(|| Reply::tagged("NO bad password \"hunter2hunter2\" for anna"))
        })
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &[(ANNA, "hunter2hunter2")]);
    program
        .export(&["-v", "-v", "--report", "report.json"])
        .code(1)
        .hides("hunter2hunter2");
}

#[test]
fn certificates_that_prove_nothing_are_refused() {
    for (shown, word) in [
        (Shown::Untrusted, "certificate"),
        (Shown::WrongName, "hostname"),
    ] {
        let dovecot = Dovecot::start(DovecotOptions {
            certificate: shown,
            ..DovecotOptions::default()
        });
        for endpoint in [dovecot.imaps(), dovecot.starttls()] {
            let program = Program::new();
            program.config(&endpoint, &dovecot.accounts());
            let output = program.export(&[]);
            output.code(1).hides(PASSWORD);
            let said = output.stdout.to_lowercase();
            assert!(
                said.contains(word) || said.contains("certificate"),
                "{}",
                output.describe()
            );
            assert!(!dovecot.log().contains("Login:"), "{}", dovecot.log());
        }
        let mut server = server_json(&dovecot.imaps());
        server["insecure_tls"] = json!(true);
        let program = Program::new();
        program.config_json(&json!({
            "server": server, "accounts": [{"email": ANNA, "password": PASSWORD}],
        }));
        program
            .export(&[])
            .code(0)
            .warns("insecure_tls")
            .says("insecure_tls");
    }
    // Without the CA nobody vouches for the server.
    let dovecot = Dovecot::simple();
    let mut endpoint = dovecot.imaps();
    endpoint.ca_file = None;
    let program = Program::new();
    program.config(&endpoint, &dovecot.accounts());
    program.export(&[]).code(1).says("server.ca_file");
}

#[test]
fn a_ca_file_that_is_none_ends_the_run_before_it_begins() {
    let dovecot = Dovecot::simple();
    let mut endpoint = dovecot.imaps();
    let program = Program::new();
    endpoint.ca_file = Some(program.path("ca.pem"));
    program.config(&endpoint, &dovecot.accounts());
    program.export(&[]).code(2).warns("ca.pem");
    program.file("ca.pem", "no certificate");
    program.export(&[]).code(2).warns("no PEM certificate");
}

#[test]
fn starttls_is_refused_where_it_is_not_offered_and_never_skipped() {
    let server = FakeServer::options().start();
    let mut endpoint = server.endpoint();
    endpoint.security = Security::StartTls;
    let program = Program::new();
    program.config(&endpoint, &[(ANNA, PASSWORD)]);
    program.export(&[]).code(1).says("does not offer STARTTLS");
    assert_eq!(server.commands_named("LOGIN"), [""; 0]);

    let script = Script::new()
        .send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
        .expect("* STARTTLS")
        .send("{tag} NO TLS is broken today\r\n");
    let server = ScriptServer::start(vec![script]);
    let program = Program::new();
    program.config(&server.endpoint(Security::StartTls), &[(ANNA, PASSWORD)]);
    program.export(&[]).code(1).says("TLS is broken today");
}

#[test]
fn what_is_sent_in_plain_text_behind_starttls_is_not_believed() {
    let script = Script::new()
        .send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n")
        .expect("* STARTTLS")
        .send("{tag} OK begin\r\n* CAPABILITY IMAP4rev1 INJECTED LOGINDISABLED\r\n")
        .start_tls()
        .expect("* CAPABILITY")
        .send("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")
        .expect("* LOGIN *")
        .send("{tag} NO [AUTHENTICATIONFAILED] enough seen\r\n");
    let server = ScriptServer::start(vec![script]);
    let program = Program::new();
    program.config(&server.endpoint(Security::StartTls), &[(ANNA, PASSWORD)]);
    program.export(&[]).code(1).says("enough seen");
}

#[test]
fn peers_that_are_no_imap_servers_are_named() {
    for (greeting, said) in [
        ("* BYE come back never\r\n", "come back never"),
        ("* PREAUTH hello\r\n", "PREAUTH"),
        ("220 smtp.example.com ESMTP\r\n", "220 smtp.example.com"),
    ] {
        let server = ScriptServer::start(vec![Script::new().send(greeting)]);
        let program = Program::new();
        program.config(&server.endpoint(Security::Plain), &[(ANNA, PASSWORD)]);
        program.export(&["--imap-timeout", "2"]).code(1).says(said);
    }
}

#[test]
fn a_host_that_is_not_there_is_named() {
    let program = Program::new();
    program.config_json(&json!({
        "server": {"host": "no-such-host.invalid", "port": 993, "ssl": true, "starttls": false},
        "accounts": [{"email": ANNA, "password": PASSWORD}],
    }));
    program
        .export(&["--imap-timeout", "2"])
        .code(1)
        .says("no-such-host.invalid")
        .hides(PASSWORD);
}

#[test]
fn an_untagged_refusal_of_a_login_is_a_refusal_and_not_tried_again() {
    let server = FakeServer::options()
        .mailbox(FakeMailbox::new("INBOX"))
        .on_command(|command| {
            let refused = Reply::Close(b"* NO wrong user or password\r\n".to_vec());
            (command.name == "LOGIN").then_some(refused)
        })
        .start();
    let program = program_for(&server);
    let output = program.export(&[]);
    output.code(1).says("wrong user or password");
    assert_eq!(server.connections(), 1, "{}", server.transcript());
}
