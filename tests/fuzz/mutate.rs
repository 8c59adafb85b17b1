//! Makes inputs out of seeds: bits flipped, pieces doubled, dropped and crossed, words and extreme numbers put in.

/// Pseudo-random numbers that a seed repeats (splitmix64).
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

    /// An index below `length`; 0 when that is 0.
    pub fn index(&mut self, length: usize) -> usize {
        let length = u64::try_from(length).expect("a length").max(1);
        usize::try_from(self.next() % length).expect("an index")
    }
}

/// Numbers at which programs break.
const EXTREMES: [&str; 14] = [
    "0",
    "1",
    "-1",
    "127",
    "255",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999",
];

/// Longest input, in bytes.
const LONGEST: usize = 64 * 1024;

/// Makes one input after the other.
pub struct Mutator {
    random: Random,
    seeds: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// From these seeds, with these words of the language.
    pub fn new(random: Random, seeds: Vec<Vec<u8>>, words: &[&str]) -> Self {
        let words = words.iter().chain(&EXTREMES);
        Self {
            random,
            seeds,
            words: words.map(|word| word.as_bytes().to_vec()).collect(),
        }
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let first = self.random.index(self.seeds.len());
        let mut bytes = self.seeds[first].clone();
        for _ in 0..=self.random.index(8) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.random.index(length + 1);
        let most = (length - from).min(1 << self.random.index(12));
        from..from + self.random.index(most + 1)
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.random.index(bytes.len() + 1);
        match self.random.index(9) {
            0 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] ^= 1 << self.random.index(8);
            }
            1 => {
                let odd = b"\0\r\n\"\\(){}[]<>%&=+-*~ \t\x7f\x80\xc3\xff,:;/.";
                let byte = odd[self.random.index(odd.len())];
                bytes.insert(at, byte);
            }
            2 => {
                let range = self.range(bytes.len());
                bytes.drain(range);
            }
            3 => {
                let range = self.range(bytes.len());
                let piece = bytes[range].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => {
                let range = self.range(bytes.len());
                let piece = bytes[range].repeat(1 << self.random.index(7));
                bytes.splice(at..at, piece);
            }
            5 => {
                let other = self.random.index(self.seeds.len());
                let other = self.seeds[other].clone();
                let range = self.range(other.len());
                bytes.splice(at..at, other[range].iter().copied());
            }
            6 => {
                let word = self.random.index(self.words.len());
                bytes.splice(at..at, self.words[word].clone());
            }
            7 => self.change_number(bytes),
            _ => bytes.truncate(at),
        }
    }

    /// Puts an extreme number in the place of one of those that are there.
    fn change_number(&mut self, bytes: &mut Vec<u8>) {
        let starts: Vec<usize> = (0..bytes.len())
            .filter(|at| {
                bytes[*at].is_ascii_digit() && (*at == 0 || !bytes[*at - 1].is_ascii_digit())
            })
            .collect();
        if starts.is_empty() {
            return;
        }
        let start = starts[self.random.index(starts.len())];
        let length = bytes[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let extreme = EXTREMES[self.random.index(EXTREMES.len())];
        bytes.splice(start..start + length, extreme.bytes());
    }
}
