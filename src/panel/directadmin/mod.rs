//! DirectAdmin's legacy API: `CMD_API_SHOW_DOMAINS` and `CMD_API_POP`.
//!
//! <https://docs.directadmin.com/developer/api/legacy-api.html>; the mailbox commands are described at
//! <https://www.directadmin.com/api.html>.

pub mod reply;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reply::{Claim, Reply};

use super::access::Access;
use super::address::{Address, domain_to_ascii, is_local};
use super::gate::{Gate, Proven};
use super::http::{PanelAnswer, PanelClient};
use super::text;
use super::{MailboxDetails, Names, Panel, PanelError, PanelErrorKind, Result};
use crate::secret::Secret;
use crate::stop::Stop;

/// Longest time for one answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// As logs and reports name the panel.
const NAME: &str = "directadmin";
/// Mailboxes, by the command's documented name and by the one that some releases have instead.
const MAILBOXES: [&str; 2] = ["CMD_API_POP", "CMD_API_EMAIL_POP"];

/// A DirectAdmin panel.
pub struct DirectAdmin {
    http: PanelClient,
    gate: Gate,
    domains: Proven,
    lists: Proven,
    creates: Proven,
    /// The second name is used to list, to create.
    second_for_lists: AtomicBool,
    second_for_creates: AtomicBool,
}

impl DirectAdmin {
    /// Prepares; nothing is sent. `timeout` is for each connection, request and read; more than 30 s are 30 s.
    ///
    /// # Errors
    /// A CA file that cannot be used.
    pub fn new(access: &Access, timeout: Duration, stop: &Stop) -> anyhow::Result<Self> {
        Ok(Self {
            http: PanelClient::new(NAME, access, timeout.min(PATIENCE), stop)?,
            gate: Gate::default(),
            domains: Proven::default(),
            lists: Proven::default(),
            creates: Proven::default(),
            second_for_lists: AtomicBool::new(false),
            second_for_creates: AtomicBool::new(false),
        })
    }

    /// Asks for mailboxes, under the second name where the first is not known.
    fn ask(&self, action: &str, domain: &str) -> Result<Reply> {
        let query = [("action", action), ("domain", domain), ("json", "yes")];
        let second = self.second_for_lists.load(Ordering::Relaxed);
        let answer = self.http.get(MAILBOXES[usize::from(second)], &query)?;
        if second || !is_unknown(&answer) {
            return self.understand(&answer);
        }
        let other = self.http.get(MAILBOXES[1], &query)?;
        if is_unknown(&other) {
            return self.understand(&answer);
        }
        self.second_for_lists.store(true, Ordering::Relaxed);
        self.second_for_creates.store(true, Ordering::Relaxed);
        self.understand(&other)
    }

    /// Sorts out refusals of the login and pages; the rest is data.
    fn understand(&self, answer: &PanelAnswer) -> Result<Reply> {
        understand(answer, self.http.access())
    }

    fn list(&self, domain: &str) -> Result<Names> {
        let mut names = self.ask("list", domain)?.names(|name| {
            let (local, of) = name.split_once('@').unwrap_or((name, domain));
            is_local(local) && of.eq_ignore_ascii_case(domain)
        })?;
        for name in &mut names.names {
            if let Some((local, _)) = name.split_once('@') {
                *name = local.to_owned();
            }
        }
        Ok(names)
    }

    fn post(&self, address: &Address, password: &Secret, quota_mb: u32) -> Result<()> {
        let quota = quota_mb.to_string();
        let form = [
            ("action", "create"),
            ("domain", address.domain.as_str()),
            ("user", address.local.as_str()),
            ("passwd", password.expose()),
            ("passwd2", password.expose()),
            ("quota", quota.as_str()),
            ("json", "yes"),
        ];
        let second = self.second_for_creates.load(Ordering::Relaxed);
        let answer = self.http.post(MAILBOXES[usize::from(second)], &form)?;
        if !second && is_unknown(&answer) {
            // Whether it was carried out is for the caller to look at; the next try takes the other name.
            self.second_for_creates.store(true, Ordering::Relaxed);
            return Err(match self.understand(&answer) {
                Ok(reply) => reply.unclear(),
                Err(error) => error,
            });
        }
        let reply = self.understand(&answer)?;
        match reply.verdict() {
            Claim::Done => Ok(()),
            Claim::Failed(said) => Err(PanelError::new(PanelErrorKind::Refused, said)),
            Claim::Silent => Err(reply.unclear()),
        }
    }
}

