//! What audit and validate found, the gravest first, the first of each kind.

use std::collections::BTreeMap;
use std::fmt;

use crate::finding::{Finding, Severity};
use crate::report::{AccountReport, SHOWN, table};

/// Writes the findings of all accounts; of each code the first ones, the rest counted.
pub fn write(f: &mut fmt::Formatter<'_>, accounts: &[AccountReport]) -> fmt::Result {
    let mut by_code: BTreeMap<(Severity, &'static str), Vec<&Finding>> = BTreeMap::new();
    for finding in accounts.iter().flat_map(|account| &account.findings) {
        let key = (finding.severity, finding.code.as_str());
        by_code.entry(key).or_default().push(finding);
    }
    for ((severity, code), findings) in by_code {
        let count = findings.len();
        writeln!(f, "\n{} {code}: {count}", severity.as_str())?;
        for finding in findings.iter().take(SHOWN) {
            let place = match (&finding.file, &finding.mailbox) {
                (Some(file), _) => format!("{file}  "),
                (None, Some(mailbox)) => format!("{}  {mailbox}  ", finding.account),
                (None, None) => format!("{}  ", finding.account),
            };
            let line = format!("{place}{}", finding.text);
            writeln!(f, "  {}", table::printable(&line))?;
        }
        super::write_rest(f, count)?;
    }
    Ok(())
}
