//! Writes messages in the background, in order, so that the network does not wait for the disk.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, bail};

use super::incoming::Incoming;
use super::mailbox::MailboxDir;
use super::sidecar::Sidecar;
use crate::limits::NO_THREAD;

/// Bytes of bodies that may wait; a single message always may.
const MAX_WAITING: u64 = 4 * 1024 * 1024;
/// Messages that may wait.
const MAX_MESSAGES: usize = 256;

/// A message with its place.
struct WriteTask {
    dir: MailboxDir,
    incoming: Incoming,
    sidecar: Sidecar,
    /// The caller's handle, given back if it cannot be written.
    owner: usize,
}

/// A message that was handed over and is not in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritten {
    /// As given with it.
    pub owner: usize,
    /// UID.
    pub uid: u32,
    /// Bytes of its body.
    pub size: u64,
}

#[derive(Default)]
struct WriteQueue {
    tasks: VecDeque<WriteTask>,
    /// Bytes of the bodies in `tasks`.
    bytes: u64,
    /// Messages handed over, ever.
    taken: u64,
    /// Messages done with, ever.
    done: u64,
    /// Why writing has ended for good.
    failure: Option<String>,
    unwritten: Vec<Unwritten>,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<WriteQueue>,
    /// There is a message to write, or no more will come.
    more: Condvar,
    /// A message is done with.
    less: Condvar,
}

/// The background writer of one archive; dropped, it first writes what waits.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Waits for what had been handed over when it was made.
pub struct Barrier {
    shared: Arc<Shared>,
    until: u64,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// None can be started.
    pub fn start() -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::Builder::new()
            .name("writer".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.work()
            })
            .context(NO_THREAD)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Hands a message over, waiting while too much waits.
    ///
    /// # Errors
    /// Why an earlier message could not be written; nothing is written after that.
    pub fn store(
        &self,
        dir: MailboxDir,
        incoming: Incoming,
        sidecar: Sidecar,
        owner: usize,
    ) -> Result<()> {
        let mut queue = self.shared.lock();
        while queue.failure.is_none()
            && (queue.bytes >= MAX_WAITING || queue.tasks.len() >= MAX_MESSAGES)
        {
            queue = wait(&self.shared.less, queue);
        }
        queue.check()?;
        queue.bytes += incoming.len();
        queue.taken += 1;
        queue.tasks.push_back(WriteTask {
            dir,
            incoming,
            sidecar,
            owner,
        });
        drop(queue);
        self.shared.more.notify_one();
        Ok(())
    }

    /// A barrier behind what has been handed over so far.
    #[must_use]
    pub fn barrier(&self) -> Barrier {
        Barrier {
            shared: Arc::clone(&self.shared),
            until: self.shared.lock().taken,
        }
    }

    /// Returns when all that was handed over is written.
    ///
    /// # Errors
    /// Why a message could not be written.
    pub fn drain(&self) -> Result<()> {
        self.barrier().wait()
    }

    /// The messages that could not be written; empties the list.
    #[must_use]
    pub fn take_unwritten(&self) -> Vec<Unwritten> {
        std::mem::take(&mut self.shared.lock().unwritten)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.more.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed to stderr; the archive is valid at any moment.
            let _ = thread.join();
        }
    }
}

impl Barrier {
    /// Returns when all before it is written.
    ///
    /// # Errors
    /// Why a message could not be written.
    pub fn wait(&self) -> Result<()> {
        let mut queue = self.shared.lock();
        while queue.failure.is_none() && queue.done < self.until {
            queue = wait(&self.shared.less, queue);
        }
        queue.check()
    }
}

impl WriteQueue {
    fn check(&self) -> Result<()> {
        match &self.failure {
            None => Ok(()),
            Some(failure) => bail!("{failure}"),
        }
    }

