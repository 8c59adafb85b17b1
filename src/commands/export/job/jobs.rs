//! The jobs of one account, and their ids.

use super::Job;
use crate::progress::Rest;

/// Which of an account's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(usize);

impl JobId {
    /// The number that the writer knows it by.
    #[must_use]
    pub fn number(self) -> usize {
        self.0
    }
}

/// The jobs of one account.
#[derive(Default)]
pub struct Jobs(Vec<Job>);

impl Jobs {
    /// Adds one.
    pub fn push(&mut self, job: Job) {
        self.0.push(job);
    }

    /// True before the account is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the server's order.
    pub fn iter(&self) -> std::slice::Iter<'_, Job> {
        self.0.iter()
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Job> {
        self.0.iter_mut()
    }

    /// All of them, with what they are called by.
    pub fn with_ids(&mut self) -> impl Iterator<Item = (JobId, &mut Job)> {
        let ids = (0..).map(JobId);
        ids.zip(&mut self.0)
    }

    /// What there is to fetch, as far as STATUS tells.
    #[must_use]
    pub fn rest(&self) -> Rest {
        let mut rest = Rest::default();
        for job in &self.0 {
            rest.messages += job.expected();
            match job.bytes_by_status() {
                Some(bytes) => rest.bytes += bytes,
                None => rest.unsized_messages += job.expected(),
            }
        }
        rest
    }

    /// The job that the writer knows by this number.
    pub fn numbered(&mut self, number: usize) -> Option<&mut Job> {
        self.0.get_mut(number)
    }

    /// The jobs with commands to send, in order.
    pub fn open(&self) -> impl Iterator<Item = JobId> {
        let ids = (0..).map(JobId);
        ids.zip(&self.0)
            .filter(|(_, job)| job.phase.is_open())
            .map(|(id, _)| id)
    }
}

impl std::ops::Index<JobId> for Jobs {
    type Output = Job;

    fn index(&self, id: JobId) -> &Job {
        &self.0[id.0]
    }
}

impl std::ops::IndexMut<JobId> for Jobs {
    fn index_mut(&mut self, id: JobId) -> &mut Job {
        &mut self.0[id.0]
    }
}
