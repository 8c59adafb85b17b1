//! What most likely lies behind a failed step, in words that say what to do.

use crate::session::steps::Step;

/// A sentence to go behind the error, beginning with a separator; empty where the error says it all.
///
/// `login_refused`: the server has seen a password and said no.
pub fn likely_cause(step: Option<Step>, error: &str, login_refused: bool) -> &'static str {
    let lower = error.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    match step {
        Some(Step::Connect) if has(&["refused"]) => {
            " (likely cause: the port is closed or another one, or the server is down)"
        }
        Some(Step::Connect) if has(&["timed out", "no answer", "unreachable"]) => {
            " (likely cause: a firewall, or a wrong address)"
        }
        Some(Step::Greeting) if has(&["no answer"]) => {
            " (likely cause: the port speaks TLS, or is not IMAP's)"
        }
        Some(Step::Greeting | Step::Login)
            if has(&[
                "too many",
                "connection limit",
                "maximum number of connections",
            ]) =>
        {
            " (likely cause: the server's limit of connections; use fewer --max-workers)"
        }
        Some(Step::Login) if has(&["disabled", "not enabled", "not allowed", "not connected"]) => {
            " (likely cause: IMAP is switched off for this account)"
        }
        Some(Step::Login) if has(&["application-specific", "app password", "web login"]) => {
            " (likely cause: the provider wants an app password)"
        }
        Some(Step::Login)
            if login_refused && has(&["authenticat", "credential", "password", "login"]) =>
        {
            " (likely cause: the password is wrong, or the login is not the e-mail address)"
        }
        Some(Step::Inbox) if has(&["not connected", "disabled", "not enabled"]) => {
            " (likely cause: IMAP is switched off for this account, or the login has no right to it)"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_fit_step_and_words() {
        let cases = [
            (Step::Connect, "Connection refused (os error 111)", "closed"),
            (
                Step::Login,
                "NO [AUTHENTICATIONFAILED] Authentication failed.",
                "password is wrong",
            ),
            (
                Step::Login,
                "NO IMAP access is disabled for your account",
                "switched off",
            ),
            (Step::Login, "BYE Too many connections", "--max-workers"),
        ];
        for (step, error, cause) in cases {
            let found = likely_cause(Some(step), error, true);
            assert!(found.contains(cause), "{error}: {found}");
        }
        assert_eq!(likely_cause(None, "Connection refused", false), "");
        let unspoken = "the server disables LOGIN";
        assert_eq!(likely_cause(Some(Step::Login), unspoken, false), "");
    }
}
