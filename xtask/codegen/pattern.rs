//! AWS's patterns are Java's. Rust reads them the same, except that Java's `\w`, `\d` and `\s` are
//! of ASCII, and Rust's are of Unicode.

use anyhow::ensure;

/// The most memory that a compiled pattern may take; `wire` has the same bound.
const MAX_COMPILED_BYTES: usize = 32 << 20;

/// The pattern as `wire` compiles it; `None` if that is AWS's own text. Fails if no engine reads it:
/// such a pattern needs a patch in the overlay.
pub(super) fn in_rust(pattern: &str) -> anyhow::Result<Option<String>> {
    let rewritten = ascii_classes(pattern);
    let whole = format!("^(?:{rewritten})$");
    let linear = regex::RegexBuilder::new(&whole).size_limit(MAX_COMPILED_BYTES).build();
    // Look-around is beyond the linear engine.
    ensure!(
        linear.is_ok() || fancy_regex::Regex::new(&whole).is_ok(),
        "no engine reads the pattern {pattern}"
    );
    Ok((rewritten != pattern).then_some(rewritten))
}

fn ascii_classes(pattern: &str) -> String {
    let mut rewritten = String::new();
    let mut depth = 0_usize;
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '\\' => {
                let escaped = letters.next();
                match escaped.and_then(ascii_class) {
                    Some(class) if depth > 0 => rewritten.push_str(class),
                    Some(class) => rewritten.push_str(&format!("[{class}]")),
                    None => rewritten.extend(['\\'].into_iter().chain(escaped)),
                }
                continue;
            }
            _ => {}
        }
        rewritten.push(letter);
    }
    rewritten
}

fn ascii_class(escaped: char) -> Option<&'static str> {
    Some(match escaped {
        'd' => "[:digit:]",
        'D' => "[:^digit:]",
        's' => "[:space:]",
        'S' => "[:^space:]",
        'w' => "[:word:]",
        'W' => "[:^word:]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let rewritten = in_rust(pattern).unwrap().unwrap_or_else(|| pattern.to_owned());
        fancy_regex::Regex::new(&format!("^(?:{rewritten})$")).unwrap().is_match(text).unwrap()
    }

    #[test]
    fn word_characters_are_of_ascii() {
        assert!(matches(r"[\w+=,.@-]+", "a_1+=,.@-"));
        assert!(!matches(r"[\w+=,.@-]+", "é"));
        assert!(matches(r"\d{12}", "123456789012"));
        assert!(!matches(r"\d{1}", "٣"));
        assert!(matches(r"[\w-_]*", "a-b"));
        assert!(matches(r"[\s\S]*", "é\n"));
        assert!(!matches(r"[^\s]+", "a b"));
    }

    #[test]
    fn other_escapes_stay() {
        assert_eq!(in_rust(r"[\p{L}\p{Z}_.:/=+\-@]*").unwrap(), None);
        assert_eq!(in_rust(r"\\w").unwrap(), None);
        assert_eq!(in_rust(r"[\u0009\u0020-\u00FF]+").unwrap(), None);
    }

    #[test]
    fn look_around_is_allowed_and_nonsense_is_not() {
        assert!(matches(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "live"));
        assert!(!matches(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "7"));
        assert!(in_rust("(").is_err());
    }
}
