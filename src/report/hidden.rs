//! Takes secrets in use out of what servers and programs have said.

use std::borrow::Cow;

use super::{AccountReport, Report};
use crate::archive::excerpt::Excerpt;
use crate::redact::redacted;

impl Report {
    /// Takes the secrets in use out of all that servers and programs have said.
    pub(super) fn redact(&mut self) {
        let run = [
            &mut self.warnings,
            &mut self.errors,
            &mut self.environment,
            &mut self.limits,
        ];
        run.into_iter().flatten().for_each(hide);
        for panel in self.provisioned.iter_mut().flat_map(|p| &mut p.mailboxes) {
            panel.note.iter_mut().for_each(hide);
        }
        self.accounts.iter_mut().for_each(AccountReport::redact);
    }
}

impl AccountReport {
    /// The same of an account: when it ends, as its secrets are not known for ever.
    pub fn redact(&mut self) {
        self.error.iter_mut().for_each(hide);
        self.warnings.iter_mut().for_each(hide);
        for mailbox in &mut self.mailboxes {
            hide(&mut mailbox.mailbox);
            let others = [&mut mailbox.target, &mut mailbox.note];
            others.into_iter().flatten().for_each(hide);
        }
        for failed in &mut self.failures {
            hide(&mut failed.mailbox);
            hide(&mut failed.server);
            failed.message.iter_mut().for_each(hide_in);
        }
        for finding in &mut self.findings {
            hide(&mut finding.text);
            finding.mailbox.iter_mut().for_each(hide);
            finding.message.iter_mut().for_each(hide_in);
        }
        let tls = self.tested.as_mut().and_then(|tested| tested.tls.as_mut());
        tls.into_iter().for_each(hide);
    }
}

fn hide(text: &mut String) {
    if let Cow::Owned(hidden) = redacted(text) {
        *text = hidden;
    }
}

fn hide_in(message: &mut Excerpt) {
    let texts = [&mut message.from, &mut message.subject];
    texts.into_iter().flatten().for_each(hide);
}
