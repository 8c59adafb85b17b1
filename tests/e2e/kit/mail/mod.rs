//! Mail to fill servers with: realistic by the thousand, and hostile one by one. Knows no server.

pub mod corpus;
mod hostile;
mod realistic;

pub use hostile::hostile;
pub use realistic::realistic;

/// Months as INTERNALDATE spells them.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// One message with what surrounds it on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What failure messages call it.
    pub name: String,
    /// The message, byte for byte.
    pub bytes: Vec<u8>,
    /// Flags and keywords as in IMAP, separated by spaces.
    pub flags: String,
    /// INTERNALDATE in seconds since 1970.
    pub time: u64,
}

impl Mail {
    /// A message without flags.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            flags: String::new(),
            time: 1_700_000_000,
        }
    }

    /// A small, ordinary message with this subject.
    pub fn simple(subject: &str) -> Self {
        let text = format!(
            "Message-ID: <{}@kit.example>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n\
             From: Anna <anna@example.com>\r\nTo: bob@example.org\r\nSubject: {subject}\r\n\r\n\
             This is about {subject}.\r\n",
            subject.replace(' ', ".")
        );
        Self::new(subject, text)
    }

    /// The same with flags.
    pub fn flagged(mut self, flags: &str) -> Self {
        flags.clone_into(&mut self.flags);
        self
    }

    /// The same, received at this second since 1970.
    pub fn at(mut self, time: u64) -> Self {
        self.time = time;
        self
    }

    /// INTERNALDATE as APPEND wants it, without its quotes.
    pub fn internaldate(&self) -> String {
        let (days, seconds) = (self.time / 86_400, self.time % 86_400);
        let (day, month, year) = civil(days);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let month = MONTHS[usize::from(month)];
        format!("{day:02}-{month}-{year} {hour:02}:{minute:02}:{second:02} +0000")
    }
}

/// Hostile mail with every kind of flag and date among it.
pub fn flagged_hostile() -> Vec<Mail> {
    const FLAGS: [&str; 7] = [
        "",
        "\\Seen",
        "\\Answered \\Flagged \\Deleted \\Draft \\Seen",
        "$Forwarded",
        "NonJunk $MDNSent \\Seen",
        "keyword-with.dots",
        "$label1 $label2",
    ];
    let mails = hostile().into_iter().zip(0_u64..);
    mails
        .map(|(mail, number)| {
            let flags = FLAGS[usize::try_from(number).expect("few") % FLAGS.len()];
            mail.flagged(flags).at(951_782_400 + number * 86_399)
        })
        .collect()
}

/// Day of the month, month from 0, year; for days since 1970-01-01.
fn civil(mut days: u64) -> (u64, u8, u64) {
    let mut year = 1970;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 0;
    for length in [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (days + 1, month, year)
}

/// Pseudo-random numbers that a seed repeats (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` up to, not including, `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let last = u64::try_from(choices.len()).expect("a length");
        choices[usize::try_from(self.between(0, last)).expect("an index")]
    }
}

#[test]
fn internaldate_is_the_calendar_s() {
    let at = |time| Mail::new("", "").at(time).internaldate();
    assert_eq!(at(0), "01-Jan-1970 00:00:00 +0000");
    assert_eq!(at(951_782_399), "28-Feb-2000 23:59:59 +0000");
    assert_eq!(at(951_782_400), "29-Feb-2000 00:00:00 +0000");
    assert_eq!(at(1_735_689_599), "31-Dec-2024 23:59:59 +0000");
}
