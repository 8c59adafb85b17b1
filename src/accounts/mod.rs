//! Runs one closure per account on the rayon pool, stops at the first failure or goes on, collects the outcomes.

mod activity;
mod attempts;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tracing::{debug, error, info, info_span, warn};

use crate::clock;
use crate::config::Account;
use crate::fleet::shard;
use crate::limits::NO_THREAD;
use crate::meter;
use crate::mode::Mode;
use crate::plural::counted;
use crate::progress::{AccountProgress, Progress};
use crate::report::cause::{Because, Cause};
use crate::report::{AccountReport, LoginWith, Status};
use crate::session::error::{is_stopped, parked};
use crate::settings::Settings;
use crate::stop::Stop;

pub use activity::Activity;

/// What to do when accounts do not finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnFailure {
    /// After a failure the others go on; otherwise the first failure stops them all.
    pub ignore_errors: bool,
    /// Parked accounts are resumed when their time has come, after all others.
    pub wait: bool,
}

impl OnFailure {
    /// As the run is to do it.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            ignore_errors: settings.ignore_errors,
            wait: settings.wait,
        }
    }
}

/// How accounts are worked on.
#[derive(Debug, Clone, Copy)]
pub struct Handling {
    /// How many at a time.
    pub workers: usize,
    /// What is done about those that do not come to their end.
    pub on_failure: OnFailure,
    /// What the log says of one that has ended.
    pub activity: Activity,
}

impl Handling {
    /// As the run's own mode does it.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            workers: settings.workers,
            on_failure: OnFailure::of(settings),
            activity: Activity::of(settings),
        }
    }

    /// As a step before or after it does.
    #[must_use]
    pub fn beside(mode: Mode, settings: &Settings) -> Self {
        Self {
            activity: Activity::beside(mode, settings.mode),
            ..Self::of(settings)
        }
    }
}

/// How often a thread that waits for a parked account checks whether its time has come.
const LOOK: Duration = Duration::from_millis(200);

/// Works on the accounts in their order. Those that were not begun are reported as such; a panic is the failure of its
/// account.
///
/// # Errors
/// Not one thread can be started.
pub fn run(
    accounts: &[Account],
    how: Handling,
    stop: &Stop,
    progress: &Progress,
    work: impl Fn(&Account, &mut AccountReport) -> Result<()> + Sync,
) -> Result<Vec<AccountReport>> {
    let pool = threads(how.workers.min(accounts.len()).max(1))?;
    let reports: Vec<Mutex<AccountReport>> = accounts
        .iter()
        .map(|account| Mutex::new(AccountReport::new(&account.name)))
        .collect();
    let queue = AccountQueue::new(accounts.len());
    // One loop per thread, not one job per account: a job that waits for another pool would begin further jobs,
    // one account inside the other.
    pool.broadcast(|_| {
        while let Some(index) = queue.next(stop) {
            let (Some(account), Some(slot)) = (accounts.get(index), reports.get(index)) else {
                break;
            };
            let _span = info_span!("account", account = account.name).entered();
            let report = one(account, |report| work(account, report));
            if report.status.is_trouble() && !how.on_failure.ignore_errors {
                stop.request();
            }
            if let Some(wait) = report.parked_for.filter(|_| how.on_failure.wait) {
                queue.again(index, wait);
            }
            log(how.activity, &report);
            progress.ended(&account.name, report.status);
            let mut told = slot.lock().unwrap_or_else(PoisonError::into_inner);
            // Only parked accounts come again.
            let is_again = told.status == Status::Parked;
            *told = if is_again {
                attempts::joined(&told, report)
            } else {
                report
            };
        }
    });
    Ok(reports
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect())
}

