//! Parses, starts logging, dispatches, prints, and turns the outcome into an exit code.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use imapsync_bulk_migrator::child;
use imapsync_bulk_migrator::cli::{self, Args, Typed};
use imapsync_bulk_migrator::commands::{self, index, index::Outcome};
use imapsync_bulk_migrator::disk::output::is_stdout;
use imapsync_bulk_migrator::exit::Exit;
use imapsync_bulk_migrator::limits;
use imapsync_bulk_migrator::logging::{self, LogFile, Verbosity};
use imapsync_bulk_migrator::mode::Mode;
use imapsync_bulk_migrator::progress::Progress;
use imapsync_bulk_migrator::redact::redacted;
use imapsync_bulk_migrator::report::Report;
use imapsync_bulk_migrator::settings::{self, Settings};
use imapsync_bulk_migrator::stop::Stop;
use tracing::{debug, error, warn};

fn main() -> ExitCode {
    limits::no_core_dump();
    if let Err(error) = limits::no_end_by_file_size() {
        logging::tell(&format!("warning: SIGXFSZ: {error}"));
    }
    let outcome = match cli::read(std::env::args_os()) {
        Ok(Typed::Run(args)) => run(&args),
        Ok(Typed::Text(text)) => print(&text).map(|()| Exit::Clean),
        Err(error) => error.exit(),
    };
    match outcome {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            logging::tell(&format!("error: {error:#}"));
            ExitCode::from(Exit::Unusable.code())
        }
    }
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
    let progress = Progress::new(args.quiet);
    let log = start_log(args, &progress)?;
    settings.config.warnings.extend(warning);
    for warning in &settings.config.warnings {
        warn!("{warning}");
    }
    debug!(
        version = env!("CARGO_PKG_VERSION"),
        workers = settings.workers,
        "begin"
    );
    let stop = Stop::new();
    stop.on_signals(told_to_stop, child::end_all)?;
    let outcome = commands::run(&settings, &stop, &progress);
    progress.finish();
    let mut report = match outcome {
        Ok(report) => report,
        // In the log file as well as on the terminal.
        Err(error) => {
            error!("{error:#}");
            return Ok(Exit::Unusable);
        }
    };
    report
        .warnings
        .extend(log.as_ref().and_then(LogFile::trouble));
    report.close(&stop);
    Ok(tell(args, &report, &report.to_string()))
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
