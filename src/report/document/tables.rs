//! Tables of accounts and mailboxes, one for each mode.

use indicatif::HumanBytes;

use super::{Block, SHOWN};
use crate::mode::{Mode, Phase};
use crate::plural::form;
use crate::report::{
    AccountReport, AuditReport, Counts, Report, ServerReport, Status, table::Table,
};

/// The accounts that a table lists: all of them if they are few, else those that somebody has to look at.
pub fn listed(report: &Report) -> Vec<&AccountReport> {
    // Accounts named above have their step there; a test says how far each came.
    let is_test = is_of_steps(report);
    some(report, |account| {
        let begun = account.status != Status::NotStarted;
        account.status != Status::Complete && begun && (is_test || account.error.is_none())
    })
}

/// All accounts if they are few, else some of those that are meant.
pub fn some(report: &Report, meant: impl Fn(&AccountReport) -> bool) -> Vec<&AccountReport> {
    let all = report.all_accounts || report.accounts.len() <= SHOWN;
    let accounts = report.accounts.iter();
    let wanted = accounts.filter(|account| all || meant(account));
    wanted.take(if all { usize::MAX } else { SHOWN }).collect()
}

/// The table is of steps on the way to a session.
pub fn is_of_steps(report: &Report) -> bool {
    report.precheck_failed || report.mode == Mode::Test
}

/// An account in a table: with its server, where there are several.
pub fn named(report: &Report, account: &AccountReport) -> String {
    let identity = account.identity.as_deref().unwrap_or_default();
    // In a migration, the server that the mail comes from.
    let end = report.servers.first().map(|server| server.end);
    let is_here = |server: &&ServerReport| Some(server.end) == end;
    match identity.rsplit_once('@') {
        Some((_, place)) if report.servers.iter().filter(is_here).count() > 1 => {
            let mut servers = report.servers.iter().filter(is_here);
            let own = servers.find(|server| format!("{}:{}", server.host, server.port) == place);
            let name = own.and_then(|server| server.name.as_deref());
            format!("{} ({})", account.account, name.unwrap_or(place))
        }
        _ => account.account.clone(),
    }
}

/// How many accounts no table lists, where that is so.
pub fn unlisted(report: &Report) -> Vec<Block> {
    let rest = report.accounts.len() - listed(report).len();
    if rest == 0 {
        return Vec::new();
    }
    let of_them = report.by_status.get(&Status::Complete).copied();
    let complete = of_them.unwrap_or_default();
    let place = match &report.file {
        Some(file) => format!("{file} has all, -v lists them"),
        None => "-v lists all, --report FILE.json keeps them".to_owned(),
    };
    let how = if report.precheck_failed {
        let passed = |account: &&AccountReport| account.status == Status::NotStarted;
        let count = report.accounts.iter().filter(passed).count();
        format!("{count} are not begun")
    } else {
        format!("{complete} are complete")
    };
    let accounts = form(rest, "account");
    // Failures name those that a table of none leaves out.
    let text = if rest == report.accounts.len() {
        format!("{rest} {accounts}; {how} ({place})")
    } else {
        format!("  … and {rest} more {accounts}; {how} ({place})")
    };
    vec![Block::Text(vec![text])]
}

fn by_account(report: &Report) -> Table {
    let mut table = Table::new(&[
        "account",
        "mailboxes",
        "would fetch",
        "bytes",
        "in archive",
        "would vanish",
    ]);
    let mut row = |name: &str, counts: &Counts| {
        table.row(&[
            name.to_owned(),
            counts.mailboxes.to_string(),
            counts.new.to_string(),
            HumanBytes(counts.bytes).to_string(),
            counts.unchanged.to_string(),
            counts.vanished.to_string(),
        ]);
    };
    for account in &report.accounts {
        row(&named(report, account), &account.counts);
    }
    row("total", &report.totals);
    table
}

/// Export: a row an account.
pub fn accounts(report: &Report) -> Table {
    let mut table = Table::new(&[
        "account",
        "mailboxes",
        "new",
        "unchanged",
        "flags",
        "vanished",
        "failed",
        "bytes",
        "seconds",
        "status",
    ]);
    for account in listed(report) {
        let mut row = vec![named(report, account)];
        row.extend(counts_row(&account.counts));
        row.push(format!("{:.1}", account.seconds));
        row.push(account.status.as_str().to_owned());
        table.row(&row);
    }
    if report.accounts.len() > 1 {
        let mut row = vec!["total".to_owned()];
        row.extend(counts_row(&report.totals));
        row.push(format!("{:.1}", report.seconds));
        row.push(String::new());
        table.row(&row);
    }
    table
}

