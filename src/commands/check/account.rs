//! The test of one account: every step to a list of its mailboxes, timed.

use anyhow::{Result, bail};
use tracing::{debug, warn};

use super::cause::likely_cause;
use super::{CheckRun, preflight};
use crate::archive::account::AccountArchive;
use crate::commands::provision::logged_in;
use crate::config::Account;
use crate::mailbox::Listed;
use crate::meter;
use crate::mode::Mode;
use crate::report::cause::{self, Because};
use crate::report::{AccountReport, StepReport, Tested};
use crate::session::Session;
use crate::session::dial;
use crate::session::error::{Ending, Kind, SessionError, is_stopped};
use crate::session::list;
use crate::session::refusal;
use crate::session::response::Condition;
use crate::session::retry::Backoff;
use crate::session::steps::{Step, Steps};

/// Lost connections after which the test gives up.
const MAX_LOST: u32 = 2;
/// The same where the server has too many connections; by then the test has waited for about 8 s.
const MAX_BUSY: u32 = 5;

/// Tests an account. What goes wrong is in the report.
pub fn test(run: &CheckRun<'_>, account: &Account, report: &mut AccountReport) -> Result<()> {
    let mut steps = Steps::default();
    let outcome = work(run, account, &mut steps, report);
    let mut tested = report.tested.take().unwrap_or_default();
    tested.steps = steps
        .made
        .iter()
        .map(|(step, time)| StepReport {
            step: *step,
            milliseconds: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        })
        .collect();
    tested.tls = steps.tls.as_ref().map(ToString::to_string);
    tested.failed_step = outcome.as_ref().err().and(steps.current());
    let made: Vec<String> = tested
        .steps
        .iter()
        .map(|made| format!("{} {} ms", made.step.as_str(), made.milliseconds))
        .collect();
    debug!(tls = tested.tls, "steps: {}", made.join(", "));
    report.tested = Some(tested);
    outcome.map_err(|error| {
        if is_stopped(&error) {
            return error;
        }
        let step = steps.current();
        let text = format!("{error:#}");
        let doing = step.map_or_else(String::new, |step| before(step, &text));
        let no_mailbox = account.way.cause_of_no_mailbox();
        if step > Some(Step::Login) && !no_mailbox.is_empty() {
            let text = format!("{doing}{text} (likely cause: {no_mailbox})");
            return Because::new(cause::Cause::of(&error), text).into();
        }
        let kind = error.downcast_ref::<SessionError>().map(|error| error.kind);
        let is_password = kind == Some(Kind::Authentication) && !account.way.is_token();
        let cause = likely_cause(step, &text, is_password);
        let because = cause::Cause::in_step(&error, step);
        Because::new(because, format!("{doing}{text}{cause}")).into()
    })
}

/// Names the step, unless the error begins with it.
fn before(step: Step, error: &str) -> String {
    let word = step.as_str();
    let said = error.get(..word.len());
    if said.is_some_and(|said| said.eq_ignore_ascii_case(word)) {
        return String::new();
    }
    format!("{word}: ")
}

fn work(
    run: &CheckRun<'_>,
    account: &Account,
    steps: &mut Steps,
    report: &mut AccountReport,
) -> Result<()> {
    let mut tested = Tested {
        user: Some(account.login.clone()),
        proof: Some(account.way.name().to_owned()),
        ..Tested::default()
    };
    report.tested = Some(tested.clone());
    let mut session = run.host(account).logins.attempt(run.stop, || {
        connect(run, account, steps).map_err(|error| (error, steps.current()))
    })?;
    tested.mechanism = Some(session.mechanism.to_owned());
    tested.token_seconds = session.token_left.map(|left| left.as_secs());
    report.tested = Some(tested);
    let list::Look {
        listing,
        inbox,
        quota,
    } = loop {
        match list::look(session.channel(), steps) {
            Err(error) if matches!(error.ending, Some(Ending::SentAhead | Ending::Aside)) => {
                session = connect(run, account, steps)?;
            }
            outcome => break outcome?,
        }
    };
    // Microsoft accepts a login and then refuses the first mailbox to a user without the right to it.
    if let Some(refused) = inbox.filter(|status| status.condition != Condition::Ok) {
        return Err(refusal::error(&refused, Kind::Refused).into());
    }
    steps.end();
    report.warnings.extend(listing.warnings());
    report.counts.mailboxes = listing.mailboxes.len() as u64;
    if run.settings.is_target {
        preflight::check(run, account, &mut session, quota, report);
    } else if is_unknown(run, account) {
        let wanted = |listed: &Listed| run.settings.folders.matches(listed.name.text());
        let sizes = match list::list(session.channel(), list::StatusItems::WithSize, wanted) {
            // Sizes are a hint; an export does without them, too.
            Err(error) if matches!(error.kind, Kind::Transient | Kind::Desync) => listing,
            sizes => sizes?,
        };
        run.settings.rehearsal.lists(&account.name, sizes, wanted);
    }
    let mut tested = report.tested.take().unwrap_or_default();
    tested.quota_used_kib = quota.map(|(used, _)| used);
    tested.quota_limit_kib = quota.map(|(_, limit)| limit);
    report.tested = Some(tested);
    session.leave();
    match &run.host(account).objection {
        Some(objection) => bail!("{objection}"),
        None => Ok(()),
    }
}

/// True for a source of which the archive has nothing yet: whether it fits is told by what it lists.
fn is_unknown(run: &CheckRun<'_>, account: &Account) -> bool {
    let settings = run.settings;
    let is_copied = match settings.mode {
        Mode::Migrate => true,
        // A dry run sums up by itself what is to be fetched.
        Mode::Export => !settings.dry_run,
        _ => false,
    };
    is_copied && AccountArchive::is_new(&settings.archive_dir, &account.name)
}

/// Waits where the server asks for it; a lost connection is tried once more, a refused login never.
fn connect(
    run: &CheckRun<'_>,
    account: &Account,
    steps: &mut Steps,
) -> Result<Session, SessionError> {
    let mut backoff = Backoff::default();
    let (mut lost, mut busy) = (0, 0);
    loop {
        if run.stop.requested() {
            return Err(SessionError::stopped());
        }
        let outcome = logged_in(run.provision, account, run.stop, || {
            *steps = Steps::default();
            dial::open_in_steps(run.peers.of(account), account, run.stop, steps)
        });
        let error = match outcome {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        match error.kind {
            Kind::Busy => busy += 1,
            Kind::Throttled(_) => {}
            _ => lost += 1,
        }
        let may_go_on = lost < MAX_LOST && busy < MAX_BUSY;
        let Some(wait) = backoff.next_wait(&error).filter(|_| may_go_on) else {
            return Err(error);
        };
        warn!("{error}; trying again in {:.1} s", wait.as_secs_f32());
        meter::reconnects_after(wait);
        if run.stop.sleep(wait) {
            return Err(SessionError::stopped());
        }
    }
}
