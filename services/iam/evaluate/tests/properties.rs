//! What holds for all policies, and wildcards beside an obvious way to match them.

use proptest::{collection::vec, option, prelude::*, sample};
use serde_json::Value;

use super::{
    super::{
        pattern::{Case, Glob, Grammar},
        *,
    },
    differential::given,
    facts,
    generate::{Trial, document, effect, statement, trial},
};

const USER: &str = "arn:aws:iam::111122223333:user/ana";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/worker/night";
const ROLE: &str = "arn:aws:iam::111122223333:role/worker";

/// Policies of every kind: lists of statements.
#[derive(Clone, Debug)]
struct All {
    trial: Trial,
    boundary: Option<Vec<Value>>,
    session: Option<Vec<Value>>,
    resource: Option<Vec<Value>>,
    kind: Kind,
    owner: &'static str,
}

fn all() -> impl Strategy<Value = All> {
    let list = || option::of(vec(statement(effect()), 1..=2));
    let principal = sample::select(&["*", "111122223333", USER, SESSION, ROLE]);
    let resource = (statement(effect()), principal).prop_map(|(mut statement, principal)| {
        statement["Principal"] = serde_json::json!({"AWS": principal});
        statement
    });
    let kind = sample::select(&[Kind::User, Kind::Session, Kind::Root, Kind::Anonymous]);
    let owner = sample::select(&["111122223333", "444455556666"]);
    let resource = option::of(vec(resource, 1..=2));
    (trial(), list(), list(), resource, kind, owner).prop_map(
        |(trial, boundary, session, resource, kind, owner)| {
            let session = session.filter(|_| kind == Kind::Session);
            All { trial, boundary, session, resource, kind, owner }
        },
    )
}

impl All {
    fn outcome(&self) -> Outcome {
        let compiled = |it: &Vec<Value>| Compiled::parse(&document(it)).unwrap();
        let identity: Vec<Compiled> = self.trial.policies.iter().map(compiled).collect();
        let boundary = self.boundary.as_ref().map(compiled);
        let session = self.session.as_ref().map(compiled);
        let resource = self.resource.as_ref().map(compiled);
        let session: Option<Vec<&Compiled>> = session.as_ref().map(|it| vec![it]);
        let policies = Policies {
            identity: &identity.iter().collect::<Vec<_>>(),
            boundary: boundary.as_ref(),
            session: session.as_deref(),
            resource: resource.as_ref(),
            resource_decides: false,
        };
        let (arn, role) = match self.kind {
            Kind::Session => (SESSION, Some(ROLE)),
            Kind::Anonymous => ("", None),
            _ => (USER, None),
        };
        let account = "111122223333".parse().ok().filter(|_| self.kind != Kind::Anonymous);
        let request = Request {
            action: self.trial.action,
            resource: self.trial.resource,
            owner: self.owner.parse().unwrap(),
            who: Who { kind: self.kind, account, arn, role, id: "" },
            facts: &given(&self.trial.context),
        };
        evaluate(&request, &policies).outcome
    }

    /// The lists of statements of all kinds.
    fn lists(&mut self) -> Vec<&mut Vec<Value>> {
        let All { trial, boundary, session, resource, .. } = self;
        let others = [boundary, session, resource].into_iter().flatten();
        trial.policies.iter_mut().chain(others).collect()
    }

    /// With one statement more in one of the policies; one of a resource speaks of everybody.
    fn with(&self, mut statement: Value, into: sample::Index) -> All {
        let mut more = self.clone();
        let mut lists = more.lists();
        let into = into.index(lists.len());
        if lists[into].iter().any(|it| it.get("Principal").is_some()) {
            statement["Principal"] = "*".into();
        }
        lists[into].push(statement);
        more
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_order_of_policies_and_statements_does_not_matter(all in all(), by in 0_usize..3) {
        let mut turned = all.clone();
        turned.trial.policies.reverse();
        let first = by % turned.trial.policies.len();
        turned.trial.policies.rotate_left(first);
        turned.lists().into_iter().for_each(|statements| statements.reverse());
        prop_assert_eq!(turned.outcome(), all.outcome());
    }

    #[test]
    fn one_more_denial_never_allows_more(
        all in all(), more in statement(Just("Deny")), into: sample::Index,
    ) {
        let (before, after) = (all.outcome(), all.with(more, into).outcome());
        let is_denied = matches!(after, Outcome::Denied(_));
        prop_assert!(after == before || is_denied, "{before:?} became {after:?}");
    }

    #[test]
    fn one_more_allowance_never_denies_more(
        all in all(), more in statement(Just("Allow")), into: sample::Index,
    ) {
        let (before, after) = (all.outcome(), all.with(more, into).outcome());
        match before {
            Outcome::Allowed | Outcome::Denied(_) => prop_assert_eq!(after, before),
            Outcome::NotAllowed(_) => prop_assert!(!matches!(after, Outcome::Denied(_))),
        }
    }

    #[test]
    fn wildcards_match_as_by_the_obvious_way(pattern in "[aB:*?]{0,8}", text in "[abB:]{0,8}") {
        let glob = |case| {
            let grammar = Grammar { wildcards: true, variables: true, case };
            Glob::parse(&pattern, grammar).matches(&text, &facts(&[]))
        };
        let (free, lower) = (marked(&pattern, |_| true), |it: &str| it.to_ascii_lowercase());
        prop_assert_eq!(glob(Case::Sensitive), obviously(&free, &text));
        prop_assert_eq!(glob(Case::Insensitive), obviously(&lower(&free), &lower(&text)));
    }

    #[test]
    fn wildcards_of_resources_match_as_by_the_obvious_way(
        pattern in "[a:*]{0,6}:[a:*?]{0,8}", text in "[ab:]{0,12}",
    ) {
        let collapsed = pattern.replace("***", "*").replace("**", "*").replace("**", "*");
        let free = marked(&collapsed, |at| {
            let is_last = matches!(collapsed[at + 1..].chars().next(), None | Some(':'));
            let is_star = collapsed[at..].starts_with('*');
            is_star && is_last || collapsed[..at].matches(':').count() >= 5
        });
        let found = Glob::resource(&pattern, true).matches(&text, &facts(&[]));
        prop_assert_eq!(found, obviously(&free, &text), "{}", free);
    }
}

/// A pattern in which a star that stays in its part of an ARN is a `+`, such a `?` a `.`.
fn marked(pattern: &str, is_free: impl Fn(usize) -> bool) -> String {
    let mark = |(at, letter)| match letter {
        '*' if !is_free(at) => '+',
        '?' if !is_free(at) => '.',
        letter => letter,
    };
    pattern.char_indices().map(mark).collect()
}

fn obviously(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[1..];
    match first {
        '*' => (0..=text.len()).any(|at| obviously(rest, &text[at..])),
        '+' => {
            let part = text.find(':').unwrap_or(text.len());
            (0..=part).any(|at| obviously(rest, &text[at..]))
        }
        '.' => !text.is_empty() && !text.starts_with(':') && obviously(rest, &text[1..]),
        '?' => !text.is_empty() && obviously(rest, &text[1..]),
        letter => text.starts_with(letter) && obviously(rest, &text[1..]),
    }
}