/// Runs `work` for every account, with its progress.
///
/// # Errors
/// Threads that cannot be started; filters that leave no mailbox of any account.
pub fn each(
    settings: &Settings,
    stop: &Stop,
    progress: &Progress,
    work: impl Fn(&Account, AccountProgress, &mut AccountReport) -> Result<()> + Sync,
) -> Result<Vec<AccountReport>> {
    let accounts = &settings.config.accounts;
    progress.start(
        settings.mode.as_str(),
        accounts.len() as u64,
        settings.quiet,
    );
    let reports = run(
        accounts,
        Handling::of(settings),
        stop,
        progress,
        |account, report| work(account, progress.account(&account.name), report),
    )?;
    // A shard may well have no account at all.
    let nothing_matched = !reports.is_empty()
        && reports
            .iter()
            .all(|account| account.status == Status::Complete && account.counts.mailboxes == 0);
    if nothing_matched {
        bail!(
            "no mailbox of any account matches --folder and --exclude-folder: nothing was done; a pattern stands for a \
             whole name as the server has it, in which * stands for any letters, as in \"Archive*\""
        );
    }
    Ok(reports)
}

/// This many threads, or fewer if the system does not give more.
fn threads(mut count: usize) -> Result<ThreadPool> {
    loop {
        let pool = ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|index| format!("account-{index}"))
            .build();
        match pool {
            Ok(pool) => return Ok(pool),
            Err(error) if count == 1 => return Err(error).context(NO_THREAD),
            Err(error) => {
                count /= 2;
                warn!(
                    "only {} at a time: {NO_THREAD}: {error}",
                    counted(count, "account")
                );
            }
        }
    }
}

/// Which account is next.
struct AccountQueue {
    /// Accounts that nobody has begun, from this one on.
    next: AtomicUsize,
    count: usize,
    /// Parked ones, each with when it can go on.
    parked: Mutex<BinaryHeap<Reverse<(u64, usize)>>>,
}

impl AccountQueue {
    fn new(count: usize) -> Self {
        Self {
            next: AtomicUsize::new(0),
            count,
            parked: Mutex::default(),
        }
    }

    /// The next account, as soon as one can be worked on; `None` when there is none, or the run is to stop.
    fn next(&self, stop: &Stop) -> Option<usize> {
        let fresh = || {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            (next < self.count).then_some(next)
        };
        if !stop.requested()
            && let Some(next) = fresh()
        {
            return Some(next);
        }
        while !stop.requested() {
            let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
            let Reverse((due, index)) = *parked.peek()?;
            if due <= clock::seconds_now() {
                parked.pop();
                return Some(index);
            }
            drop(parked);
            let _ = stop.sleep(LOOK);
        }
        None
    }

    fn again(&self, index: usize, wait: Duration) {
        let due = clock::seconds_now().saturating_add(wait.as_secs());
        info!("waiting until {}", clock::utc(due));
        let mut parked = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        parked.push(Reverse((due, index)));
    }
}

/// Works on one account: the only way from an outcome to a report. `work` may leave a status that says less than
/// complete; its error wins, and a panic is an error too.
pub fn one(
    account: &Account,
    work: impl FnOnce(&mut AccountReport) -> Result<()>,
) -> AccountReport {
    let began = Instant::now();
    let mut report = AccountReport::new(&account.name);
    report.status = Status::Complete;
    let server = &account.server;
    report.identity = Some(shard::identity(account.whose(), &server.host, server.port));
    report.login = Some(account.login.clone());
    report.login_with = if account.way.is_token() {
        LoginWith::Token
    } else {
        LoginWith::Password
    };
    // What an earlier account left in this thread is not its own.
    let _ = meter::take();
    let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut report))).unwrap_or_else(|_| {
        let text = "a bug in this program ended the account; please report it with the log";
        Err(Because::new(Cause::Bug, text.to_owned()).into())
    });
    if let Err(error) = outcome {
        if let Some(wait) = parked(&error) {
            park(&mut report, wait, &error);
        } else if is_stopped(&error) {
            report.status = Status::Stopped;
        } else {
            report.status = Status::Failed;
            report.cause = Some(Cause::of(&error));
            report.error = Some(format!("{error:#}"));
        }
    }
    let (reconnects, waited) = meter::take();
    report.reconnects += reconnects;
    report.waiting_seconds += waited.as_secs_f64();
    report.seconds = began.elapsed().as_secs_f64();
    report.redact();
    report
}

