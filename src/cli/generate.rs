//! What packages need beside the program: its manual page, and completions for shells.

use clap::builder::PossibleValue;
use clap::{Command, ValueEnum};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// What can be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generate {
    /// The manual page.
    Man,
    /// Completions.
    Completions(Shell),
}

impl ValueEnum for Generate {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Man,
            Self::Completions(Shell::Bash),
            Self::Completions(Shell::Zsh),
            Self::Completions(Shell::Fish),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Man => Some(PossibleValue::new("man")),
            Self::Completions(shell) => shell.to_possible_value(),
        }
    }
}

/// Writes it.
pub(super) fn text(what: Generate, mut command: Command) -> String {
    let mut text = Vec::new();
    match what {
        Generate::Completions(shell) => {
            clap_complete::generate(shell, &mut command, "imapsync-bulk-migrator", &mut text);
        }
        // Writing to memory does not fail.
        Generate::Man => drop(man(command, &mut text)),
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn man(command: Command, text: &mut Vec<u8>) -> std::io::Result<()> {
    let command = command
        .after_help(None::<&str>)
        .after_long_help(None::<&str>);
    let man = Man::new(command);
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    man.render_options_section(text)?;
    for (title, paragraphs) in SECTIONS {
        let mut page = Roff::new();
        page.control("SH", [*title]);
        for (term, said) in *paragraphs {
            if term.is_empty() {
                page.control("PP", []);
            } else {
                page.control("TP", []);
                page.text([bold(*term)]);
            }
            page.text([roman(*said)]);
        }
        page.to_writer(text)?;
    }
    man.render_version_section(text)
}

type Section = (&'static str, &'static [(&'static str, &'static str)]);

const SECTIONS: &[Section] = &[
    (
        "CONFIGURATION",
        &[
            (
                "",
                "A JSON file, which only its owner can read: export.pass.config.json, or import.pass.config.json for \
                 import and validate. Keys that begin with _ are ignored.",
            ),
            (
                "server",
                "The default server: host, port, ssl (TLS from the first byte, the default), starttls, ca_file, \
                 insecure_tls.",
            ),
            (
                "servers",
                "Further servers by name; the server of an account chooses one.",
            ),
            (
                "accounts",
                "A list: email, login (where it is another), server, archive (a directory of its own, where email is \
                 not unique), and one of password, password_file, password_env, password_command.",
            ),
            (
                "folder_map",
                "Import: from exact names of mailboxes to exact names.",
            ),
        ],
    ),
    (
        "ARCHIVE",
        &[(
            "",
            "A directory for each account, in it one for each mailbox: uUID.eml is the message, byte for byte as the \
             server sent it, uUID.json its flags and dates. Nothing is ever deleted from it: what the source no \
             longer has moves to .vanished.",
        )],
    ),
    (
        "REPORT",
        &[(
            "",
            "The text on standard output is for people; --report writes the same and more as JSON, --html one page \
             for a browser, --csv one row an account. Everything else goes to standard error and to the log file of \
             the run.",
        )],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "Everything was done, and all is well."),
            (
                "1",
                "An account failed or is not complete, or audit or validate found errors or warnings.",
            ),
            (
                "2",
                "Wrong usage or configuration, or the environment does not allow the run.",
            ),
            ("3", "A check before the run failed."),
            ("130", "Stopped by a signal."),
        ],
    ),
    (
        "FILES",
        &[
            (
                "export.pass.config.json",
                "The configuration, in the working directory.",
            ),
            (
                "import.pass.config.json",
                "The same for the new server; an export writes one to be filled in.",
            ),
            ("exported/", "The archive."),
            ("logs/", "A log file of each run."),
        ],
    ),
];
