//! Every account in a row, and the mailboxes of each, folded.

use maud::{Markup, html};

use super::facts::{bytes, there};
use super::{bar, grouped, rest, shown, status};
use crate::mode::Mode;
use crate::report::{AccountReport, MailboxReport, Report};

/// Rows of accounts that a page takes.
const ACCOUNTS: usize = 10_000;

/// Rows of mailboxes that a page takes, all accounts together: with more, browsers take long to open it.
const MAILBOXES: usize = 20_000;

/// The table of accounts and their mailboxes.
pub fn of(report: &Report) -> Markup {
    let accounts = &report.accounts;
    let mode = report.mode;
    let most = accounts
        .iter()
        .map(|account| held(mode, account))
        .max()
        .unwrap_or(0);
    let mut left = MAILBOXES;
    let is_shown = |account: &AccountReport| {
        let rows = account.mailboxes.len();
        let fits = rows > 0 && rows <= left;
        left -= if fits { rows } else { 0 };
        fits
    };
    let folded: Vec<bool> = accounts.iter().take(ACCOUNTS).map(is_shown).collect();
    html! {
        section #accounts {
            h2 { "Accounts: " (grouped(accounts.len() as u64)) }
            p.filter hidden {
                label for="filter" { "Show only accounts with " }
                input #filter type="search" autocomplete="off";
                " " span #filtered role="status" {}
            }
            div.wide { table {
                thead { tr { @for name in ["Account", "Status", "Mailboxes", "Messages", "", "Not brought over", "Size", "Seconds"] {
                    th scope="col" { (name) }
                } } }
                tbody { @for (number, account) in accounts.iter().take(ACCOUNTS).enumerate() {
                    tr data-of=(number) {
                        th scope="row" {
                            @if folded[number] { a href={ "#m" (number) } { (shown(&account.account)) } } @else { (shown(&account.account)) }
                        }
                        td { (status(account.status)) }
                        td.n { (grouped(account.counts.mailboxes)) }
                        td.n { (grouped(held(mode, account))) }
                        td { (bar(held(mode, account), most)) }
                        td.n { (grouped(account.counts.failed)) }
                        td.n { (bytes(size(account))) }
                        td.n { (format!("{:.1}", account.seconds)) }
                    }
                } }
            } }
            (rest(accounts.len(), ACCOUNTS))
        }
        @if folded.contains(&true) {
            section #mailboxes {
                h2 { "Mailboxes of each account" }
                @for (number, account) in accounts.iter().take(ACCOUNTS).enumerate().filter(|(number, _)| folded[*number]) {
                    details.account data-of=(number) {
                        summary { (shown(&account.account)) " " (status(account.status)) }
                        div #{ "m" (number) } .wide { (mailboxes(mode, &account.mailboxes)) }
                        @if let Some(proof) = &account.proof { p { "Proof over all its messages: " code { (shown(proof)) } } }
                    }
                }
                @if folded.contains(&false) {
                    p { "Accounts that are not in this list have no mailboxes in the report, or too many for one page: they are in the report in JSON." }
                }
            }
        }
    }
}

fn mailboxes(mode: Mode, mailboxes: &[MailboxReport]) -> Markup {
    let most = mailboxes
        .iter()
        .map(|mailbox| in_mailbox(mode, mailbox))
        .max()
        .unwrap_or(0);
    html! {
        table {
            thead { tr { @for name in ["Mailbox", "On the target", "Messages", "", "Not brought over", "Size", "Note"] { th scope="col" { (name) } } } }
            tbody { @for mailbox in mailboxes {
                tr {
                    th scope="row" { (shown(&mailbox.mailbox)) }
                    td { (shown(mailbox.target.as_deref().unwrap_or_default())) }
                    td.n { (grouped(in_mailbox(mode, mailbox))) }
                    td { (bar(in_mailbox(mode, mailbox), most)) }
                    td.n { (grouped(missing(mailbox))) }
                    td.n { (bytes(mailbox.counts.bytes)) }
                    td.words { (shown(mailbox.note.as_deref().unwrap_or_default())) }
                }
            } }
        }
    }
}

/// Messages of an account, whatever the mode counts.
fn held(mode: Mode, account: &AccountReport) -> u64 {
    if let Some(compared) = &account.compared {
        return compared.archive;
    }
    if let Some(audit) = account
        .audit
        .as_ref()
        .filter(|_| account.counts.mailboxes == 0)
    {
        return audit.messages;
    }
    there(mode, &account.counts)
}

fn size(account: &AccountReport) -> u64 {
    account
        .audit
        .as_ref()
        .map_or(account.counts.bytes, |audit| audit.bytes)
}

fn in_mailbox(mode: Mode, mailbox: &MailboxReport) -> u64 {
    let counts = there(mode, &mailbox.counts);
    mailbox.compared.map_or(counts, |compared| compared.archive)
}

fn missing(mailbox: &MailboxReport) -> u64 {
    mailbox
        .compared
        .map_or(mailbox.counts.failed, |compared| compared.missing)
}
