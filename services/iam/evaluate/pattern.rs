//! Texts of policies with wildcards (`*`, `?`) and variables (`${aws:username}`), and what they
//! match. Compiled once; matching allocates only where there are variables.
//!
//! Source: "IAM JSON policy elements: Resource", "… Variables and tags".

use super::{Facts, Key};

/// One letter of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Atom {
    Letter(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// The value of a context key, or this text where the request has none.
    Variable {
        key: Key,
        default: Option<String>,
    },
}

/// Whether capitals count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Sensitive,
    Insensitive,
}

/// What in a text is more than letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grammar {
    pub(crate) wildcards: bool,
    /// Policies of before 2012-10-17 know none.
    pub(crate) variables: bool,
    pub(crate) case: Case,
}

/// A pattern for a whole text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    atoms: Vec<Atom>,
    case: Case,
    variables: bool,
}

impl Glob {
    /// Reads a pattern.
    pub(crate) fn parse(text: &str, grammar: Grammar) -> Glob {
        let atoms = atoms(text, grammar);
        let variables = atoms.iter().any(|atom| matches!(atom, Atom::Variable { .. }));
        Glob { atoms, case: grammar.case, variables }
    }

    /// The context keys that its variables name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.atoms.iter().filter_map(|atom| match atom {
            Atom::Variable { key, .. } => Some(key),
            _ => None,
        })
    }

    /// Whether the whole text matches. A variable without a single value matches nothing.
    pub(crate) fn matches(&self, text: &str, facts: &dyn Facts) -> bool {
        if !self.variables {
            return matches(&self.atoms, text, self.case);
        }
        let resolved = resolve(&self.atoms, facts, self.case);
        resolved.is_some_and(|atoms| matches(&atoms, text, self.case))
    }
}

/// A pattern for ARNs: wildcards do not reach over the colons between its six parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArnGlob {
    /// `*`, which also stands for calls without a resource.
    Any,
    Parts(Vec<Glob>),
}

const ARN_PARTS: usize = 6;

impl ArnGlob {
    /// Reads a pattern. Parts that are missing at the end match whatever is there.
    pub(crate) fn parse(text: &str, variables: bool) -> ArnGlob {
        let grammar = Grammar { wildcards: true, variables, case: Case::Sensitive };
        let atoms = atoms(text, grammar);
        if atoms == [Atom::Many] {
            return ArnGlob::Any;
        }
        let mut parts: Vec<Vec<Atom>> = vec![Vec::new()];
        for atom in atoms {
            if atom == Atom::Letter(':') && parts.len() < ARN_PARTS {
                parts.push(Vec::new());
            } else if let Some(last) = parts.last_mut() {
                last.push(atom);
            }
        }
        // What ends in a wildcard goes on with wildcards: `arn:aws:sqs:*`.
        if parts.last().is_some_and(|last| last.last() == Some(&Atom::Many)) {
            parts.resize(ARN_PARTS, vec![Atom::Many]);
        }
        let glob = |atoms: Vec<Atom>| {
            let variables = atoms.iter().any(|atom| matches!(atom, Atom::Variable { .. }));
            Glob { atoms, case: Case::Sensitive, variables }
        };
        ArnGlob::Parts(parts.into_iter().map(glob).collect())
    }

    /// The context keys that its variables name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let parts = match self {
            ArnGlob::Any => &[][..],
            ArnGlob::Parts(parts) => parts,
        };
        parts.iter().flat_map(Glob::keys)
    }

    /// Whether it matches an ARN, or `*` for no resource at all.
    pub(crate) fn matches(&self, arn: &str, facts: &dyn Facts) -> bool {
        match self {
            ArnGlob::Any => true,
            ArnGlob::Parts(parts) => {
                let mut texts = arn.splitn(ARN_PARTS, ':');
                parts.iter().all(|part| texts.next().is_some_and(|text| part.matches(text, facts)))
                    && texts.next().is_none()
            }
        }
    }
}

fn atoms(text: &str, grammar: Grammar) -> Vec<Atom> {
    let mut atoms = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let variable = if grammar.variables { variable(rest) } else { None };
        if let Some((atom, length)) = variable {
            atoms.push(atom);
            rest = &rest[length..];
            continue;
        }
        atoms.push(match letter {
            '*' if grammar.wildcards => Atom::Many,
            '?' if grammar.wildcards => Atom::One,
            letter => Atom::Letter(fold(letter, grammar.case)),
        });
        rest = &rest[letter.len_utf8()..];
    }
    atoms.dedup_by(|next, before| *next == Atom::Many && *before == Atom::Many);
    atoms
}

