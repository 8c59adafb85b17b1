//! From words to arguments: a help screen for each mode, and errors that say what was most likely meant.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, Error, FromArgMatches, ValueEnum};

use super::{Args, flags, generate, text, version};
use crate::mode::Mode;

/// What was typed.
pub enum Typed {
    /// A run.
    Run(Box<Args>),
    /// Something to be printed, and no run.
    Text(String),
}

/// Understands a command line.
///
/// # Errors
/// Whatever clap has to say, including `--help`, with what was most likely meant.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Typed, Error> {
    let words: Vec<OsString> = words.into_iter().collect();
    let mode = mode_of(&words);
    let is_typed = |flag: &str, short: &str| {
        let mut flags = words.iter().skip(1).take_while(|word| *word != "--");
        flags.any(|word| word == flag || word == short)
    };
    if is_typed("--version", "-V") {
        let verbose = is_typed("--verbose", "-v");
        return Ok(Typed::Text(version::text(verbose)));
    }
    let command = command();
    let outcome = match mode.filter(|_| is_typed("--help", "-h")) {
        // Every word that follows is about that mode.
        Some(mode) => of_mode(command, mode).try_get_matches_from(words),
        None => command.try_get_matches_from(words),
    };
    let matches = outcome.map_err(explained)?;
    if let Some(what) = matches.get_one("generate") {
        return Ok(Typed::Text(generate::text(*what, self::command())));
    }
    if !matches.contains_id("mode") {
        let text = format!(
            "--mode is missing: what is to be done? Modes are {}",
            modes(&Mode::ALL)
        );
        return Err(self::command().error(ErrorKind::MissingRequiredArgument, text));
    }
    let mut args = Args::from_arg_matches(&matches)?;
    args.given = given(&matches);
    Ok(Typed::Run(Box::new(args)))
}

/// The whole command line: with headings, and with examples for every mode.
pub(super) fn command() -> Command {
    Args::command()
        .mut_args(|arg| {
            let heading = arg.get_long().and_then(flags::heading);
            match heading {
                Some(heading) => arg.help_heading(heading),
                None => arg.help_heading(None::<&str>),
            }
        })
        // Missing, it is asked for in our own words.
        .mut_arg("mode", |arg| arg.required(false))
        .after_long_help(text::after_help(None))
        .after_help(text::after_help(None))
}

/// The same with the flags of one mode alone.
fn of_mode(command: Command, mode: Mode) -> Command {
    command
        .mut_args(|arg| {
            let goes = arg
                .get_long()
                .is_none_or(|flag| flags::modes(flag).contains(&mode));
            arg.hide(!goes)
        })
        .about(text::about(mode))
        .override_usage(format!(
            "imapsync-bulk-migrator --mode {} [OPTIONS]",
            mode.as_str()
        ))
        .after_long_help(text::after_help(Some(mode)))
        .after_help(text::after_help(Some(mode)))
}

/// The mode, as far as words that may be wrong tell it.
fn mode_of(words: &[OsString]) -> Option<Mode> {
    let mut words = words.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let mode = match word.strip_prefix("--mode") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => continue,
        };
        return Mode::from_str(mode?, false).ok();
    }
    None
}

/// A mode without `--mode` is recognised.
fn explained(mut error: Error) -> Error {
    let word = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(word)) if error.kind() == ErrorKind::UnknownArgument => word,
        _ => return error,
    };
    let word = word.trim_start_matches('-');
    if let Ok(mode) = Mode::from_str(word, true) {
        let tip = format!("to {}, write --mode {}", text::doing(mode), mode.as_str()).into();
        // What clap thinks is similar is not.
        error.remove(ContextKind::SuggestedArg);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// The flags that were typed, by their names.
fn given(matches: &ArgMatches) -> Vec<String> {
    let command = Args::command();
    let flags = command.get_arguments().filter(|arg| {
        let id = arg.get_id().as_str();
        matches.value_source(id) == Some(ValueSource::CommandLine)
    });
    let names = flags.filter_map(|flag| flag.get_long());
    names.map(str::to_owned).collect()
}

/// Modes in a sentence.
#[must_use]
pub fn modes(modes: &[Mode]) -> String {
    let words: Vec<&str> = modes.iter().map(|mode| mode.as_str()).collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}
