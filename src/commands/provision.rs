//! Before an import: creates mailboxes that the panel does not have; later once more, for a login that fails.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rayon::prelude::*;
use tracing::{error, info, warn};

use crate::config::Account;
use crate::credential::CredentialSource;
use crate::credential::source::PasswordSource;
use crate::panel::address::{Address, domain_to_ascii};
use crate::panel::directadmin::DirectAdmin;
use crate::panel::{Panel, PanelError, PanelErrorKind};
use crate::report::{ProvisionReport, ProvisionState, Provisioned};
use crate::secret::Secret;
use crate::session::error::{Kind, SessionError};
use crate::settings::{Provisioning, Settings};
use crate::stop::Stop;

/// Calls under way at a time.
const AT_A_TIME: usize = 4;
/// How often a create whose outcome is unclear is tried again, after looking.
const REPEATS: u32 = 3;
/// How long a mailbox that was just created may refuse its login.
const FRESH: Duration = Duration::from_secs(30);

/// Accounts and their addresses by domain.
type ByDomain<'b> = BTreeMap<String, Vec<(&'b Account, Address)>>;

/// The panel, and what is known of the accounts' mailboxes there.
pub struct Provision<'a> {
    plan: &'a Provisioning,
    panel: Box<dyn Panel>,
    stop: &'a Stop,
    /// By account.
    known: Mutex<HashMap<String, KnownAccount>>,
    /// Held while a refused login is looked into.
    looking: Mutex<()>,
}

#[derive(Debug, Clone)]
struct KnownAccount {
    report: Provisioned,
    created: Option<Instant>,
    /// It was looked for again after a refused login.
    looked_again: bool,
}

