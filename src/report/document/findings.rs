//! What audit and validate found, the gravest first, the first of each kind.

use std::collections::BTreeMap;

use super::{Block, cut};
use crate::finding::{Finding, Severity};
use crate::report::AccountReport;

/// The findings of all accounts by their kind.
pub fn of(accounts: &[AccountReport]) -> Vec<Block> {
    let mut by_code: BTreeMap<(Severity, &'static str), Vec<&Finding>> = BTreeMap::new();
    for finding in accounts.iter().flat_map(|account| &account.findings) {
        let key = (finding.severity, finding.code.as_str());
        by_code.entry(key).or_default().push(finding);
    }
    let of_code = |((severity, code), findings): ((Severity, &'static str), Vec<&Finding>)| {
        let count = findings.len();
        let mut shown: Vec<String> = findings.into_iter().map(line).collect();
        let rest = cut(&mut shown);
        Block::Findings {
            severity,
            code,
            count,
            shown,
            rest,
        }
    };
    by_code.into_iter().map(of_code).collect()
}

fn line(finding: &Finding) -> String {
    let text = &finding.text;
    match (&finding.file, &finding.mailbox) {
        (Some(file), _) => format!("{file}  {text}"),
        (None, Some(mailbox)) => format!("{}  {mailbox}  {text}", finding.account),
        (None, None) => format!("{}  {text}", finding.account),
    }
}
