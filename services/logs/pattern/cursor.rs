//! A place in a pattern's text, and the tokens that all three languages have.

use super::{PatternError, regex};

/// What is left to parse.
pub(super) struct Cursor<'a> {
    rest: &'a str,
    regexes: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Cursor<'a> {
        Cursor { rest: text, regexes: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Regular expressions met so far.
    pub(super) fn regexes(&self) -> usize {
        self.regexes
    }

    /// A cursor at an earlier place of the same text.
    pub(super) fn back_to(&self, rest: &'a str) -> Cursor<'a> {
        Cursor { rest, regexes: self.regexes }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Steps over `token` if it is next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    /// Steps over white space.
    pub(super) fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Takes all that `wanted` says, possibly nothing.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|char| !wanted(char)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes a text between double quotation marks; the cursor is at the first. A backslash makes
    /// the character behind it an ordinary one.
    pub(super) fn quoted(&mut self) -> Result<String, PatternError> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((index, char)) = chars.next() {
            match char {
                '"' => {
                    self.rest = &self.rest[index + 1..];
                    return Ok(text);
                }
                '\\' => text.push(chars.next().ok_or(PatternError::Invalid)?.1),
                _ => text.push(char),
            }
        }
        Err(PatternError::Invalid)
    }

    /// Takes a regular expression between percent signs; the cursor is at the first.
    pub(super) fn regex(&mut self) -> Result<regex::Regex, PatternError> {
        self.regexes += 1;
        let content = &self.rest[1..];
        let end = content.find('%').ok_or(PatternError::Invalid)?;
        self.rest = &content[end + 1..];
        regex::compile(&content[..end])
    }

    /// The error for what is next and should not be; `term` stands in front of it.
    pub(super) fn unexpected(&self, term: &str) -> PatternError {
        let Some(first) = self.peek().filter(|char| !is_word(*char)) else {
            return PatternError::Invalid;
        };
        let behind = &self.rest[first.len_utf8()..];
        let end = behind.find(|char: char| char.is_whitespace() || is_word(char) || char == '"');
        let run = &self.rest[..first.len_utf8() + end.unwrap_or(behind.len())];
        PatternError::Character(format!("{term}{run}"))
    }
}

/// What needs no quotation marks.
pub(super) fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}
