//! `ERROR "out of memory" -debug`, `?WARN ?ERROR`, `%4\d\d%`: terms that a message contains.

use super::{
    PatternError,
    cursor::{Cursor, is_word},
    regex::Regex,
};

/// Terms by what is asked of them.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    all: Vec<Term>,
    none: Vec<Term>,
    /// At least one, but as on AWS only if nothing else is asked for.
    any: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Terms {
    /// Parses a whole pattern.
    pub(super) fn parse(cursor: &mut Cursor) -> Result<Terms, PatternError> {
        let mut terms = Terms::default();
        loop {
            cursor.skip_space();
            if cursor.rest().is_empty() {
                return Ok(terms);
            }
            let kind = if cursor.eat("?") {
                &mut terms.any
            } else if cursor.eat("-") {
                &mut terms.none
            } else {
                &mut terms.all
            };
            kind.push(Term::parse(cursor)?);
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        if self.all.is_empty() && self.none.is_empty() && !self.any.is_empty() {
            return self.any.iter().any(|term| term.is_in(message));
        }
        self.all.iter().all(|term| term.is_in(message))
            && !self.none.iter().any(|term| term.is_in(message))
    }
}

impl Term {
    fn parse(cursor: &mut Cursor) -> Result<Term, PatternError> {
        let term = match cursor.peek() {
            // A blank phrase is how one asks for everything.
            Some('"') => {
                let phrase = cursor.quoted()?;
                Term::Text(if phrase.trim().is_empty() { String::new() } else { phrase })
            }
            Some('%') => Term::Regex(cursor.regex()?),
            _ => {
                let word = cursor.take_while(is_word);
                let is_whole = cursor.peek().is_none_or(char::is_whitespace);
                if word.is_empty() || !is_whole {
                    return Err(cursor.unexpected(""));
                }
                return Ok(Term::Text(word.to_owned()));
            }
        };
        match cursor.peek() {
            Some(char) if !char.is_whitespace() => Err(PatternError::Invalid),
            _ => Ok(term),
        }
    }

    fn is_in(&self, message: &str) -> bool {
        match self {
            Term::Text(text) => message.contains(text.as_str()),
            Term::Regex(regex) => regex.is_match(message.as_bytes()),
        }
    }
}
