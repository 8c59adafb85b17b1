//! What needs attention, before everything that is fine.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::message::{self, Named};
use super::{grouped, rest, shown, status, words};
use crate::finding::{Code, Finding, Severity};
use crate::report::{AccountReport, FailedMessageReport, Report, Status};

/// Exceptions of one kind that the page names.
const NAMED: usize = 500;

/// All of it, or the sentence that there is nothing.
pub fn of(report: &Report) -> Markup {
    let is_open =
        |account: &&AccountReport| !matches!(account.status, Status::Complete | Status::Findings);
    let open: Vec<&AccountReport> = report.accounts.iter().filter(is_open).collect();
    let failures: Vec<_> = report
        .accounts
        .iter()
        .flat_map(|account| &account.failures)
        .collect();
    let findings = by_kind(report);
    let warnings: Vec<(&str, &str)> = warnings(report);
    let nothing = open.is_empty()
        && failures.is_empty()
        && findings.is_empty()
        && warnings.is_empty()
        && report.errors.is_empty();
    html! {
        section #exceptions {
            h2 { "What needs attention" }
            @if nothing { p { "Nothing." } }
            @for error in &report.errors { p.bad { "✘ " (shown(error)) } }
            @if !open.is_empty() {
                h3 { "Accounts that are not complete: " (grouped(open.len() as u64)) }
                div.wide { table {
                    thead { tr { th scope="col" { "Account" } th scope="col" { "Status" } th scope="col" { "Why" } } }
                    tbody { @for account in open.iter().take(NAMED) {
                        tr {
                            th scope="row" { (shown(&account.account)) }
                            td { (status(account.status)) }
                            td.words { (shown(account.error.as_deref().unwrap_or_default())) }
                        }
                    } }
                } }
                (rest(open.len(), NAMED))
            }
            @if !failures.is_empty() { (refused(&failures)) }
            @for ((severity, code), findings) in &findings { (kind(*severity, *code, findings)) }
            @if !warnings.is_empty() {
                details open[warnings.len() <= 20] {
                    summary { h3 { "Worth knowing: " (grouped(warnings.len() as u64)) } }
                    ul { @for (whose, text) in warnings.iter().take(NAMED) {
                        li.words { @if !whose.is_empty() { (shown(whose)) ": " } (shown(text)) }
                    } }
                    (rest(warnings.len(), NAMED))
                }
            }
        }
    }
}

/// Messages that could not be brought over.
fn refused(failures: &[&FailedMessageReport]) -> Markup {
    let named: Vec<Named<'_>> = failures
        .iter()
        .take(NAMED)
        .map(|failed| Named {
            message: failed.message.as_ref(),
            size: failed.size,
            file: failed.file.as_deref(),
            uid: failed.uid,
        })
        .collect();
    let columns = message::columns(named.iter());
    html! {
        h3 { "Messages that could not be brought over: " (grouped(failures.len() as u64)) }
        div.wide { table {
            thead { tr {
                th scope="col" { "Account" } th scope="col" { "Mailbox" }
                @for name in &columns { th scope="col" { (name) } }
                th scope="col" { "What the server said" } th scope="col" { "Where the original lies" }
            } }
            tbody { @for (failed, named) in failures.iter().zip(&named) {
                tr {
                    th scope="row" { (shown(&failed.account)) }
                    td { (shown(&failed.mailbox)) }
                    (message::cells(named, &columns))
                    td.words { (shown(&failed.server)) }
                    td.place { (message::place(named)) }
                }
            } }
        } }
        (rest(failures.len(), NAMED))
    }
}

fn kind(severity: Severity, code: Code, findings: &[&Finding]) -> Markup {
    let named: Vec<Named<'_>> = findings
        .iter()
        .take(NAMED)
        .map(|finding| Named {
            message: finding.message.as_ref(),
            size: None,
            file: finding.file.as_deref(),
            uid: None,
        })
        .collect();
    let columns = message::columns(named.iter());
    let is_of_messages = named.iter().any(|named| named.message.is_some());
    let has_places = named.iter().any(|named| named.file.is_some());
    let (class, open) = match severity {
        Severity::Error => ("bad", true),
        Severity::Warning => ("look", true),
        Severity::Note => ("open", false),
    };
    html! {
        details open[open] {
            summary { h3 { span.(class) { (severity.as_str().to_lowercase()) } " " code { (code.as_str()) } ": " (grouped(findings.len() as u64)) } }
            p { (words::meaning(code)) }
            div.wide { table {
                thead { tr {
                    th scope="col" { "Account" } th scope="col" { "Mailbox" }
                    @if is_of_messages {
                        @for name in &columns { th scope="col" { (name) } }
                    }
                    th scope="col" { "What was found" }
                    @if has_places { th scope="col" { "Where the original lies" } }
                } }
                tbody { @for (finding, named) in findings.iter().zip(&named) {
                    tr {
                        th scope="row" { (shown(&finding.account)) }
                        td { (shown(finding.mailbox.as_deref().unwrap_or_default())) }
                        @if is_of_messages { (message::cells(named, &columns)) }
                        td.words { (shown(&finding.text)) }
                        @if has_places { td.place { (message::place(named)) } }
                    }
                } }
            } }
            (rest(findings.len(), NAMED))
        }
    }
}

fn by_kind(report: &Report) -> BTreeMap<(Severity, Code), Vec<&Finding>> {
    let mut kinds: BTreeMap<_, Vec<&Finding>> = BTreeMap::new();
    for finding in report.accounts.iter().flat_map(|account| &account.findings) {
        let key = (finding.severity, finding.code);
        kinds.entry(key).or_default().push(finding);
    }
    kinds
}

fn warnings(report: &Report) -> Vec<(&str, &str)> {
    let of_run = report.warnings.iter().map(|text| ("", text.as_str()));
    let of_accounts = report.accounts.iter().flat_map(|account| {
        let name = account.account.as_str();
        let own = account
            .warnings
            .iter()
            .map(move |text| (name, text.as_str()));
        let notes = account
            .mailboxes
            .iter()
            .filter_map(move |mailbox| Some((name, mailbox.note.as_deref()?)));
        own.chain(notes)
    });
    of_run.chain(of_accounts).collect()
}
