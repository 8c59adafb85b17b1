//! What other programs write in more than one form.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A number, also as text; what is neither is not said.
pub(super) fn number<'de, D, N>(deserializer: D) -> Result<Option<N>, D::Error>
where
    D: Deserializer<'de>,
    N: TryFrom<u64>,
{
    let number: Option<u64> = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(number.and_then(|number| number.try_into().ok()))
}
