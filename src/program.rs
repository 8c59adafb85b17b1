//! Parses, starts logging, dispatches, prints, and turns the outcome into an exit code.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

use crate::child;
use crate::cli::{self, Args, Typed};
use crate::commands::{self, index, index::IndexOutcome};
use crate::config;
use crate::exit::Exit;
use crate::limits;
use crate::logging::{self, Format, LogFile, Verbosity};
use crate::mode::Mode;
use crate::outputs::{self, Outputs};
use crate::plural::counted;
use crate::progress::{Progress, screen};
use crate::report::{About, AccountReport, Report};
use crate::settings::{self, Settings};
use crate::status::StatusFiles;
use crate::stop::Stop;
use anyhow::{Result, anyhow};
use tracing::{debug, error, info, warn};

/// Stack for reading command line and configuration, whatever the limit of the first thread's is.
const STACK: usize = 4 << 20;

/// Runs the program.
pub fn main() -> ExitCode {
    let thread = std::thread::Builder::new()
        .name("main".to_owned())
        .stack_size(STACK);
    match thread.spawn(begin) {
        // A panic has been reported already.
        Ok(thread) => thread.join().unwrap_or(ExitCode::from(101)),
        // Where there is no further thread, the run says so itself.
        Err(_) => begin(),
    }
}

fn begin() -> ExitCode {
    limits::no_core_dump();
    if let Err(error) = limits::no_end_by_file_size() {
        logging::tell(&format!("warning: SIGXFSZ: {error}"));
    }
    let args = match cli::read(std::env::args_os()) {
        Ok(Typed::Run(args)) => args,
        Ok(Typed::Text(text)) => {
            let printed = logging::print(&text);
            return ExitCode::from(u8::from(printed.is_err()) * Exit::Unusable.code());
        }
        Err(error) => return not_understood(&error),
    };
    let outputs = outputs(&args);
    // A bug of this program ends the run, too, and has been reported already.
    let status = StatusFiles::new(args.mode, args.status.clone(), args.metrics.clone());
    let outcome =
        catch_unwind(AssertUnwindSafe(|| run(&args, &outputs, &status))).unwrap_or_else(|_| {
            Err(anyhow!(
                "a bug in this program ended the run; please report it"
            ))
        });
    let exit = outcome.unwrap_or_else(|error| {
        logging::tell(&format!("error: {error:#}"));
        let report = Report::begin(About::unknown(args.mode));
        outputs.not_begun(report, &error, Exit::Unusable)
    });
    // Nothing else is overwritten by it.
    if outputs.disjoint().is_ok() {
        status.end(exit);
    }
    ExitCode::from(exit.code())
}

/// The files that a run reads and writes.
fn outputs(args: &Args) -> Outputs {
    let manifest = args.manifest.iter().cloned();
    let mut others: Vec<_> = manifest.map(|path| ("--manifest", path)).collect();
    others.extend(args.status.iter().map(|path| ("--status", path.clone())));
    others.extend(args.metrics.iter().map(|path| ("--metrics", path.clone())));
    let inputs = if args.mode == Mode::Index {
        let out = args.index.out.clone();
        others.push(("--out", out.unwrap_or_else(|| config::EXPORT.into())));
        Vec::new()
    } else {
        let typed = args.config.iter().chain(&args.import_config);
        with_defaults(typed.cloned().collect())
    };
    Outputs {
        report: args.report.clone(),
        html: args.html.clone(),
        csv: args.csv.clone(),
        others,
        inputs,
        earlier: args
            .reports
            .iter()
            .chain(&args.only_failed)
            .cloned()
            .collect(),
    }
}

/// What holds passwords is no place for a report, whether or not it is typed.
fn with_defaults(mut inputs: Vec<PathBuf>) -> Vec<PathBuf> {
    inputs.extend([config::EXPORT, config::IMPORT].map(PathBuf::from));
    inputs
}

