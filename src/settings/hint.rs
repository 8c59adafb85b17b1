//! What somebody may have meant whose pattern matches nothing.

use crate::config::Config;

/// What is wrong with a pattern: usually that it is only part of an address.
pub fn no_account(pattern: &str, config: &Config) -> String {
    /// More examples would not help.
    const SHOWN: usize = 3;
    let part = pattern.trim_matches('*').to_lowercase();
    let meant = config.accounts.iter().filter(|account| {
        let names = [&account.email, &account.name];
        names.iter().any(|name| name.to_lowercase().contains(&part))
    });
    let meant: Vec<&str> = meant
        .map(|account| account.name.as_str())
        .take(SHOWN)
        .collect();
    let hint = if meant.is_empty() {
        "it stands for a whole address, in which * stands for any letters, as in *@example.com"
            .to_owned()
    } else {
        format!(
            "it stands for a whole address, upper and lower case told apart; write \"*{part}*\" for any with that in it, or one of them: {}",
            meant.join(", ")
        )
    };
    format!(
        "--account {pattern} matches no account of {}: {hint}",
        config.path.display()
    )
}
