//! What a day's budget lets the account fetch: nothing is asked for that would exceed it.

use anyhow::Result;

use super::super::job::JobId;
use super::{FetchStep, Fetcher};
use crate::budget::Direction;
use crate::session::error::SessionError;
use crate::session::lane::Lane;

/// The share of a day's budget that one command may bring: the smaller, the less is left over.
const PART: u64 = 16;

impl Fetcher<'_> {
    /// Has the inventory note what messages weigh, where that matters.
    pub(super) fn weigh(&mut self, lane: &mut Lane<'_, FetchStep>, id: JobId) -> bool {
        let limit = lane.budget().limit(Direction::Down);
        if let Some(limit) = limit {
            self.jobs[id].weigh(limit / PART);
        }
        limit.is_some()
    }

    /// True for a mailbox that may have more than what is left, so that its messages must be weighed first.
    pub(super) fn is_too_much_at_once(&self, lane: &mut Lane<'_, FetchStep>, id: JobId) -> bool {
        let left = lane.budget().left(Direction::Down);
        left.is_some_and(|left| {
            let bytes = self.jobs[id].bytes_by_status();
            bytes.is_none_or(|bytes| bytes.saturating_add(self.due) > left / 2)
        })
    }

    /// True when the next FETCH may go; false when what is on its way has to come first.
    ///
    /// # Errors
    /// [`Kind::Parked`](crate::session::error::Kind::Parked) when it has to wait for another day.
    pub(super) fn fits_budget(
        &mut self,
        lane: &mut Lane<'_, FetchStep>,
        id: JobId,
    ) -> Result<bool> {
        let budget = lane.budget();
        let Some(left) = budget.left(Direction::Down) else {
            return Ok(true);
        };
        let weight = self.jobs[id].next_weight();
        let fits = self.due.saturating_add(weight) <= left;
        // A message that is larger than what is left of any day goes alone, first of all.
        if fits || self.due == 0 && budget.is_fresh(Direction::Down) {
            self.weighed = weight;
            return Ok(true);
        }
        if self.due > 0 {
            return Ok(false);
        }
        Err(SessionError::used_up(budget, Direction::Down).into())
    }
}
