//! Whole decisions: a table of cases, properties, and another implementation to compare with.

mod cases;
mod differential;
mod disagreements;
mod generate;
mod properties;

use std::collections::BTreeMap;

use super::*;

/// Facts of a test: key and value, a key as often as it has values.
pub(crate) struct Given(BTreeMap<String, Vec<String>>);

pub(crate) fn facts(pairs: &[(&str, &str)]) -> Given {
    let mut given = BTreeMap::new();
    for (key, value) in pairs {
        let values: &mut Vec<String> = given.entry(key.to_ascii_lowercase()).or_default();
        values.push((*value).to_owned());
    }
    Given(given)
}

impl Facts for Given {
    fn values(&self, key: &str) -> Option<Vec<Cow<'_, str>>> {
        let values = self.0.get(key)?;
        Some(values.iter().map(|value| Cow::Borrowed(value.as_str())).collect())
    }
}
