//! Runs one closure per account on the rayon pool, stops at the first failure or goes on, collects the outcomes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use tracing::{error, info_span};

use crate::config::Account;
use crate::report::{AccountReport, Status};
use crate::stop::Stop;

/// Works on the accounts in their order, `workers` at a time.
///
/// The first one in trouble asks all others to stop, unless `ignore_errors`. Accounts that were
/// not begun are reported as such. A panic is the failure of its account.
///
/// # Errors
/// Threads that cannot be started.
pub fn run(
    accounts: &[Account],
    workers: usize,
    ignore_errors: bool,
    stop: &Stop,
    work: impl Fn(&Account) -> AccountReport + Sync,
) -> Result<Vec<AccountReport>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers.min(accounts.len()).max(1))
        .thread_name(|index| format!("account-{index}"))
        .build()
        .context("start the worker threads; try fewer with --max-workers")?;
    let reports: Vec<Mutex<AccountReport>> = accounts
        .iter()
        .map(|account| Mutex::new(AccountReport::new(&account.email)))
        .collect();
    pool.in_place_scope_fifo(|scope| {
        for (account, slot) in accounts.iter().zip(&reports) {
            let work = &work;
            scope.spawn_fifo(move |_| {
                if stop.requested() {
                    return;
                }
                let _span = info_span!("account", account = account.email).entered();
                let report = guarded(account, work);
                if report.status.is_trouble() && !ignore_errors {
                    stop.request();
                }
                log(&report);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = report;
            });
        }
    });
    Ok(reports
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect())
}

fn guarded(account: &Account, work: &impl Fn(&Account) -> AccountReport) -> AccountReport {
    catch_unwind(AssertUnwindSafe(|| work(account))).unwrap_or_else(|_| {
        let mut report = AccountReport::new(&account.email);
        report.status = Status::Failed;
        report.error = Some(
            "a bug in this program ended the account; please report it with the log".to_owned(),
        );
        report
    })
}

fn log(report: &AccountReport) {
    if let Some(reason) = &report.error {
        error!("{reason}");
    }
    for failed in &report.failures {
        error!(
            mailbox = failed.mailbox,
            uid = failed.uid,
            "not brought over: {}",
            failed.server
        );
    }
    tracing::info!(
        status = report.status.as_str(),
        mailboxes = report.counts.mailboxes,
        new = report.counts.new,
        bytes = report.counts.bytes,
        "account ended"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(count: usize) -> Vec<Account> {
        (0..count)
            .map(|n| Account::for_tests(&format!("a{n}")))
            .collect()
    }

    fn ended(account: &Account, status: Status) -> AccountReport {
        AccountReport {
            status,
            ..AccountReport::new(&account.email)
        }
    }

    #[test]
    fn the_first_failure_stops_what_was_not_begun() {
        let stop = Stop::new();
        let reports = run(&accounts(5), 1, false, &stop, |account| {
            let fails = account.email == "a1";
            ended(
                account,
                if fails {
                    Status::Failed
                } else {
                    Status::Complete
                },
            )
        })
        .expect("threads");
        let statuses: Vec<Status> = reports.iter().map(|report| report.status).collect();
        let begun = [Status::Complete, Status::Failed];
        assert_eq!(
            statuses,
            [begun.as_slice(), &[Status::NotStarted; 3]].concat()
        );
    }

    #[test]
    fn others_go_on_when_errors_are_ignored_even_after_a_panic() {
        let stop = Stop::new();
        let reports = run(&accounts(4), 2, true, &stop, |account| {
            assert_ne!(account.email, "a1", "a bug");
            ended(account, Status::Complete)
        })
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
