//! `--mode authorize`: users agree, one after the other, and their refresh tokens are kept.
//!
//! It says what to open and waits. The configuration decides how: with a code that is typed on any device, or in a
//! browser on this machine.

use std::collections::HashSet;

use anyhow::{Result, bail};
use tracing::{error, info};

use crate::accounts;
use crate::config::Account;
use crate::credential::oauth::refresh::Refresh;
use crate::credential::oauth::{Oauth, device, loopback};
use crate::credential::tokens::TokenSource;
use crate::credential::{CredentialError, CredentialSource};
use crate::plural::counted;
use crate::report::AccountReport;
use crate::secret::Secret;
use crate::stop::Stop;

/// Has the users of all accounts agree; `say` reaches whoever sits at the terminal. Returns how it went with each.
///
/// # Errors
/// No account whose tokens come from a user who agrees.
pub fn run(accounts: &[Account], stop: &Stop, say: &dyn Fn(&str)) -> Result<Vec<AccountReport>> {
    let clients: Vec<(&Account, &Refresh)> = accounts
        .iter()
        .filter_map(|account| Some((account, client(account)?)))
        .collect();
    if clients.is_empty() {
        bail!(
            "none of the accounts has \"oauth\" with the provider \"refresh\": no other provider asks users to agree"
        );
    }
    let mut files = HashSet::new();
    let mut reports = Vec::new();
    for (account, client) in clients {
        let name = &account.name;
        if stop.requested() {
            reports.push(AccountReport::new(name));
            continue;
        }
        let report = accounts::one(account, |report| {
            if !files.insert(client.file(account.who())) {
                let text = "has the refresh token of an earlier account";
                info!(account = name, "{text}");
                report.warnings.push(text.to_owned());
                return Ok(());
            }
            let file = authorize(account, client, stop, say)?;
            say(&format!("{name}: the refresh token is in {file}"));
            Ok(())
        });
        if let Some(reason) = &report.error {
            error!(account = name, "{reason}");
        }
        reports.push(report);
    }
    Ok(reports)
}

fn client(account: &Account) -> Option<&Refresh> {
    let CredentialSource::Token(tokens) = &account.way else {
        return None;
    };
    match tokens.source() {
        TokenSource::Oauth(oauth) => match &**oauth {
            Oauth::Refresh(client) => Some(client),
            Oauth::Google(_) | Oauth::Microsoft(_) => None,
        },
        _ => None,
    }
}

/// Has one user agree; the file that holds the refresh token then.
fn authorize(
    account: &Account,
    client: &Refresh,
    stop: &Stop,
    say: &dyn Fn(&str),
) -> Result<String, CredentialError> {
    let name = &account.name;
    let consent = &client.consent;
    let granted = if let Some(url) = &consent.device_url {
        let code = device::begin(client, url, stop)?;
        let minutes = counted(code.time().as_secs().div_ceil(60), "minute");
        say(&format!(
            "{name}: open {} in any browser, type the code {} and sign in as {} (within {minutes})",
            code.place(),
            code.code(),
            account.login
        ));
        device::wait(client, &code, stop)?
    } else if let Some(url) = &consent.authorize_url {
        let waiting = loopback::begin(client, url, &account.login)?;
        let minutes = counted(loopback::TIME.as_secs().div_ceil(60), "minute");
        say(&format!(
            "{name}: open this in a browser on this machine and sign in as {} (within {minutes}):\n{}",
            account.login, waiting.url
        ));
        waiting.wait(client, stop)?
    } else {
        return Err(CredentialError::last(
            "the configuration says neither where a code is asked for (device_url) nor where a browser goes \
             (authorize_url)",
        ));
    };
    let refresh = granted.refresh_token.filter(|token| !token.is_empty());
    let refresh = refresh.map(Secret::new).ok_or_else(|| {
        CredentialError::last(
            "the user has agreed, but the provider gave no refresh token; ask for one in \"scope\" (offline_access)",
        )
    })?;
    let file = client.store(account.who(), &refresh, stop)?;
    Ok(file.display().to_string())
}
