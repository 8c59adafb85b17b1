//! Flags that the target has lost or gained.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;

use super::Comparing;
use crate::finding::{Code, Finding, Severity};
use crate::plural::counted;
use crate::session::Session;
use crate::session::select;
use crate::target::flags;
use crate::target::mailbox::JobId;
use crate::target::matching::MessageRef;

/// Flags that a message lacks on the target, which may be able to keep them.
pub(super) struct FlagLoss {
    /// Number of the target's mailbox.
    pub at: usize,
    pub message: MessageRef,
    pub lost: Vec<String>,
    /// What it did not take when the message was imported.
    pub refused: Vec<String>,
}

impl Comparing<'_> {
    /// Flags that the target lacks count only where it could keep them.
    pub(super) fn flags(&mut self, session: &mut Session, names: &[Vec<u8>]) -> Result<()> {
        let jobs = self.jobs;
        let mut permanent: HashMap<usize, Option<Vec<String>>> = HashMap::new();
        let mut dropped: BTreeMap<JobId, (u64, BTreeSet<String>)> = BTreeMap::new();
        for loss in std::mem::take(&mut self.doubtful) {
            let MessageRef { job: id, uid } = loss.message;
            let at = loss.at;
            let kept = match permanent.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    place.insert(select::permanent_flags(session.channel(), &names[at])?)
                }
            };
            let mut kept = flags::kept(kept.as_deref(), &loss.lost.join(" "));
            kept.dropped.extend(loss.refused);
            if !kept.flags.is_empty() {
                self.compared.entry(id).or_default().flags_differ += 1;
                let text = format!("has lost {} on the target", kept.flags);
                self.add_of(Code::FlagsLost, &jobs[id], uid, text);
            }
            if !kept.dropped.is_empty() {
                let (count, names) = dropped.entry(id).or_default();
                *count += 1;
                names.extend(kept.dropped);
            }
        }
        for (id, (count, names)) in dropped {
            let names: Vec<String> = names.into_iter().take(10).collect();
            let names = names.join(", ");
            let text = format!(
                "{} without flags that the target does not keep: {names}",
                counted(count, "message")
            );
            let finding = Finding::new(Code::FlagsLost, self.account, text);
            let finding = finding.in_mailbox(jobs[id].name()).graded(Severity::Note);
            self.looked.findings.push(finding);
        }
        for (id, count) in std::mem::take(&mut self.changed_since) {
            let text = format!(
                "{} with new flags in the archive since the import: the next import stores them, unless they were changed on the target as well",
                counted(count, "message")
            );
            let finding = Finding::new(Code::FlagsLost, self.account, text);
            let finding = finding.in_mailbox(jobs[id].name()).graded(Severity::Note);
            self.looked.findings.push(finding);
        }
        for (id, (count, forms)) in std::mem::take(&mut self.encoded) {
            let forms = forms.iter().take(10);
            let forms: Vec<String> = forms.map(|(from, to)| format!("{from} as {to}")).collect();
            let text = format!(
                "{} without flags that no command can carry, but with a form of them that can be undone: {}",
                counted(count, "message"),
                forms.join(", ")
            );
            let finding = Finding::new(Code::FlagsLost, self.account, text);
            let finding = finding.in_mailbox(jobs[id].name()).graded(Severity::Note);
            self.looked.findings.push(finding);
        }
        for (id, job) in jobs.numbered() {
            let added = self
                .compared
                .get(&id)
                .map_or(0, |counts| counts.flags_added);
            if added > 0 {
                let text = format!(
                    "{} with flags on the target that the archive has not, as after reading",
                    counted(added, "message")
                );
                self.add(Code::FlagsAdded, job, text);
            }
        }
        Ok(())
    }
}
