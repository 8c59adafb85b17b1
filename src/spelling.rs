//! How alike two words are, so that a slip of the pen is reported with what was meant.

/// How many letters are wrong, missing, extra or swapped; `None` where the words are not alike.
#[must_use]
pub fn distance(one: &[char], other: &[char]) -> Option<usize> {
    // No word of another length is that near.
    let most = (one.len() / 3).max(1);
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let replaced = row[j] + usize::from(a != b);
            let mut least = replaced.min(next[j] + 1).min(row[j + 1] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|away| *away <= most)
}

/// The word of these that is most like this one, whatever their case and whatever stands between their letters. More
/// than one slip is one only where the first letter is right.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |word: &str| -> Vec<char> {
        let letters = word.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let word = letters(word);
    let away = |known: &&str| {
        let known = letters(known);
        let begins_alike = known.first() == word.first();
        distance(&word, &known).filter(|away| begins_alike || *away == 1)
    };
    let alike = known
        .into_iter()
        .filter_map(|known| Some((away(&known)?, known)));
    alike.min_by_key(|(away, _)| *away).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_near_and_another_word_is_not() {
        let known = ["email", "login", "password", "password_file", "host", "ssl"];
        for (word, meant) in [
            ("pasword", Some("password")),
            ("Password", Some("password")),
            ("passwrod", Some("password")),
            ("passwordfile", Some("password_file")),
            ("password-file", Some("password_file")),
            ("mail", Some("email")),
            ("hsot", Some("host")),
            ("tls", None),
            ("passwd", Some("password")),
            ("note", None),
            ("name", None),
            ("comment", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }
}
