//! Where tokens come from: a file, a variable, a command, or an OAuth endpoint.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::cache::Cache;
use super::oauth::Oauth;
use super::printed;
use super::source::{self, PATIENCE};
use super::{CredentialError, CredentialErrorKind, Refusal, Result, Template, Token, Who};
use crate::stop::Stop;

/// Longest token that is sent, in bytes: Dovecot drops the connection of a longer one without a word.
const LONGEST: usize = 6 * 1024;

/// Where tokens come from.
#[derive(Debug)]
pub enum TokenSource {
    /// A file, read at each login.
    File(Template, PathBuf),
    /// A variable of the environment.
    Env(String),
    /// A command prints it; program and arguments, and whether a shell reads them.
    Command(Vec<Template>, bool),
    /// An endpoint gives it.
    Oauth(Box<Oauth>),
}

/// A source of tokens, with those that are known from it.
#[derive(Debug)]
pub struct Tokens {
    source: TokenSource,
    cache: Cache,
}

impl Tokens {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(source: TokenSource) -> Self {
        Self {
            source,
            cache: Cache::default(),
        }
    }

    /// Where they come from.
    #[must_use]
    pub fn source(&self) -> &TokenSource {
        &self.source
    }

    /// The token for an account's login.
    ///
    /// # Errors
    /// None can be had, or it is longer than servers take.
    pub fn token(&self, who: Who<'_>, stop: &Stop) -> Result<Token> {
        let key = self.key(who);
        let token = match &self.source {
            TokenSource::File(name, beside) => self
                .cache
                .seen(&key, from_file(&beside.join(name.fill_path(who)))?),
            TokenSource::Env(name) => self.cache.seen(&key, from_env(name)?),
            TokenSource::Command(words, is_shell) => self.cache.get(&key, stop, || {
                from_command(words, *is_shell, who, stop).map(Token::for_one_login_unless_it_ends)
            })?,
            TokenSource::Oauth(oauth) => self.cache.get(&key, stop, || oauth.mint(who, stop))?,
        };
        let length = token.secret().expose().len();
        if length > LONGEST {
            return Err(CredentialError::last(format!(
                "the token has {length} bytes; over {LONGEST} servers close the connection without a word. \
                 Ask for one with fewer claims (groups and roles make tokens long)"
            )));
        }
        Ok(token)
    }

    /// A login with the token worked.
    pub fn accepted(&self, who: Who<'_>, token: &Token) {
        self.cache.accepted(&self.key(who), token, who.email);
    }

    /// A login with the token was refused.
    pub fn refused(&self, who: Who<'_>, token: &Token) -> Refusal {
        if self.cache.refused(&self.key(who), token, who.email) {
            return Refusal::Renewable;
        }
        Refusal::Final(match &self.source {
            TokenSource::Oauth(oauth) => oauth.cause_of_refusal(),
            TokenSource::File(..) | TokenSource::Env(_) | TokenSource::Command(..) => {
                "the token has expired, is for another user, scope or audience, or IMAP is switched off for the mailbox"
            }
        })
    }

    /// What a token that opens no mailbox lacks, in words that say what to do.
    #[must_use]
    pub fn cause_of_no_mailbox(&self) -> &'static str {
        match &self.source {
            TokenSource::Oauth(oauth) => oauth.cause_of_no_mailbox(),
            _ => "",
        }
    }

    /// What it is called in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.source {
            TokenSource::File(..) => "token_file",
            TokenSource::Env(_) => "token_env",
            TokenSource::Command(..) => "token_command",
            TokenSource::Oauth(oauth) => oauth.name(),
        }
    }

    /// Whom a token serves.
    fn key(&self, who: Who<'_>) -> String {
        match &self.source {
            TokenSource::File(name, _) => name.fill_path(who),
            TokenSource::Env(_) => String::new(),
            TokenSource::Command(..) => who.email.to_owned(),
            TokenSource::Oauth(oauth) => oauth.key(who),
        }
    }
}

fn from_file(path: &std::path::Path) -> Result<Token> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CredentialError::last(format!("read token_file {shown}: {error}")))?;
    printed::token(&Zeroizing::new(text), &format!("token_file {shown}"))
}

