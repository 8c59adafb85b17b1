//! From nothing to a migrated account, by what the README says: the package installs and runs, and the quick start works
//! as it is typed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::kit::mail::realistic;
use crate::kit::run::program::{BINARY, Program};
use crate::kit::run::reader::Reader;
use crate::kit::servers::dovecot::{Dovecot, DovecotOptions};

const README: &str = include_str!("../../README.md");

#[track_caller]
fn well(output: &Output) -> String {
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{output:?}\n{said}\n{errors}");
    said.into_owned()
}

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

/// A root with nothing in it but what dpkg keeps its books in.
fn fresh_root(program: &Program) -> PathBuf {
    let root = program.path("root");
    for dir in ["info", "updates", "triggers"] {
        fs::create_dir_all(root.join("var/lib/dpkg").join(dir)).expect("create");
    }
    fs::write(root.join("var/lib/dpkg/status"), "").expect("write");
    root
}

/// The libraries that the program is linked to, where it looks for them.
fn give_libraries(root: &Path) {
    for line in well(&run("ldd", &[BINARY])).lines() {
        let mut words = line.split_whitespace();
        let Some(library) = words.find(|word| word.starts_with('/')) else {
            continue;
        };
        let to = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(to.parent().expect("a directory")).expect("create");
        fs::copy(library, to).expect("copy a library");
    }
}

#[test]
fn the_package_installs_into_a_fresh_root_and_runs_there() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/debian/package");
    // Without its best compression, which takes longer than all else here.
    let made = Command::new(script)
        .arg(BINARY)
        .envs([
            ("DPKG_DEB_COMPRESSOR_TYPE", "gzip"),
            ("DPKG_DEB_COMPRESSOR_LEVEL", "1"),
            ("DEBFULLNAME", "Anna Admin"),
            ("DEBEMAIL", "anna@example.com"),
        ])
        .output();
    let made = well(&made.expect("run the script"));
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join(made.trim());
    let package = package.to_str().expect("UTF-8");
    let control = well(&run("dpkg-deb", &["-f", package]));
    assert!(control.contains("\nDepends: libc6 (>= "), "{control}");
    assert!(
        control.contains(&format!("\nVersion: {}-1\n", env!("CARGO_PKG_VERSION"))),
        "{control}"
    );

    // Not the version that happens to be installed here: a machine without the newest updates can have it as well.
    assert!(control.contains(" (>= 3.0.0)"), "{control}");
    let maintainer = "\nMaintainer: Anna Admin <anna@example.com>\n";
    assert!(control.contains(maintainer), "{control}");

    let program = Program::new();
    let root = fresh_root(&program);
    let at = root.to_str().expect("UTF-8");
    let dpkg = |arguments: &[&str]| {
        // Its libraries are packages of a system that is not there.
        let before = ["--root", at, "--log=/dev/null", "--force-depends"];
        well(&run("dpkg", &[before.as_slice(), arguments].concat()))
    };
    dpkg(&["-i", package]);
    for file in [
        "usr/bin/imapsync-bulk-migrator",
        "usr/share/man/man1/imapsync-bulk-migrator.1.gz",
        "usr/share/bash-completion/completions/imapsync-bulk-migrator",
        "usr/share/zsh/vendor-completions/_imapsync-bulk-migrator",
        "usr/share/fish/vendor_completions.d/imapsync-bulk-migrator.fish",
        "usr/lib/systemd/system/imapsync-bulk-migrator-export.service",
        "usr/lib/systemd/system/imapsync-bulk-migrator-export.timer",
        "usr/share/doc/imapsync-bulk-migrator/examples/export.pass.config.json",
    ] {
        let size = fs::metadata(root.join(file)).map(|file| file.len());
        assert!(size.is_ok_and(|size| size > 0), "{file}");
    }
    give_libraries(&root);
    let said = well(&run(
        "chroot",
        &[at, "/usr/bin/imapsync-bulk-migrator", "--version"],
    ));
    assert_eq!(
        said,
        format!("imapsync-bulk-migrator {}\n", env!("CARGO_PKG_VERSION"))
    );
    let page = root.join("usr/share/man/man1/imapsync-bulk-migrator.1.gz");
    let page = run("man", &["--warnings", "-l", page.to_str().expect("UTF-8")]);
    assert!(page.status.success() && page.stderr.is_empty(), "{page:?}");
    dpkg(&["-r", "imapsync-bulk-migrator"]);
    assert!(!root.join("usr/bin/imapsync-bulk-migrator").exists());
}

/// The indented blocks of a section, in their order.
fn blocks(section: &str) -> Vec<String> {
    let from = README
        .find(&format!("## {section}\n"))
        .expect("the section");
    let text = &README[from + 3..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(code) => *blocks.last_mut().expect("one") += &format!("{code}\n"),
            None if blocks.last().is_some_and(|block| !block.is_empty()) => {
                blocks.push(String::new());
            }
            None => {}
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn the_quick_start_works_as_it_is_typed() {
    let [config, first, second] = &blocks("Quick start")[..] else {
        panic!(
            "the quick start has other blocks: {:?}",
            blocks("Quick start")
        );
    };
    let typed: Value = serde_json::from_str(config).expect("JSON");
    let accounts: Vec<(String, String)> = typed["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .map(|account| {
            let text = |key: &str| account[key].as_str().expect("text").to_owned();
            (text("email"), text("password"))
        })
        .collect();
    let accounts: Vec<(&str, &str)> = accounts
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let (old, new) = (
        Dovecot::start(DovecotOptions::of(&accounts)),
        Dovecot::start(DovecotOptions::of(&accounts)),
    );
    let mails = realistic(18, 7);
    old.seed(accounts[0].0, "INBOX", &mails);
    old.seed(accounts[1].0, "Archive/2024", &mails[..3]);

    let program = Program::new();
    // Only the servers are others than those of the README.
    let at = |text: &str, host: &str, dovecot: &Dovecot| {
        assert!(text.contains(host), "{host} is not in {text}");
        let mut config: Value = serde_json::from_str(text).expect("JSON");
        config["server"] = crate::kit::run::program::server_json(&dovecot.imaps());
        config.to_string()
    };
    program.file(
        "export.pass.config.json",
        &at(config, "imap.old.example", &old),
    );
    let bin = program.path("bin");
    fs::create_dir(&bin).expect("create");
    symlink(BINARY, bin.join("imapsync-bulk-migrator")).expect("symlink");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let shell = |commands: &str| {
        let output = Command::new("sh")
            .args(["-exc", commands])
            .current_dir(program.dir())
            .env("PATH", &path)
            .output();
        well(&output.expect("sh"))
    };
    let said = shell(first);
    assert!(said.contains("test complete: 2 accounts"), "{said}");
    assert!(said.contains("export complete: 2 accounts"), "{said}");
    let template =
        fs::read_to_string(program.path("import.pass.config.json")).expect("the template");
    program.file(
        "import.pass.config.json",
        &at(&template, "CHANGE_ME.example.com", &new),
    );
    let said = shell(second);
    assert!(said.contains("import complete: 2 accounts"), "{said}");
    assert!(said.contains("10 are identical byte for byte"), "{said}");
    assert!(program.path("proof.json").exists());
    let on_new = Reader::new(&new.imaps(), accounts[0].0, accounts[0].1);
    assert_eq!(on_new.mailbox("INBOX").messages.len(), 7);
}
