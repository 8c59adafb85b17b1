//! One list for a whole move: what an account says about the target, seen from either side.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Side;
use super::auth::PASSWORD_KEYS;

/// What keys of the target begin with.
const PREFIX: &str = "target_";
/// The keys of an account that speak of the target.
pub const TARGET_KEYS: [&str; 7] = [
    "target_email",
    "target_login",
    "target_server",
    "target_password",
    "target_password_file",
    "target_password_env",
    "target_password_command",
];

/// An account as one side sees it. On the target its login and server are those of `target_…`, where it says any of
/// them or is a row of a list; the password is the source's where there is none of the target's. The archive keeps the
/// name of the source.
pub fn seen_from(
    side: Side,
    account: &Map<String, Value>,
    is_row: bool,
) -> Cow<'_, Map<String, Value>> {
    let is_given = |key: &str| account.get(key).is_some_and(|value| !value.is_null());
    let speaks_of_target = TARGET_KEYS.iter().any(|key| is_given(key));
    if side == Side::Source || !(speaks_of_target || is_row) {
        return Cow::Borrowed(account);
    }
    let mut seen = Map::new();
    let mut take = |key: &str, from: &str| {
        if is_given(from) {
            seen.insert(key.to_owned(), account[from].clone());
        }
    };
    take("archive", "email");
    take("archive", "archive");
    take("email", "email");
    take("email", "target_email");
    take("login", "target_login");
    if !speaks_of_target {
        take("login", "login");
        take("auth", "auth");
    }
    take("server", "target_server");
    let has_own = PASSWORD_KEYS
        .iter()
        .any(|key| is_given(&format!("{PREFIX}{key}")));
    for key in PASSWORD_KEYS {
        if has_own {
            take(key, &format!("{PREFIX}{key}"));
        } else {
            take(key, key);
        }
    }
    Cow::Owned(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_side_sees_its_own() {
        let account = json!({"email": "a@old", "login": "l", "server": "s", "password": "p",
            "target_email": "a@new", "target_server": "t"});
        let account = account.as_object().expect("an object");
        assert_eq!(seen_from(Side::Source, account, true).as_ref(), account);
        let there = json!({"archive": "a@old", "email": "a@new", "server": "t", "password": "p"});
        assert_eq!(
            Value::Object(seen_from(Side::Target, account, false).into_owned()),
            there
        );
        let plain = json!({"email": "a@old", "server": "s", "password": "p"});
        let plain = plain.as_object().expect("an object");
        assert_eq!(seen_from(Side::Target, plain, false).as_ref(), plain);
        let there = json!({"archive": "a@old", "email": "a@old", "password": "p"});
        assert_eq!(
            Value::Object(seen_from(Side::Target, plain, true).into_owned()),
            there
        );
    }
}
