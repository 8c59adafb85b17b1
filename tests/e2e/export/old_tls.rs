//! Servers that speak only what systems of today refuse: reached where the configuration says so, and only then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use super::ANNA;
use crate::kit::mail::realistic;
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::tempdir::TempDir;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};
use crate::kit::servers::tls::Shown;
use crate::kit::{Endpoint, PASSWORD};

/// A Dovecot whose OpenSSL speaks no newer version.
fn dovecot(dir: &Path, newest: &str, certificate: Shown) -> Dovecot {
    let settings = dir.join("openssl.cnf");
    let text = format!(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = TLSv1\n\
         MaxProtocol = {newest}\nCipherString = ALL:@SECLEVEL=0\n"
    );
    fs::write(&settings, text).expect("written");
    for (path, mode) in [(dir, 0o755), (&settings, 0o644)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
    }
    let dovecot = Dovecot::start(DovecotOptions {
        certificate,
        extra_config: format!(
            "import_environment = TZ OPENSSL_CONF={}\nssl_min_protocol = TLSv1\nssl_cipher_list = ALL:@SECLEVEL=0\n",
            settings.display()
        ),
        ..DovecotOptions::of(&[(ANNA, PASSWORD)])
    });
    dovecot.seed(ANNA, "INBOX", &realistic(31, 3));
    dovecot
}

fn program(server: &Endpoint, min_tls: Value) -> Program {
    let program = Program::new();
    let mut server = server_json(server);
    server["min_tls"] = min_tls;
    let account = json!({"email": ANNA, "password": PASSWORD});
    program.config_json(&json!({"server": server, "accounts": [account]}));
    program
}

#[test]
fn what_speaks_only_tls_1_0_or_1_1_is_reached_with_a_warning_and_else_told_as_such() {
    for (newest, version) in [("TLSv1", "TLSv1.0"), ("TLSv1.1", "TLSv1.1")] {
        let dir = TempDir::new();
        let dovecot = dovecot(dir.path(), newest, Shown::Good);
        for endpoint in [dovecot.imaps(), dovecot.starttls()] {
            for refused in [Value::Null, json!("1.2")] {
                let program = self::program(&endpoint, refused);
                let tested = program.run(["--mode", "test", "--imapsync", "never"]);
                tested
                    .code(1)
                    .says("\"min_tls\": \"1.0\" at the server reaches it");
            }
            let program = self::program(&endpoint, json!("1.0"));
            let output = program.export(&["--report", "report.json"]);
            output
                .code(0)
                .warns("INSECURE: server.min_tls is 1.0")
                .hides(PASSWORD);
            assert_eq!(program.archive(ANNA).mailbox("INBOX").messages.len(), 3);
            let tested = program.run(["--mode", "test", "--imapsync", "never"]);
            tested.code(0).says(version).says("INSECURE");
        }
        let none = dovecot.log().matches("closed without close_notify").count();
        assert_eq!(none, 0, "{}", dovecot.log());
    }
}

#[test]
fn certificates_are_verified_whatever_the_version() {
    for (shown, word) in [
        (Shown::Untrusted, "certificate"),
        (Shown::WrongName, "hostname"),
    ] {
        let dir = TempDir::new();
        let dovecot = dovecot(dir.path(), "TLSv1", shown);
        for endpoint in [dovecot.imaps(), dovecot.starttls()] {
            let program = self::program(&endpoint, json!("1.0"));
            let output = program.export(&[]);
            output.code(1).hides(PASSWORD);
            assert!(
                output.stdout.to_lowercase().contains(word),
                "{}",
                output.describe()
            );
            assert!(!dovecot.log().contains("Login:"), "{}", dovecot.log());
        }
        let mut server = server_json(&dovecot.imaps());
        server["min_tls"] = json!("1.0");
        server["insecure_tls"] = json!(true);
        let program = Program::new();
        let account = json!({"email": ANNA, "password": PASSWORD});
        program.config_json(&json!({"server": server, "accounts": [account]}));
        program.export(&[]).code(0).warns("insecure_tls");
    }
}

#[test]
fn a_server_of_today_is_spoken_to_as_ever_with_the_newest_that_it_has() {
    let dovecot = Dovecot::simple();
    for least in ["1.0", "1.2", "1.3"] {
        let program = self::program(&dovecot.imaps(), json!(least));
        let tested = program.run(["--mode", "test", "--imapsync", "never"]);
        tested.code(0).says("TLSv1.3");
    }
    let program = self::program(&dovecot.imaps(), json!(1.0));
    program
        .export(&[])
        .code(2)
        .warns("server.min_tls: must be \"1.0\"");
    let program = self::program(&dovecot.plain(), json!("1.0"));
    program
        .export(&[])
        .code(2)
        .warns("server.min_tls: says nothing where");
}
