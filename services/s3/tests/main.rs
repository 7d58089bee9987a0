//! S3 over HTTP, without sockets: requests go into the front, answers come out, with a real store.
//!
//! Read next: `bench` (how a test asks), then a file per theme.

#![allow(clippy::unwrap_used)] // What a test cannot do without ends it.

mod bench;
mod buckets;
mod multipart;
mod notifications;
mod objects;
mod streams;
mod versions;
