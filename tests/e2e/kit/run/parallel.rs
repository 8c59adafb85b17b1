//! Many runs at a time, where each of them mostly waits.

use std::any::Any;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `work` for each item, `threads` at a time; all failures are told together, with their items.
#[track_caller]
pub fn in_parallel<T: std::fmt::Debug + Sync>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) + Sync,
) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let call = std::panic::AssertUnwindSafe(|| work(item));
                    if let Err(panic) = std::panic::catch_unwind(call) {
                        let text = text_of(&*panic);
                        failures
                            .lock()
                            .expect("no panic inside")
                            .push(format!("{item:?}: {text}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic inside");
    assert!(
        failures.is_empty(),
        "{} of {} fail, first:\n{}",
        failures.len(),
        items.len(),
        failures[..failures.len().min(3)].join("\n\n")
    );
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}
