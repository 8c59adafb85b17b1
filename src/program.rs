//! Parses, starts logging, dispatches, prints, and turns the outcome into an exit code.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::child;
use crate::cli::{self, Args, Typed};
use crate::commands::{self, index, index::Outcome};
use crate::disk::output::{Output, is_stdout};
use crate::exit::Exit;
use crate::limits;
use crate::logging::{self, LogFile, Verbosity};
use crate::mode::Mode;
use crate::progress::Progress;
use crate::redact::redacted;
use crate::report::{About, Report};
use crate::settings::{self, Settings};
use crate::stop::Stop;
use anyhow::{Context, Error, Result, anyhow};
use tracing::{debug, error, info, warn};

/// What the command line and the configuration take, whatever the limit of the first thread's stack is.
const STACK: usize = 4 << 20;

/// Runs the program.
pub fn main() -> ExitCode {
    let thread = std::thread::Builder::new()
        .name("main".to_owned())
        .stack_size(STACK);
    match thread.spawn(begin) {
        // A panic has said what it is already.
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
            let printed = print(&text);
            return ExitCode::from(u8::from(printed.is_err()) * Exit::Unusable.code());
        }
        Err(error) => return not_understood(&error),
    };
    let exit = run(&args).unwrap_or_else(|error| {
        logging::tell(&format!("error: {error:#}"));
        // Reports that are not rendered leave everything as it was.
        let file = args.report.as_deref().filter(|_| args.mode != Mode::Report);
        let report = Report::begin(About::unknown(args.mode));
        not_begun(file, report, &error, Exit::Unusable)
    });
    ExitCode::from(exit.code())
}

/// Help and version end well, wrong usage does not: then whoever reads the report must not find yesterday's.
fn not_understood(error: &clap::Error) -> ExitCode {
    // Where nobody hears it, the exit code still says it.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let value = |flag: &str| {
        let assigned = format!("{flag}=");
        words.iter().enumerate().find_map(|(index, word)| {
            let next = || words.get(index + 1).map(String::as_str);
            word.strip_prefix(&assigned)
                .or_else(|| (word == flag).then(next)?)
        })
    };
    let mode = value("--mode").and_then(|word| Mode::ALL.into_iter().find(|m| m.as_str() == word));
    let mut report = Report::begin(About::unknown(mode.unwrap_or(Mode::Test)));
    report.mode_is_unknown = mode.is_none();
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().to_owned();
    let file = value("--report").map(Path::new);
    let exit = not_begun(file, report, &anyhow!(first), Exit::Unusable);
    ExitCode::from(exit.code())
}

/// The report of a run that could not begin says so.
fn not_begun(file: Option<&Path>, mut report: Report, error: &Error, exit: Exit) -> Exit {
    report.end(error, exit);
    if let Some(file) = file
        && let Err(error) = report.write_json(file)
    {
        logging::tell(&format!("error: {error:#}"));
    }
    exit
}

fn run(args: &Args) -> Result<Exit> {
    if args.mode == Mode::Index {
        return index(args);
    }
    if args.mode == Mode::Authorize {
        return authorize(args);
    }
    if args.mode == Mode::Report {
        return report(args);
    }
    let mut settings = Settings::new(args)?;
    let warning = settings.fit_to_limits()?;
    settings.config.warnings.extend(warning);
    try_files(args)?;
    if !commands::ask::passwords(&settings)? {
        return Ok(left(args, &settings));
    }
    let progress = Progress::new(args.quiet);
    let stop = Stop::new();
    stop.on_signals(told_to_stop, child::end_all)?;
    let log = start_log(args, &progress)?;
    log_beginning(&settings);
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
            let exit = not_begun(args.report.as_deref(), report, &error, exit);
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
    report.close(&stop);
    let exit = tell(args, &report, &report.to_string());
    log_end(log.as_ref(), exit, &report.sums());
    Ok(exit)
}

/// Whoever was asked for a password left.
fn left(args: &Args, settings: &Settings) -> Exit {
    let error = anyhow!("no password was typed, so nothing was begun");
    logging::tell(&format!("{error}"));
    let file = args.report.as_deref();
    not_begun(file, settings.report(), &error, Exit::Stopped)
}

