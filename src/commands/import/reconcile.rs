//! What the target has of a mailbox already: by the journal, by looking, and after waiting where that is not settled yet.

use std::time::{Duration, Instant};

use anyhow::Result;
use tracing::{info, info_span, warn};

use crate::archive::journal::{Done, Journal, Route};
use crate::session::channel::Channel;
use crate::session::error::{Kind, SessionError};
use crate::stop::Stop;
use crate::target::identities::Inventory;
use crate::target::mailbox::{Job, Jobs};
use crate::target::message;

/// How long a server is given to finish what a connection that is gone had sent. Bytes that it has received and not
/// yet worked off, at most a window of the lane, are appended although nobody waits for the answer any more.
const SETTLE: Duration = Duration::from_secs(10);

/// Waits until nothing of an earlier connection can still arrive, where the journal says that something was under way.
///
/// Else a look at the target could miss messages that appear a moment later, and they would be there twice. `connected`
/// is when this connection was made; a server that answers within `timeout` has not more than that to work off.
///
/// # Errors
/// [`Kind::Stopped`] when the run is asked to stop meanwhile.
pub fn let_settle(
    jobs: &Jobs,
    journal: &Journal,
    connected: Instant,
    timeout: Duration,
    stop: &Stop,
) -> Result<()> {
    let is_open =
        |job: &Job| journal.was_sent(&job.here().directory, job.here().uidvalidity, job.missing());
    let wait = SETTLE.min(timeout).saturating_sub(connected.elapsed());
    if wait.is_zero() || !jobs.iter().any(is_open) {
        return Ok(());
    }
    info!(
        wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        "messages were under way when an earlier connection ended: waiting until the target has settled"
    );
    if stop.sleep(wait) {
        return Err(SessionError::stopped().into());
    }
    Ok(())
}

/// Without UIDPLUS: looks which UIDs the target gave to what was appended on this connection.
///
/// It helps the next run to tell ours from others; a server that refuses costs nothing else.
pub fn learn_uids(channel: &mut Channel, job: &mut Job, journal: &mut Journal) -> Result<()> {
    let route = job.route();
    let known = journal.known(&route);
    let new: Vec<u32> = job
        .taken()
        .iter()
        .filter(|uid| known.blind.contains(*uid))
        .collect();
    if new.is_empty() || job.uidnext_there() == 0 {
        return Ok(());
    }
    let mut there = match Inventory::read(
        channel,
        &job.place().wire,
        job.uidnext_there(),
        &known.to_uids,
    ) {
        Ok(there) => there,
        Err(error) if error.kind == Kind::Refused => {
            warn!(mailbox = job.name(), %error, "the UIDs on the target are not known");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    for uid in new {
        let identity = message::identity(&job.here().dir, uid)?;
        if let Some(to_uid) = identity.and_then(|identity| there.take(&identity)) {
            note_found(journal, &route, uid, to_uid);
        }
    }
    Ok(())
}

/// The target was seen to have a message.
fn note_found(journal: &mut Journal, route: &Route, uid: u32, to_uid: u32) {
    journal.done(
        route,
        &Done {
            uid,
            sha256: None,
            to_uid: Some(to_uid),
        },
    );
}

/// Compares with what the target holds, unless the journal knows it all; fills `todo`.
pub fn find_missing(
    channel: &mut Channel,
    job: &mut Job,
    journal: &mut Journal,
    dry_run: bool,
) -> Result<()> {
    let span = info_span!("mailbox", mailbox = job.name());
    let _entered = span.enter();
    let missing: Vec<u32> = job.missing().collect();
    // An empty mailbox needs no inventory.
    if missing.is_empty() || !job.place().exists || job.is_empty_there() {
        job.queue(missing);
        return Ok(());
    }
    let mut there = Inventory::read(channel, &job.place().wire, 1, &job.known().to_uids)?;
    // Without UIDPLUS nobody knows which messages there are ours: as many as we appended of each identity.
    for uid in job.known().blind.iter() {
        if let Some(identity) = message::identity(&job.here().dir, uid)? {
            there.take(&identity);
        }
    }
    let route = job.route();
    for uid in missing {
        let identity = message::identity(&job.here().dir, uid)?;
        let Some(to_uid) = identity.and_then(|identity| there.take(&identity)) else {
            job.queue([uid]);
            continue;
        };
        job.found(uid);
        if !dry_run {
            note_found(journal, &route, uid, to_uid);
        }
    }
    Ok(())
}
