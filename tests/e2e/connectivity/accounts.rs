//! Every step of a connection is told; a failure names its step, the server's words and the likely cause.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use super::{ANNA, log, program_for, report, test};
use crate::kit::PASSWORD;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Output, Program};
use crate::kit::run::python;
use crate::kit::run::tempdir::names;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions, storage_quota};
use crate::kit::servers::fake::{FakeMailbox, FakeServer, Reply};
use crate::kit::servers::listener::Listener;
use crate::kit::servers::script::{Script, ScriptServer};
use crate::kit::servers::tls::Shown;
use crate::kit::{Endpoint, Security};

fn steps(account: &Value) -> Vec<&str> {
    let steps = account["tested"]["steps"].as_array().expect("steps");
    steps
        .iter()
        .map(|step| {
            assert!(step["milliseconds"].is_u64(), "{step}");
            step["step"].as_str().expect("a name")
        })
        .collect()
}

/// The test fails in this step, and says all of this.
#[track_caller]
fn fails(program: &Program, step: &str, says: &[&str]) -> Output {
    let output = test(program, &[]);
    output.code(1).says(ANNA).hides(PASSWORD);
    let account = &report(program)["accounts"][0];
    assert_eq!(account["tested"]["failed_step"], step, "{account:#}");
    let error = account["error"].as_str().expect("an error");
    for text in says {
        assert!(error.contains(text), "{text:?} is missing in {error:?}");
        output.says(text);
    }
    output
}

#[test]
fn every_step_is_timed_and_tls_is_described() {
    let dovecot = Dovecot::start(DovecotOptions {
        extra_config: storage_quota("1M"),
        special_use: true,
        ..DovecotOptions::of(&[(ANNA, PASSWORD), ("ben@example.com", PASSWORD)])
    });
    for (endpoint, order) in [
        (
            dovecot.imaps(),
            &["resolve", "connect", "tls", "greeting", "login"][..],
        ),
        (
            dovecot.starttls(),
            &["resolve", "connect", "greeting", "tls", "login"],
        ),
        (
            dovecot.plain(),
            &["resolve", "connect", "greeting", "login"],
        ),
    ] {
        let program = Program::new();
        program.config(&endpoint, &dovecot.accounts());
        let output = test(&program, &["-v"]);
        output.code(0).says("test complete: 2 accounts");
        output.hides(PASSWORD);
        for account in report(&program)["accounts"].as_array().expect("accounts") {
            let made = steps(account);
            assert_eq!(made[..order.len()], *order);
            assert_eq!(made.last(), Some(&"inbox"));
            assert_eq!(account["status"], "complete");
            assert_eq!(account["tested"]["quota_limit_kib"], 1024);
            assert_eq!(account["tested"]["quota_used_kib"], 0);
            let tls = account["tested"]["tls"].as_str();
            assert_eq!(tls.is_some(), endpoint.security != Security::Plain);
            if let Some(tls) = tls {
                assert!(tls.starts_with("TLS: TLSv1."), "{tls}");
                assert!(tls.contains("CN=") && tls.contains("expires in "), "{tls}");
                output.says(tls);
            }
        }
        output.says("1.00 MiB").says("       6");
        // Nothing but the log and what was asked for.
        let files = ["export.pass.config.json", "logs", "report.json"];
        assert_eq!(names(&program.dir()), files);
        assert!(log(&program).contains(ANNA));
    }
}

#[test]
fn a_name_that_does_not_resolve_is_told() {
    let program = Program::new();
    let server = Endpoint {
        host: "no-such-host.invalid".to_owned(),
        ..Endpoint::plain(143)
    };
    program.config(&server, &[(ANNA, PASSWORD)]);
    fails(&program, "resolve", &["no-such-host.invalid", "resolve: "]);
}

#[test]
fn a_closed_port_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let program = Program::new();
    program.config(&Endpoint::plain(port), &[(ANNA, PASSWORD)]);
    let port = port.to_string();
    fails(
        &program,
        "connect",
        &[&port, "refused", "likely cause: the port is closed"],
    );
}

