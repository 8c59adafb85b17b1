//! Where a password comes from, and the command that says it.

use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child::{self, ChildFailure};
use crate::secret::Secret;

/// How long a password command may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes taken of what it says.
const MAX_OUTPUT: usize = 64 * 1024;

/// Where a password comes from.
#[derive(Debug, Clone)]
pub enum PasswordSource {
    /// It is known already.
    Ready(Secret),
    /// A command prints it, and is run once, whoever else needs what it prints.
    Command(Arc<CommandOutput>),
    /// Somebody is asked for it before the run begins.
    Typed(Arc<TypedPassword>),
}

/// A password that is typed, and whose it is.
#[derive(Debug)]
pub struct TypedPassword {
    whose: String,
    secret: OnceLock<Secret>,
}

impl TypedPassword {
    /// Whose it is, as worded in the prompt.
    #[must_use]
    pub fn whose(&self) -> &str {
        &self.whose
    }

    /// True once it was typed.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.secret.get().is_some()
    }

    /// Takes in what was typed; the first one counts.
    pub fn take(&self, secret: Secret) {
        self.secret.get_or_init(|| secret);
    }
}

/// Those of the configurations in use: both sides of a migration may name the same.
static COMMANDS: LazyLock<Mutex<HashMap<Vec<String>, Weak<CommandOutput>>>> =
    LazyLock::new(Mutex::default);

/// A command, and what it said.
#[derive(Debug)]
pub struct CommandOutput {
    /// Program and arguments.
    words: Vec<String>,
    said: Mutex<Option<Secret>>,
}

impl PasswordSource {
    /// A command; program and arguments. It is told nothing about the account, so the same command prints the same.
    #[must_use]
    pub fn command(words: Vec<String>) -> Self {
        let mut known = COMMANDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(once) = known.get(&words).and_then(Weak::upgrade) {
            return Self::Command(once);
        }
        let once = Arc::new(CommandOutput {
            words: words.clone(),
            said: Mutex::default(),
        });
        known.insert(words, Arc::downgrade(&once));
        Self::Command(once)
    }

    /// One that is still to be typed.
    #[must_use]
    pub fn typed(whose: String) -> Self {
        let secret = OnceLock::new();
        Self::Typed(Arc::new(TypedPassword { whose, secret }))
    }

    /// The password.
    ///
    /// # Errors
    /// A command that fails, hangs or says nothing; one that nobody typed.
    pub fn secret(&self) -> Result<Secret> {
        match self {
            Self::Ready(secret) => Ok(secret.clone()),
            Self::Typed(typed) => typed.secret.get().cloned().context("it was not typed"),
            Self::Command(once) => {
                // Whoever asks meanwhile waits: it may ask somebody for a passphrase.
                let mut said = once.said.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(secret) = &*said {
                    return Ok(secret.clone());
                }
                Ok(said.insert(run(&once.words, PATIENCE)?).clone())
            }
        }
    }
}

/// Exactly one line end is not part of a password; all else is, blanks too.
#[must_use]
pub fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn run(words: &[String], patience: Duration) -> Result<Secret> {
    let said = output(words, &[], "password_command", patience, || false)?;
    let secret = without_line_end(said);
    if secret.is_empty() {
        bail!("password_command printed nothing");
    }
    Ok(Secret::new(secret))
}

/// What a command of the configuration prints; `key` is what it is called there.
///
/// # Errors
/// A command that fails (with the beginning of its standard error), hangs, floods, or prints no UTF-8.
pub fn output(
    words: &[String],
    environment: &[(&str, &str)],
    key: &str,
    patience: Duration,
    should_stop: impl Fn() -> bool,
) -> Result<String> {
    let (program, arguments) = words
        .split_first()
        .with_context(|| format!("{key} is empty"))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().copied());
    let ran = match child::run(&mut command, patience, MAX_OUTPUT, should_stop) {
        Ok(ran) => ran,
        Err(ChildFailure::System(error)) => {
            return Err(error).with_context(|| format!("run {key} \"{program}\""));
        }
        Err(failure) => bail!("{key} {failure}"),
    };
    if !ran.status.success() {
        let complaint = String::from_utf8_lossy(&ran.stderr);
        let lines: Vec<&str> = complaint.trim().lines().take(3).collect();
        let said = match lines[..] {
            [] => ", and nothing on its standard error says why".to_owned(),
            _ => format!(": {}", lines.join(" / ")),
        };
        bail!("{key} failed ({}){said}", ran.status);
    }
    match String::from_utf8(ran.stdout) {
        Ok(said) => Ok(said),
        Err(_) => bail!("{key} printed something that is not UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(command: &str) -> Result<Secret> {
        run(
            &["sh".into(), "-c".into(), command.into()],
            Duration::from_secs(20),
        )
    }

    #[test]
    fn what_the_command_prints_is_the_password() {
        let secret = shell("printf ' p\"\\\\ä \\n'").expect("said");
        assert_eq!(secret.expose(), " p\"\\ä ");
    }

    #[test]
    fn a_failing_command_is_named_without_what_it_printed() {
        let error = shell("echo hunter2; echo locked >&2; exit 3")
            .expect_err("failed")
            .to_string();
        assert!(
            error.contains("locked") && error.contains('3') && !error.contains("hunter2"),
            "{error}"
        );
        assert!(shell("true").is_err());
    }

    #[test]
    fn a_hanging_command_is_ended_with_its_children() {
        let words = ["sh".into(), "-c".into(), "sleep 600 & wait".into()];
        let error = run(&words, Duration::from_millis(50))
            .expect_err("hangs")
            .to_string();
        assert!(error.contains("not ended"), "{error}");
    }
}
