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

use std::collections::BTreeMap;

use crate::Lambda;

impl Lambda {
    /// All function URLs, as a client at `endpoint` reaches them, with the ARNs of their functions.
    pub fn function_urls(&self, endpoint: &str) -> BTreeMap<String, String> {
        let routes = self.functions.urls.all().into_iter();
        let address = |route: &routes::Route| route.url.address(&route.function.region, endpoint);
        routes.map(|route| (address(&route), route.arn())).collect()
    }
}
