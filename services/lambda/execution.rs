//! What functions' roles must allow, and who may hand them over. Nothing is asked where nobody
//! decides.

use kit::{Arn, Attempt, Authority, Caller, Millis, Principal, PrincipalKind, Service, Session};

use crate::{Error, Lambda};

const LAMBDA: &str = "lambda.amazonaws.com";

impl Lambda {
    /// Whether a caller may give a function this role, and whether Lambda may assume it.
    pub(crate) fn check_role(&self, caller: &Caller, role: &str) -> Result<(), Error> {
        let Some(authority) = self.bus.directory().authority() else { return Ok(()) };
        let role: Arn = role.parse().map_err(|_| Error::RoleNotAssumable)?;
        let resources = std::slice::from_ref(&role);
        let keys = [("iam:PassedToService".to_owned(), vec![LAMBDA.to_owned()])];
        let passing =
            Attempt { caller, service: None, action: "iam:PassRole", resources, keys: &keys };
        authority.permit(&passing).map_err(|denied| Error::AccessDenied(denied.to_string()))?;
        let service = Service { name: LAMBDA, source: None, account: None };
        let action = "sts:AssumeRole";
        let assuming = Attempt { caller, service: Some(service), action, resources, keys: &[] };
        authority.permit(&assuming).map_err(|_| Error::RoleNotAssumable)
    }

    /// Whether a function's role lets Lambda poll a queue for it.
    pub(crate) fn check_polls(
        &self,
        function: &runtime::Function,
        queue: &Arn,
    ) -> Result<(), Error> {
        for name in ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes"] {
            if !self.role_may(function, &format!("sqs:{name}"), queue) {
                return Err(Error::RoleLacks { name, service: "SQS" });
            }
        }
        Ok(())
    }

    /// Whether a function's role allows it an action on a resource.
    pub(crate) fn role_may(
        &self,
        function: &runtime::Function,
        action: &str,
        resource: &Arn,
    ) -> bool {
        let authority = self.bus.directory().authority();
        let now = self.clock.now();
        authority.is_none_or(|it| role_may(&**it, function, action, resource, now))
    }
}

/// Whether a function's role allows it an action on a resource.
pub(crate) fn role_may(
    authority: &dyn Authority,
    function: &runtime::Function,
    action: &str,
    resource: &Arn,
    now: Millis,
) -> bool {
    let caller = as_role(function, now);
    let resources = std::slice::from_ref(resource);
    let attempt = Attempt { caller: &caller, service: None, action, resources, keys: &[] };
    authority.permit(&attempt).is_ok()
}

/// A function's role, as the one who calls.
fn as_role(function: &runtime::Function, now: Millis) -> Caller {
    let role: Option<Arn> = function.role.parse().ok();
    let name = role.as_ref().and_then(|role| role.resource().rsplit('/').next());
    let (account, session) = (function.account, &function.name);
    let resource = format!("assumed-role/{}/{session}", name.unwrap_or_default());
    Caller {
        principal: Principal {
            arn: Arn::new("sts", "", account.as_str(), resource),
            user_id: String::new(),
            kind: PrincipalKind::AssumedRole,
        },
        session: Some(Session::default().into()),
        ..Caller::internal(account, function.region.clone(), now)
    }
}
