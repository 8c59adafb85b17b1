//! What the log says about an account that has ended, in the words of its mode.

use indicatif::HumanBytes;

use crate::mode::Mode;
use crate::plural::counted;
use crate::report::{AccountReport, Status};
use crate::settings::Settings;

/// What is being done to accounts.
#[derive(Debug, Clone, Copy)]
pub struct Activity {
    mode: Mode,
    dry_run: bool,
    is_aside: bool,
}

impl Activity {
    /// As the run does it.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            mode: settings.mode,
            dry_run: settings.dry_run,
            is_aside: false,
        }
    }

    /// For real: no dry run.
    #[must_use]
    pub const fn now(mode: Mode) -> Self {
        Self {
            mode,
            dry_run: false,
            is_aside: false,
        }
    }

    /// A step before or after the run's own mode: nobody needs to read about each account that is fine.
    #[must_use]
    pub fn beside(mode: Mode, run: Mode) -> Self {
        Self {
            is_aside: mode != run,
            ..Self::now(mode)
        }
    }

    /// True where the line goes to the log file only.
    pub(super) fn is_for_the_file(self, report: &AccountReport) -> bool {
        self.is_aside && report.status == Status::Complete
    }

    /// What the log says about an account that has ended.
    pub(super) fn ended(self, report: &AccountReport) -> String {
        let counts = &report.counts;
        let moved = |messages: u64, bytes: u64| {
            let (messages, mailboxes) = (
                counted(messages, "message"),
                counted(counts.mailboxes, "mailbox"),
            );
            format!("{mailboxes}, {messages}, {}", HumanBytes(bytes))
        };
        let what = match (self.mode, &report.audit, &report.compared) {
            (Mode::Test, _, _) => counted(counts.mailboxes, "mailbox"),
            (Mode::Audit, Some(audit), _) => moved(audit.messages, audit.bytes),
            (Mode::Validate, _, Some(compared)) => format!(
                "{} of {} found",
                compared.matched,
                counted(compared.archive, "message")
            ),
            _ => format!("new: {}", moved(counts.new, counts.bytes)),
        };
        let done = self.mode.done();
        let would = if self.dry_run { " (dry run)" } else { "" };
        let (status, seconds) = (report.status.as_str(), report.seconds);
        format!("{done}{would}: {status}, {what}, in {seconds:.1} s")
    }
}
