//! The operations, one file per family. Each takes the service, the call and the decoded input.

pub(crate) mod acl;
pub(crate) mod attributes;
pub(crate) mod bucket;
pub(crate) mod configuration;
pub(crate) mod copy;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod identified;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod multipart;
pub(crate) mod notification;
pub(crate) mod policy;
pub(crate) mod put;
pub(crate) mod settings;
pub(crate) mod tagging;
pub(crate) mod template;
