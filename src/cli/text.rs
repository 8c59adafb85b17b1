//! What `--help` says beside the flags.

use crate::mode::Mode;

/// How the process ends.
const EXIT_CODES: &str = "\
Exit codes:
  0    everything was done, and all is well
  1    an account failed or is not complete, or audit or validate found errors or warnings
  2    wrong usage or configuration, or the environment does not allow the run
  3    a check before the run failed
  75   nothing failed, but accounts are parked (a day's limit, a server's wish): run it again later
  130  stopped by a signal
";

const EXAMPLES: &[(Mode, &str)] = &[
    (Mode::Test, "--mode test"),
    (
        Mode::Test,
        "--mode test --config import.pass.config.json --input-dir ./exported",
    ),
    (Mode::Export, "--mode export"),
    (
        Mode::Export,
        "--mode export --dry-run --account '*@example.org'",
    ),
    (
        Mode::Export,
        "--mode export --exclude-folder 'Trash*' --ignore-errors -q --report report.json",
    ),
    (
        Mode::Audit,
        "--mode audit --audit-offline --manifest SHA256SUMS",
    ),
    (Mode::Import, "--mode import --dry-run"),
    (Mode::Import, "--mode import"),
    (
        Mode::Import,
        "--mode import --auto-provision-da --da-url https://panel.example.net:2222 \\\n      \
         --da-username bob --da-password-file da.key --da-dry-run",
    ),
    (
        Mode::Validate,
        "--mode validate --deep --report proof.json --html proof.html",
    ),
    (
        Mode::Migrate,
        "--mode migrate --config old.json --import-config new.json --html proof.html",
    ),
    (
        Mode::Report,
        "--mode report --reports shard-*.json --html proof.html",
    ),
    (Mode::Authorize, "--mode authorize --account 'anna@*'"),
    (
        Mode::Index,
        "--mode index --da-url https://panel.example.com:2222 --da-username bob \\\n      \
         --da-password-file da.key --imap-host mail.example.com",
    ),
];

/// The end of a help screen: of one mode, or of all.
#[must_use]
pub fn after_help(mode: Option<Mode>) -> String {
    let mut text = format!("{EXIT_CODES}\nExamples:\n");
    for (of, example) in EXAMPLES {
        if mode.is_none_or(|mode| mode == *of) {
            text.push_str("  imapsync-bulk-migrator ");
            text.push_str(example);
            text.push('\n');
        }
    }
    text.push_str(match mode {
        None => {
            "\nThe flags of one mode: imapsync-bulk-migrator --mode export --help\n\
             A run that was stopped, killed or cut off is simply started again: it completes the work."
        }
        Some(_) => "\nThe flags of all modes: imapsync-bulk-migrator --help",
    });
    text
}

/// What a mode is for.
#[must_use]
pub fn about(mode: Mode) -> &'static str {
    match mode {
        Mode::Export => {
            "Copies all mailboxes to disk, changing nothing on the server, and audits the copy. Run again, it fetches \
             what is new."
        }
        Mode::Audit => {
            "Proves that an archive is whole: by itself, and against the server that it comes from."
        }
        Mode::Import => {
            "Makes a server hold what an archive holds, exactly once. Run again, it appends only what is missing."
        }
        Mode::Validate => {
            "Proves that a server holds what an archive holds, message by message; changes nothing."
        }
        Mode::Test => {
            "Tests machine, connections and logins; with --input-dir also whether the server can take an archive."
        }
        Mode::Migrate => "Export, audit, import and validate of each account, one after the other.",
        Mode::Report => {
            "Reads the reports of earlier runs again, and makes one of those of shards."
        }
        Mode::Authorize => {
            "Has users agree that their mail is read, in a browser or by a code, and keeps their refresh tokens."
        }
        Mode::Index => "Writes the configuration from what a DirectAdmin panel lists.",
    }
}

/// The same behind "to".
pub(super) fn doing(mode: Mode) -> &'static str {
    match mode {
        Mode::Export => "export",
        Mode::Audit => "audit an archive",
        Mode::Import => "import",
        Mode::Validate => "validate",
        Mode::Test => "test the connections",
        Mode::Migrate => "migrate",
        Mode::Report => "render reports",
        Mode::Authorize => "have users agree",
        Mode::Index => "write a configuration",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    /// First numbers of lines, between a heading and the next empty line behind them.
    fn listed(text: &str, heading: &str, cell: fn(&str) -> &str) -> Vec<u8> {
        let (_, behind) = text.split_once(heading).expect("the heading");
        let numbers = behind.lines().map(|line| cell(line).parse().ok());
        let numbers = numbers.skip_while(Option::is_none);
        numbers.map_while(|number| number).collect()
    }

    #[test]
    fn help_and_readme_list_the_codes() {
        let codes: Vec<u8> = Exit::ALL.into_iter().map(Exit::code).collect();
        let help = listed(EXIT_CODES, "Exit codes:", |line| {
            line.split_whitespace().next().unwrap_or_default()
        });
        assert_eq!(help, codes, "--help");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let readme = std::fs::read_to_string(path).expect("README.md");
        let table = listed(&readme, "### Exit codes", |line| {
            line.split('|').nth(1).unwrap_or_default().trim()
        });
        assert_eq!(table, codes, "README.md");
    }
}
