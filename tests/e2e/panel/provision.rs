//! Missing mailboxes are created before the import, existing ones are left alone.

use serde_json::json;

use super::{ANNA, PASSWORD, aim, import, provisioned, world};
use crate::kit::run::program::{Program, server_json};
use crate::kit::run::reader::Reader;
use crate::kit::servers::panel::{SECRET, STYLES, USER};

#[test]
fn a_missing_mailbox_is_created_and_filled() {
    let (program, panel, target) = world(&json!(["old"]));
    let output = import(
        &program,
        &panel,
        &["--report", "report.json", "--da-quota-mb", "512"],
    );
    output.code(0).says("Mailboxes created on the panel");
    output.warns("panel=directadmin");
    let held = Reader::new(&target.imaps(), ANNA, PASSWORD).mailbox("INBOX");
    assert_eq!(held.messages.len(), 3);
    assert_eq!(
        provisioned(&program),
        [(ANNA.to_owned(), "created".to_owned())]
    );

    let asked = panel.asked();
    let actions: Vec<&str> = asked.iter().map(|asked| asked.action.as_str()).collect();
    assert_eq!(
        actions,
        ["domains", "list", "create"],
        "a probe, a listing per domain, a create"
    );
    let connections: Vec<u64> = asked.iter().map(|asked| asked.connection).collect();
    assert!(
        connections.windows(2).all(|two| two[0] == two[1]),
        "one connection is used again"
    );
    let create = &panel.asked_to("create")[0];
    assert_eq!(
        (create.method.as_str(), create.query.as_str()),
        ("POST", "")
    );
    let mut fields: Vec<&str> = create.body.split('&').collect();
    fields.sort_unstable();
    let password = "a%26b%3Dc%2Bd+e%2541%C3%A4%E2%82%AC%22x";
    assert_eq!(
        fields,
        [
            "action=create",
            "domain=example.com",
            "json=yes",
            &format!("passwd2={password}"),
            &format!("passwd={password}"),
            "quota=512",
            "user=anna",
        ]
    );

    // Again: it exists now, and nothing is asked for but the list.
    import(&program, &panel, &["--report", "report.json"]).code(0);
    assert_eq!(
        provisioned(&program),
        [(ANNA.to_owned(), "exists".to_owned())]
    );
    assert_eq!(panel.asked_to("create").len(), 1);
}

#[test]
fn every_spelling_of_answers_is_understood() {
    for style in STYLES {
        let (program, mut panel, target) = world(&json!(["old", "john.doe"]));
        panel.set("style", json!(style));
        let john = "John.Doe@Example.com";
        aim(
            &program,
            &target,
            &[(ANNA, PASSWORD), (john, "x"), ("bücher@example.com", "y")],
        );
        let dry = import(
            &program,
            &panel,
            &["--da-dry-run", "--report", "report.json"],
        );
        dry.code(0).says("nothing was changed");
        let states: Vec<String> = provisioned(&program)
            .into_iter()
            .map(|(_, state)| state)
            .collect();
        assert_eq!(
            states,
            ["would_create", "exists", "would_create"],
            "{style}"
        );
        import(
            &program,
            &panel,
            &["--account", ANNA, "--report", "report.json"],
        )
        .code(0);
        assert_eq!(provisioned(&program)[0].1, "created", "{style}");
        let created = &panel.mailboxes()[USER]["example.com"];
        assert_eq!(created.as_array().map(Vec::len), Some(3), "{style}");
    }
}

#[test]
fn an_empty_list_is_no_error() {
    for style in ["form", "json", "json-list", "comma"] {
        let (program, mut panel, _target) = world(&json!([]));
        panel.set("style", json!(style));
        import(&program, &panel, &[]).code(0);
    }
}

