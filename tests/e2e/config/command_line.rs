//! The command line explains itself: a screen for each mode, flags that say where they belong, what packages need.

use std::process::Command;

use crate::kit::run::program::Program;

/// The usage and flags of a help screen, without its examples.
fn flags(help: &str) -> &str {
    help.split("Exit codes:").next().unwrap_or_default()
}

#[test]
fn help_is_grouped_and_each_mode_has_a_screen_of_its_own() {
    let program = Program::new();
    let all = program.run(["--help"]);
    all.code(0)
        .says("\nValidate (validate, migrate):\n")
        .says("--deep")
        .says("--imap-host")
        .says("Exit codes:")
        .says("--mode export --help");
    let text = all.stdout.clone();
    assert!(
        text.find("--config <PATH>") < text.find("--deep"),
        "the common ones come first"
    );
    for words in [
        &["--mode", "export", "--help"][..],
        &["--help", "--mode=export"],
    ] {
        let export = program.run(words);
        export
            .code(0)
            .says("--no-audit-after-export")
            .says("--mode export -");
        for foreign in ["--deep", "--imap-host", "--fix-nul", "--reports"] {
            assert!(!flags(&export.stdout).contains(foreign), "{foreign}");
        }
    }
    program
        .run(["--mode", "validate", "-h"])
        .code(0)
        .says("--deep")
        .says("changes nothing");
}

#[test]
fn a_flag_of_another_mode_says_where_it_belongs() {
    let program = Program::new();
    program
        .run(["--mode", "export", "--deep"])
        .code(2)
        .warns("--deep does not go with --mode export: it is a flag of validate and migrate");
    program
        .run(["--mode", "audit", "--until", "import"])
        .code(2)
        .warns("it is a flag of migrate");
}

#[test]
fn flags_that_scripts_give_to_every_mode_do_no_harm() {
    let common = [
        "--imapsync",
        "never",
        "--no-connectivity-test",
        "--max-workers",
        "2",
    ];
    for mode in [
        "export", "import", "validate", "audit", "test", "migrate", "index", "report",
    ] {
        let program = Program::new();
        let output = program.run(["--mode", mode].iter().chain(&common));
        assert!(
            !output.stderr.contains("does not go with"),
            "{mode}: {}",
            output.stderr
        );
    }
}

#[test]
fn a_mode_without_its_flag_is_understood() {
    let program = Program::new();
    program
        .run(["export"])
        .code(2)
        .warns("to export, write --mode export");
    program.run(["--audit"]).code(2).warns("write --mode audit");
    program
        .run(["--config", "x"])
        .code(2)
        .warns("--mode is missing");
    program
        .run(["--mode", "report", "--reports", "shard-*.json"])
        .code(2)
        .warns("no report is called shard-*.json");
}

/// What was built: a commit, where git knows it.
fn commit() -> String {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    if !here.join(".git").exists() {
        return "not recorded".to_owned();
    }
    let git = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .current_dir(here)
        .output();
    let known = git.ok().filter(|git| git.status.success());
    let said = known.map(|git| String::from_utf8_lossy(&git.stdout).trim().to_owned());
    said.unwrap_or_else(|| "not recorded".to_owned())
}

#[test]
fn it_says_which_version_it_is() {
    let program = Program::new();
    let short = program.run(["--version"]);
    short.code(0);
    assert_eq!(
        short.stdout,
        concat!("imapsync-bulk-migrator ", env!("CARGO_PKG_VERSION"), "\n")
    );
    program
        .run(["--version", "--verbose"])
        .code(0)
        .says("OpenSSL")
        .says(&format!("commit:   {}", commit()))
        .says(std::env::consts::ARCH);
}

#[test]
fn the_manual_page_renders_without_a_warning() {
    let program = Program::new();
    let page = program.run(["--generate", "man"]);
    page.code(0);
    program.file("page.1", &page.stdout);
    let man = Command::new("man")
        .args(["--warnings", "--local-file", "page.1"])
        .env("MANWIDTH", "80")
        .env("LC_ALL", "C.UTF-8")
        .current_dir(program.dir())
        .output()
        .expect("man: apt-get install man-db");
    let shown = String::from_utf8_lossy(&man.stdout);
    assert_eq!(String::from_utf8_lossy(&man.stderr), "");
    for expected in [
        "CONFIGURATION",
        "ARCHIVE",
        "EXIT STATUS",
        "130",
        "--resync-missing",
    ] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
}

#[test]
fn shells_take_their_completions() {
    let program = Program::new();
    let bash = program.run(["--generate", "bash"]);
    bash.code(0).says("--exclude-account");
    program.file("completion.bash", &bash.stdout);
    let script = "source completion.bash && COMP_WORDS=(imapsync-bulk-migrator --resy) COMP_CWORD=1 \
                  && _imapsync__bulk__migrator imapsync-bulk-migrator --resy '' && echo \"${COMPREPLY[@]}\"";
    let completed = Command::new("bash")
        .args(["-c", script])
        .current_dir(program.dir())
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&completed.stdout);
    assert_eq!(said.trim(), "--resync-missing", "{completed:?}");
    for shell in ["zsh", "fish"] {
        program
            .run(["--generate", shell])
            .code(0)
            .says("resync-missing");
    }
}
