//! What was typed, nothing else.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{ArgAction, Parser, ValueEnum};

use crate::config::UseImapsync;
use crate::disk::output::is_stdout;
use crate::logging::Format;
use crate::mode::{Mode, Phase, ReportList};

pub mod flags;
mod generate;
mod panel;
mod read;
mod text;
mod version;

use generate::Generate;
pub use panel::{IndexArgs, PanelArgs};
pub use read::{Typed, modes, read};

/// Copies all mailboxes of many IMAP accounts to disk, safely and fast.
// Switches on a command line are bools.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Args {
    /// What to do: "export" copies all mailboxes to disk without changing anything on the server;
    /// "audit" proves the copy; "import" puts it onto another server; "validate" proves that the
    /// other server has it; "migrate" does all of that, account by account; "report"
    /// reads the reports of runs again, and makes one of those of shards; "test" checks the connections; "authorize" has users
    /// agree that their mail is read, and keeps their refresh tokens; "index" writes the configuration from what
    /// a DirectAdmin panel lists
    #[arg(long, value_enum, hide_possible_values = true, value_name = "MODE")]
    pub mode: Mode,

    /// The JSON file with server and accounts [default: export.pass.config.json, or for import and
    /// validate import.pass.config.json]
    #[arg(long, value_name = "PATH")]
    pub config: Option<PathBuf>,

    /// Migrate: the JSON file with the server that the mail goes to, and the same accounts there [default:
    /// import.pass.config.json]
    #[arg(long, value_name = "PATH")]
    pub import_config: Option<PathBuf>,

    /// Migrate: end each account after its "export" (and its audit) or its "import"
    #[arg(long, value_name = "PHASE", value_parser = until)]
    pub until: Option<Phase>,

    /// Report: the reports of earlier runs, one of any mode or one of each shard
    #[arg(long, value_name = "FILE.json", num_args = 1..)]
    pub reports: Vec<PathBuf>,

    /// Report: print only the names of the accounts that "failed", are "parked", or are "missing" from the reports and stand in
    /// --config
    #[arg(long, value_name = "WHICH", value_parser = list)]
    pub list: Option<ReportList>,

    /// Where an export puts the archive [default: ./exported]
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,

    /// Where the archive is, for all that reads it [default: ./exported]
    ///
    /// With it, "test" also looks whether the server can take the archive.
    #[arg(long, value_name = "DIR")]
    pub input_dir: Option<PathBuf>,

    /// Import also what an export left incomplete
    #[arg(long)]
    pub allow_incomplete: bool,

    /// Import: flags that changed in the archive since their messages were imported do not follow
    #[arg(long)]
    pub no_flag_updates: bool,

    /// Import, validate: give lone line feeds the carriage return that strict servers ask for
    #[arg(long)]
    pub fix_bare_lf: bool,

    /// Import, validate: leave out zero bytes, which IMAP cannot carry
    #[arg(long)]
    pub fix_nul: bool,

    /// Import, validate: end messages with a line end
    #[arg(long)]
    pub fix_final_newline: bool,

    /// Do not test environment and connections before the run
    #[arg(long)]
    pub no_connectivity_test: bool,

    /// What the connectivity test does with imapsync: "require" it, use it where it is there ("auto"), or "never"
    #[arg(long, value_enum, value_name = "WHEN", default_value = "require")]
    pub imapsync: UseImapsync,

    /// Export: do not audit the archive afterwards
    #[arg(long)]
    pub no_audit_after_export: bool,

    /// Audit: look at the archive only, not at the server that it comes from
    #[arg(long)]
    pub audit_offline: bool,

    /// Audit: write the SHA-256 of all messages to this file, for "sha256sum -c"
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Validate: read the messages back from the server and compare their SHA-256
    #[arg(long)]
    pub deep: bool,

    /// Validate: with --deep, read only so many percent of the messages, always the same ones
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "deep")]
    pub sample: Option<f64>,

    /// Validate: import what is missing, then compare again
    #[arg(long)]
    pub resync_missing: bool,

    /// Accounts worked on at the same time [default: number of CPU cores, at least 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub max_workers: Option<u16>,

    /// Stay and go on with parked accounts when their time has come: a new day, or the end of more than 15 minutes for
    /// which a server asked to be left alone
    #[arg(long)]
    pub wait: bool,

    /// When an account fails, go on with the others instead of stopping the run
    #[arg(long)]
    pub ignore_errors: bool,

    /// Where the log file of each run goes
    #[arg(long, value_name = "DIR", default_value = "./logs")]
    pub log_dir: PathBuf,

    /// Free disk space, in gigabytes, below which nothing is begun and a run stops; an account whose mail would not
    /// leave it is not fetched (with 0 it is, as far as it goes)
    #[arg(long, value_name = "FLOAT", default_value = "1.0", value_parser = gigabytes)]
    pub min_free_gb: f64,

    /// How long to wait for the server when connecting, reading and writing
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub imap_timeout: u32,

    /// Only accounts whose e-mail address matches this glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub account: Vec<String>,

    /// No accounts whose e-mail address matches this glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub exclude_account: Vec<String>,

    /// Only the accounts that are not complete in this report of an earlier run, or whose names stand in this file, one a
    /// line, as "--mode report --list" prints them
    #[arg(long, value_name = "REPORT.json|LIST")]
    pub only_failed: Option<PathBuf>,

    /// Only the accounts that are this process's own, where N share the configuration: I from 1 to N, or "auto" in a
    /// task of a Slurm array or a pod of an indexed Kubernetes job
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,

    /// Only mailboxes whose name matches this glob ("*" crosses hierarchy delimiters); may be given several times
    #[arg(long, value_name = "GLOB")]
    pub folder: Vec<String>,

    /// No mailboxes whose name matches this glob; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub exclude_folder: Vec<String>,

    /// Log in, list, print per mailbox what would be fetched or appended; change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Also write the report of the run, for machines, to this file
    #[arg(long, value_name = "FILE.json")]
    pub report: Option<PathBuf>,

    /// Also write it as one page for a browser, to be handed on
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,

    /// Also write the accounts as a table, one row each
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,

    /// Have the reports name the subjects of the messages that they name; without, a subject stands in none of them
    #[arg(long)]
    pub with_subjects: bool,

    /// Write how far the run is to this JSON file, anew every 5 seconds and at the end
    #[arg(long, value_name = "FILE.json", value_parser = replaced)]
    pub status: Option<PathBuf>,

    /// The same for Prometheus: a file for the directory of its node exporter's textfile collector
    #[arg(long, value_name = "FILE.prom", value_parser = metrics)]
    pub metrics: Option<PathBuf>,

    /// How log lines are written: text for people, json for collectors (one object a line)
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = log_format)]
    pub log_format: Format,

    /// Log more to the terminal; twice for all of it
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,

    /// Log only warnings and errors, and show no progress
    #[arg(short, long)]
    pub quiet: bool,

    /// Print a manual page, or completions for a shell, and do nothing else
    #[arg(long, value_enum, value_name = "WHAT")]
    pub generate: Option<Generate>,

    /// The flags that were typed, by their names without dashes.
    #[arg(skip)]
    pub given: Vec<String>,

    /// The panel.
    #[command(flatten)]
    pub panel: PanelArgs,

    /// What index writes.
    #[command(flatten)]
    pub index: IndexArgs,
}

