//! Which accounts of a configuration belong to this process, where several share it. Knows accounts by their identity
//! only; neither servers nor archives.
//!
//! The choice is a contract (see the README): all processes of a run must agree on it, even across versions.
//! Each shard I (from 1) bids for an account with SHA-256 over I as four bytes, the most significant first, and the
//! bytes of the identity; the greatest digest, compared byte by byte, has it. So a row that is added or sorted moves no
//! other, and one more shard takes from all the others alike, and nothing but that moves.

use std::fmt;

use crate::plural::counted;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most shards: more than any scheduler starts, and few enough to ask each for its bid.
const MOST: u32 = 100_000;

/// One of a number of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub index: u32,
    /// Of how many.
    pub count: u32,
}

/// What a shard has of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The shard.
    #[serde(flatten)]
    pub shard: Shard,
    /// How many accounts it has.
    pub accounts: usize,
    /// How many all shards have together.
    pub configured: usize,
}

/// What an account is known by, whatever its row: its login at its server.
#[must_use]
pub fn identity(login: &str, host: &str, port: u16) -> String {
    format!("{login}@{host}:{port}").to_ascii_lowercase()
}

impl Shard {
    /// # Errors
    /// A shard that is not one of `count`.
    pub fn new(index: u32, count: u32) -> Result<Self> {
        if count == 0 || count > MOST {
            bail!("a run has between 1 and {MOST} shards, not {count}");
        }
        if index == 0 || index > count {
            bail!("shards are counted from 1: there is no shard {index} of {count}");
        }
        Ok(Self { index, count })
    }

    /// Reads `I/N`, or for `auto` what the scheduler tells its tasks.
    ///
    /// # Errors
    /// Neither, or variables of a scheduler that are missing or make no sense.
    pub fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        if text == "auto" {
            return Self::from_engine(variable);
        }
        let numbers = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        let Some((index, count)) = numbers else {
            bail!("{text} is neither I/N, as in 3/20, nor auto");
        };
        Self::new(index, count)
    }

    fn from_engine(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let number = |name: &str| -> Result<u32> {
            let text = variable(name).with_context(|| format!("{name} is not set"))?;
            text.trim()
                .parse()
                .with_context(|| format!("{name} is {text}, which is not a number"))
        };
        if variable("SLURM_ARRAY_TASK_ID").is_some() {
            let (id, first) = (
                number("SLURM_ARRAY_TASK_ID")?,
                number("SLURM_ARRAY_TASK_MIN")?,
            );
            let step = match variable("SLURM_ARRAY_TASK_STEP") {
                Some(_) => number("SLURM_ARRAY_TASK_STEP")?.max(1),
                None => 1,
            };
            let after = id.checked_sub(first).filter(|after| after % step == 0);
            let Some(after) = after else {
                bail!("task {id} is not in an array that begins at {first} in steps of {step}");
            };
            let index = (after / step).saturating_add(1);
            return Self::new(index, number("SLURM_ARRAY_TASK_COUNT")?)
                .context("an array with gaps cannot share out accounts: use one like 1-20");
        }
        if variable("JOB_COMPLETION_INDEX").is_some() {
            let index = number("JOB_COMPLETION_INDEX")?.saturating_add(1);
            let count = number("JOB_COMPLETIONS").context(
                "Kubernetes does not tell a pod how many completions its job has: set JOB_COMPLETIONS in the manifest",
            )?;
            return Self::new(index, count);
        }
        bail!(
            "auto finds neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX: this is not a task of a Slurm array or a \
             pod of an indexed job; give I/N"
        )
    }

    /// True when the account is this shard's.
    #[must_use]
    pub fn owns(self, identity: &str) -> bool {
        let mine = bid(self.index, identity);
        // The same digest twice would be the lower shard's.
        (1..self.index).all(|other| bid(other, identity) < mine)
            && (self.index + 1..=self.count).all(|other| bid(other, identity) <= mine)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {} of {}", self.index, self.count)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} of {}",
            self.shard,
            self.accounts,
            counted(self.configured, "account")
        )
    }
}

