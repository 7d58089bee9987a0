//! Texts with `*` for anything.

/// A text in which `*` stands for any characters.
#[derive(Debug)]
pub(super) struct Glob(Vec<String>);

impl Glob {
    pub(super) fn new(text: &str) -> Glob {
        Glob(text.split('*').map(str::to_owned).collect())
    }

    /// Whether a whole text is of this form. As on AWS each part is looked for once, leftmost:
    /// `*111` does not match `111.111`, because its first `111` is not the end of the text.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| only == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        last.is_empty() || rest.find(last.as_str()).is_some_and(|at| at + last.len() == rest.len())
    }
}
