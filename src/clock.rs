//! Time stamps in UTC, for states, reports and file names; the days that budgets are for.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names a file whose seconds since 1970 are the time: tests of what happens at midnight do not wait for it.
const TEST_CLOCK: &str = "IMAPSYNC_BULK_MIGRATOR_TEST_CLOCK";

const DAY: u64 = 86_400;

/// Now, as RFC 3339 with seconds: `2026-11-23T15:50:17Z`.
#[must_use]
pub fn utc_now() -> String {
    utc(seconds_now())
}

/// This long from now, in the same form.
#[must_use]
pub fn utc_in(wait: Duration) -> String {
    utc(seconds_now().saturating_add(wait.as_secs()))
}

/// A time in seconds since 1970 in the same form.
#[must_use]
pub fn utc(seconds: u64) -> String {
    let (year, month, day, hour, minute, second) = parts(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Now, for file names: `20261123T155017Z`.
#[must_use]
pub fn utc_compact() -> String {
    utc_now().replace(['-', ':'], "")
}

/// The day of a time in seconds since 1970, as `2026-11-23`.
#[must_use]
pub fn day(seconds: u64) -> String {
    utc(seconds).chars().take(10).collect()
}

/// The same as days since 1970.
#[must_use]
pub fn day_number(seconds: u64) -> u64 {
    seconds / DAY
}

/// How long it is until the next day begins.
#[must_use]
pub fn until_tomorrow() -> Duration {
    Duration::from_secs(DAY - seconds_now() % DAY)
}

/// Now, in seconds since 1970.
#[must_use]
pub fn seconds_now() -> u64 {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os(TEST_CLOCK).map(PathBuf::from));
    let set = file
        .as_ref()
        .and_then(|file| std::fs::read_to_string(file).ok());
    if let Some(seconds) = set.and_then(|text| text.trim().parse().ok()) {
        return seconds;
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Civil date from days since 1970, by counting 400-year eras that begin on 1 March
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn parts(seconds: u64) -> (u64, u64, u64, u64, u64, u64) {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day, rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_are_right() {
        assert_eq!(parts(0), (1970, 1, 1, 0, 0, 0));
        assert_eq!(parts(951_782_400), (2000, 2, 29, 0, 0, 0));
        assert_eq!(parts(1_795_449_017), (2026, 11, 23, 15, 50, 17));
        assert_eq!(parts(4_107_542_399), (2100, 2, 28, 23, 59, 59));
        assert_eq!(parts(4_107_542_400), (2100, 3, 1, 0, 0, 0));
    }

    #[test]
    fn stamps_have_their_forms() {
        assert_eq!(utc_now().len(), 20);
        assert_eq!(utc_compact().len(), 16);
    }
}
