//! What an account has lost, in the archive or on the server, told in its report.

use anyhow::Result;
use tracing::warn;

use super::Export;
use crate::commands::export::gone;
use crate::finding::{Code, Finding};
use crate::plural::{counted, verb};

impl Export<'_> {
    /// What is lost, here or on the server: the exit code must not be 0.
    pub(super) fn tell_losses(&mut self) {
        let account = &self.account.name;
        for job in self.jobs.iter() {
            let replaced = job.replaced();
            if replaced > 0 {
                self.report.warnings.push(format!(
                    "{}: {} that the archive had {} lost there, and fetched again",
                    job.name(),
                    counted(replaced, "message"),
                    verb(replaced, "was", "were")
                ));
            }
            let lost = job.lost();
            if job.is_complete() && !lost.is_empty() {
                let text = format!(
                    "{} that the archive had {} lost there, and no longer on the server",
                    lost.told(),
                    verb(lost.len(), "is", "are")
                );
                let finding = Finding::new(Code::MessageGone, account, text);
                self.report.findings.push(finding.in_mailbox(job.name()));
            }
        }
        let moving = self.jobs.iter();
        for job in moving.filter(|job| job.is_news_that_uidvalidity_moves()) {
            self.report.warnings.push(format!(
                "{}: the server says another UIDVALIDITY each time, while UIDs, dates, sizes and the bytes of a sample are the same: the same mailbox, kept as it is (said once)",
                job.name()
            ));
        }
        for job in self.jobs.iter() {
            let Some(first) = job.short().first() else {
                continue;
            };
            let text = format!(
                "{} {} shorter than the server announced, each time; the first is uid {}, {} of {} bytes",
                counted(job.short().len(), "message"),
                verb(job.short().len(), "is", "are"),
                first.uid,
                first.length,
                first.announced
            );
            if job.announces_estimates() {
                let text = format!(
                    "{}: {text}; so are all others: its sizes are estimates",
                    job.name()
                );
                self.report.warnings.push(text);
            } else {
                let finding = Finding::new(Code::ShortBody, account, text);
                self.report.findings.push(finding.in_mailbox(job.name()));
            }
        }
        let Some(store) = &mut self.store else { return };
        let before = store.archive().state();
        let before = before.map_or(&[][..], |state| state.mailboxes.as_slice());
        for text in gone::most_vanished(before, &self.vanished, &self.jobs) {
            let text = format!(
                "{text}; the archive keeps them aside (.vanished): if the server is at fault, have that repaired before the next export"
            );
            let finding = Finding::new(Code::MostVanished, account, text);
            self.report.findings.push(finding);
        }
    }

    /// What a killed run left of messages that the server no longer has is moved aside, once.
    pub(super) fn clear_halves(&mut self) -> Result<()> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        for job in self.jobs.iter() {
            let count = store.clear_halves(job)?;
            if count > 0 {
                let warning = format!(
                    "{}: {} of an earlier run that the server no longer has moved to .vanished",
                    job.name(),
                    counted(count, "unfinished message")
                );
                warn!("{warning}");
                self.report.warnings.push(warning);
            }
        }
        Ok(())
    }
}
