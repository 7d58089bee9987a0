//! `CreateSAMLProvider`, `GetSAMLProvider`, `ListSAMLProviders`, `UpdateSAMLProvider`,
//! `DeleteSAMLProvider`, `TagSAMLProvider`, `UntagSAMLProvider`, `ListSAMLProviderTags`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::{given_tags, tags};
use crate::{
    Error, Iam,
    page::Wanted,
    resource::{Kind, Resource},
    saml_provider::{self, SamlProvider},
    tags::Keys,
    view,
};

/// Keys are of no use before assertions are taken.
const NO_KEYS: Error = Error::NotBuilt("private keys of SAML providers");

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateSAMLProviderInput,
) -> Result<api::CreateSAMLProviderOutput, Error> {
    let (account, now) = (caller.account, caller.now);
    if input.add_private_key.is_some() {
        return Err(NO_KEYS);
    }
    let tags = given_tags(Keys::CaseIgnored, input.tags)?;
    let document = input.saml_metadata_document;
    let provider = SamlProvider {
        valid_until: saml_provider::read_metadata(&document, now)?,
        resource: Resource::new::<SamlProvider>(account, input.name, None, tags, now),
        document,
        encrypted: input.assertion_encryption_mode.is_some_and(is_required),
    };
    iam.change(account, |draft| draft.add(provider.clone())).await?;
    Ok(api::CreateSAMLProviderOutput {
        saml_provider_arn: Some(provider.arn(account).to_string()),
        tags: view::some_tags(&provider.resource.tags),
    })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetSAMLProviderInput,
) -> Result<api::GetSAMLProviderOutput, Error> {
    let account = iam.account(caller.account);
    let provider = saml_provider::find(&account, &input.saml_provider_arn)?;
    let mode = match provider.encrypted {
        true => api::AssertionEncryptionModeType::Required,
        false => api::AssertionEncryptionModeType::Allowed,
    };
    Ok(api::GetSAMLProviderOutput {
        saml_provider_uuid: Some(provider.id().to_owned()),
        saml_metadata_document: Some(provider.document.clone()),
        create_date: Some(provider.resource.created),
        valid_until: Some(provider.valid_until),
        tags: Some(view::tag_list(&provider.resource.tags)),
        assertion_encryption_mode: Some(mode),
        private_key_list: Some(Vec::new()),
    })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::ListSAMLProvidersInput,
) -> Result<api::ListSAMLProvidersOutput, Error> {
    let account = iam.account(caller.account);
    let entry = |provider: &Arc<SamlProvider>| api::SAMLProviderListEntry {
        arn: Some(provider.arn(account.id).to_string()),
        valid_until: Some(provider.valid_until),
        create_date: Some(provider.resource.created),
    };
    let all = account.saml_providers.iter().map(entry).collect();
    Ok(api::ListSAMLProvidersOutput { saml_provider_list: Some(all) })
}

pub(crate) async fn update(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateSAMLProviderInput,
) -> Result<api::UpdateSAMLProviderOutput, Error> {
    if input.add_private_key.is_some() || input.remove_private_key.is_some() {
        return Err(NO_KEYS);
    }
    let arn = input.saml_provider_arn;
    let updated = modify(&iam, &caller, &arn, |provider| {
        if let Some(document) = input.saml_metadata_document {
            provider.valid_until = saml_provider::read_metadata(&document, caller.now)?;
            provider.document = document;
        }
        if let Some(mode) = input.assertion_encryption_mode {
            provider.encrypted = is_required(mode);
        }
        Ok(())
    });
    updated.await?;
    Ok(api::UpdateSAMLProviderOutput { saml_provider_arn: Some(arn) })
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteSAMLProviderInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let provider = saml_provider::find(draft.account(), &input.saml_provider_arn)?.clone();
        draft.remove(&*provider);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn tag(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::TagSAMLProviderInput,
) -> Result<Unit, Error> {
    let given = given_tags(Keys::CaseIgnored, Some(input.tags))?;
    modify(&iam, &caller, &input.saml_provider_arn, |provider| {
        tags::add_to_provider(&mut provider.resource.tags, given)
    })
    .await
}

pub(crate) async fn untag(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UntagSAMLProviderInput,
) -> Result<Unit, Error> {
    modify(&iam, &caller, &input.saml_provider_arn, |provider| {
        Keys::CaseIgnored.remove(&mut provider.resource.tags, &input.tag_keys);
        Ok(())
    })
    .await
}

pub(crate) async fn list_tags(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListSAMLProviderTagsInput,
) -> Result<api::ListSAMLProviderTagsOutput, Error> {
    let account = iam.account(caller.account);
    let provider = saml_provider::find(&account, &input.saml_provider_arn)?;
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = tags::list(&provider.resource.tags, &wanted)?;
    Ok(api::ListSAMLProviderTagsOutput {
        tags: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

fn is_required(mode: api::AssertionEncryptionModeType) -> bool {
    mode == api::AssertionEncryptionModeType::Required
}

async fn modify(
    iam: &Iam,
    caller: &Caller,
    arn: &str,
    change: impl FnOnce(&mut SamlProvider) -> Result<(), Error>,
) -> Result<Unit, Error> {
    let modified = iam.change(caller.account, |draft| {
        let name = saml_provider::find(draft.account(), arn)?.name().to_owned();
        draft.modify(&name, change)
    });
    modified.await.map(|()| Unit)
}
