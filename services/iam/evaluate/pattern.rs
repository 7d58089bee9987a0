//! Texts of policies with wildcards (`*`, `?`) and variables (`${aws:username}`), and what they
//! match. Compiled once; matching allocates only where there are variables.
//!
//! Source: "IAM JSON policy elements: Resource", "… Variables and tags", "… Condition operators".

use super::{Facts, Key};

/// One letter of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Atom {
    Letter(char),
    /// `?`
    One,
    /// `?` that is not a colon.
    OneInPart,
    /// `*`
    Many,
    /// `*` that does not reach over a colon.
    ManyInPart,
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
        Glob::of(atoms(text, grammar), grammar.case)
    }

    /// Reads a pattern for the ARNs of resources. In front of the fifth colon only those stars reach
    /// over a colon that are the last letter of their part.
    pub(crate) fn resource(text: &str, variables: bool) -> Glob {
        let grammar = Grammar { wildcards: true, variables, case: Case::Sensitive };
        let mut atoms = atoms(text, grammar);
        let mut colons = 0;
        for at in 0..atoms.len() {
            let next = atoms.get(at + 1);
            let is_last = next.is_none_or(|next| *next == Atom::Letter(':'));
            match &mut atoms[at] {
                Atom::Letter(':') => colons += 1,
                star @ Atom::Many if colons < ARN_PARTS - 1 && !is_last => *star = Atom::ManyInPart,
                one @ Atom::One if colons < ARN_PARTS - 1 => *one = Atom::OneInPart,
                _ => {}
            }
        }
        Glob::of(atoms, Case::Sensitive)
    }

    fn of(atoms: Vec<Atom>, case: Case) -> Glob {
        let variables = atoms.iter().any(|atom| matches!(atom, Atom::Variable { .. }));
        Glob { atoms, case, variables }
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

/// Of patterns for actions, `s3:Get*`.
impl Glob {
    /// Whether an action of this service may match.
    pub(crate) fn reaches(&self, service: &str) -> bool {
        let colon = self.atoms.iter().position(|atom| *atom == Atom::Letter(':'));
        matches(&self.atoms[..colon.unwrap_or(self.atoms.len())], service, self.case)
    }

    /// Whether every action of this service matches.
    pub(crate) fn covers(&self, service: &str) -> bool {
        let colon = self.atoms.iter().position(|atom| *atom == Atom::Letter(':'));
        let actions = colon.map_or(&[Atom::Many][..], |at| &self.atoms[at + 1..]);
        self.reaches(service) && !actions.is_empty() && actions.iter().all(|it| *it == Atom::Many)
    }
}

/// A pattern of a condition for ARNs: no wildcard reaches over the colons between its six parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArnGlob {
    /// `*`
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
        let parts = parts.into_iter().map(|atoms| Glob::of(atoms, Case::Sensitive));
        ArnGlob::Parts(parts.collect())
    }

    /// The context keys that its variables name.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        let parts = match self {
            ArnGlob::Any => &[][..],
            ArnGlob::Parts(parts) => parts,
        };
        parts.iter().flat_map(Glob::keys)
    }

    /// Whether it matches an ARN.
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
        Some((key, default)) => (key, Some(quoted(default.trim()))),
        None => (inner, None),
    };
    Some((Atom::Variable { key: Key::new(key.trim()), default }, length))
}

/// A default without its quotes. Inside of them two quotes stand for one.
fn quoted(text: &str) -> String {
    let inner = text.strip_prefix('\'').and_then(|it| it.strip_suffix('\''));
    inner.unwrap_or(text).replace("''", "'")
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

/// Where matching goes on when it came to nothing: a star takes one letter more.
type Again<'a> = Option<(usize, std::str::Chars<'a>)>;

/// Goes back only to the last star that may take the next letter.
fn matches(atoms: &[Atom], text: &str, case: Case) -> bool {
    let mut letters = text.chars();
    let mut at = 0;
    let (mut anywhere, mut in_part): (Again<'_>, Again<'_>) = (None, None);
    loop {
        match atoms.get(at) {
            Some(Atom::Many) if at + 1 == atoms.len() => return true,
            Some(Atom::Many) => {
                at += 1;
                (anywhere, in_part) = (Some((at, letters.clone())), None);
                continue;
            }
            Some(Atom::ManyInPart) => {
                at += 1;
                in_part = Some((at, letters.clone()));
                continue;
            }
            _ => {}
        }
        match (letters.next(), atoms.get(at)) {
            (None, None) => return true,
            (Some(_), Some(Atom::One)) => at += 1,
            (Some(letter), Some(Atom::OneInPart)) if letter != ':' => at += 1,
            (Some(letter), Some(Atom::Letter(wanted))) if fold(letter, case) == *wanted => at += 1,
            (None, _) => return false,
            _ => match longer(&mut in_part, |letter| letter != ':') {
                Some(from) => (at, letters) = from,
                None => match longer(&mut anywhere, |_| true) {
                    Some(from) => ((at, letters), in_part) = (from, None),
                    None => return false,
                },
            },
        }
    }
}

/// Lets a star take the next letter, if it may.
fn longer<'a>(again: &mut Again<'a>, may: fn(char) -> bool) -> Again<'a> {
    let (_, rest) = again.as_mut()?;
    rest.next().filter(|letter| may(*letter))?;
    again.clone()
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
    fn a_wildcard_of_a_condition_stays_in_its_part_of_an_arn() {
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
    }

    #[test]
    fn an_action_pattern_reaches_services() {
        let grammar = Grammar { variables: false, case: Case::Insensitive, ..PLAIN };
        for (pattern, reaches, covers) in [
            ("*", true, true),
            ("s3:*", true, true),
            ("S3:Get*", true, false),
            ("s*:*", true, true),
            ("sqs:*", false, false),
        ] {
            let glob = Glob::parse(pattern, grammar);
            assert_eq!((glob.reaches("s3"), glob.covers("s3")), (reaches, covers), "{pattern}");
        }
    }
}
