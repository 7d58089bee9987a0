//! Paths that a text names must exist: links of the manual, and `crates/…`-like words in the
//! manual and in comments.

use std::{path::Path, sync::LazyLock};

use regex::Regex;

/// A path from the root, as texts name it.
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|[\s`(])((?:crates|services|models|tests|xtask|docs|examples|\.ci)/[\w./-]*\w/?)",
    )
    .expect("a constant")
});

/// A link of the manual to another file.
static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)").expect("a constant"));

/// The paths that a text names and that are not there.
pub(super) fn check(root: &Path, path: &str, text: &str) -> Vec<String> {
    let manual = path.ends_with(".md");
    let folder = root.join(path).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut findings = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut missing = |named: &str| {
            findings.push(format!("{path}:{}: {named} is not there", index + 1));
        };
        let comment = path.ends_with(".rs") && line.trim_start().starts_with("//");
        if manual || comment {
            let named = WORD.captures_iter(line).map(|found| found[1].to_owned());
            named.filter(|it| !there(root, it)).for_each(|it| missing(&it));
        }
        if manual {
            let linked = LINK.captures_iter(line).map(|found| found[1].to_owned());
            linked.filter(|it| !folder.join(it).exists()).for_each(|it| missing(&it));
        }
    }
    findings
}

/// Whether it exists, or is no path but a pattern (`docs/decisions/NNN-title.md`).
fn there(root: &Path, named: &str) -> bool {
    let pattern = ["NNN", "NAME", "..."].iter().any(|it| named.contains(it));
    pattern || root.join(named).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_path_must_exist() {
        let root = crate::root();
        assert!(check(&root, "A.md", "See `xtask/tidy.rs` and [it](xtask/main.rs).").is_empty());
        let found = check(&root, "A.md", "See `xtask/gone.rs`,\nor [that](gone.md).");
        assert_eq!(found, ["A.md:1: xtask/gone.rs is not there", "A.md:2: gone.md is not there"]);
        assert!(check(&root, "A.md", "`docs/decisions/NNN-title.md`").is_empty());
    }
}
