//! A panel that refuses, lies, breaks off: what is true is looked up, and nobody is locked out.

use serde_json::{Value, json};

use super::{ANNA, PASSWORD, aim, import, provisioned, world};
use crate::kit::run::program::Program;
use crate::kit::servers::panel::{Panel, USER};
use crate::kit::servers::tls::Shown;

#[test]
fn a_refused_login_is_one_call() {
    for how in ["401", "page", "redirect", "form"] {
        for ignore in [false, true] {
            let (program, mut panel, _target) = world(&json!([]));
            panel.set("users", json!({})).set("refusal", json!(how));
            let more: &[&str] = if ignore { &["--ignore-errors"] } else { &[] };
            let output = import(&program, &panel, more);
            output.code(if ignore { 1 } else { 3 }).says("login key");
            assert_eq!(panel.asked().len(), 1, "{how}");
        }
    }
}

#[test]
fn a_key_that_may_not_create_ends_all_calls() {
    for fault in [
        json!({"do": "refuse", "how": "redirect"}),
        json!({"do": "status", "status": 403, "body": "error=1&text=You+cannot+execute+that+command"}),
        json!({"do": "raw", "body": "error=1&text=You+cannot+execute+that+command"}),
        json!({"do": "blacklisted"}),
    ] {
        let (program, mut panel, target) = world(&json!([]));
        let emails: Vec<String> = (0..12).map(|n| format!("u{n}@example.com")).collect();
        let accounts: Vec<(&str, &str)> =
            emails.iter().map(|email| (email.as_str(), "x")).collect();
        aim(&program, &target, &accounts);
        let mut on_create = fault.clone();
        on_create["on"] = json!("create");
        panel.faults(json!([on_create]));
        import(&program, &panel, &["--ignore-errors"]).code(1);
        assert_eq!(panel.asked_to("create").len(), 1, "{fault}");
        assert_eq!(
            panel.asked_to("list").len(),
            1,
            "{fault}: nothing is asked after it"
        );
    }
}

#[test]
fn refusals_are_told_in_plain_words() {
    for texts in ["plain", "html", "entity", "double"] {
        for style in ["form", "json", "json-old"] {
            let (program, mut panel, _target) = world(&json!([]));
            panel
                .set("texts", json!(texts))
                .set("style", json!(style))
                .set("least", json!(100));
            let output = import(&program, &panel, &["--report", "report.json"]);
            output
                .code(3)
                .says("Unable to create POP account")
                .says("too short");
            output.says("it needs 100 characters").says(ANNA);
            assert!(
                !output.stdout.contains("<b>") && !output.stdout.contains("&#"),
                "{texts}"
            );
            assert_eq!(
                panel.asked_to("create").len(),
                1,
                "a refusal is not tried again"
            );
            assert_eq!(panel.asked_to("list").len(), 2, "but looked up");
            assert_eq!(provisioned(&program)[0].1, "failed");
        }
    }
}

#[test]
fn what_came_of_an_unclear_create_is_looked_up() {
    for (what, creates) in [("drop-after", 1), ("mumble-after", 1), ("drop", 2)] {
        let (program, mut panel, _target) = world(&json!([]));
        panel.faults(json!([{"on": "create", "times": 1, "do": what}]));
        import(&program, &panel, &["--report", "report.json"]).code(0);
        assert_eq!(panel.asked_to("create").len(), creates, "{what}");
        assert_eq!(provisioned(&program)[0].1, "created", "{what}");
        let there = &panel.mailboxes()[USER]["example.com"];
        assert_eq!(there.as_array().map(Vec::len), Some(1), "{what}");
    }
}

#[test]
fn a_mailbox_that_somebody_else_creates_meanwhile_exists() {
    let (program, mut panel, _target) = world(&json!([]));
    panel.faults(json!([{"on": "create", "times": 1, "do": "exists", "password": PASSWORD}]));
    import(&program, &panel, &["--report", "report.json"]).code(0);
    assert_eq!(provisioned(&program)[0].1, "exists");
}

#[test]
fn trouble_that_passes_is_waited_for() {
    for fault in [
        json!({"do": "status", "status": 503}),
        json!({"do": "drop"}),
        json!({"do": "slow", "seconds": 6}),
    ] {
        for on in ["domains", "list"] {
            let (program, mut panel, _target) = world(&json!([]));
            let mut fault = fault.clone();
            (fault["on"], fault["times"]) = (json!(on), json!(1));
            panel.faults(json!([fault]));
            import(&program, &panel, &[]).code(0).warns("asking again");
            assert_eq!(panel.asked_to(on).len(), 2, "{on}: {fault}");
        }
    }
    let (program, mut panel, _target) = world(&json!([]));
    panel.faults(json!([{"on": "list", "do": "status", "status": 500}]));
    import(&program, &panel, &[]).code(3).says("HTTP 500");
    assert_eq!(panel.asked_to("list").len(), 4, "three repeats");
}

