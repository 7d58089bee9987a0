//! `%regular expressions%`: the part of the language that AWS lets in.

use super::PatternError;

pub(super) use ::regex::bytes::Regex;

/// Symbols that may stand in an expression beside letters, digits and blanks.
const SYMBOLS: &str = ":_#=@/;,-^$?[]{}|\\*+. ";

/// Bytes that a compiled expression may take: counted repetitions multiply.
const COMPILED_BYTES: usize = 1 << 20;

/// Compiles the text between the percent signs.
pub(super) fn compile(text: &str) -> Result<Regex, PatternError> {
    let refused = |char: &char| !char.is_ascii_alphanumeric() && !SYMBOLS.contains(*char);
    if let Some(char) = text.chars().find(refused) {
        return Err(PatternError::Character(char.to_string()));
    }
    // Without Unicode `\d`, `\w` and `\s` are the ASCII classes that AWS documents.
    ::regex::bytes::RegexBuilder::new(&with_minimums(text))
        .unicode(false)
        .size_limit(COMPILED_BYTES)
        .build()
        .map_err(|_| PatternError::Invalid)
}

/// `{,n}` as `{0,n}`: AWS lets the minimum be left out.
fn with_minimums(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    let mut in_class = false;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        out.push(char);
        match char {
            '\\' => out.extend(chars.next()),
            '[' => in_class = true,
            ']' => in_class = false,
            '{' if !in_class && chars.peek() == Some(&',') => out.push('0'),
            _ => {}
        }
    }
    out
}
