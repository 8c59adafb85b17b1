//! `{email}`, `{login}`, `{local}` and `{domain}` in what a configuration says for many accounts.

use super::Who;

/// The words that are filled in.
const WORDS: [&str; 4] = ["{email}", "{login}", "{local}", "{domain}"];

/// A text with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// Takes a text; `None` when it has a place that nothing is known for.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let rest = WORDS
            .iter()
            .fold(text.to_owned(), |rest, word| rest.replace(word, ""));
        let is_place = |part: &str| {
            let name = part.split_once('}').map(|(name, _)| name);
            name.is_some_and(|name| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic())
            })
        };
        let unknown = rest.split('{').skip(1).any(is_place);
        (!unknown).then(|| Self(text.to_owned()))
    }

    /// The text for one account.
    #[must_use]
    pub fn fill(&self, who: Who<'_>) -> String {
        self.fill_with(who, str::to_owned)
    }

    /// The text for one account as a path: what is filled in cannot lead elsewhere.
    #[must_use]
    pub fn fill_path(&self, who: Who<'_>) -> String {
        self.fill_with(who, |value| {
            let mut name = String::new();
            for c in value.chars() {
                if c == '/' || c == '%' || c.is_control() || c == '.' && name.is_empty() {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        let hex = |nibble| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                        name.push('%');
                        name.push(hex(byte >> 4).to_ascii_uppercase());
                        name.push(hex(byte & 15).to_ascii_uppercase());
                    }
                } else {
                    name.push(c);
                }
            }
            name
        })
    }

    /// True when accounts share what it says.
    #[must_use]
    pub fn is_same_for_all(&self) -> bool {
        WORDS.iter().all(|word| !self.0.contains(word))
    }

    // One pass: what is filled in is not looked at again.
    fn fill_with(&self, who: Who<'_>, mut value: impl FnMut(&str) -> String) -> String {
        let (local, domain) = who.email.rsplit_once('@').unwrap_or((who.email, ""));
        let values = [who.email, who.login, local, domain];
        let mut filled = String::new();
        let mut rest = self.0.as_str();
        while let Some(start) = rest.find('{') {
            filled += &rest[..start];
            rest = &rest[start..];
            let word = WORDS.iter().position(|word| rest.starts_with(word));
            if let Some(word) = word {
                filled += &value(values[word]);
                rest = &rest[WORDS[word].len()..];
            } else {
                filled.push('{');
                rest = &rest[1..];
            }
        }
        filled + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Who<'_> = Who {
        email: "../{login}@example.com",
        login: "anna*master",
        host: "imap.example.com",
    };

    #[test]
    fn places_are_filled_once() {
        let fill = |text: &str| Template::new(text).expect("known places").fill(WHO);
        assert_eq!(fill("{login}"), "anna*master");
        assert_eq!(fill("x{email}y"), "x../{login}@example.comy");
        assert_eq!(fill("{local} {domain}"), "../{login} example.com");
        assert_eq!(fill("awk '{ print $1 }' {"), "awk '{ print $1 }' {");
        assert!(Template::new("{user}").is_none());
    }

    #[test]
    fn a_path_stays_where_it_is() {
        let template = Template::new("tokens/{email}").expect("known places");
        assert_eq!(template.fill_path(WHO), "tokens/%2E.%2F{login}@example.com");
        assert!(!template.is_same_for_all());
    }
}
