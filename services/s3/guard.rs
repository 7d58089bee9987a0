//! Asks for the permissions of S3's operations.

use std::{fmt, sync::Arc};

use kit::{Arn, Attempt, Authority, Caller, ConditionKeys, PrincipalKind};

use crate::{
    Error,
    access::{Permission, Subject, permissions},
};

/// Who decides what callers may do with buckets and objects; everybody may everything without it.
#[derive(Clone, Default)]
pub(crate) struct Guard(pub(crate) Option<Arc<dyn Authority>>);

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0.is_some()).finish()
    }
}

impl Guard {
    /// Lets an operation go on that has all the permissions it needs. `keys` is what the request
    /// says of S3's condition keys.
    pub(crate) fn permit(
        &self,
        caller: &Caller,
        operation: &str,
        subject: Subject<'_>,
        keys: &ConditionKeys,
    ) -> Result<(), Error> {
        if self.0.is_none() {
            return Ok(());
        }
        // Operations without a row here are not built.
        for Permission { action, resource } in permissions(operation, subject).unwrap_or_default() {
            self.permit_action(caller, action, resource, keys)?;
        }
        Ok(())
    }

    /// Lets an action go on that is allowed.
    pub(crate) fn permit_action(
        &self,
        caller: &Caller,
        action: &str,
        resource: Option<Arn>,
        keys: &ConditionKeys,
    ) -> Result<(), Error> {
        let Some(authority) = &self.0 else { return Ok(()) };
        let resources: &[Arn] = resource.as_slice();
        let attempt = Attempt { caller, service: None, action, resources, keys };
        authority.permit(&attempt).map_err(|denied| match caller.principal.kind {
            PrincipalKind::Anonymous => Error::denied(),
            // S3 puts the resource in quotes, which no other service does.
            _ => Error::AccessDenied { message: quoted(denied.0, resources) },
        })
    }

    /// Whether a policy names a key, in lower case, that is known of objects only when they are read.
    pub(crate) fn asks_for(&self, caller: &Caller, subject: Subject<'_>, key: &str) -> bool {
        let object = subject.resource().filter(|_| !subject.key.is_empty());
        let asked = self.0.as_ref().zip(object);
        asked.is_some_and(|(authority, object)| authority.asks_for(caller, &object, key))
    }
}

fn quoted(sentence: String, resources: &[Arn]) -> String {
    match resources {
        [resource] => sentence.replacen(resource.as_str(), &format!("\"{resource}\""), 1),
        _ => sentence,
    }
}
