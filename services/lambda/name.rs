//! How callers name functions: a name, `name:qualifier`, a partial ARN or a whole one. Pure.
//!
//! The forms are those of the model's pattern for `FunctionName`:
//! `[arn:aws:lambda:][region:][account:][function:]name[:qualifier]`.

use kit::{AccountId, Arn, Caller, Region};

use crate::{Error, invoke::concurrency::FunctionKey};

/// The version that is changed in place.
pub(crate) const LATEST: &str = "$LATEST";

/// A function as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionName {
    pub(crate) name: String,
    /// A version or an alias.
    pub(crate) qualifier: Option<String>,
    /// Where it lives, as far as the caller says.
    pub(crate) account: Option<AccountId>,
    pub(crate) region: Option<Region>,
}

/// A function that may exist, with the version or alias that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) key: FunctionKey,
    pub(crate) qualifier: Option<String>,
}

impl FunctionName {
    /// Reads any of the forms.
    pub(crate) fn parse(text: &str) -> Result<FunctionName, Error> {
        read(text).ok_or_else(|| Error::InvalidFunctionName(text.to_owned()))
    }
}

fn read(text: &str) -> Option<FunctionName> {
    let mut parts: Vec<&str> = text.split(':').collect();
    if parts.first() == Some(&"arn") {
        let [_, partition, "lambda", ..] = parts[..] else { return None };
        // Behind a whole ARN's head nothing may be missing.
        if !partition.starts_with("aws") || parts.get(5) != Some(&"function") || parts.len() < 7 {
            return None;
        }
        parts.drain(..3);
    }
    let mut rest = parts.into_iter().peekable();
    let mut left = rest.len();
    // Each optional part is one only if something follows it.
    let mut optional = |fits: &dyn Fn(&str) -> bool| {
        let part = rest.next_if(|part| left > 1 && fits(part));
        left -= usize::from(part.is_some());
        part
    };
    let region = optional(&looks_like_region);
    let account = optional(&|part| part.parse::<AccountId>().is_ok());
    optional(&|part| part == "function");
    let name = rest.next().filter(|name| is_name(name))?;
    let qualifier = rest.next();
    if rest.next().is_some() || !qualifier.is_none_or(is_qualifier) {
        return None;
    }
    Some(FunctionName {
        name: name.to_owned(),
        qualifier: qualifier.map(str::to_owned),
        account: account.and_then(|it| it.parse().ok()),
        region: region.and_then(|it| it.parse().ok()),
    })
}

/// `us-east-1`, `us-gov-west-1`: words and one digit at the end.
fn looks_like_region(part: &str) -> bool {
    let mut words = part.rsplit('-');
    let digit =
        words.next().is_some_and(|word| word.len() == 1 && word.as_bytes()[0].is_ascii_digit());
    let others: Vec<&str> = words.collect();
    digit
        && (2..=4).contains(&others.len())
        && others
            .iter()
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| is_word(byte) || byte == b'.')
}

