//! Signing keys, kept: one is derived from a secret by four HMACs, and is then good for a day of
//! requests to one service in one region.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// So many keys are kept at most. One whose place another takes is derived again.
const PLACES: usize = 256;

/// Derives signing keys and keeps the last ones.
pub(crate) struct SigningKeys {
    places: Vec<Mutex<Option<Kept>>>,
    hasher: RandomState,
}

/// What a key is good for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Use<'a> {
    pub(super) secret: &'a str,
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

struct Kept {
    secret: String,
    day: String,
    region: String,
    service: String,
    key: Hmac<Sha256>,
}

impl Default for SigningKeys {
    fn default() -> SigningKeys {
        let places = (0..PLACES).map(|_| Mutex::default()).collect();
        SigningKeys { places, hasher: RandomState::new() }
    }
}

impl SigningKeys {
    /// The key of this use, ready to sign.
    pub(super) fn key(&self, wanted: Use<'_>) -> Hmac<Sha256> {
        let place = self.hasher.hash_one(wanted) as usize % PLACES;
        // What a panic leaves behind is whole: it is replaced at once or not at all.
        let mut place = self.places[place].lock().unwrap_or_else(PoisonError::into_inner);
        match &*place {
            Some(kept) if kept.is_for() == wanted => kept.key.clone(),
            _ => place.insert(Kept::derive(wanted)).key.clone(),
        }
    }
}

impl Kept {
    fn derive(wanted: Use<'_>) -> Kept {
        let Use { secret, day, region, service } = wanted;
        let mut key = keyed(format!("AWS4{secret}").as_bytes());
        for part in [day, region, service, "aws4_request"] {
            key.update(part.as_bytes());
            key = keyed(&key.finalize().into_bytes());
        }
        let (secret, day) = (secret.to_owned(), day.to_owned());
        let (region, service) = (region.to_owned(), service.to_owned());
        Kept { secret, day, region, service, key }
    }

    fn is_for(&self) -> Use<'_> {
        let Kept { secret, day, region, service, key: _ } = self;
        Use { secret, day, region, service }
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQS: Use<'_> =
        Use { secret: "one", day: "20261123", region: "eu-west-1", service: "sqs" };

    fn sign(keys: &SigningKeys, wanted: Use<'_>) -> String {
        let mut key = keys.key(wanted);
        key.update(b"text");
        hex::encode(key.finalize().into_bytes())
    }

    #[test]
    fn a_kept_key_signs_like_a_derived_one_and_serves_nothing_else() {
        let keys = SigningKeys::default();
        let others = [
            Use { secret: "two", ..SQS },
            Use { day: "20261124", ..SQS },
            Use { region: "eu-west-2", ..SQS },
            Use { service: "lambda", ..SQS },
        ];
        let derived = sign(&keys, SQS);
        for other in others {
            assert_ne!(sign(&keys, other), derived);
            assert_eq!(sign(&keys, other), sign(&SigningKeys::default(), other));
        }
        assert_eq!(sign(&keys, SQS), derived);
    }

    #[test]
    fn more_uses_than_places_are_served() {
        let keys = SigningKeys::default();
        for number in 0..2 * PLACES {
            let day = number.to_string();
            let wanted = Use { day: &day, ..SQS };
            assert_eq!(sign(&keys, wanted), sign(&SigningKeys::default(), wanted));
        }
    }
}