/// Help and version are fine, wrong usage is not: then whoever reads the report must not find yesterday's.
fn not_understood(error: &clap::Error) -> ExitCode {
    // If nobody reads it, the exit code still says it.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    let value = |flag: &str| {
        let assigned = format!("{flag}=");
        words.iter().enumerate().find_map(|(index, word)| {
            let next = words.get(index + 1).filter(|_| word == flag).cloned();
            let next = next.filter(|next| !next.as_encoded_bytes().starts_with(b"--"));
            let here = word.to_str().and_then(|word| word.strip_prefix(&assigned));
            here.map(OsString::from).or(next)
        })
    };
    let mode =
        value("--mode").and_then(|word| Mode::ALL.into_iter().find(|mode| word == mode.as_str()));
    let mut report = Report::begin(About::unknown(mode.unwrap_or(Mode::Test)));
    report.mode_is_unknown = mode.is_none();
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().to_owned();
    let path = |flag: &str| value(flag).map(PathBuf::from);
    let outputs = Outputs {
        report: path("--report"),
        html: path("--html"),
        csv: path("--csv"),
        others: Vec::new(),
        inputs: with_defaults(
            [path("--config"), path("--import-config")]
                .into_iter()
                .flatten()
                .collect(),
        ),
        earlier: [path("--reports"), path("--only-failed")]
            .into_iter()
            .flatten()
            .collect(),
    };
    let exit = outputs.not_begun(report, &anyhow!(first), Exit::Unusable);
    ExitCode::from(exit.code())
}

fn run(args: &Args, outputs: &Outputs, status: &StatusFiles) -> Result<Exit> {
    if args.mode == Mode::Index {
        return index(args, outputs);
    }
    if args.mode == Mode::Authorize {
        return authorize(args, outputs);
    }
    if args.mode == Mode::Report {
        return report(args, outputs);
    }
    let mut settings = Settings::new(args)?;
    let warning = settings.fit_to_limits()?;
    settings.config.warnings.extend(warning);
    outputs.probe()?;
    status.probe()?;
    if !commands::ask::passwords(&settings)? {
        return Ok(left(outputs, &settings));
    }
    let progress = Progress::new(args.quiet || args.log_format == Format::Json);
    let stop = Stop::new();
    outputs.keep_for_the_worst(settings.report());
    stop.on_signals(told_to_stop, ended_at_once)?;
    let log = start_log(args)?;
    log_beginning(&settings);
    status.begin(&progress, settings.shard);
    let outcome = commands::run(&settings, &stop, &progress);
    progress.finish();
    let path = log.as_ref().map(|log| log.path().display().to_string());
    let mut report = match outcome {
        Ok(report) => report,
        // In the log file as well as on the terminal.
        Err(error) => {
            error!("{error:#}");
            let exit = if stop.by_signal() {
                Exit::Stopped
            } else {
                Exit::Unusable
            };
            let mut report = settings.report();
            report.log = path;
            let exit = outputs.not_begun(report, &error, exit);
            log_end(log.as_ref(), exit, "the run could not begin");
            return Ok(exit);
        }
    };
    report
        .warnings
        .extend(log.as_ref().and_then(LogFile::trouble));
    report.log = path;
    report.limits = settings.limits_told();
    report.all_accounts = args.verbose > 0;
    report.file = args.report.as_ref().map(|path| path.display().to_string());
    settings.tell_tls(&mut report);
    report.describe_messages(&settings.archive_dir, args.with_subjects);
    report.close(&stop);
    status.take(&report);
    let text = on_paper(&report);
    outputs::finished();
    let exit = outputs.tell(&mut report, &text);
    log_end(log.as_ref(), exit, &report.sums());
    Ok(exit)
}

/// The user left at the prompt for a password.
fn left(outputs: &Outputs, settings: &Settings) -> Exit {
    let error = anyhow!("no password was typed, so nothing was begun");
    logging::tell(&format!("{error}"));
    outputs.not_begun(settings.report(), &error, Exit::Stopped)
}

/// The log file is the whole story: who ran what, where, with what.
fn log_beginning(settings: &Settings) {
    let report = settings.report();
    debug!("{} {}", env!("CARGO_PKG_NAME"), report.version);
    debug!("command: {}", report.command.join(" "));
    debug!(
        "machine: {}, process {}",
        report.machine,
        std::process::id()
    );
    debug!(
        "configuration: {}, sha256 {}, {}, {} at a time",
        settings.config.path.display(),
        report.config_sha256,
        counted(settings.config.accounts.len(), "account"),
        settings.workers
    );
    for server in &report.servers {
        debug!(
            "server: {} port {}, {}",
            server.host, server.port, server.protection
        );
    }
    for warning in &settings.config.warnings {
        warn!("{warning}");
    }
}

