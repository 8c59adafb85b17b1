//! Passwords that are typed: asked for once each, on the terminal and unseen, before a run begins.

use anyhow::{Context, Result};
use inquire::validator::Validation;
use inquire::{InquireError, Password};

use crate::credential::CredentialSource;
use crate::credential::source::{PasswordSource, TypedPassword};
use crate::secret::Secret;
use crate::settings::Settings;

/// Asks for all passwords of the run that are to be typed, those of both sides; false when the user leaves.
///
/// # Errors
/// A terminal that fails.
pub fn passwords(settings: &Settings) -> Result<bool> {
    let target = settings.target.as_deref();
    let accounts = [Some(settings), target].into_iter().flatten();
    for account in accounts.flat_map(|side| &side.config.accounts) {
        if let CredentialSource::Password(PasswordSource::Typed(typed)) = &account.way
            && !typed.is_known()
            && !ask(typed)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn ask(typed: &TypedPassword) -> Result<bool> {
    let not_empty = |password: &str| {
        Ok(if password.is_empty() {
            Validation::Invalid("type it, or leave with Esc".into())
        } else {
            Validation::Valid
        })
    };
    let question = format!("Password {}:", typed.whose());
    let answer = Password::new(&question)
        .without_confirmation()
        .with_help_message("it is not shown and not kept; Enter goes on, Esc leaves")
        .with_formatter(&|_| "typed".to_owned())
        .with_validator(not_empty)
        .prompt();
    match answer {
        Ok(password) => {
            typed.take(Secret::new(password));
            Ok(true)
        }
        Err(InquireError::OperationCanceled | InquireError::OperationInterrupted) => Ok(false),
        Err(error) => Err(error).context(
            "ask for a password on the terminal; with \"password_file\" or \"password_command\" in the configuration nobody is asked",
        ),
    }
}
