//! The same in the text format of Prometheus, for its node exporter's textfile collector: names and units by its
//! conventions.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::document::StatusDocument;

/// What all names begin with.
const PREFIX: &str = "imapsync_bulk_migrator";

type Labels<'a> = &'a [(&'a str, &'a str)];

/// The whole file.
pub fn text(seen: &StatusDocument) -> String {
    let mut out = String::new();
    run(&mut out, seen);
    moved(&mut out, seen);
    gauges(&mut out, seen);
    out
}

/// What runs, and where its accounts are.
fn run(out: &mut String, seen: &StatusDocument) {
    let shard = seen
        .shard
        .map(|shard| format!("{}/{}", shard.index, shard.count));
    let shard = shard.unwrap_or_default();
    let labels = [
        ("mode", seen.mode),
        ("shard", &shard),
        ("version", seen.version),
    ];
    family(out, "info", "gauge", "What runs.");
    sample(out, "info", &labels, 1);
    if let Some(phase) = seen.phase {
        let help = "What is being done, or was done last.";
        family(out, "phase", "gauge", help);
        sample(out, "phase", &[("phase", phase)], 1);
    }
    let help = "Accounts of the phase by their state.";
    family(out, "accounts", "gauge", help);
    for (state, count) in seen.accounts.by_state() {
        sample(out, "accounts", &[("state", state)], count);
    }
}

/// Messages and bytes of each phase.
fn moved(out: &mut String, seen: &StatusDocument) {
    let mut phases: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for moved in &seen.moved {
        let (messages, bytes) = phases.entry(moved.phase).or_default();
        *messages += moved.messages;
        *bytes += moved.bytes;
    }
    let help = "Messages that a phase has dealt with.";
    family(out, "messages_total", "counter", help);
    for (phase, (messages, _)) in &phases {
        sample(out, "messages_total", &[("phase", phase)], *messages);
    }
    family(out, "bytes_total", "counter", "Bytes of these messages.");
    for (phase, (_, bytes)) in &phases {
        sample(out, "bytes_total", &[("phase", phase)], *bytes);
    }
}

/// Rates and times, as far as they are known, and the end.
fn gauges(out: &mut String, seen: &StatusDocument) {
    let ended = seen.exit_code.map(|_| seen.updated_at);
    let known = [
        (
            "bytes_per_second",
            "Bytes a second since the phase began.",
            Some(seen.bytes_per_second),
        ),
        (
            "phase_seconds",
            "How long the phase lasts.",
            Some(seen.phase_seconds),
        ),
        (
            "time_left_seconds",
            "How long the phase will still take, where that is known.",
            seen.seconds_left,
        ),
        (
            "start_time_seconds",
            "When the run began, since 1970.",
            Some(seen.started_at),
        ),
        (
            "update_time_seconds",
            "When this was written, since 1970.",
            Some(seen.updated_at),
        ),
        ("end_time_seconds", "When the run ended, since 1970.", ended),
        (
            "exit_code",
            "How the run ended.",
            seen.exit_code.map(u64::from),
        ),
    ];
    for (name, help, value) in known {
        if let Some(value) = value {
            family(out, name, "gauge", help);
            sample(out, name, &[], value);
        }
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} {kind}"
    );
}

fn sample(out: &mut String, name: &str, labels: Labels<'_>, value: u64) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    let _ = if labels.is_empty() {
        writeln!(out, "{PREFIX}_{name} {value}")
    } else {
        writeln!(out, "{PREFIX}_{name}{{{}}} {value}", labels.join(","))
    };
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
