//! What all batch operations have in common: which requests are refused whole, and how entries fail.

use std::collections::HashSet;

use model::sqs as api;

use crate::{error::Error, limits};

/// Refuses a batch that is empty, too long, or whose ids are malformed or not distinct.
pub(crate) fn check_ids<'a>(
    entry: &'static str,
    ids: impl ExactSizeIterator<Item = &'a String> + Clone,
) -> Result<(), Error> {
    match ids.len() {
        0 => return Err(Error::EmptyBatchRequest(entry)),
        count if count > limits::BATCH_ENTRIES => {
            return Err(Error::TooManyEntriesInBatchRequest(count));
        }
        _ => {}
    }
    let valid = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
    let fits =
        |id: &String| (1..=limits::BATCH_ID_CHARS).contains(&id.len()) && id.bytes().all(valid);
    if !ids.clone().all(fits) {
        return Err(Error::InvalidBatchEntryId);
    }
    let mut seen = HashSet::new();
    match ids.into_iter().find(|id| !seen.insert(*id)) {
        Some(id) => Err(Error::BatchEntryIdsNotDistinct(id.clone())),
        None => Ok(()),
    }
}

/// An entry that failed.
pub(crate) fn failed(id: String, error: &Error) -> api::BatchResultErrorEntry {
    api::BatchResultErrorEntry {
        id,
        sender_fault: error.is_callers(),
        code: error.code().to_owned(),
        message: Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ids: &[&str]) -> Result<(), Error> {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        check_ids("Entry", ids.iter())
    }

    #[test]
    fn a_batch_has_one_to_ten_entries_with_distinct_ids() {
        assert!(check(&["a", "b-_1"]).is_ok());
        assert_eq!(check(&[]), Err(Error::EmptyBatchRequest("Entry")));
        assert_eq!(check(&["a"; 11]), Err(Error::TooManyEntriesInBatchRequest(11)));
        assert_eq!(check(&["a", "b", "a"]), Err(Error::BatchEntryIdsNotDistinct("a".to_owned())));
        for id in ["", " ", "é", "a:b", &"a".repeat(81)] {
            assert_eq!(check(&[id]), Err(Error::InvalidBatchEntryId));
        }
    }
}