    fn fail(&mut self, failure: &anyhow::Error) {
        self.failure = Some(format!("{failure:#}"));
        let rest = self.tasks.drain(..).map(|task| task.unwritten());
        self.unwritten.extend(rest);
        self.bytes = 0;
    }
}

impl WriteTask {
    fn write(mut self) -> Result<()> {
        self.dir.store(&mut self.incoming, self.sidecar).map(drop)
    }

    fn unwritten(&self) -> Unwritten {
        Unwritten {
            owner: self.owner,
            uid: self.sidecar.uid,
            size: self.incoming.len(),
        }
    }
}

fn wait<'a>(condition: &Condvar, queue: MutexGuard<'a, WriteQueue>) -> MutexGuard<'a, WriteQueue> {
    condition
        .wait(queue)
        .unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, WriteQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut queue = self.lock();
        loop {
            let Some(task) = queue.tasks.pop_front() else {
                if queue.closed {
                    return;
                }
                queue = wait(&self.more, queue);
                continue;
            };
            queue.bytes -= task.incoming.len();
            drop(queue);
            let unwritten = task.unwritten();
            // A panic must not leave the others waiting for ever.
            let outcome = catch_unwind(AssertUnwindSafe(|| task.write()))
                .unwrap_or_else(|_| Err(anyhow!("the writer panicked")));
            queue = self.lock();
            queue.done += 1;
            if let Err(error) = outcome {
                queue.unwritten.push(unwritten);
                queue.fail(&error.context(format!("store uid {}", unwritten.uid)));
            }
            self.less.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn sidecar(uid: u32) -> Sidecar {
        let json = format!(r#"{{"mailbox":"INBOX","uid":{uid}}}"#);
        serde_json::from_str(&json).expect("valid")
    }

    fn body(dir: &MailboxDir, bytes: &[u8]) -> Incoming {
        let mut incoming = dir.incoming();
        incoming.write_all(bytes).expect("written");
        incoming
    }

    #[test]
    fn what_is_handed_over_is_written_in_order() {
        let place = tempfile::tempdir().expect("temporary directory");
        let dir = MailboxDir::new(place.path().to_path_buf());
        let writer = Writer::start().expect("a thread");
        for uid in 1..=500 {
            let body = body(&dir, &vec![b'x'; 20_000]);
            writer
                .store(dir.clone(), body, sidecar(uid), 7)
                .expect("taken");
        }
        writer.drain().expect("written");
        assert_eq!(dir.scan().expect("scan").pairs.len(), 500);
        writer
            .store(dir.clone(), body(&dir, b"y"), sidecar(501), 7)
            .expect("taken");
        drop(writer);
        assert!(
            dir.verify(501).expect("verified"),
            "a drop writes what waits"
        );
    }

    #[test]
    fn after_a_failure_nothing_is_written_and_all_of_it_is_named() {
        let place = tempfile::tempdir().expect("temporary directory");
        let dir = MailboxDir::new(place.path().to_path_buf());
        let nowhere = MailboxDir::new(place.path().join("missing"));
        let writer = Writer::start().expect("a thread");
        writer
            .store(dir.clone(), body(&dir, b"a"), sidecar(1), 0)
            .expect("taken");
        writer.drain().expect("written");
        let first = writer.store(nowhere, body(&dir, b"bb"), sidecar(2), 1);
        first.expect("taken");
        // Taken or refused, depending on how far the thread is.
        let second = writer.store(dir.clone(), body(&dir, b"c"), sidecar(3), 0);
        let error = writer.drain().expect_err("a failure");
        assert!(format!("{error:#}").contains("store uid 2"), "{error:#}");
        let unwritten = writer.take_unwritten();
        assert_eq!(
            unwritten[0],
            Unwritten {
                owner: 1,
                uid: 2,
                size: 2
            }
        );
        assert_eq!(unwritten.len(), 1 + usize::from(second.is_ok()));
        assert_eq!(dir.scan().expect("scan").pairs, [1]);
    }
}