#[test]
fn the_second_name_of_the_command_is_tried() {
    for gone in ["404", "page"] {
        let (program, mut panel, _target) = world(&json!([]));
        panel
            .set("pop", json!(["CMD_API_EMAIL_POP"]))
            .set("gone", json!(gone));
        import(&program, &panel, &[]).code(0);
        let creates = panel.asked_to("create");
        assert_eq!(creates.len(), 1, "{gone}");
        assert_eq!(creates[0].path, "/CMD_API_EMAIL_POP");
    }
}

#[test]
fn a_dry_run_changes_nothing_and_ends_before_the_import() {
    let (program, panel, target) = world(&json!(["old"]));
    aim(
        &program,
        &target,
        &[(ANNA, PASSWORD), ("old@example.com", "y")],
    );
    let output = import(&program, &panel, &["--da-dry-run", "--da-quota-mb", "7"]);
    output
        .code(0)
        .says("would be created")
        .says("7 MB")
        .says("exists");
    assert!(panel.asked_to("create").is_empty());
    assert!(
        Reader::new(&target.imaps(), ANNA, PASSWORD)
            .refusal()
            .is_some()
    );

    // It needs no archive.
    std::fs::remove_dir_all(program.path("exported")).expect("remove");
    import(&program, &panel, &["--da-dry-run"]).code(0);
    import(&program, &panel, &[])
        .code(2)
        .warns("there is no archive");
}

#[test]
fn four_at_a_time_and_each_once() {
    let (program, panel, target) = world(&json!([]));
    let emails: Vec<String> = (0..30).map(|n| format!("user{n}@example.com")).collect();
    let accounts: Vec<(&str, &str)> = emails
        .iter()
        .map(|email| (email.as_str(), PASSWORD))
        .collect();
    aim(&program, &target, &accounts);
    let output = import(
        &program,
        &panel,
        &["--report", "report.json", "--ignore-errors"],
    );
    output
        .code(1)
        .says("the archive has no account user7@example.com");
    let creates = panel.asked_to("create");
    assert_eq!(creates.len(), 30);
    let at_work: Vec<u64> = creates.iter().map(|asked| asked.at_work).collect();
    assert!(at_work.iter().all(|at_work| *at_work <= 4), "{at_work:?}");
    assert!(
        provisioned(&program)
            .iter()
            .all(|(_, state)| state == "created")
    );
}

#[test]
fn acting_for_a_user_goes_by_login_as() {
    let (program, panel, _target) = world(&json!([]));
    let flags = |user: &str| {
        let mut flags = panel.flags();
        let at = flags
            .iter()
            .position(|word| word == USER)
            .expect("the user");
        user.clone_into(&mut flags[at]);
        let file = flags
            .iter()
            .position(|word| word == "--da-password-file")
            .expect("the file");
        flags.drain(file..file + 2);
        let fixed = [
            "--mode",
            "import",
            "--imapsync",
            "never",
            "--auto-provision-da",
        ];
        fixed
            .map(str::to_owned)
            .into_iter()
            .chain(flags)
            .collect::<Vec<_>>()
    };
    let program = program.env("DA_PASSWORD", "of the admin");
    let output = program.run(flags("admin"));
    output
        .code(3)
        .says("has no domain example.com")
        .says("admin|OWNER");
    program
        .run(flags("admin|bob"))
        .code(0)
        .hides("of the admin");
    let created = panel.asked_to("create");
    assert_eq!(created[0].user, "admin|bob");
}

