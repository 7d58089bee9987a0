//! CloudWatch Logs: groups, streams, events, and searching them.
//!
//! Read in this order: `catalog` (groups and streams), `intake` (which events are taken), `event`
//! (ids and tokens), `search` (events in the order of time), `pattern/` (filter patterns); then
//! `changes` and `store` (rows), `port` (functions' lines), `worker` (retention) and `ops/`.
//!
//! Invariants: rows change before memory does. A stream's number is never used again, so events of
//! a deleted stream can never show up in another. Events that have expired are not seen, whether
//! or not they are still on disk.

mod catalog;
mod changes;
mod error;
mod event;
mod intake;
mod limits;
mod name;
mod ops;
mod page;
mod pattern;
mod port;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod told;
mod worker;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ::store::{DataFolder, OpenError, ReadError, SegmentConfig, SegmentLog, Store};
use kit::{Clock, tag_keys};
use model::logs as api;
use tokio::{
    sync::{Mutex, MutexGuard, watch},
    task::JoinHandle,
};
use wire::{Access, Table};

use crate::{
    catalog::{Catalog, Place, Stream},
    search::{Found, Search},
};

pub use crate::error::Error;

/// The service and what it needs.
pub struct Logs {
    rows: Store,
    events: SegmentLog,
    clock: Clock,
    catalog: RwLock<Catalog>,
    /// Held while rows and then memory change, so that what memory says when a change is judged
    /// still holds when it is committed. Only makers of groups and streams wait here.
    changing: Mutex<()>,
    stop: watch::Sender<bool>,
    worker: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// Why the service did not open.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The events' files.
    #[error("opening the log events failed")]
    Events(#[from] OpenError),
    /// The rows.
    #[error("reading log groups and streams failed")]
    Rows(#[from] ReadError),
}

impl Logs {
    /// Opens the service on a data folder, offers its port and starts its worker.
    ///
    /// # Errors
    /// The rows or the events' files cannot be read.
    pub async fn open(
        rows: Store,
        folder: &DataFolder,
        directory: &bus::Directory,
        clock: Clock,
    ) -> Result<Arc<Logs>, LoadError> {
        let events = SegmentLog::open(&folder.join("logs"), SegmentConfig::default())?;
        let catalog = RwLock::new(store::load(&rows).await?);
        let logs = Arc::new(Logs {
            rows,
            events,
            clock,
            catalog,
            changing: Mutex::new(()),
            stop: watch::Sender::new(false),
            worker: std::sync::Mutex::new(None),
        });
        directory.offer_logs(logs.clone());
        directory.offer_policies("logs", logs.clone());
        logs.start_worker();
        Ok(logs)
    }

    /// Every operation this service answers.
    pub fn table(self: &Arc<Self>) -> Table {
        let table = self.groups(Table::new(&api::SERVICE));
        self.events(self.tags(table))
    }

    fn catalog(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn catalog_mut(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    async fn turn(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    fn stream(&self, place: &Place, group: &str, name: &str) -> Result<Stream, Error> {
        self.catalog().group(place, group)?.stream(name)
    }

    async fn search(&self, search: Search) -> Result<Found, Error> {
        let events = self.events.clone();
        let found = tokio::task::spawn_blocking(move || search.run(&events)).await;
        Ok(found.map_err(|error| Error::Internal(error.to_string()))??)
    }
}

#[rustfmt::skip] // One line per operation.
impl Logs {
    fn groups(self: &Arc<Self>, table: Table) -> Table {
        use crate::name::{group_access, of_identifier, stream_arn};
        table
            .on::<api::CreateLogGroup, _, _, _>(self, ops::groups::create, Access::<api::CreateLogGroupInput>::new("logs:CreateLogGroup", |caller, input| vec![group_access(caller, &input.log_group_name)]).telling(|_, input| told::made(input)).also(told::tagging))
            .on::<api::DeleteLogGroup, _, _, _>(self, ops::groups::delete, Access::new("logs:DeleteLogGroup", |caller, input| vec![group_access(caller, &input.log_group_name)]))
            .on::<api::PutLogGroupDeletionProtection, _, _, _>(self, ops::groups::protect, Access::new("logs:PutLogGroupDeletionProtection", |caller, input| vec![group_access(caller, of_identifier(&input.log_group_identifier))]))
            .on::<api::DescribeLogGroups, _, _, _>(self, ops::describe_log_groups::run, Access::new("logs:DescribeLogGroups", |caller, input| vec![group_access(caller, input.log_group_name_prefix.as_deref().unwrap_or_default())]))
            .on::<api::PutRetentionPolicy, _, _, _>(self, ops::retention::put, Access::new("logs:PutRetentionPolicy", |caller, input| vec![group_access(caller, &input.log_group_name)]))
            .on::<api::DeleteRetentionPolicy, _, _, _>(self, ops::retention::delete, Access::new("logs:DeleteRetentionPolicy", |caller, input| vec![group_access(caller, &input.log_group_name)]))
            .on::<api::CreateLogStream, _, _, _>(self, ops::streams::create, Access::new("logs:CreateLogStream", |caller, input| vec![stream_arn(caller, &input.log_group_name, &input.log_stream_name)]))
            .on::<api::DeleteLogStream, _, _, _>(self, ops::streams::delete, Access::new("logs:DeleteLogStream", |caller, input| vec![stream_arn(caller, &input.log_group_name, &input.log_stream_name)]))
            .on::<api::DescribeLogStreams, _, _, _>(self, ops::describe_log_streams::run, Access::new("logs:DescribeLogStreams", |caller, input| vec![group_access(caller, either(&input.log_group_name, &input.log_group_identifier))]))
    }

    fn tags(self: &Arc<Self>, table: Table) -> Table {
        use crate::name::{group_access, group_arn, of_identifier};
        table
            .on::<api::TagResource, _, _, _>(self, ops::tags::tag_resource, Access::<api::TagResourceInput>::new("logs:TagResource", |caller, input| vec![group_arn(caller, of_identifier(&input.resource_arn))]).telling(|_, input| told::tags(&input.tags)))
            .on::<api::UntagResource, _, _, _>(self, ops::tags::untag_resource, Access::<api::UntagResourceInput>::new("logs:UntagResource", |caller, input| vec![group_arn(caller, of_identifier(&input.resource_arn))]).telling(|_, input| tag_keys(&input.tag_keys)))
            .on::<api::ListTagsForResource, _, _, _>(self, ops::tags::list_tags_for_resource, Access::new("logs:ListTagsForResource", |caller, input| vec![group_arn(caller, of_identifier(&input.resource_arn))]))
            .on::<api::TagLogGroup, _, _, _>(self, ops::tags::tag_log_group, Access::<api::TagLogGroupInput>::new("logs:TagLogGroup", |caller, input| vec![group_access(caller, &input.log_group_name)]).telling(|_, input| told::tags(&input.tags)))
            .on::<api::UntagLogGroup, _, _, _>(self, ops::tags::untag_log_group, Access::<api::UntagLogGroupInput>::new("logs:UntagLogGroup", |caller, input| vec![group_access(caller, &input.log_group_name)]).telling(|_, input| tag_keys(&input.tags)))
            .on::<api::ListTagsLogGroup, _, _, _>(self, ops::tags::list_tags_log_group, Access::new("logs:ListTagsLogGroup", |caller, input| vec![group_access(caller, &input.log_group_name)]))
    }

    fn events(self: &Arc<Self>, table: Table) -> Table {
        use crate::name::{group_access, stream_arn};
        table
            .on::<api::PutLogEvents, _, _, _>(self, ops::put_log_events::run, Access::new("logs:PutLogEvents", |caller, input| vec![stream_arn(caller, &input.log_group_name, &input.log_stream_name)]))
            .on::<api::GetLogEvents, _, _, _>(self, ops::get_log_events::run, Access::new("logs:GetLogEvents", |caller, input| vec![stream_arn(caller, either(&input.log_group_name, &input.log_group_identifier), &input.log_stream_name)]))
            .on::<api::FilterLogEvents, _, _, _>(self, ops::filter_log_events::run, Access::new("logs:FilterLogEvents", |caller, input| vec![group_access(caller, either(&input.log_group_name, &input.log_group_identifier))]))
            .on::<api::TestMetricFilter, _, _, _>(self, ops::test_metric_filter::run, Access::any("logs:TestMetricFilter"))
    }
}

/// The group's name for the question of permission; the operation refuses what names none.
fn either<'a>(name: &'a Option<String>, identifier: &'a Option<String>) -> &'a str {
    name::of_either(name.as_deref(), identifier.as_deref()).unwrap_or_default()
}
