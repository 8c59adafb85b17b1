//! What audit and validate have found, by the report that they wrote to `report.json`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::program::Program;

/// All findings of the report.
pub fn findings(program: &Program) -> Vec<Value> {
    let text = std::fs::read_to_string(program.path("report.json")).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let accounts = report["accounts"].as_array().expect("accounts").iter();
    accounts
        .flat_map(|account| account["findings"].as_array().cloned().unwrap_or_default())
        .collect()
}

/// Severity and code of each finding.
pub fn codes(program: &Program) -> BTreeSet<(String, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    findings(program)
        .iter()
        .map(|finding| (text(finding, "severity"), text(finding, "code")))
        .collect()
}

/// Exactly these findings, as `severity code`.
#[track_caller]
pub fn assert_codes(program: &Program, expected: &[&str]) {
    let found: BTreeSet<String> = codes(program)
        .into_iter()
        .map(|(severity, code)| format!("{severity} {code}"))
        .collect();
    let expected: BTreeSet<String> = expected.iter().map(|code| (*code).to_owned()).collect();
    assert_eq!(found, expected, "{:#?}", findings(program));
}