fn from_env(name: &str) -> Result<Token> {
    let text = std::env::var(name).map_err(|_| {
        CredentialError::last(format!(
            "the environment variable {name} is not set, or is no UTF-8"
        ))
    })?;
    printed::token(
        &Zeroizing::new(text),
        &format!("the environment variable {name}"),
    )
}

fn from_command(words: &[Template], is_shell: bool, who: Who<'_>, stop: &Stop) -> Result<Token> {
    let names_somebody = words.iter().any(|word| !word.is_same_for_all());
    if is_shell && names_somebody && !(is_plain(who.email) && is_plain(who.login)) {
        let text = "the account's name holds characters that a shell reads otherwise; write token_command as a list of \
                    words, or take $IMAP_EMAIL in it";
        return Err(CredentialError::last(text));
    }
    let words: Vec<String> = words.iter().map(|word| word.fill(who)).collect();
    let environment = [("IMAP_EMAIL", who.email), ("IMAP_HOST", who.host)];
    let said = source::output(&words, &environment, "token_command", PATIENCE, || {
        stop.requested()
    });
    match said {
        Ok(text) => printed::token(&Zeroizing::new(text), "what token_command printed"),
        Err(_) if stop.requested() => Err(CredentialError::stopped()),
        Err(error) => Err(CredentialError::new(
            CredentialErrorKind::Final,
            format!("{error:#}"),
        )),
    }
}

/// True for what means nothing else to a shell, wherever it stands.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._+=-/%".contains(c);
    !name.starts_with('-') && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Who<'_> = Who {
        email: "anna@example.com",
        login: "anna",
        host: "imap.example.com",
    };

    fn command(script: &str) -> Tokens {
        let words = ["sh", "-c", script].map(|word| Template::new(word).expect("known places"));
        Tokens::new(TokenSource::Command(words.to_vec(), true))
    }

    fn said(tokens: &Tokens) -> String {
        let token = tokens.token(WHO, &Stop::new());
        token.map_or_else(
            |error| error.to_string(),
            |token| token.secret().expose().to_owned(),
        )
    }

    #[test]
    fn a_command_knows_whom_it_is_for() {
        let tokens = command("echo {email}:{login}:$IMAP_EMAIL:$IMAP_HOST");
        assert_eq!(
            said(&tokens),
            "anna@example.com:anna:anna@example.com:imap.example.com"
        );
        let fails = said(&command("echo t0ken; echo locked >&2; exit 3"));
        assert!(
            fails.contains("locked") && !fails.contains("t0ken"),
            "{fails}"
        );
    }

    #[test]
    fn a_name_is_no_command() {
        let who = Who {
            email: "$(touch x)@example.com",
            ..WHO
        };
        let token = command("echo {email}").token(who, &Stop::new());
        let error = token.expect_err("refused").to_string();
        assert!(error.contains("IMAP_EMAIL"), "{error}");
        let token = command("echo t").token(who, &Stop::new());
        assert_eq!(token.expect("nobody is named").secret().expose(), "t");
    }

    #[test]
    fn a_command_is_asked_at_each_login_unless_it_says_when_its_token_ends() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let count = dir.path().join("count").display().to_string();
        let tokens = command(&format!("echo x >>{count}; wc -l <{count} | tr -d ' '"));
        assert_eq!([said(&tokens), said(&tokens)], ["1", "2"]);
        let json = "echo '{\"access_token\":\"'$(wc -l <";
        let tokens = command(&format!(
            "echo x >>{count}; {json}{count})'\",\"expires_in\":3600}}'"
        ));
        assert_eq!([said(&tokens), said(&tokens)], ["3", "3"]);
    }

    #[test]
    fn a_file_is_read_at_each_login() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let name = Template::new("{email}").expect("known places");
        let tokens = Tokens::new(TokenSource::File(name, dir.path().to_path_buf()));
        assert!(said(&tokens).contains("anna@example.com"));
        for text in ["first", "second"] {
            std::fs::write(dir.path().join(WHO.email), text).expect("written");
            assert_eq!(said(&tokens), text);
        }
        std::fs::write(dir.path().join(WHO.email), "x".repeat(7000)).expect("written");
        assert!(said(&tokens).contains("7000 bytes"));
    }
}