/// The last line of the log file, and its path as the last line of the run.
fn log_end(log: Option<&LogFile>, exit: Exit, sums: &str) {
    debug!("end: exit code {}, {sums}", exit.code());
    if let Some(log) = log {
        info!("log file: {}", log.path().display());
    }
}

/// `--mode index` makes accounts, and the report names them.
fn index(args: &Args, outputs: &Outputs) -> Result<Exit> {
    settings::refuse_foreign_flags(args)?;
    let plan = settings::index::IndexPlan::new(args)?;
    outputs.probe()?;
    start_log(args)?;
    for warning in &plan.warnings {
        warn!(panel = %"directadmin", "{warning}");
    }
    let stop = Stop::new();
    let mut report = Report::begin(About {
        config: plan.out.display().to_string(),
        warnings: plan.warnings.clone(),
        ..About::unknown(args.mode)
    });
    stop.on_signals(told_to_stop, ended_at_once)?;
    match index::run(&plan, &stop) {
        Ok(IndexOutcome::Written(summary)) => {
            let accounts = summary.accounts.iter();
            report.accounts = accounts.map(|name| AccountReport::complete(name)).collect();
            report.warnings.extend(summary.notes.iter().cloned());
            report.close(&stop);
            report.exit_code = report.exit_code.merge(summary.exit);
            Ok(outputs.tell(&mut report, &summary.to_string()))
        }
        Ok(IndexOutcome::Left) => {
            let error = anyhow!("nothing is written");
            logging::tell(&format!("{error}"));
            Ok(outputs.not_begun(report, &error, Exit::Stopped))
        }
        Err(error) => {
            error!(panel = %"directadmin", "{error:#}");
            let exit = if stop.by_signal() {
                Exit::Stopped
            } else {
                Exit::Unusable
            };
            Ok(outputs.not_begun(report, &error, exit))
        }
    }
}

/// `--mode authorize` talks to people: the report is for files alone.
fn authorize(args: &Args, outputs: &Outputs) -> Result<Exit> {
    let settings = Settings::new(args)?;
    outputs.probe()?;
    start_log(args)?;
    for warning in &settings.config.warnings {
        warn!("{warning}");
    }
    let stop = Stop::new();
    outputs.keep_for_the_worst(settings.report());
    stop.on_signals(told_to_stop, ended_at_once)?;
    let mut report = settings.report();
    report.accounts = commands::authorize::run(&settings.config.accounts, &stop, &logging::tell)?;
    report.close(&stop);
    outputs::finished();
    Ok(outputs.tell(&mut report, ""))
}

/// `--mode report` has no accounts of its own and no log file.
fn report(args: &Args, outputs: &Outputs) -> Result<Exit> {
    let plan = settings::report::plan(args)?;
    outputs.probe()?;
    logging::start(verbosity(args), args.log_format, None, args.mode.as_str())?;
    let mut told = commands::report::run(&plan)?;
    if !args.with_subjects {
        told.report.forget_subjects();
    }
    let text = match &told.names {
        Some(names) => names
            .iter()
            .flat_map(|name| [name.as_str(), "\n"])
            .collect(),
        None => on_paper(&told.report),
    };
    Ok(outputs.tell(&mut told.report, &text))
}

fn start_log(args: &Args) -> Result<Option<LogFile>> {
    let dir = (!args.dry_run).then_some(args.log_dir.as_path());
    logging::start(verbosity(args), args.log_format, dir, args.mode.as_str())
}

fn verbosity(args: &Args) -> Verbosity {
    match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::All,
    }
}

/// The report, as wide as the terminal.
fn on_paper(report: &Report) -> String {
    let stdout = std::io::stdout();
    if stdout.is_terminal() {
        let (columns, _) = screen::size(stdout);
        return format!("{report:columns$}");
    }
    report.to_string()
}

/// What a first signal says; a second one ends the process.
fn told_to_stop() {
    warn!("stopping after the message at work; again: at once");
}

/// What a second signal does.
fn ended_at_once() {
    screen::erase();
    child::end_all();
    outputs::ended_at_once();
}
