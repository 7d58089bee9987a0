//! `AssumeRoleWithWebIdentity`: a session of a role for somebody whom an OpenID Connect provider
//! vouches for. Requests are not signed; the token and the role's trust policy decide, whatever the
//! server's mode.

use std::sync::Arc;

use bus::{Provider, Vouched};
use kit::{Arn, Caller, ConditionKeys, Millis, Tags};
use model::sts as api;

use super::{
    credentials, narrowed, packed_percent,
    role::{self, Wish},
    told,
};
use crate::{
    Error, Sts,
    identity_token::{self, Claims},
    session::Session,
};

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";

pub(crate) async fn run(
    sts: Arc<Sts>,
    caller: Caller,
    input: api::AssumeRoleWithWebIdentityInput,
) -> Result<api::AssumeRoleWithWebIdentityOutput, Error> {
    let arn = role::arn(&input.role_arn)?;
    let account = arn.account().parse().map_err(|_| Error::InvalidRoleArn(input.role_arn))?;
    let issuer = identity_token::issuer(&input.web_identity_token)?;
    let provider = sts.identities.provider(account, &issuer);
    let provider = provider.ok_or_else(|| Error::NoProvider(issuer.clone()))?;
    let claims = verified(&sts, &issuer, &input.web_identity_token, caller.now).await?;
    claims.check(&provider.client_ids, caller.now)?;

    let (tags, transitive) = session_tags(&claims)?;
    let narrowed = narrowed(&sts, input.policy, input.policy_arns)?;
    let packed = packed_percent(&narrowed, &tags)?;
    let wish = Wish { arn, name: input.role_session_name, seconds: input.duration_seconds };
    let keys = keys_of(&claims, &provider, &wish, &tags, &transitive);
    check_trust(&sts, &caller, &provider, &wish.arn, &keys)?;

    let (principal, seconds) = wish.granted(&sts, None).ok_or(Error::NotTrusted(ACTION))??;
    let session = Session {
        narrowed,
        tags,
        transitive,
        source_identity: claims.source_identity.clone(),
        provider: Some(provider.arn.to_string()),
        ..Session::new(account, principal, caller.now, seconds)
    };
    sts.identities.role_used(&wish.arn, &caller.region, caller.now);
    Ok(api::AssumeRoleWithWebIdentityOutput {
        credentials: Some(credentials(&sts, &session)),
        audience: Some(claims.audience().to_owned()),
        subject_from_web_identity_token: claims.sub,
        assumed_role_user: Some(api::AssumedRoleUser {
            assumed_role_id: session.principal.user_id,
            arn: session.principal.arn.to_string(),
        }),
        packed_policy_size: Some(packed).filter(|percent| *percent > 0),
        provider: Some(provider.arn.to_string()),
        source_identity: claims.source_identity,
        ..api::AssumeRoleWithWebIdentityOutput::default()
    })
}

/// The claims of a token that its issuer has signed, perhaps with keys that are new.
async fn verified(sts: &Sts, issuer: &str, token: &str, now: Millis) -> Result<Claims, Error> {
    let keys = sts.issuers.keys(issuer, now).await?;
    match identity_token::verified(token, &keys) {
        Err(Error::NoVerificationKey | Error::BadSignature) => {
            let newer = sts.issuers.newer(issuer, now).await?;
            identity_token::verified(token, &newer)
        }
        settled => settled,
    }
}

/// The tags that a token gives a session, and the keys of those that go on.
fn session_tags(claims: &Claims) -> Result<(Tags, Vec<String>), Error> {
    let tags = claims.tags.principal_tags.iter();
    let tags = tags.map(|(key, values)| api::Tag {
        key: key.clone(),
        value: values.first().cloned().unwrap_or_default(),
    });
    let tags = super::session_tags(Some(tags.collect()))?;
    let transitive = claims.tags.transitive_tag_keys.clone();
    super::check_transitive(&tags, &transitive)?;
    Ok((tags, transitive))
}

/// What the token and the request say of condition keys.
fn keys_of(
    claims: &Claims,
    provider: &Provider,
    wish: &Wish,
    tags: &Tags,
    transitive: &[String],
) -> Vec<(String, Vec<String>)> {
    let mut keys = claims.keys(&provider.name);
    keys.extend(told::session_name(&wish.name));
    keys.extend(told::source_identity(claims.source_identity.as_deref()));
    keys.extend(kit::request_tags(tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))));
    keys.extend(told::transitive(transitive));
    keys
}

/// Asks the role's trust policy for all that the session is to be.
fn check_trust(
    sts: &Sts,
    caller: &Caller,
    provider: &Provider,
    role: &Arn,
    keys: &ConditionKeys,
) -> Result<(), Error> {
    let has = |wanted: &str| keys.iter().any(|(key, _)| key == wanted);
    let tagging = has(told::TAG_KEYS).then_some("sts:TagSession");
    let naming = has(told::SOURCE_IDENTITY).then_some("sts:SetSourceIdentity");
    for action in [ACTION].into_iter().chain(tagging).chain(naming) {
        let vouched = Vouched { caller, provider: &provider.arn, action, role, keys };
        if !sts.identities.trusts(&vouched) {
            return Err(Error::NotTrusted(action));
        }
    }
    Ok(())
}
