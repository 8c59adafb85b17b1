//! A string that never shows: not in Debug output, not in logs, not in errors; and JSON that holds such strings.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use crate::redact;

/// A password or token; wiped from memory when dropped, and hidden in every text that leaves the program, see
/// `redact`. Read it with [`Secret::expose`], where it is sent and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Wiped>);

#[derive(PartialEq, Eq)]
struct Wiped(Zeroizing<String>);

impl Secret {
    /// Takes a secret in.
    #[must_use]
    pub fn new(secret: String) -> Self {
        redact::keep(&secret);
        Self(Arc::new(Wiped(Zeroizing::new(secret))))
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        redact::forget(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// JSON that holds secrets: does not show, and its strings are wiped from memory when it is dropped.
#[derive(Clone)]
pub struct SecretJson(Value);

impl SecretJson {
    /// Takes the JSON in.
    #[must_use]
    pub fn new(json: Value) -> Self {
        Self(json)
    }

    /// The JSON itself.
    #[must_use]
    pub fn expose(&self) -> &Value {
        &self.0
    }
}

impl Drop for SecretJson {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(json: &mut Value) {
    match json {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl fmt::Debug for SecretJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::{Secret, SecretJson, wipe};

    #[test]
    fn it_does_not_show() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }
    #[test]
    fn json_does_not_show_and_is_wiped() {
        let mut json = serde_json::json!({"accounts": [{"password": "hunter2", "port": 1}]});
        assert_eq!(format!("{:?}", SecretJson::new(json.clone())), "[secret]");
        wipe(&mut json);
        let wiped = serde_json::json!({"accounts": [{"password": "", "port": 1}]});
        assert_eq!(json, wiped);
    }
}
