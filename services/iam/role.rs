//! Roles, those of AWS services included.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    account::Account,
    document,
    grants::{Bounded, Grants, Identity},
    limits::{self, Quota},
    resource::{Kind, Resource},
    shelf::Shelf,
};

/// Where roles live that a service made for itself.
const SERVICE_ROLES: &str = "/aws-service-role/";

/// A role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Role {
    pub(crate) resource: Resource,
    pub(crate) grants: Grants,
    pub(crate) boundary: Option<String>,
    /// Who may assume it.
    pub(crate) trust: String,
    pub(crate) description: Option<String>,
    pub(crate) max_session_seconds: u32,
}

impl Role {
    /// Whether it belongs to a service and changes at that service's wish only.
    pub(crate) fn is_service_linked(&self) -> bool {
        self.path().starts_with(SERVICE_ROLES)
    }
}

/// Checks a trust policy.
pub(crate) fn check_trust(policy: &str) -> Result<(), Error> {
    document::check_trust_policy(policy).map_err(Error::MalformedPolicy)?;
    if document::size(policy) > limits::TRUST_POLICY_SIZE.limit {
        return Err(Error::QuotaExceeded(limits::TRUST_POLICY_SIZE));
    }
    Ok(())
}

/// The path of a service's roles.
pub(crate) fn service_path(service: &str) -> String {
    format!("{SERVICE_ROLES}{service}/")
}

/// The name of a service's role: `AWSServiceRoleForAutoScaling_suffix`. Names that do not follow
/// from the service's are those of the user guide's list of service-linked roles.
pub(crate) fn service_role_name(service: &str, suffix: Option<&str>) -> String {
    let host = service.strip_suffix(".amazonaws.com").unwrap_or(service);
    let word = match host {
        "autoscaling" => "AutoScaling".to_owned(),
        "elasticbeanstalk" => "ElasticBeanstalk".to_owned(),
        "elasticloadbalancing" => "ElasticLoadBalancing".to_owned(),
        "dynamodb.application-autoscaling" => "ApplicationAutoScaling_DynamoDBTable".to_owned(),
        "lambda.application-autoscaling" => "ApplicationAutoScaling_LambdaConcurrency".to_owned(),
        "ecs" => "ECS".to_owned(),
        "rds" => "RDS".to_owned(),
        "spot" => "EC2Spot".to_owned(),
        "events" => "CloudWatchEvents".to_owned(),
        "ops.apigateway" => "APIGateway".to_owned(),
        "replicator.lambda" => "LambdaReplicator".to_owned(),
        other => capitalised(other),
    };
    let tail = suffix.map(|suffix| format!("_{suffix}")).unwrap_or_default();
    format!("AWSServiceRoleFor{word}{tail}")
}

fn capitalised(host: &str) -> String {
    let word = |part: &str| {
        let mut letters = part.chars();
        let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
        first + letters.as_str()
    };
    host.split(['.', '-']).map(word).collect()
}

/// What a service's role trusts.
pub(crate) fn service_trust(service: &str) -> String {
    let principal = serde_json::json!(service);
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":{principal}}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

impl Kind for Role {
    const TABLE: &'static str = "iam/role";
    const WORD: &'static str = "role";
    const ID_PREFIX: &'static str = "AROA";
    const QUOTA: Quota = limits::ROLES;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<Role> {
        &account.roles
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<Role> {
        &mut account.roles
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchNamed { kind: "role", name: name.to_owned() }
    }

    fn exists(name: &str) -> Error {
        Error::NamedExists { kind: "Role", name: name.to_owned() }
    }
}

impl Identity for Role {
    const ATTACHED: Quota = limits::ATTACHED_PER_ROLE;
    const INLINE_SIZE: usize = limits::ROLE_INLINE_SIZE;

    fn grants(&self) -> &Grants {
        &self.grants
    }

    fn grants_mut(&mut self) -> &mut Grants {
        &mut self.grants
    }

    fn check_unprotected(&self) -> Result<(), Error> {
        if self.is_service_linked() {
            return Err(Error::ProtectedRole(self.name().to_owned()));
        }
        Ok(())
    }
}

impl Bounded for Role {
    fn boundary(&self) -> Option<&str> {
        self.boundary.as_deref()
    }

    fn boundary_mut(&mut self) -> &mut Option<String> {
        &mut self.boundary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_role_is_named_after_the_service() {
        assert_eq!(service_role_name("spot.amazonaws.com", None), "AWSServiceRoleForEC2Spot");
        assert_eq!(
            service_role_name("autoscaling.amazonaws.com", Some("mine")),
            "AWSServiceRoleForAutoScaling_mine"
        );
        assert_eq!(service_role_name("config.amazonaws.com", None), "AWSServiceRoleForConfig");
        assert!(document::check_trust_policy(&service_trust("config.amazonaws.com")).is_ok());
    }
}