impl Panel for DirectAdmin {
    fn name(&self) -> &'static str {
        NAME
    }

    fn user(&self) -> &str {
        self.http.access().effective_user()
    }

    fn domains(&self) -> Result<Names> {
        let call = || {
            let answer = self.http.get("CMD_API_SHOW_DOMAINS", &[("json", "yes")])?;
            self.understand(&answer)?
                .names(|name| domain_to_ascii(name).is_some())
        };
        let doing = format!(
            "the domains of {} at {}",
            self.user(),
            self.http.access().place()
        );
        self.gate
            .pass(&self.domains, call)
            .map_err(|error| error.context(doing))
    }

    fn mailboxes(&self, domain: &str) -> Result<Names> {
        let outcome = self.gate.pass(&self.lists, || self.list(domain));
        outcome.map_err(|error| error.context(format!("the mailboxes of {domain}")))
    }

    fn details(&self, domain: &str) -> Result<Vec<MailboxDetails>> {
        let outcome = self
            .gate
            .pass(&self.lists, || self.ask("full_list", domain)?.details());
        outcome.map_err(|error| error.context(format!("details of the mailboxes of {domain}")))
    }

    fn create(&self, address: &Address, password: &Secret, quota_mb: u32) -> Result<()> {
        let outcome = self
            .gate
            .pass(&self.creates, || self.post(address, password, quota_mb));
        outcome.map_err(|error| error.context(format!("create {address}")))
    }
}

/// True when the panel does not know the command: not found, or a page that is not a known refusal.
fn is_unknown(answer: &PanelAnswer) -> bool {
    if answer.status == 404 {
        return true;
    }
    let is_page = answer.body.trim_start().starts_with('<');
    answer.status == 200 && is_page && refusal(answer).is_none()
}

/// The words of a refusal that ends all calls.
fn refusal(answer: &PanelAnswer) -> Option<String> {
    let body = &answer.body;
    let has = |words: &str| body.contains(words);
    if has("Your IP is blacklisted") {
        return Some("\"Your IP is blacklisted\": the panel blocks this machine; have an administrator remove it from the panel's IP blacklist".to_owned());
    }
    if has("License check failure") {
        return Some("\"License check failure\": the panel has no valid licence".to_owned());
    }
    let login_page = has("<title>DirectAdmin Login</title>") || has("AUTH_METHOD: \"CMD_LOGIN\"");
    if login_page
        || answer.x_directadmin.eq_ignore_ascii_case("unauthorized")
        || answer.status == 401
    {
        let said = match Reply::decode(body) {
            Ok(reply) => match reply.verdict() {
                Claim::Failed(said) => said,
                _ if body.trim().is_empty() => format!("HTTP {}", answer.status),
                _ => text::of_page(body),
            },
            Err(_) => text::of_page(body),
        };
        return Some(format!("the login is refused: \"{said}\""));
    }
    if answer.status == 403 {
        let said = match Reply::decode(body).map(|reply| reply.verdict()) {
            Ok(Claim::Failed(said)) => said,
            _ => text::of_page(body),
        };
        return Some(format!("HTTP 403, this user may not do that: \"{said}\""));
    }
    None
}

/// What to look at when a login or a right is missing.
const ADVICE: &str = "check --da-username and the password; an account may need a login key instead of its password, and \
                      a login key must allow CMD_API_SHOW_DOMAINS and CMD_API_POP from this machine's address; nothing \
                      more is asked, as panels block whoever goes on";

fn understand(answer: &PanelAnswer, access: &Access) -> Result<Reply> {
    let refused = |said: String| {
        Err(PanelError::new(
            PanelErrorKind::Authentication,
            format!("{said}; {ADVICE}"),
        ))
    };
    let status = answer.status;
    if answer.use_https || answer.body.trim().eq_ignore_ascii_case("use https") {
        let text = format!(
            "{} says \"use https\": write https:// in --da-url",
            access.place()
        );
        return Err(PanelError::new(PanelErrorKind::Unreachable, text));
    }
    if let Some(said) = refusal(answer) {
        return refused(said);
    }
    if (300..400).contains(&status) {
        let to = &answer.location;
        if access.url.scheme() == "http" && to.starts_with("https://") {
            let text = format!(
                "{} redirects to {to}: write https:// in --da-url",
                access.place()
            );
            return Err(PanelError::new(PanelErrorKind::Unreachable, text));
        }
        return refused(format!(
            "HTTP {status}, a redirect to \"{to}\" instead of an answer"
        ));
    }
    let reply = Reply::decode(&answer.body);
    if let Ok(reply) = &reply
        && let Claim::Failed(said) = reply.verdict()
    {
        let lower = said.to_lowercase();
        let rights = [
            "not logged in",
            "unauthorized",
            "two-step auth",
            "auth required",
            "cannot execute that command",
        ];
        if rights.iter().any(|words| lower.contains(words)) {
            return refused(format!("the panel says \"{said}\""));
        }
    } else if status >= 400 {
        let said = text::of_page(&answer.body);
        return Err(match status {
            405 => PanelError::new(
                PanelErrorKind::Refused,
                "HTTP 405: the host does not allow this kind of request",
            ),
            _ if answer.is_trouble() => {
                PanelError::new(PanelErrorKind::Transient, format!("HTTP {status}: {said}"))
            }
            _ => PanelError::new(
                PanelErrorKind::Unclear,
                format!("HTTP {status}: {said}; is this a DirectAdmin panel? Check --da-url"),
            ),
        });
    }
    reply
}
