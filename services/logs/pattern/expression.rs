//! Tests joined by `&&`, `||` and parentheses.

use super::{PatternError, cursor::Cursor};

/// Parentheses that may be open at a time: bounds recursion.
const DEPTH: usize = 64;

/// A tree of tests.
#[derive(Debug)]
pub(super) enum Expression<T> {
    Test(T),
    All(Vec<Expression<T>>),
    Any(Vec<Expression<T>>),
}

/// Parses one test.
type ParseTest<'a, T> = &'a mut dyn FnMut(&mut Cursor) -> Result<T, PatternError>;

impl<T> Expression<T> {
    /// Parses as far as the expression goes; `&&` binds tighter than `||`.
    pub(super) fn parse(
        cursor: &mut Cursor,
        test: ParseTest<'_, T>,
    ) -> Result<Expression<T>, PatternError> {
        any(cursor, DEPTH, test)
    }

    /// Whether the expression holds when its tests do as `holds` says.
    pub(super) fn holds(&self, holds: &dyn Fn(&T) -> bool) -> bool {
        match self {
            Expression::Test(test) => holds(test),
            Expression::All(parts) => parts.iter().all(|part| part.holds(holds)),
            Expression::Any(parts) => parts.iter().any(|part| part.holds(holds)),
        }
    }

    /// Its tests, as written.
    pub(super) fn tests(&self) -> Vec<&T> {
        match self {
            Expression::Test(test) => vec![test],
            Expression::All(parts) | Expression::Any(parts) => {
                parts.iter().flat_map(Expression::tests).collect()
            }
        }
    }
}

fn any<T>(
    cursor: &mut Cursor,
    depth: usize,
    test: ParseTest<'_, T>,
) -> Result<Expression<T>, PatternError> {
    let mut parts = vec![all(cursor, depth, test)?];
    while cursor.eat("||") {
        parts.push(all(cursor, depth, test)?);
    }
    Ok(join(parts, Expression::Any))
}

fn all<T>(
    cursor: &mut Cursor,
    depth: usize,
    test: ParseTest<'_, T>,
) -> Result<Expression<T>, PatternError> {
    let mut parts = vec![one(cursor, depth, test)?];
    while cursor.eat("&&") {
        parts.push(one(cursor, depth, test)?);
    }
    Ok(join(parts, Expression::All))
}

fn one<T>(
    cursor: &mut Cursor,
    depth: usize,
    test: ParseTest<'_, T>,
) -> Result<Expression<T>, PatternError> {
    cursor.skip_space();
    let parsed = if cursor.eat("(") {
        let deeper = depth.checked_sub(1).ok_or(PatternError::Invalid)?;
        let inner = any(cursor, deeper, test)?;
        if !cursor.eat(")") {
            return Err(cursor.unexpected(""));
        }
        inner
    } else {
        Expression::Test(test(cursor)?)
    };
    cursor.skip_space();
    Ok(parsed)
}

fn join<T>(
    mut parts: Vec<Expression<T>>,
    joined: fn(Vec<Expression<T>>) -> Expression<T>,
) -> Expression<T> {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            joined(parts)
        }
    }
}