impl<'a> Provision<'a> {
    /// For the runs that create mailboxes.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn new(settings: &'a Settings, stop: &'a Stop) -> Result<Option<Self>> {
        let Some(plan) = &settings.importing.provisioning else {
            return Ok(None);
        };
        for warning in &plan.access.warnings {
            warn!(panel = %"directadmin", "{warning}");
        }
        let panel = DirectAdmin::new(&plan.access, settings.timeout, stop)?;
        Ok(Some(Self {
            plan,
            panel: Box::new(panel),
            stop,
            known: Mutex::new(HashMap::new()),
            looking: Mutex::new(()),
        }))
    }

    /// Makes sure that all accounts have mailboxes. Stops at the first that cannot be had, unless `ignore_errors`.
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub fn prepare(&self, accounts: &[Account], ignore_errors: bool) -> Result<()> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(AT_A_TIME)
            .thread_name(|index| format!("panel-{index}"))
            .build()
            .context("start threads for the panel")?;
        let (by_domain, mut all_well) = self.by_domain(accounts);
        if !all_well && !ignore_errors {
            return Ok(());
        }
        let on_panel = match self.domains() {
            Ok(domains) => domains,
            Err(said) => {
                for (account, _) in by_domain.values().flatten() {
                    self.put(account, ProvisionState::Failed, Some(said.clone()));
                }
                return Ok(());
            }
        };
        let lists: Vec<_> = pool.install(|| {
            by_domain
                .par_iter()
                .map(|(domain, _)| self.domain(domain, on_panel.as_ref()))
                .collect()
        });
        let mut missing = Vec::new();
        for (members, list) in by_domain.values().zip(lists) {
            for (account, address) in members {
                match &list {
                    Ok(there) if there.contains(&address.local) => self.exists(account, None),
                    Ok(_) => missing.push((*account, address)),
                    Err(said) => {
                        self.failed(account, said);
                        all_well = false;
                    }
                }
            }
        }
        if !all_well && !ignore_errors {
            return Ok(());
        }
        let halt = std::sync::atomic::AtomicBool::new(false);
        pool.install(|| {
            missing.par_iter().for_each(|(account, address)| {
                use std::sync::atomic::Ordering::Relaxed;
                if halt.load(Relaxed) || self.stop.requested() {
                    return;
                }
                if !self.create(account, address) && !ignore_errors {
                    halt.store(true, Relaxed);
                }
            });
        });
        Ok(())
    }

    /// Accounts with their addresses, by domain; false where one has none that can be understood.
    fn by_domain<'b>(&self, accounts: &'b [Account]) -> (ByDomain<'b>, bool) {
        let mut by_domain = ByDomain::new();
        let mut all_well = true;
        for account in accounts {
            match Address::parse(&account.email) {
                Ok(address) => by_domain
                    .entry(address.domain.clone())
                    .or_default()
                    .push((account, address)),
                Err(error) => {
                    self.failed(account, &format!("{error:#}"));
                    all_well = false;
                }
            }
        }
        (by_domain, all_well)
    }

    /// The panel's domains in ASCII; none where it does not say, and their lists will tell. Else what is wrong with it.
    fn domains(&self) -> Result<Option<HashSet<String>>, String> {
        match self.panel.domains() {
            Ok(domains) => {
                let names = domains.names.iter();
                Ok(Some(
                    names.filter_map(|name| domain_to_ascii(name)).collect(),
                ))
            }
            Err(error)
                if matches!(
                    error.kind,
                    PanelErrorKind::Refused | PanelErrorKind::Unclear
                ) =>
            {
                warn!(panel = %self.panel.name(), "{error}; each domain is asked for instead");
                Ok(None)
            }
            Err(error) => {
                let said = error.to_string();
                error!(panel = %self.panel.name(), "{said}");
                Err(said)
            }
        }
    }

    /// What became of all accounts so far.
    pub fn report(&self, accounts: &[Account]) -> ProvisionReport {
        let known = self.lock();
        let one = |account: &Account| {
            known.get(&account.name).map_or_else(
                || Provisioned {
                    account: account.name.clone(),
                    state: ProvisionState::NotTried,
                    quota_mb: None,
                    note: None,
                },
                |known| known.report.clone(),
            )
        };
        ProvisionReport {
            panel: self.panel.name().to_owned(),
            url: self.plan.access.place(),
            dry_run: self.plan.dry_run,
            mailboxes: accounts.iter().map(one).collect(),
        }
    }

    /// The local parts of a domain's mailboxes, in lower case; an error in words.
    fn domain(
        &self,
        domain: &str,
        on_panel: Option<&HashSet<String>>,
    ) -> Result<HashSet<String>, String> {
        if on_panel.is_some_and(|all: &HashSet<String>| !all.contains(domain)) {
            let user = self.panel.user();
            return Err(format!(
                "the panel's user {user} has no domain {domain}; create it there first, or act for its owner \
                 with --da-username 'admin|OWNER'"
            ));
        }
        self.list(domain).map_err(|error| error.to_string())
    }

    fn list(&self, domain: &str) -> Result<HashSet<String>, PanelError> {
        let names = self.panel.mailboxes(domain)?;
        for odd in &names.odd {
            warn!(panel = %self.panel.name(), domain, "the panel lists {odd:?}, which is not a mailbox name");
        }
        Ok(names.names.iter().map(|name| name.to_lowercase()).collect())
    }

    /// Creates a mailbox that was not there; false when it is not there now.
    fn create(&self, account: &Account, address: &Address) -> bool {
        let panel = self.panel.name();
        let name = &account.name;
        let password = match own_password(account) {
            Ok(password) => password,
            Err(said) => {
                self.failed(account, &said);
                return false;
            }
        };
        if self.plan.dry_run {
            info!(panel = %panel, account = name, "would be created");
            self.put(account, ProvisionState::WouldCreate, None);
            return true;
        }
        let outcome = password
            .secret()
            .map_err(|error| format!("{error:#}"))
            .and_then(|password| self.make(address, &password).map_err(|e| e.to_string()));
        match outcome {
            Ok(true) => {
                info!(panel = %panel, account = name, quota_mb = self.plan.quota_mb, "mailbox created");
                self.put(account, ProvisionState::Created, None);
                true
            }
            Ok(false) => {
                self.exists(account, Some("somebody else created it in the meantime"));
                true
            }
            Err(said) => {
                self.failed(account, &said);
                false
            }
        }
    }

    /// Creates, and checks if the answer leaves the outcome open; false when somebody else has created it.
    fn make(&self, address: &Address, password: &Secret) -> Result<bool, PanelError> {
        let mut wait = Duration::from_secs(1);
        let mut tried = 0;
        loop {
            let error = match self.panel.create(address, password, self.plan.quota_mb) {
                Ok(()) => return Ok(true),
                Err(error) => error,
            };
            if !matches!(
                error.kind,
                PanelErrorKind::Refused | PanelErrorKind::Transient | PanelErrorKind::Unclear
            ) {
                return Err(error);
            }
            let there = self.list(&address.domain).map_err(|second| {
                let text = format!("{error}; whether it is there cannot be seen: {second}");
                PanelError::new(second.kind, text)
            })?;
            if there.contains(&address.local) {
                return Ok(error.kind != PanelErrorKind::Refused);
            }
            tried += 1;
            if error.kind == PanelErrorKind::Refused || tried > REPEATS {
                return Err(error);
            }
            let seconds = wait.as_secs();
            warn!(
                panel = %self.panel.name(),
                address = %address,
                "{error}; the mailbox is not there, creating it again in {seconds} s"
            );
            if self.stop.sleep(wait) {
                return Err(PanelError::new(
                    PanelErrorKind::Stopped,
                    "the run was stopped",
                ));
            }
            wait *= 2;
        }
    }

    /// Whether and when a refused login is worth another try; else what to add to its error.
    fn after_refusal(&self, account: &Account, refusals: u32) -> Result<Duration, String> {
        let known = self.lock().get(&account.name).cloned();
        let Some(known) = known else {
            return Err("its mailbox has not been looked for on the panel".to_owned());
        };
        if let Some(since) = known.created {
            let age = since.elapsed();
            let wait = Duration::from_secs(1) * 2_u32.pow(refusals.min(4));
            let left = FRESH.saturating_sub(age);
            if !left.is_zero() {
                return Ok(wait.min(left));
            }
            let seconds = age.as_secs();
            return Err(format!(
                "the mailbox was created on the panel {seconds} s ago; is it the panel of this IMAP server?"
            ));
        }
        let wrong = "the mailbox exists on the panel: its password is not the configuration's";
        if known.looked_again {
            return Err(wrong.to_owned());
        }
        if let Some(known) = self.lock().get_mut(&account.name) {
            known.looked_again = true;
        }
        let address = Address::parse(&account.email).map_err(|error| format!("{error:#}"))?;
        let _one_at_a_time = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        match self.list(&address.domain) {
            Ok(there) if there.contains(&address.local) => Err(wrong.to_owned()),
            Ok(_) if self.create(account, &address) => Ok(Duration::ZERO),
            Ok(_) => {
                let known = self.lock();
                let note = known
                    .get(&account.name)
                    .and_then(|known| known.report.note.clone());
                Err(note.unwrap_or_default())
            }
            Err(error) => Err(format!("the panel cannot be asked about it: {error}")),
        }
    }

    fn exists(&self, account: &Account, note: Option<&str>) {
        info!(panel = %self.panel.name(), account = account.name, "mailbox exists");
        self.put(account, ProvisionState::Exists, note.map(str::to_owned));
    }

    fn failed(&self, account: &Account, said: &str) {
        error!(panel = %self.panel.name(), account = account.name, "{said}");
        self.put(account, ProvisionState::Failed, Some(said.to_owned()));
    }

    fn put(&self, account: &Account, state: ProvisionState, note: Option<String>) {
        use ProvisionState::{Created, WouldCreate};
        let mut all = self.lock();
        let looked_again = all
            .get(&account.name)
            .is_some_and(|known| known.looked_again);
        let known = KnownAccount {
            report: Provisioned {
                account: account.name.clone(),
                state,
                quota_mb: matches!(state, Created | WouldCreate).then_some(self.plan.quota_mb),
                note,
            },
            created: (state == Created).then(Instant::now),
            looked_again,
        };
        all.insert(account.name.clone(), known);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, KnownAccount>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the password comes from that a new mailbox gets; an error in words where what proves the login is nobody's
/// mailbox password.
fn own_password(account: &Account) -> Result<&PasswordSource, String> {
    let none = "the mailbox does not exist, and is not created:";
    let is_own = account.login.eq_ignore_ascii_case(&account.email) && account.authzid.is_none();
    match &account.way {
        CredentialSource::Token(_) => Err(format!(
            "{none} a token proves the login, and a token is not a mailbox password"
        )),
        CredentialSource::Password(_) if !is_own => Err(format!(
            "{none} the configuration's password is that of the login {}",
            account.login
        )),
        CredentialSource::Password(_) if account.shares_way => Err(format!(
            "{none} the configuration's password stands at the server, for all its accounts"
        )),
        CredentialSource::Password(source) => Ok(source),
    }
}

/// Logs in. With a panel, a refusal is looked into, and a mailbox that was just created gets some time.
///
/// # Errors
/// Those of `open`; to a refusal, what the panel knows is added.
pub fn logged_in<T>(
    provision: Option<&Provision<'_>>,
    account: &Account,
    stop: &Stop,
    mut open: impl FnMut() -> Result<T, SessionError>,
) -> Result<T, SessionError> {
    let mut refusals = 0;
    loop {
        let error = match (open(), provision) {
            (Err(error), Some(_)) if error.kind == Kind::Authentication => error,
            (outcome, _) => return outcome,
        };
        let next = provision.map(|provision| provision.after_refusal(account, refusals));
        refusals += 1;
        match next {
            Some(Ok(wait)) => {
                info!(
                    account = account.name,
                    "{error}; trying again, the mailbox is new"
                );
                if stop.sleep(wait) {
                    return Err(SessionError::stopped());
                }
            }
            Some(Err(note)) => {
                return Err(SessionError::new(error.kind, format!("{error}; {note}")));
            }
            None => return Err(error),
        }
    }
}