/// What there is of it is sound; the rest has to wait.
fn park(report: &mut AccountReport, wait: Duration, error: &anyhow::Error) {
    let until = clock::utc_in(wait);
    let text = format!("parked until {until}, when the next run can go on: {error:#}");
    warn!("{text}");
    report.warnings.push(text);
    report.status = Status::Parked;
    report.parked_until = Some(until);
    report.parked_for = Some(wait);
}

/// The work, and then what has to be recorded whatever came of it: neither error hides the other.
///
/// # Errors
/// That of `work`, unless it only says that the run was stopped; that of `recorded`.
pub fn both(work: Result<()>, recorded: Result<()>) -> Result<()> {
    match (work, recorded) {
        (work, Ok(())) => work,
        (Err(first), Err(second)) if !is_stopped(&first) => bail!("{first:#}; then: {second:#}"),
        (_, Err(second)) => Err(second),
    }
}

/// One line an account; the rest is for the log file.
fn log(activity: Activity, report: &AccountReport) {
    let ended = activity.ended(report);
    if let Some(reason) = &report.error {
        error!("{reason}");
        debug!("{ended}");
    } else if activity.is_for_the_file(report) {
        debug!("{ended}");
    } else {
        info!("{ended}");
    }
    for failed in &report.failures {
        error!(
            mailbox = failed.mailbox,
            uid = failed.uid,
            "not brought over: {}",
            failed.server
        );
    }
    for finding in &report.findings {
        debug!(
            code = finding.code.as_str(),
            mailbox = finding.mailbox,
            file = finding.file,
            uid = finding.uid,
            "{}: {}",
            finding.severity.as_str(),
            finding.text
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn accounts(count: usize) -> Vec<Account> {
        (0..count)
            .map(|n| Account::for_tests(&format!("a{n}")))
            .collect()
    }

    fn handling(workers: usize, ignore_errors: bool) -> Handling {
        Handling {
            workers,
            on_failure: OnFailure {
                ignore_errors,
                wait: false,
            },
            activity: Activity::now(Mode::Export),
        }
    }

    #[test]
    fn the_first_failure_stops_what_was_not_begun() {
        let stop = Stop::new();
        let reports = run(
            &accounts(5),
            handling(1, false),
            &stop,
            &Progress::new(true),
            |account, _| {
                anyhow::ensure!(account.name != "a1", "it fails");
                Ok(())
            },
        )
        .expect("threads");
        let statuses: Vec<Status> = reports.iter().map(|report| report.status).collect();
        let begun = [Status::Complete, Status::Failed];
        assert_eq!(
            statuses,
            [begun.as_slice(), &[Status::NotStarted; 3]].concat()
        );
    }

    #[test]
    fn an_account_that_waits_for_another_pool_is_not_left_for_the_next_one() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.expect("a thread");
        let (at_work, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let stop = Stop::new();
        run(
            &accounts(40),
            handling(2, false),
            &stop,
            &Progress::new(true),
            |_, _| {
                most.fetch_max(1 + at_work.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                pool.install(|| std::thread::sleep(std::time::Duration::from_millis(1)));
                at_work.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            },
        )
        .expect("threads");
        assert!(most.into_inner() <= 2, "accounts at a time");
    }

    #[test]
    fn a_secret_that_an_error_repeats_is_hidden_however_many_come_after_it() {
        let secret = Secret::new("hunter2-hunter2".to_owned());
        let report = one(&Account::for_tests("a"), |_| {
            bail!("the server says \"{}\"", secret.expose())
        });
        drop(secret);
        for number in 0..5000 {
            drop(Secret::new(format!("another-{number}")));
        }
        let said = report.error.expect("refused");
        assert_eq!(said, "the server says \"[secret]\"");
    }

    #[test]
    fn others_go_on_when_errors_are_ignored_even_after_a_panic() {
        let stop = Stop::new();
        let reports = run(
            &accounts(4),
            handling(2, true),
            &stop,
            &Progress::new(true),
            |account, _| {
                assert_ne!(account.name, "a1", "a bug");
                Ok(())
            },
        )
        .expect("threads");
        assert!(reports[1].error.is_some() && reports[1].status == Status::Failed);
        assert_eq!(
            reports
                .iter()
                .filter(|r| r.status == Status::Complete)
                .count(),
            3
        );
    }
}
