//! The managed policies of AWS that applications name: `managed/*.json`, facts of AWS. Each file is
//! a list; of every policy the version in effect is known.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use kit::{Millis, Tags};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    policy::{Policy, Version},
    resource::Resource,
};

const ARN_START: &str = "arn:aws:iam::aws:policy";

const FILES: [&str; 5] = [
    include_str!("managed/account.json"),
    include_str!("managed/data.json"),
    include_str!("managed/lambda.json"),
    include_str!("managed/messaging.json"),
    include_str!("managed/operations.json"),
];

/// By ARN.
static POLICIES: LazyLock<BTreeMap<String, Arc<Policy>>> = LazyLock::new(|| {
    let read = |file: &&str| {
        serde_json::from_str::<Vec<Entry>>(file).expect("the files are part of the program")
    };
    FILES.iter().flat_map(read).map(Entry::policy).collect()
});

/// The policy of this ARN.
pub(crate) fn find(arn: &str) -> Option<&'static Arc<Policy>> {
    POLICIES.get(arn)
}

/// All, with their ARNs.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static Arc<Policy>)> {
    POLICIES.iter().map(|(arn, policy)| (arn.as_str(), policy))
}

/// Whether an ARN is one of AWS's own policies, known here or not.
pub(crate) fn is_of_aws(arn: &str) -> bool {
    arn.starts_with(ARN_START)
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    path: String,
    version: String,
    created: String,
    updated: String,
    document: Box<RawValue>,
}

impl Entry {
    fn policy(self) -> (String, Arc<Policy>) {
        let arn = format!("{ARN_START}{}{}", self.path, self.name);
        let created = moment(&self.created);
        let updated = moment(&self.updated);
        let number = self.version.trim_start_matches('v').parse().unwrap_or(1);
        let version = Version { document: self.document.get().to_owned(), created: updated };
        let resource = Resource {
            id: policy_id(&arn),
            name: self.name,
            path: self.path,
            created,
            tags: Tags::new(),
        };
        let policy = Policy {
            resource,
            description: None,
            updated,
            default: number,
            next: number + 1,
            versions: BTreeMap::from([(number, version)]),
        };
        (arn, Arc::new(policy))
    }
}

/// An id that is the same at every start; AWS's own are not part of the facts.
fn policy_id(arn: &str) -> String {
    const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters =
        Sha256::digest(arn).into_iter().map(|byte| BASE32[usize::from(byte) % 32] as char);
    "ANPA".chars().chain(letters.take(17)).collect()
}

fn moment(text: &str) -> Millis {
    let date = OffsetDateTime::parse(text, &Rfc3339).expect("the files are part of the program");
    Millis(u64::try_from(date.unix_timestamp()).unwrap_or(0) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    #[test]
    fn the_policies_that_lambda_applications_name_are_there() {
        for name in [
            "service-role/AWSLambdaBasicExecutionRole",
            "service-role/AWSLambdaSQSQueueExecutionRole",
            "service-role/AWSLambdaDynamoDBExecutionRole",
            "service-role/AWSLambdaKinesisExecutionRole",
            "service-role/AWSLambdaVPCAccessExecutionRole",
            "service-role/AWSLambdaRole",
            "AWSLambda_FullAccess",
            "AWSLambda_ReadOnlyAccess",
            "AWSXRayDaemonWriteAccess",
            "AmazonS3FullAccess",
            "AmazonS3ReadOnlyAccess",
            "AmazonSQSFullAccess",
            "AmazonDynamoDBFullAccess",
            "CloudWatchLogsFullAccess",
            "AdministratorAccess",
            "PowerUserAccess",
            "ReadOnlyAccess",
        ] {
            let arn = format!("{ARN_START}/{name}");
            assert!(find(&arn).is_some(), "{arn}");
        }
        let basic = find("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole");
        let basic = basic.unwrap();
        assert_eq!(
            (basic.default, basic.resource.created.iso8601_seconds().as_str()),
            (1, "2015-04-09T15:03:43Z")
        );
    }

    #[test]
    fn every_document_is_a_policy() {
        for (arn, policy) in all() {
            let document = &policy.versions[&policy.default].document;
            assert_eq!(document::check_identity_policy(document), Ok(()), "{arn}");
        }
    }
}
