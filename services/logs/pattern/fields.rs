//! `[ip, user, ..., status = 4*, bytes > 1000]`: conditions on the words of a message, in order.

use std::collections::BTreeMap;

use super::{
    PatternError,
    comparison::{Comparison, Seen, number},
    cursor::{Cursor, is_word},
    expression::Expression,
};

/// Conditions on fields by their place.
#[derive(Debug)]
pub(crate) struct Fields {
    before: Vec<Field>,
    /// What stands behind `...`; `None` if there is none.
    after: Option<Vec<Field>>,
}

/// One field. Without a name it is called by its place.
#[derive(Debug)]
struct Field {
    name: Option<String>,
    condition: Option<Expression<Comparison>>,
}

/// A word of a message: between blanks, brackets or quotation marks.
struct Word<'m> {
    text: &'m str,
    start: usize,
}

impl Fields {
    /// Parses what stands between the brackets.
    pub(super) fn parse(cursor: &mut Cursor) -> Result<Fields, PatternError> {
        let mut fields = Fields { before: Vec::new(), after: None };
        cursor.skip_space();
        if cursor.rest().is_empty() {
            // `[]` is any number of words.
            fields.after = Some(Vec::new());
            return Ok(fields);
        }
        loop {
            cursor.skip_space();
            if cursor.eat("...") {
                if fields.after.replace(Vec::new()).is_some() {
                    return Err(PatternError::Invalid);
                }
            } else {
                let field = Field::parse(cursor)?;
                fields.after.as_mut().unwrap_or(&mut fields.before).push(field);
            }
            cursor.skip_space();
            if cursor.rest().is_empty() {
                return Ok(fields);
            }
            if !cursor.eat(",") {
                return Err(cursor.unexpected(""));
            }
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let Some(aligned) = self.align(message) else { return false };
        aligned.into_iter().all(|(_, field, text)| {
            match field.and_then(|it| it.condition.as_ref()) {
                Some(condition) => {
                    let seen = Seen { text, number: number(text) };
                    condition.holds(&|comparison| comparison.holds(&seen))
                }
                None => true,
            }
        })
    }

    pub(super) fn extract(&self, message: &str) -> BTreeMap<String, String> {
        let aligned = self.align(message).into_iter().flatten();
        let named = aligned.map(|(place, field, text)| {
            let name = match field.and_then(|field| field.name.as_ref()) {
                Some(name) => format!("${name}"),
                None => format!("${place}"),
            };
            (name, text.to_owned())
        });
        named.collect()
    }

    /// Each word with its place, from 1, and its field. `None` if there are too few words.
    fn align<'m>(&self, message: &'m str) -> Option<Vec<(usize, Option<&Field>, &'m str)>> {
        let words = words(message);
        let named = self.before.len() + self.after.as_ref().map_or(0, Vec::len);
        let surplus = words.len().checked_sub(named)?;
        let mut places: Vec<Option<&Field>> = self.before.iter().map(Some).collect();
        if let Some(after) = &self.after {
            places.resize(self.before.len() + surplus, None);
            places.extend(after.iter().map(Some));
        }
        let last = places.len();
        let aligned = places.into_iter().zip(&words).enumerate().map(|(index, (field, word))| {
            // The last field of a pattern without `...` is the rest of the line.
            let is_rest = index + 1 == last && last < words.len();
            let text = if is_rest { message[word.start..].trim_end() } else { word.text };
            (index + 1, field, text)
        });
        Some(aligned.collect())
    }
}

impl Field {
    /// Parses `name`, `name = value || name = value`, or nothing.
    fn parse(cursor: &mut Cursor) -> Result<Field, PatternError> {
        if matches!(cursor.peek(), None | Some(',')) {
            return Ok(Field { name: None, condition: None });
        }
        let start = cursor.rest();
        let name = name(cursor)?;
        cursor.skip_space();
        if matches!(cursor.peek(), None | Some(',')) {
            return Ok(Field { name: Some(name), condition: None });
        }
        *cursor = cursor.back_to(start);
        let condition = Expression::parse(cursor, &mut |cursor| {
            // Another field's name here is what AWS refuses, too.
            if self::name(cursor)? != name {
                return Err(PatternError::Invalid);
            }
            cursor.skip_space();
            Comparison::parse(cursor)
        })?;
        Ok(Field { name: Some(name), condition: Some(condition) })
    }
}

fn name(cursor: &mut Cursor) -> Result<String, PatternError> {
    let name = cursor.take_while(|char| is_word(char) || char == '-');
    if name.is_empty() {
        return Err(cursor.unexpected(""));
    }
    Ok(name.to_owned())
}

/// The words of a message; what stands in brackets or quotation marks is one word.
fn words(message: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut at = 0;
    // A closing sign that was not found once is not looked for again: it would take square time.
    let mut missing = [false; 2];
    while let Some(skip) = message[at..].find(|char: char| !char.is_whitespace()) {
        let start = at + skip;
        let rest = &message[start..];
        let closing = match rest.as_bytes()[0] {
            b'[' => Some((0, ']')),
            b'"' => Some((1, '"')),
            _ => None,
        };
        let enclosed = closing.filter(|(kind, _)| !missing[*kind]).and_then(|(kind, close)| {
            let end = rest[1..].find(close);
            missing[kind] = end.is_none();
            end
        });
        let (text, length) = match enclosed {
            Some(end) => (&rest[1..end + 1], end + 2),
            None => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        words.push(Word { text, start });
        at = start + length;
    }
    words
}
