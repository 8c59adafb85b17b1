//! What a run may take of a server: connections, and bytes a second.

use serde_json::{Map, Value};

use super::place::Place;
use super::read::Reader;

/// Fewer bytes a second would make servers end sessions for being idle.
const FEWEST_BYTES: u64 = 10_000;

/// What the configuration allows; nothing is limited by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: Option<usize>,
    /// Bytes a second, to and from the server, all connections together.
    pub bytes_per_second: Option<u64>,
    /// Each shard may take all of it; else all shards share it.
    pub per_run: bool,
}

impl Limits {
    /// The part of one of so many shards.
    #[must_use]
    pub fn shared_by(self, shards: u32) -> Self {
        if self.per_run {
            return self;
        }
        let shards = shards.max(1);
        Self {
            connections: self.connections.map(|most| (most / shards as usize).max(1)),
            bytes_per_second: self
                .bytes_per_second
                .map(|bytes| (bytes / u64::from(shards)).max(1)),
            per_run: false,
        }
    }
}

impl Reader<'_> {
    pub fn limits(&mut self, object: &Map<String, Value>, at: &Place) -> Limits {
        let at = at.key("limits");
        let limits = match object.get("limits") {
            None | Some(Value::Null) => return Limits::default(),
            Some(Value::Object(limits)) => limits,
            Some(_) => {
                self.problem(at, "must be an object, as in {\"connections\": 10}");
                return Limits::default();
            }
        };
        self.unknown_keys(limits, &at, &["connections", "bytes_per_second", "per"]);
        let connections = self.at_least(limits, &at, "connections", 1);
        let per_run = match limits.get("per") {
            None | Some(Value::Null) => false,
            Some(Value::String(word)) if word == "run" => true,
            Some(Value::String(word)) if word == "all shards" => false,
            Some(_) => {
                self.problem(at.key("per"), "must be \"run\" or \"all shards\"");
                false
            }
        };
        Limits {
            connections: connections.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
            bytes_per_second: self.at_least(limits, &at, "bytes_per_second", FEWEST_BYTES),
            per_run,
        }
    }

    fn at_least(
        &mut self,
        object: &Map<String, Value>,
        at: &Place,
        key: &str,
        least: u64,
    ) -> Option<u64> {
        match object.get(key)? {
            Value::Null => None,
            value => {
                let number = value.as_u64().filter(|number| *number >= least);
                if number.is_none() {
                    self.problem(
                        at.key(key),
                        format!("must be a whole number of at least {least}"),
                    );
                }
                number
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_a_limit_unless_it_is_each_ones_own() {
        let limits = Limits {
            connections: Some(10),
            bytes_per_second: Some(1_000_000),
            per_run: false,
        };
        let part = limits.shared_by(4);
        assert_eq!(
            (part.connections, part.bytes_per_second),
            (Some(2), Some(250_000))
        );
        assert_eq!(limits.shared_by(20).connections, Some(1), "one at least");
        assert_eq!(limits.shared_by(1), limits);
        let own = Limits {
            per_run: true,
            ..limits
        };
        assert_eq!(own.shared_by(4), own);
        assert_eq!(Limits::default().shared_by(7), Limits::default());
    }
}