fn bid(index: u32, identity: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(index.to_be_bytes());
    digest.update(identity);
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn identities(count: usize) -> Vec<String> {
        (0..count)
            .map(|n| identity(&format!("User{n}@example.org"), "IMAP.example.org", 993))
            .collect()
    }

    fn owner(identity: &str, count: u32) -> u32 {
        let owners: Vec<u32> = (1..=count)
            .filter(|&index| Shard { index, count }.owns(identity))
            .collect();
        assert_eq!(owners.len(), 1, "{identity} of {count}: {owners:?}");
        owners[0]
    }

    #[test]
    fn every_account_has_one_owner_whatever_the_number_of_shards() {
        for count in 1..=50 {
            for identity in identities(10) {
                owner(&identity, count);
            }
        }
    }

    #[test]
    fn one_more_shard_takes_its_part_and_moves_nothing_else() {
        let identities = identities(500);
        for count in [1, 2, 7, 20, 49] {
            let mut moved = 0_u32;
            for identity in &identities {
                let (before, after) = (owner(identity, count), owner(identity, count + 1));
                if before != after {
                    assert_eq!(after, count + 1, "{identity} moved between old shards");
                    moved += 1;
                }
            }
            let expected = 500.0 / f64::from(count + 1);
            // Five standard deviations of a fair draw.
            let slack = 5.0 * expected.sqrt();
            assert!(
                (f64::from(moved) - expected).abs() < slack,
                "{moved} of 500 moved to shard {}, not about {expected:.0}",
                count + 1
            );
        }
    }

    #[test]
    fn the_shards_are_of_about_the_same_size() {
        let mut sizes = HashMap::new();
        for identity in identities(2000) {
            *sizes.entry(owner(&identity, 10)).or_insert(0_u32) += 1;
        }
        assert!(
            sizes.values().all(|size| (130..270).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn the_layout_of_the_bids_is_kept() {
        let identity = identity("A@Example.org", "imap.Example.org", 993);
        assert_eq!(identity, "a@example.org@imap.example.org:993");
        // As `printf '\0\0\0\1a@example.org@imap.example.org:993' | sha256sum` says, from 1 to 4.
        let first_bytes = [1, 2, 3, 4].map(|index| bid(index, &identity)[..4].to_vec());
        assert_eq!(first_bytes, EXPECTED.map(|bytes| bytes.to_vec()));
    }

    const EXPECTED: [[u8; 4]; 4] = [
        [0x5b, 0xdf, 0xdf, 0xb1],
        [0x12, 0x1b, 0xa1, 0x8c],
        [0xb7, 0x59, 0xbe, 0xfa],
        [0x16, 0x5a, 0x24, 0x35],
    ];

    #[test]
    fn engines_say_which_task_it_is() {
        let shard = |text: &str, variables: &[(&str, &str)]| {
            let all: HashMap<&str, &str> = variables.iter().copied().collect();
            Shard::parse(text, |name| all.get(name).map(|value| (*value).to_owned()))
                .map(|shard| shard.to_string())
                .map_err(|error| format!("{error:#}"))
        };
        let slurm = |id, min, count| {
            [
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_COUNT", count),
            ]
        };
        assert_eq!(shard("3/20", &[]).as_deref(), Ok("shard 3 of 20"));
        assert_eq!(
            shard("auto", &slurm("0", "0", "4")).as_deref(),
            Ok("shard 1 of 4")
        );
        assert_eq!(
            shard("auto", &slurm("104", "101", "4")).as_deref(),
            Ok("shard 4 of 4")
        );
        let stepped = [&slurm("7", "1", "4")[..], &[("SLURM_ARRAY_TASK_STEP", "2")]].concat();
        assert_eq!(shard("auto", &stepped).as_deref(), Ok("shard 4 of 4"));
        let pod = [("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "12")];
        assert_eq!(shard("auto", &pod).as_deref(), Ok("shard 1 of 12"));
        for (text, variables, why) in [
            ("0/3", &[][..], "counted from 1"),
            ("4/3", &[], "no shard 4 of 3"),
            ("1/0", &[], "between 1 and"),
            ("1/100001", &[], "between 1 and"),
            ("-1/3", &[], "neither I/N"),
            ("half", &[], "neither I/N"),
            ("auto", &[], "give I/N"),
            ("auto", &pod[..1], "set JOB_COMPLETIONS"),
            ("auto", &slurm("9", "1", "4"), "an array with gaps"),
            ("auto", &slurm("x", "1", "4"), "not a number"),
        ] {
            let error = shard(text, variables).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
