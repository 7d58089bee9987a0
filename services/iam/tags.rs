//! Tags. Keys keep their case; on all but policies two keys that differ in case only are the same.

use kit::Tags;

use crate::{Error, limits::TAGS};

/// Whether case tells two keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    CaseMatters,
    CaseIgnored,
}

impl Keys {
    fn same(self, one: &str, other: &str) -> bool {
        match self {
            Keys::CaseMatters => one == other,
            Keys::CaseIgnored => one.to_lowercase() == other.to_lowercase(),
        }
    }

    /// The tags of a request, none of them twice.
    pub(crate) fn check(self, given: Vec<(String, String)>) -> Result<Tags, Error> {
        let repeats = |(at, (key, _)): (usize, &(String, String))| {
            given[..at].iter().any(|(earlier, _)| self.same(earlier, key))
        };
        if given.iter().enumerate().any(repeats) {
            return Err(match self {
                Keys::CaseMatters => Error::DuplicatePolicyTags,
                Keys::CaseIgnored => Error::DuplicateTags,
            });
        }
        Ok(given.into_iter().collect())
    }

    /// Adds tags to those that are there; a key given again takes the new value.
    pub(crate) fn add(self, tags: &mut Tags, given: Tags) -> Result<(), Error> {
        tags.retain(|key, _| !given.keys().any(|new| self.same(new, key)));
        tags.extend(given);
        if tags.len() > TAGS.limit {
            return Err(Error::QuotaExceeded(TAGS));
        }
        Ok(())
    }

    /// Removes tags; keys that are not there do not matter.
    pub(crate) fn remove(self, tags: &mut Tags, keys: &[String]) {
        tags.retain(|key, _| !keys.iter().any(|gone| self.same(gone, key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn only_on_policies_case_tells_keys_apart() {
        let pairs = given(&[("cost", "1"), ("Cost", "2")]);
        assert!(matches!(Keys::CaseIgnored.check(pairs.clone()), Err(Error::DuplicateTags)));
        assert_eq!(Keys::CaseMatters.check(pairs).unwrap().len(), 2);
        let twice = given(&[("a", "1"), ("a", "2")]);
        assert!(matches!(Keys::CaseMatters.check(twice), Err(Error::DuplicatePolicyTags)));
    }

    #[test]
    fn a_key_given_again_takes_the_new_value_and_case() {
        let mut tags = Tags::from([("cost".to_owned(), "1".to_owned())]);
        let new = Keys::CaseIgnored.check(given(&[("Cost", "2")])).unwrap();
        Keys::CaseIgnored.add(&mut tags, new).unwrap();
        assert_eq!(tags, Tags::from([("Cost".to_owned(), "2".to_owned())]));
        Keys::CaseIgnored.remove(&mut tags, &["COST".to_owned()]);
        assert!(tags.is_empty());
    }

    #[test]
    fn the_fifty_first_tag_is_refused() {
        let mut tags: Tags = (0..50).map(|n| (n.to_string(), String::new())).collect();
        let one = Tags::from([("more".to_owned(), String::new())]);
        assert!(matches!(Keys::CaseIgnored.add(&mut tags, one), Err(Error::QuotaExceeded(TAGS))));
    }
}
