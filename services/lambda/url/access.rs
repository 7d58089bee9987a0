//! Who may call a function URL. Pure.
//!
//! Source: "Control access to Lambda function URLs". A call needs both `lambda:InvokeFunctionUrl` and
//! `lambda:InvokeFunction`. Whoever calls a URL of type `NONE`, and callers from other accounts, need
//! both from the resource policy.

use kit::{AccountId, Principal};

use crate::{
    policy::{self, Effect, Policy, Statement},
    url::config::AuthType,
};

/// The statements of a resource policy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    statements: Vec<Statement>,
}

/// One call, as policies see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    /// Who signed it; `None`: anybody.
    pub(crate) caller: Option<(AccountId, &'a Principal)>,
    /// The account of the function.
    pub(crate) owner: AccountId,
    /// The ARN of the function or alias.
    pub(crate) resource: &'a str,
    /// The URL's.
    pub(crate) auth: AuthType,
}

/// What a policy says of one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Denied,
    Silent,
    Allowed,
}

impl Grants {
    /// What a policy says; nothing if there is none.
    pub(crate) fn of(policy: Option<&Policy>) -> Grants {
        Grants { statements: policy.map(|policy| policy.statements.clone()).unwrap_or_default() }
    }

    /// Whether a call may pass.
    pub(crate) fn admit(&self, call: Call<'_>) -> bool {
        let auth = call.auth.as_str();
        let verdicts = [
            self.verdict(call, "lambda:InvokeFunctionUrl", ("lambda:FunctionUrlAuthType", auth)),
            self.verdict(call, "lambda:InvokeFunction", ("lambda:InvokedViaFunctionUrl", "true")),
        ];
        match (call.auth, call.caller) {
            // Where identity policies are asked, this is not: there, who decides sees all policies.
            (AuthType::AwsIam, Some((account, _))) if account == call.owner => {
                !verdicts.contains(&Verdict::Denied)
            }
            (AuthType::AwsIam, None) => false,
            _ => verdicts.iter().all(|verdict| *verdict == Verdict::Allowed),
        }
    }

    fn verdict(&self, call: Call<'_>, action: &str, context: (&str, &str)) -> Verdict {
        let mut verdict = Verdict::Silent;
        for statement in &self.statements {
            if !is_about(statement, call, action) || !holds(statement, context) {
                continue;
            }
            match statement.effect {
                Effect::Deny => return Verdict::Denied,
                Effect::Allow => verdict = Verdict::Allowed,
            }
        }
        verdict
    }
}

fn is_about(statement: &Statement, call: Call<'_>, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    statement.action.iter().any(|it| matches(&it.to_ascii_lowercase(), &action))
        && statement.resource.iter().any(|it| matches(it, call.resource))
        && includes(&statement.principal, call.caller)
}

/// Whether the conditions hold; one that is not understood holds only where that denies.
fn holds(statement: &Statement, (key, value): (&str, &str)) -> bool {
    statement.condition.iter().all(|(operator, keys)| {
        keys.iter().all(|(wanted, values)| {
            let known = wanted.eq_ignore_ascii_case(key);
            match operator.as_str() {
                "StringEquals" if known => values.iter().any(|it| it == value),
                "StringLike" if known => values.iter().any(|it| matches(it, value)),
                "Bool" if known => values.iter().any(|it| it.eq_ignore_ascii_case(value)),
                _ => statement.effect == Effect::Deny,
            }
        })
    })
}

fn includes(named: &policy::Principal, caller: Option<(AccountId, &Principal)>) -> bool {
    let named = match named {
        policy::Principal::Anybody(text) => return text == "*",
        policy::Principal::Named(named) => named.get("AWS"),
    };
    named.into_iter().flat_map(|names| names.iter()).any(|name| match caller {
        _ if name == "*" => true,
        None => false,
        Some((account, principal)) => names_caller(name, account, principal),
    })
}

/// Whether a principal's name means this caller: the account, the identity, or the role of its session.
fn names_caller(name: &str, account: AccountId, principal: &Principal) -> bool {
    if name == account.as_str() || name == format!("arn:aws:iam::{account}:root") {
        return true;
    }
    if name == principal.arn.as_str() {
        return true;
    }
    let session = principal.arn.resource().strip_prefix("assumed-role/");
    let role = session.and_then(|session| session.split('/').next());
    let named = name.strip_prefix(&format!("arn:aws:iam::{account}:role/"));
    // A session's ARN leaves out the path of its role.
    let named = named.and_then(|path| path.rsplit('/').next());
    role.is_some() && role == named
}