/// The variable at the beginning of a text, and its length there. `${*}`, `${?}` and `${$}` are the
/// letters themselves.
fn variable(text: &str) -> Option<(Atom, usize)> {
    let inner = text.strip_prefix("${")?;
    let (inner, _) = inner.split_once('}')?;
    let length = inner.len() + "${}".len();
    if let "*" | "?" | "$" = inner {
        return Some((Atom::Letter(inner.chars().next()?), length));
    }
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => (key, Some(default.trim().trim_matches('\'').to_owned())),
        None => (inner, None),
    };
    Some((Atom::Variable { key: Key::new(key.trim()), default }, length))
}

/// The pattern with the values of its variables, whose letters are nothing but letters.
fn resolve(atoms: &[Atom], facts: &dyn Facts, case: Case) -> Option<Vec<Atom>> {
    let mut resolved = Vec::with_capacity(atoms.len());
    for atom in atoms {
        let Atom::Variable { key, default } = atom else {
            resolved.push(atom.clone());
            continue;
        };
        let values = facts.values(key.lower());
        let value = match values.as_deref() {
            Some([value]) => value.as_ref(),
            _ => default.as_deref()?,
        };
        resolved.extend(value.chars().map(|letter| Atom::Letter(fold(letter, case))));
    }
    Some(resolved)
}

fn fold(letter: char, case: Case) -> char {
    match case {
        Case::Sensitive => letter,
        Case::Insensitive => letter.to_lowercase().next().unwrap_or(letter),
    }
}

/// Goes back only to the last `*`: never more steps than letters times atoms.
fn matches(atoms: &[Atom], text: &str, case: Case) -> bool {
    let mut letters = text.chars();
    let mut at = 0;
    let mut again: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        if atoms.get(at) == Some(&Atom::Many) {
            at += 1;
            if at == atoms.len() {
                return true;
            }
            again = Some((at, letters.clone()));
            continue;
        }
        match (letters.next(), atoms.get(at)) {
            (None, None) => return true,
            (Some(_), Some(Atom::One)) => at += 1,
            (Some(letter), Some(Atom::Letter(wanted))) if fold(letter, case) == *wanted => at += 1,
            (None, _) => return false,
            _ => {
                let Some((from, rest)) = &mut again else { return false };
                if rest.next().is_none() {
                    return false;
                }
                (at, letters) = (*from, rest.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::facts;

    const PLAIN: Grammar = Grammar { wildcards: true, variables: true, case: Case::Sensitive };

    fn glob(pattern: &str, text: &str) -> bool {
        Glob::parse(pattern, PLAIN).matches(text, &facts(&[("aws:username", "ana*")]))
    }

    #[test]
    fn stars_and_question_marks_match_as_in_policies() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "acb", false),
            ("a*b*c", "aXbYbZc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.txt", "x.txt.txt", true),
            ("äö?", "äöü", true),
            ("**a", "ba", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn variables_are_letters_and_not_wildcards() {
        assert!(glob("home/${aws:username}/*", "home/ana*/file"));
        assert!(!glob("home/${aws:username}/*", "home/anabel/file"));
        assert!(glob("${aws:UserName}", "ana*"));
        assert!(!glob("${aws:missing}", ""));
        assert!(glob("${aws:missing, 'nobody'}", "nobody"));
        assert!(glob("a${*}b${$}", "a*b$"));
        assert!(!glob("a${*}b", "axb"));
    }

    #[test]
    fn a_wildcard_stays_in_its_part_of_an_arn() {
        let matches =
            |pattern: &str, arn: &str| ArnGlob::parse(pattern, true).matches(arn, &facts(&[]));
        let queue = "arn:aws:sqs:us-east-1:123456789012:orders";
        for (pattern, expected) in [
            ("*", true),
            ("arn:aws:sqs:*", true),
            ("arn:aws:sqs:*:123456789012:orders", true),
            ("arn:aws:sqs:*:orders", false),
            ("arn:aws:sqs:us-east-1:123456789012:ord*", true),
            ("arn:aws:sqs:us-east-1:123456789012", false),
            ("arn:*:sqs:us-east-?:*:orders", true),
        ] {
            assert_eq!(matches(pattern, queue), expected, "{pattern}");
        }
        let function = "arn:aws:lambda:us-east-1:123456789012:function:f:PROD";
        assert!(matches("arn:aws:lambda:us-east-1:123456789012:function:*", function));
        assert!(matches("arn:aws:s3:::b/*", "arn:aws:s3:::b/a:b"));
        assert!(!matches("arn:aws:sqs:*:*:*", "*"), "no resource is matched by `*` alone");
    }
}
