//! `cargo xtask tidy`: what no compiler checks. Every finding is one line that names the file.

mod arrows;
mod files;
mod paths;

use std::{fs, path::Path};

use anyhow::bail;

/// Fails with everything that is out of place.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let tree = tree(root)?;
    let mut findings = arrows::check(root)?;
    for (path, text) in &tree {
        findings.extend(files::check(path, text));
        findings.extend(paths::check(root, path, text));
    }
    if findings.is_empty() {
        return Ok(());
    }
    findings.sort();
    findings.dedup();
    bail!("{} things are out of place:\n{}", findings.len(), findings.join("\n"))
}

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 6] = [".git", ".lampejo", "target", "node_modules", "__pycache__", "model"];

/// All text that people write, by path from the root.
fn tree(root: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(entry.path());
                }
                continue;
            }
            let written = [".rs", ".py", ".md", ".toml", ".mjs", ".cjs", ".js", ".sh"];
            if written.iter().any(|ending| name.ends_with(ending)) || name == "run" {
                let path = entry.path().strip_prefix(root)?.to_string_lossy().into_owned();
                found.push((path, fs::read_to_string(entry.path())?));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        super::check(&crate::root()).unwrap();
    }
}
