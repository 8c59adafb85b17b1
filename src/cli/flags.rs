//! Which flag goes with which mode, and under which heading `--help` has it. One row a flag: a test holds the table to
//! what can be typed.

use super::Mode;
use Mode::{Audit, Authorize, Export, Import, Index, Migrate, Report, Test, Validate};

/// Every mode.
const ALL: &[Mode] = &Mode::ALL;
/// Every mode with accounts.
const RUNS: &[Mode] = &[Export, Import, Test, Validate, Audit, Migrate];
/// Every mode with a configuration.
const CONFIGURED: &[Mode] = &[
    Export, Import, Test, Validate, Audit, Migrate, Report, Authorize,
];
/// Every mode that chooses accounts.
const CHOOSING: &[Mode] = &[Export, Import, Test, Validate, Audit, Migrate, Authorize];
/// Every mode that reports how runs went.
const TOLD: &[Mode] = &[Export, Import, Test, Validate, Audit, Migrate, Report];
/// Those that may talk to a panel.
const PANEL: &[Mode] = &[Import, Migrate, Index];
/// Those that have a panel create mailboxes.
const CREATING: &[Mode] = &[Import, Migrate];
/// Those that bring messages to a server.
const TARGET: &[Mode] = &[Import, Validate, Migrate];
/// Those that audit.
const AUDITING: &[Mode] = &[Export, Audit, Migrate];

/// Under which heading; the common ones come first and have none of their own.
const COMMON: &str = "";
const MEANT: &str = "Which accounts and mailboxes";
const BEFORE: &str = "Test before the run (test; before export, import, validate, migrate)";
const AUDIT: &str = "Audit (audit; export, migrate)";
const EXPORT: &str = "Export (export, migrate)";
const IMPORT: &str = "Import (import, validate, migrate)";
const VALIDATE: &str = "Validate (validate, migrate)";
const MIGRATE: &str = "Migrate";
const REPORT: &str = "Report";
const DIRECTADMIN: &str = "DirectAdmin (import and migrate with --auto-provision-da, and index)";
const INDEX: &str = "Index";

/// A flag by its name without dashes, its heading and its modes.
type Row = (&'static str, &'static str, &'static [Mode]);

const FLAGS: &[Row] = &[
    ("mode", COMMON, ALL),
    ("config", COMMON, CONFIGURED),
    ("output-dir", COMMON, &[Export, Audit, Test, Migrate]),
    ("input-dir", COMMON, &[Import, Validate, Audit, Test]),
    ("dry-run", COMMON, &[Export, Import, Migrate]),
    ("ignore-errors", COMMON, ALL),
    ("wait", COMMON, ALL),
    ("max-workers", COMMON, ALL),
    ("imap-timeout", COMMON, ALL),
    ("min-free-gb", COMMON, ALL),
    ("report", COMMON, ALL),
    ("html", COMMON, ALL),
    ("csv", COMMON, ALL),
    ("with-subjects", COMMON, TOLD),
    ("status", COMMON, RUNS),
    ("metrics", COMMON, RUNS),
    ("log-dir", COMMON, ALL),
    ("log-format", COMMON, ALL),
    ("verbose", COMMON, ALL),
    ("quiet", COMMON, ALL),
    ("generate", COMMON, ALL),
    ("account", MEANT, CHOOSING),
    ("exclude-account", MEANT, CHOOSING),
    ("only-failed", MEANT, RUNS),
    ("shard", MEANT, RUNS),
    ("folder", MEANT, RUNS),
    ("exclude-folder", MEANT, RUNS),
    // Harmless where nothing is tested: scripts give them to all modes alike.
    ("no-connectivity-test", BEFORE, ALL),
    ("imapsync", BEFORE, ALL),
    ("no-audit-after-export", EXPORT, &[Export, Migrate]),
    ("audit-offline", AUDIT, AUDITING),
    ("manifest", AUDIT, AUDITING),
    ("allow-incomplete", IMPORT, TARGET),
    ("no-flag-updates", IMPORT, TARGET),
    ("fix-bare-lf", IMPORT, TARGET),
    ("fix-nul", IMPORT, TARGET),
    ("fix-final-newline", IMPORT, TARGET),
    ("deep", VALIDATE, &[Validate, Migrate]),
    ("sample", VALIDATE, &[Validate, Migrate]),
    ("resync-missing", VALIDATE, &[Validate]),
    ("import-config", MIGRATE, &[Migrate]),
    ("until", MIGRATE, &[Migrate]),
    ("reports", REPORT, &[Report]),
    ("list", REPORT, &[Report]),
    ("auto-provision-da", DIRECTADMIN, CREATING),
    ("da-dry-run", DIRECTADMIN, CREATING),
    ("da-quota-mb", DIRECTADMIN, CREATING),
    ("da-url", DIRECTADMIN, PANEL),
    ("da-username", DIRECTADMIN, PANEL),
    ("da-password", DIRECTADMIN, PANEL),
    ("da-password-file", DIRECTADMIN, PANEL),
    ("da-password-env", DIRECTADMIN, PANEL),
    ("da-ca-file", DIRECTADMIN, PANEL),
    ("da-no-verify-ssl", DIRECTADMIN, PANEL),
    ("da-allow-http", DIRECTADMIN, PANEL),
    ("imap-host", INDEX, &[Index]),
    ("imap-port", INDEX, &[Index]),
    ("imap-ssl", INDEX, &[Index]),
    ("no-imap-ssl", INDEX, &[Index]),
    ("imap-starttls", INDEX, &[Index]),
    ("out", INDEX, &[Index]),
    ("overwrite", INDEX, &[Index]),
    ("default-password", INDEX, &[Index]),
    ("default-password-file", INDEX, &[Index]),
    ("default-password-env", INDEX, &[Index]),
    ("domain", INDEX, &[Index]),
    ("all-domains", INDEX, &[Index]),
];

/// The modes that a flag goes with.
#[must_use]
pub fn modes(flag: &str) -> &'static [Mode] {
    row(flag).map_or(ALL, |(_, _, modes)| modes)
}

/// The heading of a flag, where it has one of its own.
pub(super) fn heading(flag: &str) -> Option<&'static str> {
    let heading = row(flag).map(|(_, heading, _)| *heading);
    heading.filter(|heading| !heading.is_empty())
}

/// The flags of a panel, but for the one that asks for it.
#[must_use]
pub fn is_about_panel(flag: &str) -> bool {
    flag.starts_with("da-")
}

fn row(flag: &str) -> Option<&'static Row> {
    FLAGS.iter().find(|(name, _, _)| *name == flag)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_has_its_row() {
        let command = crate::cli::Args::command();
        let typed = command.get_arguments().filter_map(|flag| flag.get_long());
        let mut typed: Vec<&str> = typed.collect();
        let mut known: Vec<&str> = FLAGS.iter().map(|(name, _, _)| *name).collect();
        typed.sort_unstable();
        known.sort_unstable();
        assert_eq!(typed, known);
    }
}