#[test]
fn a_failure_is_told_in_its_words_whatever_its_status() {
    for status in [200, 400, 404, 500] {
        let (program, mut panel, _target) = world(&json!([]));
        panel.faults(json!([{"on": "create", "do": "fail", "title": "Sorry", "reason": "no room", "status": status}]));
        import(&program, &panel, &[]).code(3).says("Sorry: no room");
    }
}

#[test]
fn a_panel_that_lists_no_domains_is_asked_for_each() {
    let (program, mut panel, target) = world(&json!([]));
    panel.faults(json!([{"on": "domains", "do": "status", "status": 404}]));
    import(&program, &panel, &[])
        .code(0)
        .warns("each domain is asked for");
    aim(&program, &target, &[("ben@elsewhere.net", "x")]);
    import(&program, &panel, &[])
        .code(3)
        .says("Domain does not belong to you");
}

#[test]
fn answers_that_are_none_are_not_believed() {
    for (body, words) in [
        ("<html><title>Maintenance</title>", "Maintenance"),
        ("thing=1", "unknown form"),
        ("{\"list\":[", "not valid JSON"),
        ("hello", "hello"),
        ("Your IP is blacklisted", "blacklist"),
        ("License check failure", "licence"),
        ("use https", "use https"),
    ] {
        let (program, mut panel, _target) = world(&json!(["anna"]));
        panel.faults(json!([{"on": "list", "do": "raw", "body": body}]));
        let output = import(&program, &panel, &[]);
        output.code(3).says(words);
        assert!(panel.asked_to("create").is_empty(), "{body}");
    }
    let (program, mut panel, _target) = world(&json!([]));
    panel.faults(json!([{"on": "list", "do": "huge", "bytes": 40_000_000}]));
    import(&program, &panel, &[]).code(3).says("longer than");
}

#[test]
fn accounts_that_the_panel_cannot_have_are_named() {
    let (program, panel, target) = world(&json!([]));
    let accounts = [
        (ANNA, PASSWORD),
        ("ben@elsewhere.net", "x"),
        ("no address", "x"),
        ("a b@example.com", "x"),
    ];
    aim(&program, &target, &accounts);
    let output = import(&program, &panel, &[]);
    output
        .code(3)
        .says("\"no address\" is not an address")
        .says("import NOT begun");
    assert!(panel.asked().is_empty());
    aim(&program, &target, &accounts[..2]);
    let output = import(&program, &panel, &[]);
    output
        .code(3)
        .says("ben@elsewhere.net")
        .says("has no domain elsewhere.net");
    assert!(panel.asked_to("create").is_empty());
    let output = import(
        &program,
        &panel,
        &["--ignore-errors", "--report", "report.json"],
    );
    output.code(1).says("ben@elsewhere.net");
    let states = provisioned(&program);
    assert_eq!(states[0].1, "created");
    assert_eq!(states[1].1, "failed");
}

#[test]
fn a_password_of_another_login_is_given_to_nobody() {
    let (program, panel, _target) = world(&json!([]));
    let mut server: Value = serde_json::from_str(
        &std::fs::read_to_string(program.path("import.pass.config.json")).expect("read"),
    )
    .expect("JSON");
    server["accounts"] =
        json!([{"email": ANNA, "login": "anna@example.com*master", "password": "of the master"}]);
    program.file("import.pass.config.json", &server.to_string());
    import(&program, &panel, &[]).code(3).says("is not created");
    assert!(panel.asked_to("create").is_empty());
}

#[test]
fn a_place_that_is_no_panel_is_told_from_one() {
    let (program, _panel, _target) = world(&json!([]));
    let wrong = Panel::start_with(&json!({}), Shown::WrongName, false);
    import(&program, &wrong, &[])
        .code(3)
        .says("certificate")
        .says("--da-ca-file");
    let plain = Panel::start_with(&json!({"example.com": ["anna"]}), Shown::Good, true);
    import(&program, &plain, &[])
        .code(2)
        .warns("--da-allow-http");
    import(&program, &plain, &["--da-allow-http", "--da-dry-run"])
        .code(0)
        .warns("INSECURE");
    let mut flags = plain.flags();
    flags[1] = plain.url().replace("http://", "https://");
    let fixed = ["--mode", "import", "--auto-provision-da", "--da-dry-run"].map(str::to_owned);
    let words: Vec<String> = fixed.into_iter().chain(flags).collect();
    program.run(words).code(3).says("does not speak TLS");
    let nowhere = Program::new();
    nowhere.file(
        "import.pass.config.json",
        r#"{"server":{"host":"localhost"},"accounts":[{"email":"a@b.c","password":"x"}]}"#,
    );
    let output = nowhere.run([
        "--mode",
        "import",
        "--auto-provision-da",
        "--da-dry-run",
        "--da-url",
        "https://127.0.0.1:9",
        "--da-username",
        "x",
        "--da-password-env",
        "HOME",
    ]);
    output.code(3).says("cannot be reached").says("2222");
}
