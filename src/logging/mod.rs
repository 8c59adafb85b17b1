//! Where log lines go: to stderr past the lines of progress, and to a file for each run.

mod file;
mod record;
mod terminal;

use std::path::Path;

use anyhow::{Context, Result};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber, span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Scope};
use tracing_subscriber::util::SubscriberInitExt;

pub use file::LogFile;
pub use terminal::{print, tell};

use record::{Fields, LogRecord};
use terminal::Terminal;

/// Our own crate; what its dependencies log is theirs, and could hold secrets.
const TARGET: &str = env!("CARGO_CRATE_NAME");

/// How much goes to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// What happens to accounts.
    Normal,
    /// What happens to mailboxes and connections.
    Verbose,
    /// All.
    All,
}

impl Verbosity {
    fn level(self) -> LevelFilter {
        match self {
            Self::Quiet => LevelFilter::WARN,
            Self::Normal => LevelFilter::INFO,
            Self::Verbose => LevelFilter::DEBUG,
            Self::All => LevelFilter::TRACE,
        }
    }
}

/// Who reads the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// People.
    #[default]
    Text,
    /// Collectors: one JSON object a line, on stderr too.
    Json,
}

/// Starts logging: to stderr, and to a new file in `dir` unless it is `None`. Returns the file.
///
/// # Errors
/// A directory or file that cannot be created.
pub fn start(
    verbosity: Verbosity,
    format: Format,
    dir: Option<&Path>,
    mode: &str,
) -> Result<Option<LogFile>> {
    let terminal = Terminal::new();
    let file = dir.map(|dir| file::create(dir, mode)).transpose()?;
    let file = file.map(|(path, file)| LogFile::new(path, file, terminal));
    let lines = Lines {
        level: verbosity.level(),
        format,
        terminal,
        file: file.clone(),
    };
    tracing_subscriber::registry()
        .with(lines)
        .try_init()
        .context("start logging")?;
    Ok(file)
}

/// Writes each event to whom it is meant for.
struct Lines {
    /// What the terminal gets; the file gets DEBUG at least.
    level: LevelFilter,
    format: Format,
    terminal: Terminal,
    file: Option<LogFile>,
}

impl Lines {
    fn write(&self, record: &LogRecord) {
        let is_json = self.format == Format::Json;
        if record.level <= self.level {
            self.terminal.write(&if is_json {
                record.for_collector()
            } else {
                record.for_terminal(self.terminal.colours)
            });
        }
        if let Some(file) = &self.file {
            file.write(&if is_json {
                record.for_collector()
            } else {
                record.for_file()
            });
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: LayerContext<'_, S>) -> bool {
        let most = match self.file {
            Some(_) => self.level.max(LevelFilter::DEBUG),
            None => self.level,
        };
        // However little is logged, it names its account.
        metadata.target().starts_with(TARGET) && (metadata.is_span() || *metadata.level() <= most)
    }

    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: LayerContext<'_, S>,
    ) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let mut fields = Fields::default();
        for span in context
            .event_scope(event)
            .into_iter()
            .flat_map(Scope::from_root)
        {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer);
            }
        }
        let mut own = Fields::default();
        event.record(&mut own);
        fields.extend(&own);
        let level: Level = *event.metadata().level();
        self.write(&LogRecord {
            time: crate::clock::utc_now(),
            level,
            fields,
        });
    }
}
