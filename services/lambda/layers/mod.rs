//! Layers: packages that functions share. A layer has numbered versions, which never change.
//!
//! Read in this order: `name` (how they are named), `record` (a layer and its versions), `used` (what
//! a function keeps of them), `store` (rows), `change` (how they change), `view` (answers).
//!
//! Always true: what is here is durable. A function keeps what it needs of its layers: it goes on
//! when a version that it uses is deleted.

pub(crate) mod change;
pub(crate) mod name;
pub(crate) mod record;
pub(crate) mod store;
pub(crate) mod used;
pub(crate) mod view;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock},
};

use kit::{AccountId, Region};

use crate::{
    code::Code,
    layers::{
        name::{LayerKey, LayerVersionName},
        record::{Layer, LayerVersion},
    },
};

/// All layers, in memory.
#[derive(Default)]
pub(crate) struct Layers {
    places: RwLock<HashMap<(AccountId, Region), Place>>,
}

/// The layers of an account in a region, by name. One without versions stays, for its numbers.
type Place = BTreeMap<String, Arc<Layer>>;

impl Layers {
    /// Holds layers as they were read.
    pub(crate) fn new(loaded: Vec<(LayerKey, Layer)>) -> Layers {
        let layers = Layers::default();
        loaded.into_iter().for_each(|(key, layer)| layers.put(&key, layer));
        layers
    }

    /// A layer that has, or has had, a version.
    pub(crate) fn find(&self, key: &LayerKey) -> Option<Arc<Layer>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(&(key.account, key.region.clone()))?.get(&key.name).cloned()
    }

    /// A version that exists.
    pub(crate) fn version(&self, name: &LayerVersionName) -> Option<Arc<LayerVersion>> {
        self.find(&name.layer)?.versions.get(&name.number).cloned()
    }

    /// The layers of a place, by name.
    pub(crate) fn list(&self, account: AccountId, region: &Region) -> Vec<(LayerKey, Arc<Layer>)> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(&(account, region.clone()));
        let named = |(name, layer): (&String, &Arc<Layer>)| {
            let key = LayerKey { account, region: region.clone(), name: name.clone() };
            (key, layer.clone())
        };
        place.into_iter().flatten().map(named).collect()
    }

    /// Holds a layer's new state.
    pub(crate) fn put(&self, key: &LayerKey, layer: Layer) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry((key.account, key.region.clone())).or_default();
        place.insert(key.name.clone(), Arc::new(layer));
    }

    /// The packages of all versions.
    pub(crate) fn packages(&self) -> Vec<Code> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let versions =
            places.values().flat_map(BTreeMap::values).flat_map(|it| it.versions.values());
        versions.map(|version| version.code.clone()).collect()
    }
}
