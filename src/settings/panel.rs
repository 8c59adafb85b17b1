//! Which panel is meant, and who logs in there; and secrets that are typed, in a file or in the environment.

use std::path::Path;

use anyhow::{Context, Result, bail};
use url::Url;

use crate::cli::PanelArgs;
use crate::credential::source::without_line_end;
use crate::panel::access::Access;
use crate::secret::Secret;

/// The variable that is looked at where no source of the password is named.
const PASSWORD_VARIABLE: &str = "DA_PASSWORD";

/// Checks what was typed; `also_missing` are further flags that the caller misses.
///
/// # Errors
/// Everything that is missing, at once; a URL that is invalid or not encrypted; a password that
/// cannot be read, is empty, or is given twice.
pub fn access(args: &PanelArgs, why: &str, also_missing: &[&str]) -> Result<Access> {
    let mut missing = Vec::new();
    let url = args.da_url.as_deref().map(str::trim).unwrap_or_default();
    let user = args.da_username.as_deref().unwrap_or_default().trim();
    if url.is_empty() {
        missing.push("--da-url");
    }
    if user.is_empty() {
        missing.push("--da-username");
    }
    if !args.names_a_password() && std::env::var_os(PASSWORD_VARIABLE).is_none() {
        missing.push("a password (--da-password-file FILE, or --da-password-env NAME, or the variable DA_PASSWORD)");
    }
    missing.extend(also_missing);
    if !missing.is_empty() {
        bail!("{why} needs {}", missing.join(" and "));
    }
    let mut warnings = Vec::new();
    let password = password(args, &mut warnings)?;
    let url = address(url, args.da_allow_http, &mut warnings)?;
    if args.da_no_verify_ssl {
        warnings.push(format!(
            "INSECURE: --da-no-verify-ssl is set, any certificate is accepted: whoever is between here and {} can \
             read the panel's password and all that is sent",
            url.host_str().unwrap_or_default()
        ));
    }
    Ok(Access {
        url,
        user: user.to_owned(),
        password,
        ca_file: args.da_ca_file.clone(),
        accept_any_certificate: args.da_no_verify_ssl,
        warnings,
    })
}

fn address(text: &str, allow_http: bool, warnings: &mut Vec<String>) -> Result<Url> {
    // The text itself is not repeated: it may hold a password.
    let mut url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .context(
            "--da-url is not the URL of a panel; write it as https://panel.example.com:2222",
        )?;
    if !url.username().is_empty() || url.password().is_some() {
        bail!(
            "--da-url holds a user name or password; give them with --da-username and --da-password-file"
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        bail!("--da-url must end before any ? or #; write it as https://panel.example.com:2222");
    }
    if url.scheme() == "http" {
        if !allow_http {
            bail!(
                "--da-url begins with http://, which sends the panel's password in plain text; write https://, \
                 or allow it with --da-allow-http"
            );
        }
        warnings.push(
            "INSECURE: the panel's password crosses the network in plain text (--da-allow-http)"
                .to_owned(),
        );
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn password(args: &PanelArgs, warnings: &mut Vec<String>) -> Result<Secret> {
    let given = [
        ("--da-password", args.da_password.is_some()),
        ("--da-password-file", args.da_password_file.is_some()),
        ("--da-password-env", args.da_password_env.is_some()),
    ];
    one_of(&given)?;
    if let Some(password) = &args.da_password {
        warnings.push(visible("--da-password", "--da-password-file"));
        return not_empty(password.clone(), "--da-password");
    }
    if let Some(file) = &args.da_password_file {
        return from_file(file, "--da-password-file", warnings);
    }
    from_env(args.da_password_env.as_deref().unwrap_or(PASSWORD_VARIABLE))
}

/// At most one of several flags.
///
/// # Errors
/// Names those that are given.
pub fn one_of(flags: &[(&str, bool)]) -> Result<()> {
    let given = flags
        .iter()
        .filter(|(_, given)| *given)
        .map(|(flag, _)| *flag);
    let given: Vec<&str> = given.collect();
    if given.len() > 1 {
        bail!("give one of {}, not both", given.join(" and "));
    }
    Ok(())
}

/// The warning about a secret on the command line.
#[must_use]
pub fn visible(flag: &str, better: &str) -> String {
    format!(
        "{flag} can be seen by other users of this machine in the process list, and stays in the shell's history; use {better}"
    )
}

/// A secret from a variable of the environment.
///
/// # Errors
/// One that is not set, empty or no UTF-8; the text names the variable.
pub fn from_env(name: &str) -> Result<Secret> {
    let text = std::env::var(name)
        .ok()
        .with_context(|| format!("the environment variable {name} is not set, or is no UTF-8"))?;
    not_empty(
        Secret::new(text),
        &format!("the environment variable {name}"),
    )
}

/// A secret from a file; one line end at its end is not part of it.
///
/// # Errors
/// A file that cannot be read, is empty or no UTF-8; the text names flag and file.
pub fn from_file(path: &Path, flag: &str, warnings: &mut Vec<String>) -> Result<Secret> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("read {flag} {shown}"))?;
    if let Some(warning) = crate::config::readable_by_others(path, flag) {
        warnings.push(warning);
    }
    let text = String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("{flag} {shown} is not UTF-8"))?;
    not_empty(
        Secret::new(without_line_end(text)),
        &format!("{flag} {shown}"),
    )
}

fn not_empty(secret: Secret, what: &str) -> Result<Secret> {
    if secret.expose().is_empty() {
        bail!("{what} is empty");
    }
    Ok(secret)
}
