use super::*;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn write(dir: &Path, json: &str) -> PathBuf {
    let path = dir.join("export.pass.config.json");
    fs::write(&path, json).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    path
}

fn load_text(json: &str) -> Result<Config> {
    let dir = tempfile::tempdir().expect("temporary directory");
    load(&write(dir.path(), json), Side::Source, false)
}

#[test]
fn tls_and_port_follow_from_each_other() {
    let cases = [
        (r#"{"host":"h"}"#, TlsMode::Implicit, 993),
        (
            r#"{"host":"h","ssl":true,"starttls":false}"#,
            TlsMode::Implicit,
            993,
        ),
        (r#"{"host":"h","starttls":true}"#, TlsMode::StartTls, 143),
        (
            r#"{"host":"h","ssl":false,"starttls":true,"port":1143}"#,
            TlsMode::StartTls,
            1143,
        ),
        (r#"{"host":"h","ssl":false}"#, TlsMode::None, 143),
    ];
    for (server, tls, port) in cases {
        let json = format!(r#"{{"server":{server},"accounts":[{{"email":"a","password":"p"}}]}}"#);
        let config = load_text(&json).expect(server);
        assert_eq!(
            (
                config.accounts[0].server.tls,
                config.accounts[0].server.port
            ),
            (tls, port),
            "{server}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once_with_their_paths() {
    let json = r#"{"server":{"port":70000,"ssl":true,"starttls":true,"ca_file":"nowhere.pem"},
        "accounts":[{"email":"a@x","password":"p"},{"email":"A@x","password":"q"},{"email":"b@x"},
        {"email":"c@x","password":"p","password_env":"Q"},{"email":"d@x","password":""},
        {"password":"p"},7,{"email":"e@x","password_env":"SURELY_NOT_SET_1"},
        {"email":"f@x","password_file":"nowhere"},{"email":"g@x","password":5}]}"#;
    let error = load_text(json).expect_err("wrong").to_string();
    for expected in [
        "export.pass.config.json has 13 problems",
        "server.host: is missing",
        "server.port: ",
        "server.starttls: ",
        "server.ca_file: ",
        "accounts[1].email: A@x is the same account as accounts[0]",
        "accounts[2].password: account b@x has no password",
        "accounts[3].password: account c@x has more than one",
        "accounts[4].password: the password of account d@x is empty",
        "accounts[5].email: ",
        "accounts[6]: ",
        "accounts[7].password_env: ",
        "accounts[8].password_file: ",
        "accounts[9].password: must be a string",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
}

#[test]
fn broken_json_names_the_place_and_quotes_nothing() {
    let error = load_text("{\n \"accounts\": [{\"password\": \"hunter2\" oops}]}")
        .expect_err("broken")
        .to_string();
    assert!(
        error.contains("line 2 column") && !error.contains("hunter2"),
        "{error}"
    );
    for other in ["[]", "5", "{}"] {
        assert!(load_text(other).is_err(), "{other}");
    }
}

#[test]
fn passwords_come_as_they_are() {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::write(dir.path().join("pw"), " ä\"\\ \r\n").expect("written");
    let json = r#"{"server":{"host":"h"},"accounts":[
        {"email":"a","password":" x\"\\ü "},{"email":"b","login":"b*master","password_file":"pw"},
        {"email":"c","password_command":"echo s3cret"},{"email":"d","password_command":["echo","a b"]}]}"#;
    let config = load(&write(dir.path(), json), Side::Source, false).expect("valid");
    let secrets: Vec<String> = config
        .accounts
        .iter()
        .map(|account| {
            let credential = account.credential(&Stop::new()).expect("there");
            credential.secret().expose().to_owned()
        })
        .collect();
    assert_eq!(secrets, [" x\"\\ü ", " ä\"\\ ", "s3cret", "a b"]);
    assert_eq!(config.accounts[1].login, "b*master");
    let debug = format!("{:?}", config.accounts);
    assert!(!debug.contains('ü') && !debug.contains('ä'), "{debug}");
}

#[test]
fn what_is_risky_or_unknown_is_warned_about() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let json = r#"{"_comment":"fine","server":{"host":"mail.example.org","ssl":false,"insecure_tls":true,"hsot":1},
        "accounts":[{"email":"a","password":"p","note":1}],"source_server":{}}"#;
    let path = write(dir.path(), json);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("mode");
    let warnings = load(&path, Side::Source, false).expect("valid").warnings;
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    for expected in [
        "chmod 600",
        "server.hsot",
        "accounts[0].note",
        "insecure_tls",
        "plain text",
    ] {
        assert!(warnings.iter().any(|w| w.contains(expected)), "{expected}");
    }
}

#[test]
fn the_import_template_holds_the_same_accounts_and_replaces_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let json = r#"{"server":{"host":"h","ca_file":null},"accounts":[{"email":"a","password":"p"},{"email":"b","password_env":"HOME"}]}"#;
    let config = load(&write(dir.path(), json), Side::Source, false).expect("valid");
    let path = document::write_template(&config)
        .expect("written")
        .expect("new");
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let written: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    assert_eq!(written["server"]["host"], document::HOST);
    assert_eq!(
        written["accounts"],
        serde_json::json!([{"email":"a","password":"p"},{"email":"b","password_env":"HOME"}])
    );
    assert_eq!(document::write_template(&config).expect("no error"), None);
    assert!(
        load(&path, Side::Source, false)
            .expect_err("host to be changed")
            .to_string()
            .contains("CHANGE_ME")
    );
}

#[test]
fn the_sample_configuration_is_valid() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/export.pass.config.json");
    let json: Value = serde_json::from_slice(&fs::read(sample).expect("there")).expect("JSON");
    let accounts = json["accounts"].as_array().expect("a list");
    for source in [
        "password",
        "password_file",
        "password_env",
        "password_command",
    ] {
        assert!(
            accounts.iter().any(|account| account.get(source).is_some()),
            "{source}"
        );
    }
    let mut reader = ConfigReader::new(Path::new("sample"), Side::Source, false);
    let servers = reader.servers(&json);
    reader.accounts(&json, &servers);
    let (problems, warnings) = reader.into_findings();
    // Its password file and variable do not exist here; all else is right.
    assert!(
        problems
            .iter()
            .all(|p| p.contains("password_file") || p.contains("password_env")),
        "{problems:?}"
    );
    assert_eq!(warnings, Vec::<String>::new());
}

