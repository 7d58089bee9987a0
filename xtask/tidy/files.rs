//! What each file owes its reader: a first line that says what it is, and no path of the machine
//! that it was written on.

/// Folders that exist on one machine only; written in two halves, so that this file is none.
const OF_ONE_MACHINE: [&str; 2] = [concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// What is wrong with one file.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    if !says_what_it_is(path, text) {
        findings.push(format!("{path}:1: does not begin by saying what it is"));
    }
    for (index, line) in text.lines().enumerate() {
        if OF_ONE_MACHINE.iter().any(|folder| line.contains(folder)) {
            findings.push(format!("{path}:{}: a path of one machine", index + 1));
        }
    }
    findings
}

fn says_what_it_is(path: &str, text: &str) -> bool {
    let text = text
        .strip_prefix("#!")
        .map_or(text, |rest| rest.split_once('\n').map_or("", |(_, after)| after));
    if path.ends_with(".rs") {
        return text.starts_with("//!");
    }
    if path.ends_with(".py") {
        return text.starts_with("\"\"\"") || text.starts_with("r\"\"\"");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_with_what_it_is() {
        assert!(check("a.rs", "//! What it is.\n").is_empty());
        assert!(check("a.py", "#!/usr/bin/env python3\n\"\"\"What it is.\"\"\"\n").is_empty());
        assert_eq!(check("a.rs", "use std::fs;\n").len(), 1);
    }

    #[test]
    fn no_file_knows_the_machine_it_was_written_on() {
        let text = format!("//! What.\nconst HERE: &str = \"{}x\";\n", OF_ONE_MACHINE[0]);
        assert_eq!(check("a.rs", &text), ["a.rs:2: a path of one machine"]);
    }
}