fn is_qualifier(text: &str) -> bool {
    text == LATEST || (!text.is_empty() && text.bytes().all(is_word))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The function that a caller means by a name and perhaps a qualifier beside it, for what only its
/// owner may do.
pub(crate) fn own(caller: &Caller, text: &str, qualifier: Option<&str>) -> Result<Named, Error> {
    let named = resolve(caller, text, qualifier)?;
    if named.key.account != caller.account {
        let caller = caller.principal.arn.to_string();
        return Err(Error::OtherAccount { caller, function: named.key.arn().to_string() });
    }
    Ok(named)
}

/// The function that a caller means by a name and perhaps a qualifier beside it. An ARN may name
/// another account's: whether that lets the caller in has been asked before, where anybody decides.
pub(crate) fn resolve(
    caller: &Caller,
    text: &str,
    qualifier: Option<&str>,
) -> Result<Named, Error> {
    let name = FunctionName::parse(text)?;
    let region = name.region.unwrap_or_else(|| caller.region.clone());
    if region != caller.region {
        return Err(Error::OtherRegion { named: region, here: caller.region.clone() });
    }
    let account = name.account.unwrap_or(caller.account);
    let key = FunctionKey { account, region, name: name.name };
    if let (Some(derived), Some(given)) = (&name.qualifier, qualifier)
        && derived != given
    {
        return Err(Error::QualifiersDiffer);
    }
    let qualifier = qualifier.map(str::to_owned).or(name.qualifier);
    Ok(Named { key, qualifier })
}

impl Named {
    /// The ARN as the caller named it.
    pub(crate) fn arn(&self) -> String {
        self.key.qualified(self.qualifier.as_deref())
    }
}

impl FunctionKey {
    /// The function's own ARN, without version or alias.
    pub(crate) fn arn(&self) -> Arn {
        let resource = format!("function:{}", self.name);
        Arn::new("lambda", self.region.as_str(), self.account.as_str(), resource)
    }

    /// The ARN of a version or alias, or the function's own.
    pub(crate) fn qualified(&self, qualifier: Option<&str>) -> String {
        match qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.arn()),
            None => self.arn().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Millis;
    use proptest::prelude::*;

    fn parse(text: &str) -> FunctionName {
        FunctionName::parse(text).unwrap()
    }

    fn caller() -> Caller {
        Caller::internal(AccountId::DEFAULT, Region::default(), Millis(0))
    }

    #[test]
    fn every_form_names_the_same_function() {
        for text in [
            "arn:aws:lambda:us-east-1:000000000000:function:f:PROD",
            "us-east-1:000000000000:function:f:PROD",
            "000000000000:function:f:PROD",
            "000000000000:f:PROD",
            "function:f:PROD",
            "f:PROD",
        ] {
            let named = resolve(&caller(), text, None).unwrap();
            assert_eq!(named.arn(), "arn:aws:lambda:us-east-1:000000000000:function:f:PROD");
        }
        assert_eq!(parse("function").name, "function");
        assert_eq!(parse("f:$LATEST").qualifier.as_deref(), Some(LATEST));
    }

    #[test]
    fn what_names_no_function_is_refused() {
        for text in [
            "",
            "a b",
            "f:",
            ":f",
            "f:a:b",
            "f:$OLDEST",
            "arn:aws:sqs:us-east-1:000000000000:function:f",
            "arn:aws:lambda:us-east-1:000000000000:layer:f",
            "arn:aws:lambda:us-east-1:000000000000:function",
        ] {
            assert!(FunctionName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_places_are_out_of_reach() {
        let text = "arn:aws:lambda:eu-west-1:000000000000:function:f";
        assert_eq!(
            resolve(&caller(), text, None).unwrap_err().to_string(),
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
        );
        let other = "arn:aws:lambda:us-east-1:123456789012:function:f";
        assert_eq!(resolve(&caller(), other, None).unwrap().arn(), other);
        let owners = own(&caller(), other, None);
        assert!(matches!(owners, Err(Error::OtherAccount { .. })));
    }

    #[test]
    fn a_qualifier_in_the_name_must_be_the_one_beside_it() {
        assert!(resolve(&caller(), "f:1", Some("1")).is_ok());
        assert!(matches!(resolve(&caller(), "f:1", Some("2")), Err(Error::QualifiersDiffer)));
        assert_eq!(resolve(&caller(), "f", Some("2")).unwrap().qualifier.as_deref(), Some("2"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in ".{0,200}") {
            let _ = FunctionName::parse(&text);
        }

        #[test]
        fn a_qualified_arn_reads_back(
            name in "[a-zA-Z0-9_-]{1,64}",
            qualifier in proptest::option::of("[a-zA-Z0-9_-]{1,20}"),
            account in "[0-9]{12}",
        ) {
            let account = account.parse().unwrap();
            let key = FunctionKey { account, region: Region::default(), name };
            let read = parse(&key.qualified(qualifier.as_deref()));
            prop_assert_eq!(read, FunctionName {
                name: key.name,
                qualifier,
                account: Some(account),
                region: Some(key.region),
            });
        }
    }
}
