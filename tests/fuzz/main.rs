//! Fuzzing that runs with the tests: mutated seeds for a bounded time, and large inputs that are hard on purpose.
//!
//! Every input must end: no panic, little memory, time in proportion to its length. What once failed becomes a seed in
//! `corpus/`, whose files are run first, unchanged. `FUZZ_SEED=N` repeats a run; `FUZZ_SECONDS=N` is the time of each target.

mod archive;
mod big;
mod feed;
mod mail;
mod mutate;
mod names;
mod panel;
mod session;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mutate::{Mutator, Random};

/// Counts what the process has allocated, for the bounds on memory.
#[global_allocator]
static MEMORY: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Directory of the seeds of one target.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let entries =
        std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, std::fs::read(&path).expect("read a seed"))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no seeds", dir.display());
    files
}

/// Is this the long form, `tests/run --long`?
fn is_long() -> bool {
    std::env::var_os("E2E_LONG").is_some_and(|value| value == "1")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs the seeds as they are and then mutations of them until the time is over.
fn fuzz(target: &str, words: &[&str], run: impl Fn(&[u8])) {
    let seeds = corpus(target);
    for (name, bytes) in &seeds {
        eprintln!("seed {name}");
        run(bytes);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let random = number("FUZZ_SEED")
        .unwrap_or_else(|| now.map_or(0, |now| now.as_nanos().try_into().unwrap_or(0)));
    eprintln!("to repeat: FUZZ_SEED={random}");
    let time =
        Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(if is_long() { 60 } else { 3 }));
    let seeds: Vec<Vec<u8>> = seeds.into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(Random::new(random), seeds, words);
    let (start, mut count) = (Instant::now(), 0_u64);
    while start.elapsed() < time {
        let input = mutator.input();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&input))) {
            eprintln!("{target} fails on: {}", input.escape_ascii());
            std::panic::resume_unwind(panic);
        }
        count += 1;
    }
    eprintln!("{count} inputs");
    assert!(count > 20, "only {count} inputs in {time:?}");
}