#[test]
fn certificates_that_prove_nothing_are_told() {
    let dovecot = Dovecot::start(DovecotOptions {
        certificate: Shown::WrongName,
        ..DovecotOptions::default()
    });
    for endpoint in [dovecot.imaps(), dovecot.starttls()] {
        let program = Program::new();
        program.config(&endpoint, &dovecot.accounts());
        let cause = "likely cause: the certificate is for another name";
        fails(&program, "tls", &[&endpoint.host, cause]);
    }
    let dovecot = Dovecot::simple();
    let program = Program::new();
    let server = Endpoint {
        ca_file: None,
        ..dovecot.imaps()
    };
    program.config(&server, &dovecot.accounts());
    fails(
        &program,
        "tls",
        &[
            "certificate",
            "likely cause: the certificate is self-signed",
        ],
    );
}

#[test]
fn a_port_that_speaks_no_tls_is_told() {
    let dovecot = Dovecot::simple();
    let program = Program::new();
    let server = Endpoint {
        port: dovecot.imap_port,
        ..dovecot.imaps()
    };
    program.config(&server, &dovecot.accounts());
    fails(
        &program,
        "tls",
        &["likely cause: the port does not speak TLS at once"],
    );
}

#[test]
fn a_server_that_says_nothing_is_told() {
    let silent = Listener::start(|_, stream| {
        // Until the client has had enough.
        let _ = std::io::Read::read(&mut &stream, &mut [0]);
    });
    let program = Program::new();
    program.config(&Endpoint::plain(silent.port), &[(ANNA, PASSWORD)]);
    let output = test(&program, &["--imap-timeout", "1"]);
    output
        .code(1)
        .says("greeting")
        .says("likely cause: the port speaks TLS, or is not IMAP's");
    assert_eq!(
        report(&program)["accounts"][0]["tested"]["failed_step"],
        "greeting"
    );
}

#[test]
fn imap_switched_off_is_told() {
    let server = FakeServer::options()
        .on_command(|command| {
            let text = "NO [UNAVAILABLE] IMAP access is disabled for this mailbox";
            (command.name == "LOGIN").then(|| Reply::tagged(&text.replace("[UNAVAILABLE] ", "")))
        })
        .start();
    let program = program_for(&server);
    let says = [
        "IMAP access is disabled",
        "likely cause: IMAP is switched off for this account",
    ];
    fails(&program, "login", &says);
    assert_eq!(server.commands_named("LOGIN").len(), 1);
}

