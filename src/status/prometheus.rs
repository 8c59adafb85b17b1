//! The same in the text format of Prometheus, for its node exporter's textfile collector: names and units by its
//! conventions.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::seen::Seen;

/// What all names begin with.
const PREFIX: &str = "imapsync_bulk_migrator";

type Labels<'a> = &'a [(&'a str, &'a str)];

/// The whole file.
pub fn text(seen: &Seen) -> String {
    let mut out = String::new();
    let shard = seen
        .shard
        .map(|shard| format!("{}/{}", shard.index, shard.count));
    let shard = shard.unwrap_or_default();
    family(&mut out, "info", "gauge", "What runs.");
    let labels = [
        ("mode", seen.mode),
        ("shard", &shard),
        ("version", seen.version),
    ];
    sample(&mut out, "info", &labels, 1);
    if let Some(phase) = seen.phase {
        family(
            &mut out,
            "phase",
            "gauge",
            "What is being done, or was done last.",
        );
        sample(&mut out, "phase", &[("phase", phase)], 1);
    }
    family(
        &mut out,
        "accounts",
        "gauge",
        "Accounts of the phase by their state.",
    );
    for (state, count) in seen.accounts.by_state() {
        sample(&mut out, "accounts", &[("state", state)], count);
    }
    let mut messages: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for moved in &seen.moved {
        let (all, bytes) = messages.entry(moved.phase).or_default();
        *all += moved.messages;
        *bytes += moved.bytes;
    }
    family(
        &mut out,
        "messages_total",
        "counter",
        "Messages that a phase has dealt with.",
    );
    for (phase, (all, _)) in &messages {
        sample(&mut out, "messages_total", &[("phase", phase)], *all);
    }
    family(
        &mut out,
        "bytes_total",
        "counter",
        "Bytes of these messages.",
    );
    for (phase, (_, bytes)) in &messages {
        sample(&mut out, "bytes_total", &[("phase", phase)], *bytes);
    }
    let rate = Some(seen.bytes_per_second);
    let exit = seen.exit_code.map(u64::from);
    let ended = seen.exit_code.map(|_| seen.updated_at);
    for (name, help, value) in [
        (
            "bytes_per_second",
            "Bytes a second since the phase began.",
            rate,
        ),
        (
            "phase_seconds",
            "How long the phase lasts.",
            Some(seen.phase_seconds),
        ),
        (
            "time_left_seconds",
            "How long the phase will still take, where that can be told.",
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
        ("exit_code", "How the run ended.", exit),
    ] {
        if let Some(value) = value {
            family(&mut out, name, "gauge", help);
            sample(&mut out, name, &[], value);
        }
    }
    out
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
