//! The resources of one kind in one account, by name. Names differ in more than case.

use std::{collections::BTreeMap, sync::Arc};

use crate::{Error, resource::Kind};

/// Resources of one kind, in the order of their lower-case names.
#[derive(Clone)]
pub(crate) struct Shelf<T>(BTreeMap<String, Arc<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Shelf<T> {
        Shelf(BTreeMap::new())
    }
}

impl<T: Kind> Shelf<T> {
    /// The one of this name.
    pub(crate) fn find(&self, name: &str) -> Result<&Arc<T>, Error> {
        self.0.get(&name.to_lowercase()).ok_or_else(|| T::missing(name))
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.values()
    }

    /// All whose path starts with a prefix.
    pub(crate) fn under(&self, path_prefix: Option<&str>) -> impl Iterator<Item = &Arc<T>> {
        let prefix = path_prefix.unwrap_or("/").to_owned();
        self.iter().filter(move |item| item.path().starts_with(&prefix))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn put(&mut self, item: T) {
        self.0.insert(item.name().to_lowercase(), Arc::new(item));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(&name.to_lowercase());
    }
}
