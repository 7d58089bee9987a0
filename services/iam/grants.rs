//! The policies that a user, group or role carries: inline ones by name, managed ones by ARN.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Error, document, limits::Quota, resource::Kind};

/// Policies of one identity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Grants {
    /// Name → document.
    pub(crate) inline: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub(crate) attached: BTreeSet<String>,
}

/// A kind of resource that policies are put on.
pub(crate) trait Identity: Kind {
    /// How many managed policies it carries.
    const ATTACHED: Quota;
    /// How large its inline policies are together.
    const INLINE_SIZE: usize;

    fn grants(&self) -> &Grants;
    fn grants_mut(&mut self) -> &mut Grants;

    /// Refuses changes to what belongs to AWS.
    fn check_unprotected(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// An identity that a permissions boundary can be set on.
pub(crate) trait Bounded: Identity {
    /// The policy's ARN.
    fn boundary(&self) -> Option<&str>;
    fn boundary_mut(&mut self) -> &mut Option<String>;
}

/// Puts an inline policy in place.
pub(crate) fn put_inline<T: Identity>(
    identity: &mut T,
    name: String,
    document: String,
) -> Result<(), Error> {
    document::check_identity_policy(&document).map_err(Error::MalformedPolicy)?;
    let grants = identity.grants_mut();
    grants.inline.insert(name, document);
    let size: usize = grants.inline.values().map(|it| document::size(it)).sum();
    if size > T::INLINE_SIZE {
        let name = identity.name().to_owned();
        return Err(Error::InlinePoliciesTooLarge { limit: T::INLINE_SIZE, kind: T::WORD, name });
    }
    Ok(())
}

/// An inline policy's document.
pub(crate) fn inline<'a, T: Identity>(identity: &'a T, name: &str) -> Result<&'a str, Error> {
    let document = identity.grants().inline.get(name).map(String::as_str);
    document.ok_or_else(|| Error::NoSuchInlinePolicy { kind: T::WORD, name: name.to_owned() })
}

/// Removes an inline policy.
pub(crate) fn delete_inline<T: Identity>(identity: &mut T, name: &str) -> Result<(), Error> {
    inline(identity, name)?;
    identity.grants_mut().inline.remove(name);
    Ok(())
}

/// Attaches a managed policy, which exists. Attaching it again changes nothing.
pub(crate) fn attach<T: Identity>(identity: &mut T, arn: &str) -> Result<(), Error> {
    let attached = &mut identity.grants_mut().attached;
    attached.insert(arn.to_owned());
    if attached.len() > T::ATTACHED.limit {
        return Err(Error::QuotaExceeded(T::ATTACHED));
    }
    Ok(())
}

/// Detaches a managed policy.
pub(crate) fn detach<T: Identity>(identity: &mut T, arn: &str) -> Result<(), Error> {
    if identity.grants_mut().attached.remove(arn) {
        return Ok(());
    }
    Err(Error::NoSuchPolicy(arn.to_owned()))
}

/// Whether an identity may be deleted as far as its policies go.
pub(crate) fn check_deletable<T: Identity>(identity: &T) -> Result<(), Error> {
    if !identity.grants().attached.is_empty() {
        return Err(Error::StillInUse("detach all policies"));
    }
    if !identity.grants().inline.is_empty() {
        return Err(Error::StillInUse("delete policies"));
    }
    Ok(())
}
