//! Layers, their versions, and who else may use them.

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod permissions;
pub(crate) mod publish;
