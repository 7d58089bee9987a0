//! One file per protocol, all over the schema's tables. A new protocol is a [`crate::Reader`] and a
//! [`crate::Writer`].

pub(crate) mod eventstream;
pub(crate) mod json;
pub(crate) mod query;
pub(crate) mod rest;
pub(crate) mod scalar;
#[cfg(test)]
mod tests;
pub(crate) mod xml;
