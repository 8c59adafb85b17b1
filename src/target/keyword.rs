//! Keywords as they can be sent: what is not an atom (RFC 3501 section 9) is encoded reversibly.
//!
//! Each byte that cannot stand in an atom becomes `=` and two hex digits: `a]b` is `a=5Db`, `Privé` is `Priv=C3=A9`.
//! Servers fold the case of keywords, which hex digits survive and base64 does not; `%` cannot stand in an atom.

use crate::mapping;

/// Stands before two hex digits.
const MARK: char = '=';

/// The form in which a keyword can be sent; the keyword itself where that is an atom.
#[must_use]
pub fn encoded(keyword: &str) -> String {
    mapping::escaped(keyword, MARK, |_, c, _| !is_atom_char(c), is_emitted)
}

/// Can this stand in an atom?
#[must_use]
pub fn is_atom_char(c: char) -> bool {
    c.is_ascii_graphic() && !"(){%*\"\\]".contains(c)
}

fn is_emitted(c: char) -> bool {
    !is_atom_char(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_becomes_an_atom_and_can_be_read_back() {
        let cases = [
            ("$Label1", "$Label1"),
            ("[Gmail]/Important", "[Gmail=5D/Important"),
            ("Privé", "Priv=C3=A9"),
            ("(x)", "=28x=29"),
            ("{todo}", "=7Btodo}"),
            ("50%", "50=25"),
            ("a\u{a0}b\u{7}", "a=C2=A0b=07"),
            ("a=b", "a=b"),
            ("a=5D", "a=3D5D"),
            ("a=41", "a=41"),
            ("日本", "=E6=97=A5=E6=9C=AC"),
        ];
        for (keyword, atom) in cases {
            assert_eq!(encoded(keyword), atom);
            assert!(atom.chars().all(is_atom_char));
            let undone = mapping::unescaped(atom, MARK, is_emitted);
            assert_eq!(undone.as_deref(), Some(keyword));
            let folded = mapping::unescaped(&atom.to_lowercase(), MARK, is_emitted);
            assert_eq!(folded, Some(keyword.to_lowercase()));
        }
    }
}
