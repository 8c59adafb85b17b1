//! Sizes and times in a few letters.

use std::time::Duration;

/// For example `4.3 MiB`.
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // The digits beyond the second do not matter.
    #[allow(clippy::cast_precision_loss)]
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(value < 99.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// For example `12 min`.
#[must_use]
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{} s", seconds.max(1)),
        60..5_400 => format!("{} min", (seconds + 30) / 60),
        5_400..129_600 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_short() {
        let sizes = [0, 1023, 1024, 141_312, 4_508_876, 1 << 30, u64::MAX];
        assert_eq!(
            sizes.map(bytes),
            [
                "0 B", "1023 B", "1.0 KiB", "138 KiB", "4.3 MiB", "1.0 GiB", "16.0 EiB"
            ]
        );
        let times = [0, 59, 60, 720, 7_200, 400_000].map(Duration::from_secs);
        assert_eq!(
            times.map(time),
            ["1 s", "59 s", "1 min", "12 min", "2 h", "5 days"]
        );
    }
}
