//! Conditional requests: RFC 9110's order of evaluation, S3's answers.

use kit::Millis;
use s3s::dto::{ETagCondition, Timestamp};

use crate::{Error, moment, object::Object};

/// Conditions of a read, or on the source of a copy.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

/// What is read; decides the answer when the client's copy is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `GetObject`, `HeadObject`: 304.
    Answer,
    /// The source of a copy: 412 with the name of the copy's header.
    Copy,
}

impl ReadConditions {
    /// Whether the version may be read.
    pub(crate) fn check(&self, object: &Object, purpose: Purpose) -> Result<(), Error> {
        let failed = |header: &str| {
            let prefix = if purpose == Purpose::Copy { "x-amz-copy-source-" } else { "" };
            Error::PreconditionFailed { condition: format!("{prefix}{header}") }
        };
        let unchanged = |header: &str| match purpose {
            Purpose::Answer => Error::NotModified {
                etag: format!("\"{}\"", object.etag),
                modified: moment::http_date(object.modified),
            },
            Purpose::Copy => failed(header),
        };
        match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) if !matches(condition, object) => return Err(failed("If-Match")),
            (None, Some(since)) if changed_after(object, since) => {
                return Err(failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) if matches(condition, object) => Err(unchanged("If-None-Match")),
            (None, Some(since)) if !changed_after(object, since) => {
                Err(unchanged("If-Modified-Since"))
            }
            _ => Ok(()),
        }
    }
}

/// Conditions of a write, judged against the current version in the write's own transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteConditions {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    /// Checks the header itself: S3 takes only `*` in `If-None-Match` of writes.
    pub(crate) fn new(
        if_match: Option<ETagCondition>,
        if_none_match: Option<ETagCondition>,
    ) -> Result<WriteConditions, Error> {
        if if_none_match.as_ref().is_some_and(|condition| !condition.is_any()) {
            return Err(Error::NotImplemented {
                message: "A header you provided implies functionality that is not implemented"
                    .to_owned(),
            });
        }
        Ok(WriteConditions { if_match, if_none_match })
    }

    /// Whether the write may replace `current`.
    pub(crate) fn check(&self, key: &str, current: Option<&Object>) -> Result<(), Error> {
        let failed = |header: &str| Error::PreconditionFailed { condition: header.to_owned() };
        if self.if_none_match.is_some() && current.is_some() {
            return Err(failed("If-None-Match"));
        }
        match (&self.if_match, current) {
            (Some(_), None) => Err(Error::no_such_key(key)),
            (Some(condition), Some(current)) if !matches(condition, current) => {
                Err(failed("If-Match"))
            }
            _ => Ok(()),
        }
    }
}

fn matches(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

/// HTTP dates know no fractions: a change in the same second counts as none.
fn changed_after(object: &Object, since: &Timestamp) -> bool {
    let seconds = |moment: Millis| moment.seconds();
    seconds(object.modified) > seconds(moment::millis(since))
}

#[cfg(test)]
mod tests {
    use s3s::dto::ETag;

    use super::*;

    fn object() -> Object {
        Object { etag: "one".to_owned(), modified: Millis(10_500), ..Object::default() }
    }

    fn tag(value: &str) -> Option<ETagCondition> {
        Some(ETagCondition::ETag(ETag::Strong(value.to_owned())))
    }

    fn date(seconds: u64) -> Option<Timestamp> {
        Some(moment::timestamp(Millis(seconds * 1000)))
    }

    #[test]
    fn a_matching_etag_outranks_the_date() {
        let conditions = ReadConditions {
            if_match: tag("one"),
            if_unmodified_since: date(5),
            ..ReadConditions::default()
        };
        assert_eq!(conditions.check(&object(), Purpose::Answer), Ok(()));
        let conditions = ReadConditions {
            if_none_match: tag("two"),
            if_modified_since: date(20),
            ..ReadConditions::default()
        };
        assert_eq!(conditions.check(&object(), Purpose::Answer), Ok(()));
    }

    #[test]
    fn an_unchanged_object_is_not_sent_again() {
        let conditions = ReadConditions { if_modified_since: date(10), ..Default::default() };
        let read = conditions.check(&object(), Purpose::Answer);
        assert!(matches!(read, Err(Error::NotModified { .. })));
        let copy = conditions.check(&object(), Purpose::Copy).unwrap_err();
        let condition = "x-amz-copy-source-If-Modified-Since".to_owned();
        assert_eq!(copy, Error::PreconditionFailed { condition });
        let conditions = ReadConditions { if_modified_since: date(9), ..Default::default() };
        assert_eq!(conditions.check(&object(), Purpose::Answer), Ok(()));
    }

    #[test]
    fn a_write_may_demand_that_nothing_is_there() {
        let absent = WriteConditions::new(None, Some(ETagCondition::Any)).unwrap();
        assert_eq!(absent.check("k", None), Ok(()));
        assert!(matches!(
            absent.check("k", Some(&object())),
            Err(Error::PreconditionFailed { .. })
        ));
        let same = WriteConditions::new(tag("one"), None).unwrap();
        assert_eq!(same.check("k", Some(&object())), Ok(()));
        assert!(matches!(same.check("k", None), Err(Error::NoSuchKey { .. })));
        assert!(WriteConditions::new(None, tag("one")).is_err());
    }
}