#[test]
fn what_is_missing_is_named_together_before_anything_happens() {
    let program = Program::new();
    let output = program.run(["--mode", "import", "--auto-provision-da"]);
    output
        .code(2)
        .warns("--da-url")
        .warns("--da-username")
        .warns("a password");
    let bare = [
        "--mode",
        "import",
        "--auto-provision-da",
        "--da-username",
        "bob",
    ];
    let with = |more: &[&str]| program.run(bare.iter().chain(more));
    with(&["--da-url", "https://h", "--da-password", "hunter22"])
        .code(2)
        .warns("import.pass.config.json");
    with(&["--da-url", "http://h", "--da-password", "hunter22"])
        .code(2)
        .warns("--da-allow-http")
        .hides("hunter22");
    for url in [
        "https://bob:hunter22@h",
        "h:2222",
        "https://h/?p=hunter22",
        "ftp://h",
    ] {
        with(&["--da-url", url, "--da-password-env", "HOME"])
            .code(2)
            .warns("--da-url")
            .hides("hunter22");
    }
    with(&["--da-url", "https://h", "--da-password", "-hunter22"])
        .code(2)
        .warns("import.pass.config.json")
        .hides("hunter22");
    with(&["--da-url", "https://h", "--da-password-env", "NONE"])
        .code(2)
        .warns("NONE");
    with(&["--da-url", "https://h", "--da-password-file", "none"])
        .code(2)
        .warns("--da-password-file none");
    with(&[
        "--da-url",
        "https://h",
        "--da-password-env",
        "HOME",
        "--da-password",
        "hunter22",
    ])
    .code(2)
    .warns("not both");
    with(&[
        "--da-url",
        "https://h",
        "--da-password-env",
        "HOME",
        "--dry-run",
    ])
    .code(2)
    .warns("--da-dry-run");
    program
        .run(["--mode", "import", "--da-url", "https://h"])
        .code(2)
        .warns("--da-url needs --auto-provision-da");
    program
        .run(["--mode", "export", "--auto-provision-da"])
        .code(2)
        .warns("does not go with --mode export");
}

#[test]
fn passwords_on_the_command_line_are_warned_about() {
    let (program, panel, _target) = world(&json!(["anna"]));
    let ca_file = panel.ca_file.display().to_string();
    let url = panel.url();
    let fixed = [
        "--mode",
        "import",
        "--auto-provision-da",
        "--da-username",
        USER,
        "--da-url",
        &url,
        "--da-dry-run",
    ];
    let with = |more: &[&str]| program.run(fixed.iter().chain(more));
    with(&["--da-password", SECRET, "--da-ca-file", &ca_file])
        .code(0)
        .warns("process list")
        .hides(SECRET);
    with(&["--da-password", SECRET, "--da-no-verify-ssl"])
        .code(0)
        .warns("INSECURE")
        .hides(SECRET);
    let wrong = with(&["--da-password", SECRET]);
    wrong
        .code(3)
        .says("is not trusted")
        .says("--da-ca-file")
        .hides(SECRET);
}

#[test]
fn no_token_and_no_masters_password_becomes_a_mailboxs() {
    const MASTER: &str = "of-the-master-alone";
    let (program, panel, target) = world(&json!(["old"]));
    program.file("secret", MASTER);
    program.keep_secrets([MASTER]);
    let auths = [
        json!({"token_file": "secret"}),
        json!({"login": "{email}*master", "password_file": "secret"}),
        json!({"login": "master", "authzid": "{email}", "password_file": "secret"}),
        json!({"password_file": "secret"}),
    ];
    for (number, auth) in auths.iter().enumerate() {
        for dry_run in [&["--da-dry-run"][..], &[]] {
            let mut server = server_json(&target.imaps());
            server["auth"] = auth.clone();
            let config = json!({"server": server, "accounts": [{"email": ANNA}]});
            program.file("import.pass.config.json", &config.to_string());
            let words = [&["--report", "report.json"], dry_run].concat();
            let output = import(&program, &panel, &words);
            output.says("is not created");
            assert_ne!(
                output.status.code(),
                Some(0),
                "{number}: {}",
                output.describe()
            );
            assert_eq!(
                provisioned(&program),
                [(ANNA.to_owned(), "failed".to_owned())],
                "{number}"
            );
            assert!(panel.asked_to("create").is_empty(), "{number}");
        }
    }
    // Its own password, in its own "auth", is its own.
    let server = server_json(&target.imaps());
    let account = json!({"email": ANNA, "auth": {"password": PASSWORD}});
    let config = json!({"server": server, "accounts": [account]});
    program.file("import.pass.config.json", &config.to_string());
    import(&program, &panel, &[]).code(0);
    assert_eq!(panel.asked_to("create").len(), 1);
}
