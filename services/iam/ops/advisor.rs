//! `GenerateServiceLastAccessedDetails`, `GetServiceLastAccessedDetails`,
//! `GetServiceLastAccessedDetailsWithEntities`, `ListPoliciesGrantingServiceAccess`. Single actions
//! are not tracked: answers name services whatever granularity was asked for.

use std::sync::Arc;

use kit::Caller;
use model::iam as api;

use crate::{
    Error, Iam,
    advisor::{Job, Subject},
    page::Wanted,
};

pub(crate) async fn generate(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GenerateServiceLastAccessedDetailsInput,
) -> Result<api::GenerateServiceLastAccessedDetailsOutput, Error> {
    let subject = Subject::of(&iam.account(caller.account), &input.arn)?;
    let job_id = iam.jobs.keep(Job {
        account: caller.account,
        made: caller.now,
        granularity: input.granularity.unwrap_or_default(),
        services: subject.accessed(&iam.uses),
    });
    Ok(api::GenerateServiceLastAccessedDetailsOutput { job_id: Some(job_id) })
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetServiceLastAccessedDetailsInput,
) -> Result<api::GetServiceLastAccessedDetailsOutput, Error> {
    let job = iam.jobs.find(caller.account, &input.job_id)?;
    let services = job.services.iter().map(|it| (it.namespace().to_owned(), it.shown()));
    let page = Wanted::new(input.marker, input.max_items).of(services)?;
    Ok(api::GetServiceLastAccessedDetailsOutput {
        job_status: api::JobStatusType::Completed,
        job_type: Some(job.granularity),
        job_creation_date: job.made,
        job_completion_date: job.made,
        services_last_accessed: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
        error: None,
    })
}

pub(crate) async fn get_with_entities(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetServiceLastAccessedDetailsWithEntitiesInput,
) -> Result<api::GetServiceLastAccessedDetailsWithEntitiesOutput, Error> {
    let job = iam.jobs.find(caller.account, &input.job_id)?;
    let services = job.services.iter().filter(|it| it.namespace() == input.service_namespace);
    let entities = services.flat_map(|it| it.entities()).enumerate();
    // In the order of last uses; the key only says where a page ends.
    let entities = entities.map(|(at, entity)| (format!("{at:05}"), entity));
    let page = Wanted::new(input.marker, input.max_items).of(entities)?;
    Ok(api::GetServiceLastAccessedDetailsWithEntitiesOutput {
        job_status: api::JobStatusType::Completed,
        job_creation_date: job.made,
        job_completion_date: job.made,
        entity_details_list: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
        error: None,
    })
}

pub(crate) async fn granting(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListPoliciesGrantingServiceAccessInput,
) -> Result<api::ListPoliciesGrantingServiceAccessOutput, Error> {
    let subject = Subject::of(&iam.account(caller.account), &input.arn)?;
    // At most two hundred services: there is no second page.
    let entry = |service: String| api::ListPoliciesGrantingServiceAccessEntry {
        policies: Some(subject.granting(&service)),
        service_namespace: Some(service),
    };
    Ok(api::ListPoliciesGrantingServiceAccessOutput {
        policies_granting_service_access: input.service_namespaces.into_iter().map(entry).collect(),
        is_truncated: Some(false),
        marker: None,
    })
}
