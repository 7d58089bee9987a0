//! Durable rows, object bytes and log segments. The only crate that knows bytes on disk.
//!
//! Read in this order: `engine` (what an engine promises), `batch` (one transaction), `key` (how
//! keys are built), `store` (what services hold), `fjall` and `group` (the embedded engine),
//! `blobs` (object bytes), `segments` (logs), `folder` (who may use the files).
//!
//! Invariant: what `commit` acknowledged is synced.

mod batch;
pub mod behaviour;
mod blobs;
mod engine;
mod fjall;
mod folder;
mod group;
mod key;
mod room;
mod segments;
mod store;

pub use crate::{
    batch::{Batch, Check, Op},
    blobs::{BlobError, BlobId, BlobWriter, Blobs},
    engine::{CommitError, Engine, ReadError, Row},
    fjall::FjallEngine,
    folder::{DataFolder, OpenError},
    key::Key,
    segments::{
        AppendError, Direction, Durability, Entry, Page, Position, Query, Record, SegmentConfig,
        SegmentLog, Span,
    },
    store::Store,
};
