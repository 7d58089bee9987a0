//! The ARNs in `Resource` and `NotResource`.

use super::{Statement, texts};

const PARTITIONS: [&str; 8] =
    ["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc"];
const IAM_PATHS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];

/// The first thing that is wrong with a resource, to be said after what is wrong with actions; `Err`
/// if AWS's older parser gives up.
pub(super) fn check_forms(statements: &[&Statement]) -> Result<Option<String>, ()> {
    for statement in statements {
        for key in ["Resource", "NotResource"] {
            let Some(value) = statement.get(key) else { continue };
            // AWS names the last one in alphabetical order.
            let mut sorted: Vec<&str> = texts(value).collect();
            sorted.sort_unstable_by(|one, other| other.cmp(one));
            if let Some(fault) = sorted.iter().find_map(|it| fault(it)) {
                return Ok(Some(fault));
            }
            if !sorted.iter().all(|it| survives_legacy(it)) {
                return Err(());
            }
        }
    }
    Ok(None)
}

fn fault(resource: &str) -> Option<String> {
    if resource == "*" {
        return None;
    }
    let Some((_, rest)) = resource.split_once(':') else {
        return Some(format!("Resource {resource} must be in ARN format or \"*\"."));
    };
    let (partition, rest) =
        rest.split_once(':').map_or((rest, None), |(it, rest)| (it, Some(rest)));
    if partition != "*" && !PARTITIONS.contains(&partition) {
        return Some(partition_fault(partition, rest));
    }
    let Some(rest) = rest else {
        let text = "Resource vendor must be fully qualified and cannot contain regexes.";
        return Some(text.to_owned());
    };
    let mut parts = rest.splitn(4, ':');
    let [service, region, _account, path] =
        std::array::from_fn(|_| parts.next().unwrap_or_default());
    match service {
        "iam" if !region.is_empty() => {
            Some(format!("IAM resource {resource} cannot contain region information."))
        }
        "iam" if path != "*" && !IAM_PATHS.iter().any(|it| path.starts_with(it)) => {
            let paths = IAM_PATHS.join(", ");
            Some(format!("IAM resource path must either be \"*\" or start with {paths}."))
        }
        "s3" if !region.is_empty() && !path.starts_with("accesspoint/") => {
            Some(format!("Resource {resource} can not contain region information."))
        }
        _ => None,
    }
}

/// AWS writes the ARN with stars for the parts it lacks.
fn partition_fault(partition: &str, rest: Option<&str>) -> String {
    let mut parts = rest.unwrap_or("*").splitn(4, ':');
    let [service, region, account, path] = std::array::from_fn(|_| parts.next().unwrap_or("*"));
    format!(
        "Partition \"{partition}\" is not valid for resource \
         \"arn:{partition}:{service}:{region}:{account}:{path}\"."
    )
}

fn survives_legacy(resource: &str) -> bool {
    let colons = resource.bytes().filter(|byte| *byte == b':').count();
    let service = resource.split(':').nth(2).unwrap_or_default();
    resource == "*" || (!service.is_empty() && (colons >= 5 || !resource.contains("::")))
}
