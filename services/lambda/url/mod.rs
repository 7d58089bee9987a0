//! Function URLs: an HTTP address for a function or one of its aliases.
//!
//! `config` (what is set of one), `routes` (all of them by id), `access` (who may call), `cors`, `event`
//! (a request as the function sees it), `response` (its answer as HTTP), `stream` (one that comes in
//! pieces), `serve` (all of it together).

pub(crate) mod config;
pub(crate) mod cors;
pub(crate) mod routes;

mod access;
mod event;
mod response;
mod serve;
mod stream;
