//! `CreateOpenIDConnectProvider`, `GetOpenIDConnectProvider`, `ListOpenIDConnectProviders`,
//! `DeleteOpenIDConnectProvider`, `UpdateOpenIDConnectProviderThumbprint`,
//! `AddClientIDToOpenIDConnectProvider`, `RemoveClientIDFromOpenIDConnectProvider`,
//! `TagOpenIDConnectProvider`, `UntagOpenIDConnectProvider`, `ListOpenIDConnectProviderTags`.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::{given_tags, tags};
use crate::{
    Error, Iam,
    oidc_provider::{self, OidcProvider},
    page::Wanted,
    resource::{Kind, Resource},
    tags::Keys,
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateOpenIDConnectProviderInput,
) -> Result<api::CreateOpenIDConnectProviderOutput, Error> {
    let (account, now) = (caller.account, caller.now);
    let name = oidc_provider::name_of(&input.url)?.to_owned();
    let tags = given_tags(Keys::CaseIgnored, input.tags)?;
    let client_ids = input.client_id_list.unwrap_or_default();
    let thumbprints = input.thumbprint_list.unwrap_or_default();
    oidc_provider::check_thumbprints(&thumbprints)?;
    oidc_provider::check_clients(&client_ids)?;
    let resource = Resource::new::<OidcProvider>(account, name, None, tags, now);
    let provider = OidcProvider { resource, issuer: input.url, client_ids, thumbprints };
    iam.change(account, |draft| draft.add(provider.clone())).await?;
    Ok(api::CreateOpenIDConnectProviderOutput {
        open_id_connect_provider_arn: Some(provider.arn(account).to_string()),
        tags: view::some_tags(&provider.resource.tags),
    })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetOpenIDConnectProviderInput,
) -> Result<api::GetOpenIDConnectProviderOutput, Error> {
    let account = iam.account(caller.account);
    let provider = oidc_provider::find(&account, &input.open_id_connect_provider_arn)?;
    Ok(api::GetOpenIDConnectProviderOutput {
        url: Some(provider.name().to_owned()),
        client_id_list: Some(provider.client_ids.clone()),
        thumbprint_list: Some(provider.thumbprints.clone()),
        create_date: Some(provider.resource.created),
        tags: Some(view::tag_list(&provider.resource.tags)),
    })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    _input: api::ListOpenIDConnectProvidersInput,
) -> Result<api::ListOpenIDConnectProvidersOutput, Error> {
    let account = iam.account(caller.account);
    let entry = |provider: &Arc<OidcProvider>| api::OpenIDConnectProviderListEntry {
        arn: Some(provider.arn(account.id).to_string()),
    };
    let all = account.oidc_providers.iter().map(entry).collect();
    Ok(api::ListOpenIDConnectProvidersOutput { open_id_connect_provider_list: Some(all) })
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteOpenIDConnectProviderInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let arn = input.open_id_connect_provider_arn;
        let Ok(provider) = oidc_provider::find(draft.account(), &arn).cloned() else {
            return Err(Error::NoOidcProviderToDelete(arn));
        };
        draft.remove(&*provider);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn update_thumbprint(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UpdateOpenIDConnectProviderThumbprintInput,
) -> Result<Unit, Error> {
    oidc_provider::check_thumbprints(&input.thumbprint_list)?;
    modify(&iam, &caller, &input.open_id_connect_provider_arn, |provider| {
        provider.thumbprints = input.thumbprint_list;
        Ok(())
    })
    .await
}

pub(crate) async fn add_client(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::AddClientIDToOpenIDConnectProviderInput,
) -> Result<Unit, Error> {
    modify(&iam, &caller, &input.open_id_connect_provider_arn, |provider| {
        provider.add_client(input.client_id)
    })
    .await
}

pub(crate) async fn remove_client(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::RemoveClientIDFromOpenIDConnectProviderInput,
) -> Result<Unit, Error> {
    modify(&iam, &caller, &input.open_id_connect_provider_arn, |provider| {
        provider.client_ids.retain(|id| *id != input.client_id);
        Ok(())
    })
    .await
}

pub(crate) async fn tag(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::TagOpenIDConnectProviderInput,
) -> Result<Unit, Error> {
    let given = given_tags(Keys::CaseIgnored, Some(input.tags))?;
    modify(&iam, &caller, &input.open_id_connect_provider_arn, |provider| {
        tags::add_to_provider(&mut provider.resource.tags, given)
    })
    .await
}

pub(crate) async fn untag(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UntagOpenIDConnectProviderInput,
) -> Result<Unit, Error> {
    modify(&iam, &caller, &input.open_id_connect_provider_arn, |provider| {
        Keys::CaseIgnored.remove(&mut provider.resource.tags, &input.tag_keys);
        Ok(())
    })
    .await
}

pub(crate) async fn list_tags(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListOpenIDConnectProviderTagsInput,
) -> Result<api::ListOpenIDConnectProviderTagsOutput, Error> {
    let account = iam.account(caller.account);
    let provider = oidc_provider::find(&account, &input.open_id_connect_provider_arn)?;
    let wanted = Wanted::new(input.marker, input.max_items);
    let page = tags::list(&provider.resource.tags, &wanted)?;
    Ok(api::ListOpenIDConnectProviderTagsOutput {
        tags: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

async fn modify(
    iam: &Iam,
    caller: &Caller,
    arn: &str,
    change: impl FnOnce(&mut OidcProvider) -> Result<(), Error>,
) -> Result<Unit, Error> {
    let modified = iam.change(caller.account, |draft| {
        let name = oidc_provider::find(draft.account(), arn)?.name().to_owned();
        draft.modify(&name, change)
    });
    modified.await.map(|()| Unit)
}
