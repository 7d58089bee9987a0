//! Rust's names for the model's names.

use std::collections::HashSet;

/// Names of Rust that generated code uses itself; it writes all others with their path.
const TAKEN_TYPES: &[&str] =
    &["Box", "Err", "None", "Ok", "Option", "Result", "Self", "Some", "String", "Vec"];

/// Words that cannot name a field, even raw.
const NEVER_RAW: &[&str] = &["crate", "self", "super"];

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// The name of a type: `accessKey` → `AccessKey`.
pub(super) fn type_name(name: &str) -> String {
    let name = capitalised(name);
    if TAKEN_TYPES.contains(&name.as_str()) { format!("{name}Shape") } else { name }
}

/// The name of a field: `MD5OfBody` → `md5_of_body`.
pub(super) fn field(name: &str) -> String {
    let name = snake(name);
    if NEVER_RAW.contains(&name.as_str()) {
        return format!("{name}_");
    }
    if KEYWORDS.contains(&name.as_str()) { format!("r#{name}") } else { name }
}

/// The name of an enumeration's variant: `TRIM_HORIZON` → `TrimHorizon`, `python3.12` →
/// `Python3_12`.
pub(super) fn variant(name: &str) -> String {
    let mut variant = String::new();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        let between_digits = variant.ends_with(|c: char| c.is_ascii_digit())
            && word.starts_with(|c: char| c.is_ascii_digit());
        if between_digits {
            variant.push('_');
        }
        let shouted = word.len() > 1 && !word.contains(|c: char| c.is_ascii_lowercase());
        let word = if shouted { word.to_ascii_lowercase() } else { word.to_owned() };
        variant.push_str(&capitalised(&word));
    }
    match variant.chars().next() {
        None => "Empty".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("N{variant}"),
        Some(_) if variant == "Self" => "Self_".to_owned(),
        Some(_) => variant,
    }
}

/// Gives every type, field or variant of one place its own name: the second gets a suffix.
#[derive(Default)]
pub(super) struct Distinct(HashSet<String>);

impl Distinct {
    /// `name`, or `name` with as many suffixes as it takes.
    pub(super) fn take(&mut self, mut name: String, suffix: &str) -> String {
        while !self.0.insert(name.clone()) {
            name.push_str(suffix);
        }
        name
    }
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// A word starts at a capital after a small letter or digit, and at the last of several capitals
/// if a small letter follows.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, &letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            snake.push('_');
            continue;
        }
        let before = index.checked_sub(1).map(|before| letters[before]);
        let after_small = before.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let after_capital = before.is_some_and(|c| c.is_ascii_uppercase());
        let small_follows = letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        let starts_word = after_small || (after_capital && small_follows);
        if letter.is_ascii_uppercase() && starts_word {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_snake_case() {
        assert_eq!(field("QueueUrl"), "queue_url");
        assert_eq!(field("MD5OfMessageBody"), "md5_of_message_body");
        assert_eq!(field("QueueOwnerAWSAccountId"), "queue_owner_aws_account_id");
        assert_eq!(field("logGroupName"), "log_group_name");
        assert_eq!(field("KMSKeyArn"), "kms_key_arn");
        assert_eq!(field("x-amz-acl"), "x_amz_acl");
    }

    #[test]
    fn keywords_are_escaped() {
        assert_eq!(field("Type"), "r#type");
        assert_eq!(field("Self"), "self_");
        assert_eq!(type_name("String"), "StringShape");
        assert_eq!(type_name("statusType"), "StatusType");
    }

    #[test]
    fn variants_are_camel_case() {
        assert_eq!(variant("TRIM_HORIZON"), "TrimHorizon");
        assert_eq!(variant("python3.12"), "Python3_12");
        assert_eq!(variant("java8.al2"), "Java8Al2");
        assert_eq!(variant("nodejs4.3-edge"), "Nodejs4_3Edge");
        assert_eq!(variant("x86_64"), "X86_64");
        assert_eq!(variant("$LATEST"), "Latest");
        assert_eq!(variant("ReportBatchItemFailures"), "ReportBatchItemFailures");
        assert_eq!(variant("1.0"), "N1_0");
        assert_eq!(variant(""), "Empty");
    }

    #[test]
    fn equal_names_are_told_apart() {
        let mut names = Distinct::default();
        assert_eq!(names.take("A".to_owned(), "_"), "A");
        assert_eq!(names.take("A".to_owned(), "_"), "A_");
        assert_eq!(names.take("A".to_owned(), "_"), "A__");
    }
}
