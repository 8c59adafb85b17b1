//! Users agree, by a code or in a browser, and what is kept of it logs in.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{ANNA, BEN, config, dovecot, export};
use crate::kit::mail::realistic;
use crate::kit::run::program::{Program, Running};
use crate::kit::run::python::interpreter;
use crate::kit::servers::idp::Idp;
use crate::kit::wait_until;

const AUTHORIZE: [&str; 3] = ["--mode", "authorize", "-v"];
/// Follows a link as a browser does, and prints the page that it ends at.
const BROWSER: &str = "import ssl, sys, urllib.request as u; \
    print(u.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2])).read().decode())";

fn client(idp: &Idp, key: &str, url: &str) -> Value {
    let mut oauth = idp.user_client("tokens/{email}");
    oauth[key] = json!(url);
    json!({"oauth": oauth})
}

/// What is to be opened, once the program says it.
fn link(running: &Running) -> String {
    let found = || {
        let said = running.stderr();
        let line = said.lines().find(|line| line.starts_with("https://"));
        line.map(str::to_owned)
    };
    wait_until("the program says what to open", || found().is_some());
    found().expect("it was there")
}

fn browse(link: &str, ca_file: &Path) -> String {
    let output = Command::new(interpreter())
        .args(["-c", BROWSER, link])
        .arg(ca_file)
        .output()
        .expect("run python3");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The kept refresh token is the newest one, for its owner only, and is good for an export.
fn assert_kept(program: &Program, idp: &Idp, user: &str) {
    let path = program.path(format!("tokens/{user}"));
    let kept = fs::read_to_string(&path).expect("the refresh token");
    assert_eq!(Some(kept.trim()), idp.newest("refresh").as_deref());
    assert_eq!(path.metadata().expect("there").mode() & 0o777, 0o600);
    let (code, report) = export(program, &["--account", user]);
    assert_eq!(code, 0, "{report}");
    assert_eq!(program.archive(user).mailbox("INBOX").messages.len(), 2);
    // It is where it belongs; nowhere else may it be.
    fs::remove_dir_all(program.path("tokens")).expect("remove");
    program.keep_secrets(idp.secrets());
}

#[test]
fn a_code_that_is_typed_elsewhere_is_waited_for_as_the_provider_asks() {
    let mut idp = Idp::start(&[]);
    idp.set(
        "device",
        json!({"pending": 1, "slow_down": 1, "user": ANNA}),
    );
    let dovecot = dovecot(&[ANNA, BEN], idp.introspection("%u"));
    dovecot.seed(ANNA, "INBOX", &realistic(1, 2));
    let program = Program::new();
    let auth = client(&idp, "device_url", &idp.of_tenant("devicecode"));
    config(&program, &dovecot.imaps(), &auth, &[ANNA, BEN]);
    let output = program.run(AUTHORIZE.iter().chain(&["--account", "anna*"]));
    output.code(0);
    output.warns("open https://idp.example/devicelogin in any browser, type the code ABCD-1234");
    output.warns("sign in as anna@example.com");
    let expected = ["granted", "authorization_pending", "slow_down", "granted"];
    assert_eq!(idp.outcomes(), expected);
    assert_kept(&program, &idp, ANNA);
}

#[test]
fn a_user_who_declines_or_comes_too_late_is_told_and_the_next_one_is_asked() {
    let mut idp = Idp::start(&[]);
    let program = Program::new();
    let server = crate::kit::Endpoint::plain(9);
    let auth = client(&idp, "device_url", &idp.of_tenant("devicecode"));
    config(&program, &server, &auth, &[ANNA, BEN]);
    for (end, words) in [
        ("authorization_declined", "the user has declined"),
        ("expired_token", "nobody has typed the code in time"),
    ] {
        idp.set("device", json!({"then": end}));
        let output = program.run(AUTHORIZE);
        output.code(1);
        assert_eq!(
            output.stderr.matches(words).count(),
            2,
            "{}",
            output.describe()
        );
    }
    program.keep_secrets(idp.secrets());
}

#[test]
fn a_browser_brings_the_consent_and_strangers_bring_nothing() {
    let idp = Idp::start(&[]);
    let dovecot = dovecot(&[ANNA], idp.introspection("%u"));
    dovecot.seed(ANNA, "INBOX", &realistic(1, 2));
    let program = Program::new();
    let auth = client(&idp, "authorize_url", &idp.of_tenant("authorize"));
    config(&program, &dovecot.imaps(), &auth, &[ANNA]);
    let running = program.spawn(AUTHORIZE);
    let link = link(&running);
    let (_, port) = link.split_once("127.0.0.1%3A").expect("where to return to");
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    for stranger in [
        "GET /?code=c&state=guessed HTTP/1.1\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let address = format!("127.0.0.1:{port}");
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(stranger.as_bytes()).expect("it reads");
        let mut answer = String::new();
        // Whoever talks nonsense may be cut off.
        let _ = stream.read_to_string(&mut answer);
        assert!(!answer.contains("Thank you"), "{answer}");
    }
    let page = browse(&link, &idp.ca_file);
    assert!(page.contains("Thank you"), "{page}");
    running.wait().code(0);
    assert_eq!(idp.outcomes(), ["granted", "granted"]);
    assert_kept(&program, &idp, ANNA);
}

#[test]
fn whoever_waits_for_a_user_can_be_interrupted() {
    let idp = Idp::start(&[]);
    let program = Program::new();
    let server = crate::kit::Endpoint::plain(9);
    let auth = client(&idp, "authorize_url", &idp.of_tenant("authorize"));
    config(&program, &server, &auth, &[ANNA, BEN]);
    let running = program.spawn(AUTHORIZE);
    link(&running);
    running.signal("INT");
    running.wait().code(130);
    assert!(!program.path("tokens").exists());
}

#[test]
fn only_a_provider_that_asks_users_can_be_asked_for_them() {
    let idp = Idp::start(&[]);
    let program = Program::new();
    config(
        &program,
        &crate::kit::Endpoint::plain(9),
        &json!({"oauth": idp.app()}),
        &[ANNA],
    );
    let output = program.run(AUTHORIZE);
    output.code(2).warns("refresh");
}
