//! Queue names, and where a queue's URL points. Account and name are what counts in a URL: any host
//! is accepted, since clients reach one server under many names.

use std::{fmt, sync::Arc};

use kit::{AccountId, Arn, Caller, Region};
use serde::{Deserialize, Serialize};

use crate::{error::Error, limits};

/// The ending of FIFO queues' names.
const FIFO: &str = ".fifo";

/// The two kinds of queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Standard,
    /// Keeps order by message group; its name ends in `.fifo`.
    Fifo,
}

/// A queue's place: there is at most one queue at each.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: Arc<str>,
}

impl Place {
    /// The place of a queue that is to be created.
    pub(crate) fn create(caller: &Caller, name: &str, kind: Kind) -> Result<Place, Error> {
        let stem = match kind {
            Kind::Standard => Some(name),
            Kind::Fifo => name.strip_suffix(FIFO),
        };
        let fits = |stem: &&str| {
            let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !stem.is_empty() && name.len() <= limits::NAME_CHARS && stem.bytes().all(valid)
        };
        match (stem.filter(fits), kind) {
            (Some(_), _) => Ok(Place::of(caller, name)),
            (None, Kind::Standard) => Err(Error::InvalidParameterValue(
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length".to_owned(),
            )),
            (None, Kind::Fifo) => Err(Error::InvalidParameterValue(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length".to_owned(),
            )),
        }
    }

    /// The place of this name in the caller's account and region.
    pub(crate) fn of(caller: &Caller, name: &str) -> Place {
        Place { account: caller.account, region: caller.region.clone(), name: name.into() }
    }

    /// The place that a queue URL, or a bare name, means to this caller.
    pub(crate) fn from_url(caller: &Caller, url: &str) -> Result<Place, Error> {
        let path = url.split_once("://").map_or(url, |(_, rest)| rest);
        let mut parts = path.trim_end_matches('/').rsplit('/');
        let name = parts.next().unwrap_or_default();
        let account = match parts.next() {
            Some(account) => account.parse().map_err(|_| Error::QueueDoesNotExist)?,
            None => caller.account,
        };
        Ok(Place { account, region: caller.region.clone(), name: name.into() })
    }

    /// The place that an ARN names.
    pub(crate) fn from_arn(arn: &Arn) -> Option<Place> {
        if arn.service() != "sqs" {
            return None;
        }
        let (account, region) = (arn.account().parse().ok()?, arn.region().parse().ok()?);
        Some(Place { account, region, name: arn.resource().into() })
    }

    /// The queue's ARN.
    pub(crate) fn arn(&self) -> Arn {
        Arn::new("sqs", self.region.as_str(), self.account.as_str(), &self.name)
    }

    /// The queue's URL as this caller reaches it.
    pub(crate) fn url(&self, caller: &Caller) -> String {
        format!("{}/{}/{}", caller.endpoint, self.account, self.name)
    }

    /// What the name says of the queue's kind.
    pub(crate) fn kind(&self) -> Kind {
        if self.is_fifo() { Kind::Fifo } else { Kind::Standard }
    }

    /// Whether the name is a FIFO queue's.
    pub(crate) fn is_fifo(&self) -> bool {
        self.name.ends_with(FIFO)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.region, self.name)
    }
}

#[cfg(test)]
mod tests {
    use kit::Millis;

    use super::*;

    fn caller() -> Caller {
        Caller {
            endpoint: "http://localhost:4566".to_owned(),
            ..Caller::internal(AccountId::DEFAULT, Region::default(), Millis(0))
        }
    }

    #[test]
    fn a_url_is_account_and_name_under_any_host() {
        let caller = caller();
        let place = Place::create(&caller, "jobs", Kind::Standard).unwrap();
        assert_eq!(place.url(&caller), "http://localhost:4566/000000000000/jobs");
        for url in [
            "jobs",
            "000000000000/jobs",
            "http://localhost:4566/000000000000/jobs",
            "https://sqs.us-east-1.amazonaws.com/000000000000/jobs",
            "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/jobs/",
        ] {
            assert_eq!(Place::from_url(&caller, url).unwrap(), place, "{url}");
        }
        assert!(Place::from_url(&caller, "http://localhost/account/jobs").is_err());
        assert_eq!(Place::from_arn(&place.arn()).unwrap(), place);
    }

    #[test]
    fn names_are_checked_when_a_queue_is_created() {
        let caller = caller();
        let long = "a".repeat(80);
        for (name, kind, fits) in [
            ("a-b_C9", Kind::Standard, true),
            ("a.b", Kind::Standard, false),
            ("", Kind::Standard, false),
            (long.as_str(), Kind::Standard, true),
            ("jobs.fifo", Kind::Standard, false),
            ("jobs.fifo", Kind::Fifo, true),
            ("jobs", Kind::Fifo, false),
            (".fifo", Kind::Fifo, false),
        ] {
            assert_eq!(Place::create(&caller, name, kind).is_ok(), fits, "{name}");
        }
        assert!(Place::create(&caller, &"a".repeat(81), Kind::Standard).is_err());
    }
}
