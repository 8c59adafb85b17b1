//! What an account may take of its server in a day, and what of that is used up: counted while bytes go, and kept in the
//! account's directory. A day is one of UTC, on whatever machine. Knows no IMAP.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tracing::warn;

use crate::archive::account::AccountArchive;
use crate::archive::spent::{self, Spent};
use crate::clock;

/// Bytes after which the record is written: a killed run forgets at most this many.
const UNSAVED: u64 = 1 << 20;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the server.
    Down,
    /// To the server.
    Up,
}

/// Bytes that may go in a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Daily {
    /// From the server.
    pub down: Option<u64>,
    /// To the server.
    pub up: Option<u64>,
}

/// What each account of a server is allowed: by the configuration or, failing that, by what the server says it
/// is.
#[derive(Debug, Default)]
pub struct Allowance {
    configured: Daily,
    preset: OnceLock<Daily>,
}

impl Allowance {
    /// As the configuration says.
    #[must_use]
    pub fn new(configured: Daily) -> Self {
        Self {
            configured,
            preset: OnceLock::new(),
        }
    }

    /// What is known of such servers.
    pub fn preset(&self, daily: Daily) {
        let _ = self.preset.set(daily);
    }

    fn of(&self, way: Direction) -> Option<u64> {
        let preset = self.preset.get().copied().unwrap_or_default();
        let limit = match way {
            Direction::Down => self.configured.down.or(preset.down),
            Direction::Up => self.configured.up.or(preset.up),
        };
        limit.filter(|limit| *limit < u64::MAX)
    }
}

/// The budgets of all accounts of a run at one server.
#[derive(Debug, Default)]
pub struct Budgets {
    root: PathBuf,
    allowance: Arc<Allowance>,
    accounts: Mutex<HashMap<String, Arc<Budget>>>,
}

impl Budgets {
    /// Kept in an archive.
    #[must_use]
    pub fn new(root: &Path, allowance: &Arc<Allowance>) -> Self {
        Self {
            root: root.to_owned(),
            allowance: Arc::clone(allowance),
            accounts: Mutex::default(),
        }
    }

    /// An account's budget, shared by all its connections; the server knows it as `server` (`login@host:port`).
    #[must_use]
    pub fn of(&self, account: &str, server: &str) -> Arc<Budget> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let budget = accounts.entry(server.to_owned()).or_insert_with(|| {
            Arc::new(Budget {
                server: server.to_owned(),
                dir: AccountArchive::directory(&self.root, account),
                allowance: Arc::clone(&self.allowance),
                used: Mutex::default(),
            })
        });
        Arc::clone(budget)
    }
}

/// The budget of one account at one server.
#[derive(Debug, Default)]
pub struct Budget {
    server: String,
    dir: PathBuf,
    allowance: Arc<Allowance>,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// The day, counted from 1970.
    day: u64,
    /// As the record says, on the day of `unsaved`.
    saved: Spent,
    unsaved: Spent,
    /// The record could not be written, and that was reported.
    lost: bool,
}

impl Budget {
    /// Reads what earlier runs have used up.
    ///
    /// # Errors
    /// A record that cannot be read.
    pub fn begin(&self) -> Result<()> {
        if !self.is_limited() {
            return Ok(());
        }
        let mut used = self.today();
        used.saved = spent::load(&self.dir, &self.server, &used.unsaved.day)?;
        Ok(())
    }

