//! How functions lie in the store: one row for what the versions share, one for each version.
//! Nothing else knows their keys; mappings have theirs in `sources/store.rs`.

use std::{collections::HashMap, sync::Arc};

use store::{Batch, Key, ReadError, Store};

use crate::{
    function::{Common, Function},
    invoke::concurrency::FunctionKey,
    version::{Number, Version},
};

const FUNCTIONS: &str = "lambda/function";
const VERSIONS: &str = "lambda/version";

fn row(table: &str, key: &FunctionKey) -> Key {
    Key::table(table).text(key.account.as_str()).text(key.region.as_str()).text(&key.name)
}

fn version_row(key: &FunctionKey, version: &Version) -> Key {
    row(VERSIONS, key).number(version.number.0)
}

/// The writes that lead from one state of a function to another; `None` where there is no function.
pub(crate) fn difference(old: Option<&Function>, new: Option<&Function>) -> Batch {
    let mut batch = Batch::new();
    let (old, new) = match (old, new) {
        (None, None) => return batch,
        (Some(old), None) => {
            batch.delete(row(FUNCTIONS, &old.key));
            batch.delete_all(row(VERSIONS, &old.key));
            return batch;
        }
        (old, Some(new)) => (old, new),
    };
    let was = |version: &Version| old.and_then(|old| old.versions.get(&version.number));
    if old.is_none_or(|old| old.common != new.common) {
        batch.put(row(FUNCTIONS, &new.key), &new.common);
    }
    for version in new.versions.values() {
        if was(version).is_none_or(|old| !Arc::ptr_eq(old, version)) {
            batch.put(version_row(&new.key, version), version.as_ref());
        }
    }
    let gone = old.into_iter().flat_map(|old| old.versions.values());
    for version in gone.filter(|version| !new.versions.contains_key(&version.number)) {
        batch.delete(version_row(&new.key, version));
    }
    batch
}

/// Reads every function.
pub(crate) async fn load(store: &Store) -> Result<Vec<Function>, ReadError> {
    let mut functions: HashMap<FunctionKey, Function> = HashMap::new();
    let table = Key::table(FUNCTIONS);
    store
        .scan::<Common>(&table, |row, common| {
            if let Some(key) = key_in(&row, FUNCTIONS) {
                let function = Function { key: key.clone(), common, versions: [].into() };
                functions.insert(key, function);
            }
        })
        .await?;
    store
        .scan::<Version>(&Key::table(VERSIONS), |row, version| {
            let function = key_in(&row, VERSIONS).and_then(|key| functions.get_mut(&key));
            if let Some(function) = function {
                function.versions.insert(version.number, Arc::new(version));
            }
        })
        .await?;
    // Both rows of a function are written together: one without the other is not a function.
    functions.retain(|_, function| function.versions.contains_key(&Number::LATEST));
    Ok(functions.into_values().collect())
}

fn key_in(row: &Key, table: &str) -> Option<FunctionKey> {
    let table = Key::table(table);
    let account = row.text_after(&table)?;
    let table = table.text(&account);
    let region = row.text_after(&table)?;
    let name = row.text_after(&table.text(&region))?;
    Some(FunctionKey { account: account.parse().ok()?, region: region.parse().ok()?, name })
}
