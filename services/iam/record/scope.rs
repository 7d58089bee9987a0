//! Resources, and how several become one pattern. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Things beside each other that are listed one by one; of more, all are meant.
pub(crate) const SIBLINGS: usize = 5;

/// A resource, or all whose ARN begins alike. The texts are letters, without wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Scope {
    /// This one.
    One(String),
    /// All that begin so. The empty text stands for calls that name no resource, too.
    Below(String),
}

impl Scope {
    /// What to allow so that a call on this resource passes: all versions and aliases of a function,
    /// all streams of a log group.
    pub(crate) fn of(resource: &str) -> Scope {
        if resource == "*" {
            return Scope::Below(String::new());
        }
        let head = head_length(resource);
        let parted = !is_object_store(resource);
        let mut colons = resource[head..].match_indices(':').filter(|_| parted);
        match colons.nth(1) {
            Some((at, _)) => Scope::Below(resource[..=head + at].to_owned()),
            None => Scope::One(resource.to_owned()),
        }
    }

    /// What an ARN must be, or begin with.
    pub(crate) fn text(&self) -> &str {
        let (Scope::One(text) | Scope::Below(text)) = self;
        text
    }

    /// Whether whoever may this may that.
    pub(crate) fn covers(&self, other: &Scope) -> bool {
        match self {
            Scope::One(_) => self == other,
            Scope::Below(text) => other.text().starts_with(text),
        }
    }

    /// As policies write it: what is a wildcard or begins a variable there is escaped.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.text().len() + 1);
        for letter in self.text().chars() {
            match letter {
                '*' | '?' | '$' => pattern.extend(["${", letter.encode_utf8(&mut [0; 4]), "}"]),
                _ => pattern.push(letter),
            }
        }
        if matches!(self, Scope::Below(_)) {
            pattern.push('*');
        }
        pattern
    }

    /// Its folders: the beginnings of its ARN that end in a separator, from the resource's own part
    /// on.
    fn folders(&self) -> impl Iterator<Item = &str> {
        let text = self.text();
        let head = head_length(text);
        let objects = is_object_store(text);
        let separators = text[head..].char_indices().filter(move |(_, letter)| match letter {
            '/' => true,
            ':' => !objects,
            _ => false,
        });
        let beginnings = separators.map(move |(at, _)| &text[..=head + at]);
        beginnings.chain((head > 0).then_some(&text[..head]))
    }
}

/// The same resources in fewer words. Objects in one folder become the folder; where more than
/// `siblings` things are beside each other, all there are meant. Never beyond the account and region
/// of a resource.
pub(crate) fn generalised(scopes: &BTreeSet<Scope>, siblings: usize) -> BTreeSet<Scope> {
    let mut folders: Vec<&str> = scopes.iter().flat_map(Scope::folders).collect();
    // The deepest ones first: what they become counts as one further up.
    folders.sort_unstable_by_key(|folder| (std::cmp::Reverse(folder.len()), *folder));
    folders.dedup();
    let mut kept = scopes.clone();
    for folder in folders {
        let within: Vec<&Scope> =
            kept.iter().filter(|scope| scope.text().starts_with(folder)).collect();
        if is_crowded(folder, &within, siblings) {
            kept.retain(|scope| !scope.text().starts_with(folder));
            kept.insert(Scope::Below(folder.to_owned()));
        }
    }
    let all = kept.clone();
    kept.retain(|scope| !all.iter().any(|other| other != scope && other.covers(scope)));
    kept
}

fn is_crowded(folder: &str, within: &[&Scope], siblings: usize) -> bool {
    let objects = is_object_store(folder);
    let separator = |letter: char| letter == '/' || (letter == ':' && !objects);
    let rests = within.iter().map(|scope| &scope.text()[folder.len()..]);
    let children: BTreeSet<&str> =
        rests.map(|rest| rest.split_inclusive(separator).next().unwrap_or_default()).collect();
    if children.len() > siblings {
        return true;
    }
    // Keys of objects are data: two in a folder say that there will be a third.
    let is_file = |scope: &&&Scope| match scope {
        Scope::One(text) => text.len() > folder.len() && !text[folder.len()..].contains('/'),
        Scope::Below(_) => false,
    };
    objects && folder.contains('/') && within.iter().filter(is_file).count() > 1
}

