//! The report of a run, as JSON.

use std::fs;

use serde_json::Value;

use super::program::Program;

/// What the last run wrote to `report.json`.
pub fn report(program: &Program) -> Value {
    let text = fs::read(program.path("report.json")).expect("a report");
    serde_json::from_slice(&text).expect("JSON")
}