/// Whether a text fits a pattern in which `*` stands for any characters and `?` for one.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                // The last star takes one character more.
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    (at, read) = (place + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use kit::PrincipalKind;
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

    fn grants(statements: serde_json::Value) -> Grants {
        Grants { statements: serde_json::from_value(statements).unwrap() }
    }

    fn allow(
        who: serde_json::Value,
        action: &str,
        condition: serde_json::Value,
    ) -> serde_json::Value {
        json!({ "Sid": "s", "Effect": "Allow", "Principal": who, "Action": action,
                "Resource": ARN, "Condition": condition })
    }

    fn public() -> [serde_json::Value; 2] {
        let auth = json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "NONE" } });
        let via = json!({ "Bool": { "lambda:InvokedViaFunctionUrl": "true" } });
        [
            allow(json!("*"), "lambda:InvokeFunctionUrl", auth),
            allow(json!("*"), "lambda:InvokeFunction", via),
        ]
    }

    fn anybody() -> Call<'static> {
        Call { caller: None, owner: AccountId::DEFAULT, resource: ARN, auth: AuthType::None }
    }

    fn signed(caller: &(AccountId, Principal)) -> Call<'_> {
        let caller = Some((caller.0, &caller.1));
        Call { caller, owner: AccountId::DEFAULT, resource: ARN, auth: AuthType::AwsIam }
    }

    fn session(account: &str) -> (AccountId, Principal) {
        let arn = format!("arn:aws:sts::{account}:assumed-role/r/session");
        let account = account.parse().unwrap();
        let kind = PrincipalKind::AssumedRole;
        (account, Principal { arn: arn.parse().unwrap(), user_id: "AROA:session".into(), kind })
    }

    #[test]
    fn the_public_needs_both_permissions() {
        let [url, function] = public();
        assert!(grants(json!([url, function])).admit(anybody()));
        assert!(!grants(json!([url])).admit(anybody()));
        assert!(!grants(json!([function])).admit(anybody()));
        assert!(!Grants::of(None).admit(anybody()));
    }

    #[test]
    fn a_condition_of_the_other_type_does_not_hold() {
        let both = grants(json!(public()));
        let other = (AccountId::DEFAULT, Principal::root(AccountId::DEFAULT));
        let foreign = ("123456789012".parse().unwrap(), other.1.clone());
        assert!(!both.admit(signed(&foreign)));
        let [url, mut function] = public();
        function["Condition"] = json!({ "Bool": { "lambda:InvokedViaFunctionUrl": "false" } });
        assert!(!grants(json!([url, function])).admit(anybody()));
        let [url, mut function] = public();
        function["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-1" } });
        assert!(!grants(json!([url, function])).admit(anybody()));
    }

    #[test]
    fn an_unconditional_or_wide_statement_is_enough() {
        let wide = allow(json!({ "AWS": ["*"] }), "lambda:Invoke*", json!({}));
        assert!(grants(json!([wide])).admit(anybody()));
        let mut elsewhere = wide.clone();
        elsewhere["Resource"] = json!(format!("{ARN}:alias"));
        assert!(!grants(json!([elsewhere])).admit(anybody()));
    }

    #[test]
    fn who_signs_within_the_account_may_call_unless_denied() {
        let own = (AccountId::DEFAULT, Principal::root(AccountId::DEFAULT));
        assert!(Grants::of(None).admit(signed(&own)));
        assert!(!Grants::of(None).admit(Call { caller: None, ..signed(&own) }));
        let mut deny = allow(json!("*"), "lambda:invokefunctionurl", json!({}));
        deny["Effect"] = json!("Deny");
        assert!(!grants(json!([deny])).admit(signed(&own)));
    }

    #[test]
    fn other_accounts_are_named_by_account_role_or_session() {
        let caller = session("123456789012");
        let named = |name: &str| {
            let statement = |action| allow(json!({ "AWS": name }), action, json!({}));
            let actions = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];
            grants(json!(actions.map(statement))).admit(signed(&caller))
        };
        assert!(named("arn:aws:iam::123456789012:root"));
        assert!(named("123456789012"));
        assert!(named("arn:aws:iam::123456789012:role/path/r"));
        assert!(named("arn:aws:sts::123456789012:assumed-role/r/session"));
        assert!(!named("arn:aws:iam::123456789012:role/other"));
        assert!(!named("arn:aws:iam::999999999999:root"));
        assert!(!named("arn:aws:iam::999999999999:role/r"));
    }

    #[test]
    fn patterns_match_as_in_policies() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**b*", "aab", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