/// Bytes of `arn:partition:service:region:account:`.
fn head_length(arn: &str) -> usize {
    arn.match_indices(':').nth(4).map_or(0, |(at, _)| at + 1)
}

/// Whether the resource is a bucket or an object: keys may hold colons, and mean nothing by them.
fn is_object_store(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("s3")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(resources: &[&str]) -> Vec<String> {
        let scopes = resources.iter().map(|it| Scope::of(it)).collect();
        generalised(&scopes, SIBLINGS).iter().map(Scope::pattern).collect()
    }

    #[test]
    fn resources_are_generalised_as_their_service_names_them() {
        let log = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f";
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        for (resources, expected) in [
            (vec!["*"], vec!["*".to_owned()]),
            (vec!["arn:aws:s3:::b/uploads/a"], vec!["arn:aws:s3:::b/uploads/a".to_owned()]),
            (
                vec![
                    "arn:aws:s3:::b/uploads/a",
                    "arn:aws:s3:::b/uploads/b:c",
                    "arn:aws:s3:::b/r/x",
                ],
                vec!["arn:aws:s3:::b/r/x".to_owned(), "arn:aws:s3:::b/uploads/*".to_owned()],
            ),
            (vec!["arn:aws:s3:::b/a", "arn:aws:s3:::b/c"], vec!["arn:aws:s3:::b/*".to_owned()]),
            (
                vec![&*format!("{log}:log-stream:1"), &*format!("{log}:log-stream:2"), log],
                vec![log.to_owned(), format!("{log}:*")],
            ),
            (vec![&*format!("{function}:3")], vec![format!("{function}:*")]),
            (
                vec![&*format!("{function}:3"), function],
                vec![function.into(), format!("{function}:*")],
            ),
        ] {
            assert_eq!(patterns(&resources), expected, "{resources:?}");
        }
    }

    #[test]
    fn of_many_siblings_all_are_meant() {
        let queue = |number: usize| format!("arn:aws:sqs:eu-west-1:123456789012:queue-{number}");
        let few: Vec<String> = (0..SIBLINGS).map(queue).collect();
        let few: Vec<&str> = few.iter().map(String::as_str).collect();
        assert_eq!(patterns(&few).len(), SIBLINGS);
        let many: Vec<String> = (0..=SIBLINGS).map(queue).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(patterns(&many), ["arn:aws:sqs:eu-west-1:123456789012:*"]);
        let days: Vec<String> =
            (1..=28).map(|day| format!("arn:aws:s3:::b/2026/11/{day}/x")).collect();
        let days: Vec<&str> = days.iter().map(String::as_str).collect();
        assert_eq!(patterns(&days), ["arn:aws:s3:::b/2026/11/*"]);
    }

    #[test]
    fn what_is_a_wildcard_in_policies_is_escaped() {
        let scope = Scope::One("arn:aws:s3:::b/a*b?${c}".to_owned());
        assert_eq!(scope.pattern(), "arn:aws:s3:::b/a${*}b${?}${$}{c}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]
        #[test]
        fn nothing_is_lost_and_little_is_left(
            keys in proptest::collection::btree_set("[ab]/[ab:]{1,2}(/[a-d*]{1,2}){0,2}", 1..40),
            siblings in 0_usize..6,
        ) {
            let scopes: BTreeSet<Scope> =
                keys.iter().map(|key| Scope::of(&format!("arn:aws:s3:::{key}"))).collect();
            let general = generalised(&scopes, siblings);
            for scope in &scopes {
                prop_assert!(general.iter().any(|it| it.covers(scope)), "{scope:?} {general:?}");
            }
            prop_assert!(general.len() <= scopes.len());
            prop_assert!(siblings > 0 || general.len() == 1);
            prop_assert_eq!(generalised(&general, siblings), general);
        }
    }
}
