//! How layers lie in the store: one row for a layer's numbers, one for each version. Nothing else
//! knows their keys.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use store::{Batch, Key, ReadError, Store};

use crate::layers::{
    name::LayerKey,
    record::{Layer, LayerVersion},
};

const LAYERS: &str = "lambda/layer";
const VERSIONS: &str = "lambda/layer-version";

/// A layer's own row.
#[derive(Serialize, Deserialize)]
struct Numbers {
    last_number: u64,
}

fn row(table: &str, key: &LayerKey) -> Key {
    Key::table(table).text(key.account.as_str()).text(key.region.as_str()).text(&key.name)
}

/// The writes that lead from one state of a layer to another.
pub(crate) fn difference(key: &LayerKey, old: &Layer, new: &Layer) -> Batch {
    let mut batch = Batch::new();
    if old.last_number != new.last_number {
        batch.put(row(LAYERS, key), &Numbers { last_number: new.last_number });
    }
    for (number, version) in &new.versions {
        if old.versions.get(number).is_none_or(|old| !Arc::ptr_eq(old, version)) {
            batch.put(row(VERSIONS, key).number(*number), version.as_ref());
        }
    }
    for number in old.versions.keys().filter(|number| !new.versions.contains_key(number)) {
        batch.delete(row(VERSIONS, key).number(*number));
    }
    batch
}

/// Reads every layer.
pub(crate) async fn load(store: &Store) -> Result<Vec<(LayerKey, Layer)>, ReadError> {
    let mut layers: HashMap<LayerKey, Layer> = HashMap::new();
    store
        .scan::<Numbers>(&Key::table(LAYERS), |row, numbers| {
            if let Some(key) = key_in(&row, LAYERS) {
                layers.entry(key).or_default().last_number = numbers.last_number;
            }
        })
        .await?;
    store
        .scan::<LayerVersion>(&Key::table(VERSIONS), |row, version| {
            if let Some(layer) = key_in(&row, VERSIONS).and_then(|key| layers.get_mut(&key)) {
                layer.versions.insert(version.number, Arc::new(version));
            }
        })
        .await?;
    Ok(layers.into_iter().collect())
}

fn key_in(row: &Key, table: &str) -> Option<LayerKey> {
    let table = Key::table(table);
    let account = row.text_after(&table)?;
    let table = table.text(&account);
    let region = row.text_after(&table)?;
    let name = row.text_after(&table.text(&region))?;
    Some(LayerKey { account: account.parse().ok()?, region: region.parse().ok()?, name })
}
