//! What a run may take of a server: connections, bytes and messages a second, and each account in a day.

use serde_json::{Map, Value};

use super::location::Location;
use super::reader::ConfigReader;
use crate::budget::Daily;

/// Fewer bytes a second would make servers end sessions for being idle.
const FEWEST_BYTES: u64 = 10_000;

const KEYS: [&str; 6] = [
    "connections",
    "bytes_per_second",
    "messages_per_second",
    "bytes_down_per_day",
    "bytes_up_per_day",
    "per",
];

/// What the configuration allows; nothing is limited by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: Option<usize>,
    /// Bytes a second, to and from the server, all connections together.
    pub bytes_per_second: Option<u64>,
    /// Messages a second, read or appended, all connections together.
    pub messages_per_second: Option<u64>,
    /// Bytes of an account in a day.
    pub daily: Daily,
    /// Each shard may take all of it; else all shards share it. An account belongs to one shard: its day is not shared.
    pub per_run: bool,
}

impl Limits {
    /// The part of one shard out of this many.
    #[must_use]
    pub fn shared_by(self, shards: u32) -> Self {
        if self.per_run {
            return self;
        }
        let shards = shards.max(1);
        Self {
            connections: self.connections.map(|most| (most / shards as usize).max(1)),
            bytes_per_second: share(self.bytes_per_second, shards),
            messages_per_second: share(self.messages_per_second, shards),
            daily: self.daily,
            per_run: false,
        }
    }
}

fn share(a_second: Option<u64>, shards: u32) -> Option<u64> {
    a_second.map(|all| (all / u64::from(shards)).max(1))
}

impl ConfigReader<'_> {
    pub fn limits(&mut self, object: &Map<String, Value>, at: &Location) -> Limits {
        let at = at.key("limits");
        let limits = match object.get("limits") {
            None | Some(Value::Null) => return Limits::default(),
            Some(Value::Object(limits)) => limits,
            Some(_) => {
                self.problem(at, "must be an object, as in {\"connections\": 10}");
                return Limits::default();
            }
        };
        self.unknown_keys(limits, &at, &KEYS);
        let connections = self.unless_null(limits, &at, "connections", 1);
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
            messages_per_second: self.at_least(limits, &at, "messages_per_second", 1),
            daily: Daily {
                down: self.unless_null(limits, &at, "bytes_down_per_day", FEWEST_BYTES),
                up: self.unless_null(limits, &at, "bytes_up_per_day", FEWEST_BYTES),
            },
            per_run,
        }
    }

    /// A limit that may have a default by provider: `null` takes that away.
    fn unless_null(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
        key: &str,
        least: u64,
    ) -> Option<u64> {
        match object.get(key) {
            Some(Value::Null) => Some(u64::MAX),
            _ => self.at_least(object, at, key, least),
        }
    }

    fn at_least(
        &mut self,
        object: &Map<String, Value>,
        at: &Location,
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
            messages_per_second: Some(3),
            daily: Daily {
                down: Some(2_000_000),
                up: None,
            },
            per_run: false,
        };
        let part = limits.shared_by(4);
        assert_eq!(
            (part.connections, part.bytes_per_second),
            (Some(2), Some(250_000))
        );
        assert_eq!(part.messages_per_second, Some(1), "one at least");
        assert_eq!(part.daily, limits.daily, "an account is of one shard");
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