/// Hours of work should not end with a report that cannot be written.
fn try_files(args: &Args) -> Result<()> {
    let files = [&args.report, &args.html, &args.csv];
    for path in files.into_iter().flatten() {
        Output::probe(path).with_context(|| format!("write the report {}", path.display()))?;
    }
    Ok(())
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
        "configuration: {}, sha256 {}, {} accounts, {} at a time",
        settings.config.path.display(),
        report.config_sha256,
        settings.config.accounts.len(),
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

/// The last line of the log file, and where it is as the last line of the run.
fn log_end(log: Option<&LogFile>, exit: Exit, sums: &str) {
    debug!("end: exit code {}, {sums}", exit.code());
    if let Some(log) = log {
        info!("log file: {}", log.path().display());
    }
}

/// `--mode index` has no accounts, so no report on them.
fn index(args: &Args) -> Result<Exit> {
    settings::refuse_foreign_flags(args)?;
    let plan = settings::index::Plan::new(args)?;
    start_log(args, &Progress::new(true))?;
    for warning in &plan.warnings {
        warn!(panel = %"directadmin", "{warning}");
    }
    let stop = Stop::new();
    stop.on_signals(told_to_stop, child::end_all)?;
    match index::run(&plan, &stop) {
        Ok(Outcome::Written(summary)) => {
            print(&summary.to_string())?;
            Ok(summary.exit)
        }
        Ok(Outcome::Left) => {
            logging::tell("nothing is written");
            Ok(Exit::Stopped)
        }
        Err(error) => {
            error!(panel = %"directadmin", "{error:#}");
            Ok(if stop.by_signal() {
                Exit::Stopped
            } else {
                Exit::Unusable
            })
        }
    }
}

/// `--mode authorize` talks to people, so there is no report.
fn authorize(args: &Args) -> Result<Exit> {
    let settings = Settings::new(args)?;
    start_log(args, &Progress::new(true))?;
    for warning in &settings.config.warnings {
        warn!("{warning}");
    }
    let stop = Stop::new();
    stop.on_signals(told_to_stop, child::end_all)?;
    commands::authorize::run(&settings.config.accounts, &stop, &logging::tell)
}

/// `--mode report` has no accounts of its own and no log file.
fn report(args: &Args) -> Result<Exit> {
    let plan = settings::report::plan(args)?;
    logging::start(
        verbosity(args),
        args.log_format,
        None,
        args.mode.as_str(),
        None,
    )?;
    let told = commands::report::run(&plan)?;
    let text = match &told.names {
        Some(names) => names
            .iter()
            .flat_map(|name| [name.as_str(), "\n"])
            .collect(),
        None => told.report.to_string(),
    };
    Ok(tell(args, &told.report, &text))
}

fn start_log(args: &Args, progress: &Progress) -> Result<Option<LogFile>> {
    let dir = (!args.dry_run).then_some(args.log_dir.as_path());
    logging::start(
        verbosity(args),
        args.log_format,
        dir,
        args.mode.as_str(),
        progress.bars(),
    )
}

fn verbosity(args: &Args) -> Verbosity {
    match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Verbose,
        (false, _) => Verbosity::All,
    }
}

/// The report, on stdout and in its files; returns how the process ends. The one does not wait for the other: a file
/// that cannot be written must not hide how the run went.
fn tell(args: &Args, report: &Report, text: &str) -> Exit {
    let files = [
        args.report.as_ref().map(|path| report.write_json(path)),
        args.html.as_ref().map(|path| report.write_html(path)),
        args.csv.as_ref().map(|path| report.write_csv(path)),
    ];
    // Whoever reads one of them from standard output reads nothing else there.
    let taken = [&args.report, &args.html, &args.csv, &args.manifest];
    let printed = if taken.into_iter().flatten().any(|path| is_stdout(path)) {
        logging::tell(text.trim_end());
        Ok(())
    } else {
        print(text)
    };
    let mut exit = report.exit_code;
    for outcome in files.into_iter().flatten().chain([printed]) {
        if let Err(error) = outcome {
            error!("{error:#}");
            exit = exit.merge(Exit::Unusable);
        }
    }
    exit
}

/// What a first signal says; a second one ends the process.
fn told_to_stop() {
    warn!("stopping after the message at work; a second signal ends the run at once");
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(redacted(text).as_bytes()) {
        // Whoever reads the first lines only, as `head` does, is no trouble.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("print the report"),
    }
}
