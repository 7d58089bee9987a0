//! All function URLs by id: where their requests go, and who may send them. Made when a function
//! changes, so that a request reads one entry.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    function::Function,
    invoke::concurrency::FunctionKey,
    url::{access::Grants, config::FunctionUrl},
};

/// The way from one URL to its function.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) function: FunctionKey,
    /// The alias, if it is the URL of one.
    pub(crate) qualifier: Option<String>,
    pub(crate) url: FunctionUrl,
    /// What the resource policy of the function or alias says.
    pub(crate) grants: Grants,
}

impl Route {
    /// The ARN of the function or alias.
    pub(crate) fn arn(&self) -> String {
        self.function.qualified(self.qualifier.as_deref())
    }
}

/// All of them.
#[derive(Default)]
pub(crate) struct Routes {
    by_id: RwLock<HashMap<String, Arc<Route>>>,
}

impl Routes {
    /// The way that begins at a URL.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Route>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<Route>> {
        self.by_id.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Follows a function from one state to the next; `None` where there is no function.
    pub(crate) fn replace(&self, old: Option<&Function>, new: Option<&Function>) {
        let urls =
            |function: Option<&Function>| function.is_some_and(|it| !it.common.urls.is_empty());
        if !urls(old) && !urls(new) {
            return;
        }
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        for url in old.into_iter().flat_map(|old| old.common.urls.values()) {
            by_id.remove(&url.id);
        }
        let Some(function) = new else { return };
        for (qualifier, url) in &function.common.urls {
            let route = Route {
                function: function.key.clone(),
                qualifier: (!qualifier.is_empty()).then(|| qualifier.clone()),
                url: url.clone(),
                grants: Grants::of(function.common.policies.get(qualifier)),
            };
            by_id.insert(url.id.clone(), Arc::new(route));
        }
    }
}