    /// True where a day has an end.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.limit(Direction::Down).is_some() || self.limit(Direction::Up).is_some()
    }

    /// Bytes of a day.
    #[must_use]
    pub fn limit(&self, way: Direction) -> Option<u64> {
        self.allowance.of(way)
    }

    /// Bytes that may still go today; `None` where nothing limits them.
    #[must_use]
    pub fn left(&self, way: Direction) -> Option<u64> {
        let limit = self.limit(way)?;
        let used = self.today();
        let used = match way {
            Direction::Down => used.saved.down.saturating_add(used.unsaved.down),
            Direction::Up => used.saved.up.saturating_add(used.unsaved.up),
        };
        Some(limit.saturating_sub(used))
    }

    /// True until the first message of a day: however large, it has to go some day.
    #[must_use]
    pub fn is_fresh(&self, way: Direction) -> bool {
        let used = self.today();
        [&used.saved, &used.unsaved].iter().all(|spent| match way {
            Direction::Down => spent.messages_down == 0,
            Direction::Up => spent.messages_up == 0,
        })
    }

    /// The direction in which nothing more may go today.
    #[must_use]
    pub fn is_used_up(&self) -> Option<Direction> {
        [Direction::Down, Direction::Up]
            .into_iter()
            .find(|way| self.left(*way) == Some(0))
    }

    /// This many bytes went.
    pub fn spend(&self, way: Direction, bytes: usize) {
        let mut used = self.today();
        let spent = match way {
            Direction::Down => &mut used.unsaved.down,
            Direction::Up => &mut used.unsaved.up,
        };
        *spent = spent.saturating_add(bytes as u64);
        if used.unsaved.down.saturating_add(used.unsaved.up) >= UNSAVED {
            self.save(&mut used);
        }
    }

    /// A message went.
    pub fn spend_message(&self, way: Direction) {
        let mut used = self.today();
        match way {
            Direction::Down => used.unsaved.messages_down += 1,
            Direction::Up => used.unsaved.messages_up += 1,
        }
    }

    /// Records what is not on record yet.
    pub fn settle(&self) {
        self.save(&mut self.today());
    }

    /// What to say where nothing more may go, and for how long.
    #[must_use]
    pub fn spent(&self, way: Direction) -> (Duration, String) {
        let (limit, verb) = match way {
            Direction::Down => (self.limit(way), "read from"),
            Direction::Up => (self.limit(way), "sent to"),
        };
        let text = format!(
            "too little is left today (UTC) of the {} bytes that may be {verb} {} in a day",
            limit.unwrap_or_default(),
            self.server
        );
        (clock::until_tomorrow(), text)
    }

    fn save(&self, used: &mut Used) {
        let nothing = Spent {
            day: used.unsaved.day.clone(),
            ..Spent::default()
        };
        // Without a directory, nothing worth one has come yet.
        if !self.is_limited() || used.unsaved == nothing || !self.dir.is_dir() {
            return;
        }
        match spent::add(&self.dir, &self.server, &used.unsaved) {
            Ok(now) => {
                used.saved = now;
                used.unsaved = nothing;
            }
            Err(error) if !used.lost => {
                used.lost = true;
                warn!("the next run will not know what of the day's budget is used up: {error:#}");
            }
            Err(_) => {}
        }
    }

    /// What is used up of today.
    fn today(&self) -> MutexGuard<'_, Used> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock::seconds_now();
        if used.unsaved.day.is_empty() || used.day != clock::day_number(now) {
            used.day = clock::day_number(now);
            let nothing = Spent {
                day: clock::day(now),
                ..Spent::default()
            };
            used.saved = nothing.clone();
            used.unsaved = nothing;
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(down: u64) -> Arc<Allowance> {
        Arc::new(Allowance::new(Daily {
            down: Some(down),
            up: None,
        }))
    }

    #[test]
    fn what_one_run_uses_up_the_next_one_does_not_have() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(root.path().join("a")).expect("created");
        let allowance = allowed(100);
        let budget = Budgets::new(root.path(), &allowance).of("a", "a@h:993");
        budget.begin().expect("begun");
        assert!(budget.is_fresh(Direction::Down));
        budget.spend(Direction::Down, 60);
        budget.spend(Direction::Up, 1000);
        budget.spend_message(Direction::Down);
        assert_eq!(
            (budget.left(Direction::Down), budget.left(Direction::Up)),
            (Some(40), None)
        );
        budget.settle();
        let next = Budgets::new(root.path(), &allowance).of("a", "a@h:993");
        next.begin().expect("begun");
        assert!(!next.is_fresh(Direction::Down));
        assert_eq!(
            (next.left(Direction::Down), next.is_used_up()),
            (Some(40), None)
        );
        next.spend(Direction::Down, 41);
        assert_eq!(next.is_used_up(), Some(Direction::Down));
    }

    #[test]
    fn the_configuration_replaces_what_is_known_of_a_server() {
        let allowance = Arc::new(Allowance::new(Daily {
            down: Some(u64::MAX),
            up: None,
        }));
        let budget = Budgets::new(Path::new("/nowhere"), &allowance).of("a", "a@h:993");
        assert!(!budget.is_limited());
        allowance.preset(Daily {
            down: Some(10),
            up: Some(20),
        });
        assert_eq!(
            (budget.limit(Direction::Down), budget.limit(Direction::Up)),
            (None, Some(20))
        );
    }
}
