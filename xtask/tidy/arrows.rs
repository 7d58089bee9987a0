//! Who may depend on whom: the invariants of ARCHITECTURE.md that Cargo.toml files show.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Context;

/// Crates of others that only some of ours may use: (crate, who may).
const RESERVED: [(&str, &[&str]); 12] = [
    ("fjall", &["store"]),
    ("oci-client", &["images"]),
    ("smoltcp", &["network"]),
    ("simple-dns", &["network"]),
    ("libc", &["runtime"]),
    ("seccompiler", &["runtime"]),
    ("s3s", &["s3"]),
    ("hyper", &["wire", "s3", "lampejo"]),
    ("hyper-util", &["wire", "s3", "lampejo"]),
    ("http", &["wire", "s3", "lampejo"]),
    ("http-body", &["wire", "s3", "lampejo"]),
    ("http-body-util", &["wire", "s3", "lampejo"]),
];

/// Every arrow that should not be.
pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let services = folders(&root.join("services"))?;
    let mut findings = Vec::new();
    for (kind, names) in
        [("crates", folders(&root.join("crates"))?), ("services", services.clone())]
    {
        for name in names {
            let path = format!("{kind}/{name}/Cargo.toml");
            let Ok(text) = fs::read_to_string(root.join(&path)) else { continue };
            let manifest: toml::Table = toml::from_str(&text).context(path.clone())?;
            let used = dependencies(&manifest);
            findings.extend(misused(&name, &used).map(|it| format!("{path}: {it}")));
            let of_service = kind == "services" || name != "lampejo";
            for service in services.intersection(&used).filter(|_| of_service) {
                findings.push(format!("{path}: {name} depends on the service {service}"));
            }
        }
    }
    Ok(findings)
}

fn misused(name: &str, used: &BTreeSet<String>) -> impl Iterator<Item = String> {
    RESERVED
        .iter()
        .filter(move |(reserved, users)| used.contains(*reserved) && !users.contains(&name))
        .map(|(reserved, users)| format!("only {} may use {reserved}", users.join(", ")))
}

/// What the code uses; tests may use more.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn folders(of: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(of)? {
        names.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn only_the_store_knows_fjall() {
        assert_eq!(misused("store", &used(&["fjall"])).count(), 0);
        let found: Vec<String> = misused("sqs", &used(&["fjall", "kit"])).collect();
        assert_eq!(found, ["only store may use fjall"]);
    }
}
