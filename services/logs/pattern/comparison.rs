//! `= "text*"`, `>= 3`, `!= %regex%`: what JSON conditions and fields compare with.

use super::{
    PatternError,
    cursor::{Cursor, is_word},
    glob::Glob,
    regex::Regex,
};

/// An operator and what stands behind it.
#[derive(Debug)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

/// A value as comparisons see it.
pub(super) struct Seen<'a> {
    pub(super) text: &'a str,
    /// Set if the value is a number. A JSON text is none, whatever it says.
    pub(super) number: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Longer ones first.
const OPERATORS: [(&str, Operator); 6] = [
    ("!=", Operator::NotEqual),
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("=", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
];

#[derive(Debug)]
enum Operand {
    Text(Glob),
    /// Unquoted. The text is compared with values that are no numbers.
    Number(f64, String),
    Regex(Regex),
}

impl Comparison {
    /// Parses operator and operand.
    pub(super) fn parse(cursor: &mut Cursor) -> Result<Comparison, PatternError> {
        let operator = OPERATORS.iter().find(|(sign, _)| cursor.eat(sign));
        let Some((_, operator)) = operator else { return Err(cursor.unexpected("")) };
        cursor.skip_space();
        let before = cursor.rest();
        let operand = Operand::parse(cursor)?;
        let is_equality = matches!(operator, Operator::Equal | Operator::NotEqual);
        if !is_equality && !matches!(operand, Operand::Number(..)) {
            let written = &before[..before.len() - cursor.rest().len()];
            return Err(PatternError::Character(format!("\"{}\"", written.trim_matches('"'))));
        }
        Ok(Comparison { operator: *operator, operand })
    }

    /// Whether it holds for a value.
    pub(super) fn holds(&self, seen: &Seen) -> bool {
        match self.operator {
            Operator::Equal => self.operand.equals(seen),
            Operator::NotEqual => !self.operand.equals(seen),
            Operator::Less => self.order(seen, |left, right| left < right),
            Operator::LessOrEqual => self.order(seen, |left, right| left <= right),
            Operator::Greater => self.order(seen, |left, right| left > right),
            Operator::GreaterOrEqual => self.order(seen, |left, right| left >= right),
        }
    }

    fn order(&self, seen: &Seen, holds: fn(f64, f64) -> bool) -> bool {
        match (&self.operand, seen.number) {
            (Operand::Number(number, _), Some(value)) => holds(value, *number),
            _ => false,
        }
    }
}

impl Operand {
    fn parse(cursor: &mut Cursor) -> Result<Operand, PatternError> {
        match cursor.peek() {
            Some('"') => return Ok(Operand::Text(Glob::new(&cursor.quoted()?))),
            Some('%') => return Ok(Operand::Regex(cursor.regex()?)),
            _ => {}
        }
        let text = cursor.take_while(|char| is_word(char) || ".*+-".contains(char));
        if text.is_empty() {
            return Err(cursor.unexpected(""));
        }
        Ok(match number(text) {
            Some(number) => Operand::Number(number, text.to_owned()),
            None => Operand::Text(Glob::new(text)),
        })
    }

    fn equals(&self, seen: &Seen) -> bool {
        match self {
            Operand::Text(glob) => glob.matches(seen.text),
            Operand::Regex(regex) => regex.is_match(seen.text.as_bytes()),
            Operand::Number(number, text) => match seen.number {
                Some(value) => value == *number,
                None => seen.text == text,
            },
        }
    }
}

/// A decimal number, with or without exponent.
pub(super) fn number(text: &str) -> Option<f64> {
    // `parse` alone would also take `inf` and `nan`.
    let fits = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    text.bytes().all(fits).then(|| text.parse().ok()).flatten()
}