impl ValueEnum for Mode {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl ValueEnum for UseImapsync {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

fn list(text: &str) -> Result<ReportList, String> {
    match text {
        "failed" => Ok(ReportList::Failed),
        "parked" => Ok(ReportList::Parked),
        "missing" => Ok(ReportList::Missing),
        _ => Err("must be failed, parked or missing".to_owned()),
    }
}

fn until(text: &str) -> Result<Phase, String> {
    match text {
        "export" => Ok(Phase::Export),
        "import" => Ok(Phase::Import),
        _ => Err("must be export or import".to_owned()),
    }
}

fn log_format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("text or json".to_owned()),
    }
}

fn replaced(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if is_stdout(&path) {
        return Err("must be a file: it is replaced again and again".to_owned());
    }
    Ok(path)
}

fn metrics(text: &str) -> Result<PathBuf, String> {
    let path = replaced(text)?;
    if path.extension().is_none_or(|end| end != "prom") {
        return Err("must end with .prom, as the node exporter reads no other files".to_owned());
    }
    Ok(path)
}

fn gigabytes(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && (0.0..=1e9).contains(&number) {
        Ok(number)
    } else {
        Err("must be 0 or more".to_owned())
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number > 0.0 && number <= 100.0 {
        Ok(number)
    } else {
        Err("must be more than 0 and at most 100".to_owned())
    }
}