#[test]
fn a_wrong_password_is_told_and_tried_once() {
    let dovecot = Dovecot::simple();
    let program = Program::new();
    program.config(&dovecot.imaps(), &[(ANNA, "secret, but wrong")]);
    let says = [
        "[AUTHENTICATIONFAILED]",
        "likely cause: the password is wrong",
    ];
    fails(&program, "login", &says).hides("but wrong");

    let server = FakeServer::options().accounts(&[(ANNA, "right")]).start();
    fails(&program_for(&server), "login", &["wrong user or password"]);
    assert_eq!(server.commands_named("LOGIN").len(), 1);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_connection_limit_is_told() {
    let dovecot = Dovecot::start(DovecotOptions {
        max_userip_connections: 1,
        ..DovecotOptions::default()
    });
    // The one connection is ours.
    let held = python::command()
        .args(["-c", HOLD, &dovecot.imap_port.to_string(), ANNA, PASSWORD])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut held = held.expect("start python3");
    let mut ready = [0];
    let stdout = held.stdout.as_mut().expect("its output");
    std::io::Read::read_exact(stdout, &mut ready).expect("logged in");
    let program = Program::new();
    program.config(&dovecot.imaps(), &dovecot.accounts());
    let says = [
        "Maximum number of connections",
        "likely cause: the server's limit of connections",
    ];
    fails(&program, "login", &says);
    drop(held.stdin.take());
    assert!(held.wait().expect("its end").success());
    test(&program, &[]).code(0);
}

/// Logs in, says so, and stays until its input ends.
const HOLD: &str = "\
import imaplib, sys
imap = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
imap.login(sys.argv[2], sys.argv[3])
print('x', flush=True)
sys.stdin.read()
imap.logout()
";

#[test]
fn a_list_that_fails_is_told() {
    let server = FakeServer::options()
        .on_command(|command| {
            (command.name == "LIST").then(|| Reply::tagged("NO the index is gone"))
        })
        .start();
    fails(&program_for(&server), "list", &["the index is gone"]);
}

#[test]
fn what_a_server_says_before_it_hangs_up_is_told() {
    let words = "BYE this mailbox is being moved";
    let script = Script::logged_in().send(&format!("* {words}\r\n"));
    let server = ScriptServer::start(vec![script]);
    let program = Program::new();
    program.config(&server.endpoint(Security::Plain), &[(ANNA, PASSWORD)]);
    test(&program, &[]).code(1).says(words);
}

#[test]
fn five_refused_logins_are_enough_for_a_host() {
    let users: Vec<String> = (0..20).map(|n| format!("user{n}@example.com")).collect();
    let accounts: Vec<(&str, &str)> = users.iter().map(|user| (&user[..], PASSWORD)).collect();
    for workers in ["1", "16"] {
        let server = FakeServer::options()
            .accounts(&[("other", "right")])
            .start();
        let program = Program::new();
        program.config(&server.endpoint(), &accounts);
        test(&program, &["--max-workers", workers])
            .code(1)
            .says("not tried: 5 accounts before it were refused")
            .hides(PASSWORD);
        assert_eq!(server.commands_named("LOGIN").len(), 5);
        assert_eq!(server.connections(), 5);
    }

    // One that is accepted shows that the host does not block us.
    let server = FakeServer::options()
        .accounts(&[("user3@example.com", PASSWORD)])
        .start();
    let program = Program::new();
    program.config(&server.endpoint(), &accounts);
    test(&program, &["--max-workers", "1"]).code(1);
    assert_eq!(server.commands_named("LOGIN").len(), 20);
}

#[test]
fn a_host_that_five_accounts_do_not_reach_is_given_up() {
    let users: Vec<String> = (0..12).map(|n| format!("user{n}@example.com")).collect();
    let accounts: Vec<(&str, &str)> = users.iter().map(|user| (&user[..], PASSWORD)).collect();
    let dovecot = Dovecot::start(DovecotOptions {
        certificate: Shown::WrongName,
        ..DovecotOptions::default()
    });
    let program = Program::new();
    program.config(&dovecot.imaps(), &accounts);
    test(&program, &[])
        .code(1)
        .says("not tried: 5 accounts before it did not reach the login");
    let report = report(&program);
    let accounts = report["accounts"].as_array().expect("accounts");
    let tried = accounts
        .iter()
        .filter(|account| account["tested"]["failed_step"] == "tls");
    assert_eq!(tried.count(), 5);
}

#[test]
fn a_mailbox_that_cannot_be_read_is_warned_about() {
    let server = FakeServer::options()
        .capabilities("IMAP4rev1")
        .list_lines(&[b"* LIST () \"/\" INBOX", b"* LIST () \"/\" \"unclosed"])
        .mailbox(FakeMailbox::new("INBOX"))
        .start();
    test(&program_for(&server), &[]).code(0).says("unclosed");
}

#[test]
fn what_follows_the_login_takes_one_round_trip_and_goodbye_takes_none() {
    let words = "IMAP4rev1 ID NAMESPACE QUOTA LIST-STATUS LIST-EXTENDED SPECIAL-USE AUTH=PLAIN";
    let greeting = format!("* OK [CAPABILITY {words}] ready");
    let server = FakeServer::options()
        .greeting(greeting.as_bytes())
        .capabilities(words)
        .counting_round_trips(Duration::from_millis(200))
        .mailbox(FakeMailbox::new("INBOX").mails(&realistic(61, 2)))
        .on_command(|command| (command.name == "LOGOUT").then(|| Reply::Stall(Vec::new())))
        .start();
    let program = program_for(&server);
    // The kit gives up before the time-out does.
    test(&program, &["--imap-timeout", "1000"]).code(0);
    for command in ["ID", "LIST", "LSUB", "NAMESPACE", "GETQUOTAROOT", "EXAMINE"] {
        assert_eq!(server.commands_named(command).len(), 1, "{command}");
    }
    // Connecting, TLS and the greeting are three more.
    assert_eq!(server.round_trips(), 2, "{}", server.transcript());
}