/// Import: a row an account.
pub fn import(report: &Report) -> Table {
    let mut table = Table::new(&[
        "account",
        "mailboxes",
        "appended",
        "there already",
        "failed",
        "bytes",
        "seconds",
        "status",
    ]);
    let mut row = |name: &str, counts: &Counts, seconds: f64, status: &str| {
        table.row(&[
            name.to_owned(),
            counts.mailboxes.to_string(),
            counts.new.to_string(),
            counts.unchanged.to_string(),
            counts.failed.to_string(),
            HumanBytes(counts.bytes).to_string(),
            format!("{seconds:.1}"),
            status.to_owned(),
        ]);
    };
    for account in listed(report) {
        let status = account.status.as_str();
        row(
            &named(report, account),
            &account.counts,
            account.seconds,
            status,
        );
    }
    if report.accounts.len() > 1 {
        row("total", &report.totals, report.seconds, "");
    }
    table
}

/// Migrate: a row an account, from the one server to the other.
pub fn migration(report: &Report) -> Table {
    let mut table = Table::new(&[
        "account",
        "mailboxes",
        "exported",
        "imported",
        "in archive",
        "on target",
        "missing",
        "failed",
        "seconds",
        "status",
    ]);
    for account in listed(report) {
        let imported = account
            .phases
            .iter()
            .find(|part| part.phase == Phase::Import);
        let imported = imported.map_or(0, |part| part.counts.new);
        let mut row = vec![
            named(report, account),
            account.counts.mailboxes.to_string(),
            account.counts.new.to_string(),
            imported.to_string(),
        ];
        match &account.compared {
            Some(compared) => row.extend([
                compared.archive.to_string(),
                compared.matched.to_string(),
                compared.missing.to_string(),
            ]),
            None => row.extend(["-"; 3].map(str::to_owned)),
        }
        row.push(account.counts.failed.to_string());
        row.push(format!("{:.1}", account.seconds));
        row.push(account.status.as_str().to_owned());
        table.row(&row);
    }
    table
}

/// Dry run of an import: where each mailbox goes.
pub fn mapping(report: &Report) -> Table {
    let mut table = Table::new(&[
        "account",
        "mailbox",
        "goes to",
        "because of",
        "would append",
        "bytes",
        "there already",
    ]);
    for account in &report.accounts {
        for mailbox in &account.mailboxes {
            table.row(&[
                named(report, account),
                mailbox.mailbox.clone(),
                mailbox.target.clone().unwrap_or_default(),
                mailbox.why.clone().unwrap_or_default(),
                mailbox.counts.new.to_string(),
                HumanBytes(mailbox.counts.bytes).to_string(),
                mailbox.counts.unchanged.to_string(),
            ]);
        }
    }
    table
}

/// Dry run of an export: what would be fetched, by account; by mailbox where all is wanted.
pub fn mailboxes(report: &Report) -> Table {
    if !report.all_accounts {
        return by_account(report);
    }
    let mut table = Table::new(&[
        "account",
        "mailbox",
        "would fetch",
        "bytes",
        "in archive",
        "would vanish",
    ]);
    for account in &report.accounts {
        for mailbox in &account.mailboxes {
            let counts = &mailbox.counts;
            table.row(&[
                named(report, account),
                mailbox.mailbox.clone(),
                counts.new.to_string(),
                HumanBytes(counts.bytes).to_string(),
                counts.unchanged.to_string(),
                counts.vanished.to_string(),
            ]);
        }
    }
    table
}

/// Audit: a row an account.
pub fn audit(report: &Report) -> Table {
    let mut table = Table::new(&[
        "account",
        "mailboxes",
        "messages",
        "bytes",
        "errors",
        "warnings",
        "notes",
        "seconds",
        "status",
    ]);
    for account in listed(report) {
        let mut row = vec![named(report, account)];
        match &account.audit {
            Some(audit) => row.extend([
                audit.mailboxes.to_string(),
                audit.messages.to_string(),
                HumanBytes(audit.bytes).to_string(),
                audit.findings.errors.to_string(),
                audit.findings.warnings.to_string(),
                audit.findings.notes.to_string(),
            ]),
            None => row.extend(["-"; 6].map(str::to_owned)),
        }
        row.push(format!("{:.1}", account.seconds));
        row.push(account.status.as_str().to_owned());
        table.row(&row);
    }
    if table.rows().is_empty() {
        table.row(&audited(report));
    }
    table
}

/// All accounts in one row, where none of them has one.
fn audited(report: &Report) -> Vec<String> {
    let audits = || report.accounts.iter().filter_map(|a| a.audit.as_ref());
    let sum = |of: fn(&AuditReport) -> u64| audits().map(of).sum::<u64>().to_string();
    vec![
        "total".to_owned(),
        sum(|audit| audit.mailboxes),
        sum(|audit| audit.messages),
        HumanBytes(audits().map(|audit| audit.bytes).sum()).to_string(),
        sum(|audit| audit.findings.errors),
        sum(|audit| audit.findings.warnings),
        sum(|audit| audit.findings.notes),
        format!("{:.1}", report.seconds),
        String::new(),
    ]
}

fn counts_row(counts: &Counts) -> Vec<String> {
    vec![
        counts.mailboxes.to_string(),
        counts.new.to_string(),
        counts.unchanged.to_string(),
        counts.flags_changed.to_string(),
        counts.vanished.to_string(),
        counts.failed.to_string(),
        HumanBytes(counts.bytes).to_string(),
    ]
}