/// A directory with an example and the files that it names.
fn example(name: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let json = fs::read_to_string(root.join(name).join("export.config.json")).expect("the example");
    let key = openssl::rsa::Rsa::generate(2048).expect("a key");
    let key = openssl::pkey::PKey::from_rsa(key).expect("a key");
    let pem = String::from_utf8(key.private_key_to_pem_pkcs8().expect("PEM")).expect("ASCII");
    let mut certificate = openssl::x509::X509::builder().expect("a certificate");
    certificate.set_pubkey(&key).expect("its key");
    let day = |n| openssl::asn1::Asn1Time::days_from_now(n).expect("a day");
    certificate.set_not_before(&day(0)).expect("its beginning");
    certificate.set_not_after(&day(1)).expect("its end");
    let digest = openssl::hash::MessageDigest::sha256();
    certificate.sign(&key, digest).expect("signed");
    let certificate = certificate.build().to_pem().expect("PEM");
    let account = serde_json::json!({
        "type": "service_account", "client_email": "a@b.example", "private_key": pem,
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    for (file, text) in [
        ("service-account.json", account.to_string().into_bytes()),
        ("app.key", pem.into_bytes()),
        ("app.pem", certificate),
        ("master-password", b"p\n".to_vec()),
    ] {
        let path = dir.path().join(file);
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
    }
    let path = write(dir.path(), &json);
    (dir, path)
}

#[test]
fn the_examples_of_ways_in_are_right_as_they_stand() {
    let mut logins = Vec::new();
    for name in ["google", "microsoft", "master-user"] {
        let (_dir, path) = example(name);
        let config = load(&path, Side::Source, false).expect(name);
        assert_eq!(config.warnings, [] as [String; 0], "{name}");
        logins.extend(config.accounts.into_iter().map(|account| {
            (
                account.way.name(),
                account.login,
                account.authzid.unwrap_or_default(),
            )
        }));
    }
    let expected = [
        ("google-service-account", "alice@example.org", ""),
        ("google-service-account", "bob@example.org", ""),
        ("microsoft", "alice@example.org", ""),
        ("microsoft", "shared.mailbox@example.org", ""),
        ("password", "alice@example.org*migration", ""),
        ("password", "bob@example.org*migration", ""),
        ("password", "migration", "carol"),
    ];
    let found: Vec<(&str, &str, &str)> = logins
        .iter()
        .map(|(way, login, authzid)| (*way, login.as_str(), authzid.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn an_auth_whose_password_is_null_has_none() {
    let json = r#"{"server":{"host":"h"},"accounts":[{"email":"a@x","auth":{"password":null}},
        {"email":"b@x","password":"p"}]}"#;
    let error = load_text(json).expect_err("wrong").to_string();
    assert!(error.contains("a@x has no password"), "{error}");
}
