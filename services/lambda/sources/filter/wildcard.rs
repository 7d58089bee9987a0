//! `*` in a text stands for any characters; `\*` and `\\` for themselves.

use crate::sources::filter::InvalidPattern;

/// Characters, and `None` for a star.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wildcard(Vec<Option<char>>);

impl Wildcard {
    /// Two stars in a row and other escapes are refused ("Matching using wildcards").
    pub(super) fn parse(text: &str) -> Result<Wildcard, InvalidPattern> {
        let mut tokens = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '*' if tokens.last() == Some(&None) => return Err(InvalidPattern),
                '*' => tokens.push(None),
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => tokens.push(Some(escaped)),
                    _ => return Err(InvalidPattern),
                },
                other => tokens.push(Some(other)),
            }
        }
        Ok(Wildcard(tokens))
    }

    /// On a mismatch only the last star is tried again: at worst the product of both lengths.
    pub(super) fn matches(&self, text: &str) -> bool {
        let pattern = &self.0;
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut in_text) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while in_text < text.len() {
            match pattern.get(at) {
                Some(None) => {
                    retry = Some((at, in_text));
                    at += 1;
                    continue;
                }
                Some(Some(wanted)) if *wanted == text[in_text] => {
                    at += 1;
                    in_text += 1;
                    continue;
                }
                _ => {}
            }
            let Some((star, from)) = retry else { return false };
            retry = Some((star, from + 1));
            at = star + 1;
            in_text = from + 1;
        }
        pattern[at..].iter().all(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Wildcard::parse(pattern).unwrap().matches(text)
    }

    #[test]
    fn a_star_stands_for_anything_and_an_escaped_one_for_itself() {
        assert!(matches("a*c*e", "abcde") && matches("*", "") && matches("", ""));
        assert!(!matches("a*c*e", "abcd") && !matches("", "a"));
        assert!(matches("a\\*c", "a*c") && !matches("a\\*c", "abc"));
        assert!(matches("a\\\\", "a\\"));
    }

    #[test]
    fn what_is_no_wildcard_is_refused() {
        for bad in ["**", "a**b", "\\", "\\n"] {
            assert_eq!(Wildcard::parse(bad), Err(InvalidPattern), "{bad}");
        }
    }

    #[test]
    fn many_stars_stay_quick() {
        let pattern = "*a".repeat(500) + "b";
        assert!(!matches(&pattern, &"a".repeat(20_000)));
    }
}
