//! Passwords of users: the rules that an account has for them, and how they are kept.
//!
//! Source: "Set an account password policy for IAM users" of the IAM user guide.

use std::fmt;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use kit::Millis;
use serde::{Deserialize, Serialize};

use crate::{Error, limits, resource::second};

/// The marks that count as symbols.
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";
/// The shortest password where an account has no rules of its own.
const DEFAULT_LENGTH: usize = 8;
/// How many kinds of letters such a password mixes.
const DEFAULT_KINDS: usize = 3;
const DAY_SECONDS: u64 = 24 * 3600;

/// An account's rules for passwords.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PasswordPolicy {
    pub(crate) minimum_length: i32,
    pub(crate) symbols: bool,
    pub(crate) numbers: bool,
    pub(crate) uppercase: bool,
    pub(crate) lowercase: bool,
    /// Whether users may change their own.
    pub(crate) users_change: bool,
    pub(crate) max_age_days: Option<i32>,
    /// How many of the last passwords must not come again.
    pub(crate) reuse_prevention: Option<i32>,
    pub(crate) hard_expiry: Option<bool>,
}

/// A user's password.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Login {
    /// A hash in PHC form. The password itself is nowhere.
    hash: String,
    /// Hashes of the passwords before, the last one first.
    earlier: Vec<String>,
    pub(crate) created: Millis,
    pub(crate) changed: Millis,
    pub(crate) reset_required: bool,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hashes never reach a log.
        f.debug_struct("Login").field("changed", &self.changed).finish_non_exhaustive()
    }
}

impl PasswordPolicy {
    fn check(&self, password: &str) -> Result<(), Error> {
        let length = usize::try_from(self.minimum_length).unwrap_or(0);
        let kinds = Kinds::of(password);
        let rules = [
            (self.uppercase && !kinds.uppercase, "at least one uppercase letter"),
            (self.lowercase && !kinds.lowercase, "at least one lowercase letter"),
            (self.numbers && !kinds.number, "at least one number"),
            (self.symbols && !kinds.symbol, "at least one symbol"),
        ];
        if password.chars().count() < length {
            return Err(Error::WeakPassword(format!("a minimum length of {length}")));
        }
        let broken = rules.into_iter().find(|(broken, _)| *broken);
        broken.map_or(Ok(()), |(_, rule)| Err(Error::WeakPassword(rule.to_owned())))
    }

    /// When a password that was set at a moment has to be another.
    pub(crate) fn expiry(&self, changed: Millis) -> Option<Millis> {
        let days = u64::try_from(self.max_age_days?).ok()?;
        Some(changed.plus_seconds(days * DAY_SECONDS))
    }
}

/// Checks a new password against an account's rules, or AWS's where it has none.
pub(crate) fn check(policy: Option<&PasswordPolicy>, password: &str) -> Result<(), Error> {
    if let Some(policy) = policy {
        return policy.check(password);
    }
    if password.chars().count() < DEFAULT_LENGTH {
        return Err(Error::WeakPassword(format!("a minimum length of {DEFAULT_LENGTH}")));
    }
    if Kinds::of(password).count() < DEFAULT_KINDS {
        let rule = "a minimum of three of the following mix of character types: uppercase, \
                    lowercase, numbers, and symbols";
        return Err(Error::WeakPassword(rule.to_owned()));
    }
    Ok(())
}

/// Which kinds of letters a password has.
struct Kinds {
    uppercase: bool,
    lowercase: bool,
    number: bool,
    symbol: bool,
}

impl Kinds {
    fn of(password: &str) -> Kinds {
        Kinds {
            uppercase: password.chars().any(|it| it.is_ascii_uppercase()),
            lowercase: password.chars().any(|it| it.is_ascii_lowercase()),
            number: password.chars().any(|it| it.is_ascii_digit()),
            symbol: password.chars().any(|it| SYMBOLS.contains(it)),
        }
    }

    fn count(&self) -> usize {
        [self.uppercase, self.lowercase, self.number, self.symbol].iter().filter(|it| **it).count()
    }
}

impl Login {
    /// A first password. Hashing takes tens of milliseconds.
    pub(crate) fn new(password: &str, reset_required: bool, now: Millis) -> Login {
        let now = second(now);
        let (hash, earlier) = (hash(password), Vec::new());
        Login { hash, earlier, created: now, changed: now, reset_required }
    }

    /// Whether this is the password.
    pub(crate) fn is(&self, password: &str) -> bool {
        matches(&self.hash, password)
    }

    /// Whether this is one of the last passwords.
    pub(crate) fn was(&self, password: &str, last: usize) -> bool {
        let known = std::iter::once(&self.hash).chain(&self.earlier);
        known.take(last).any(|hash| matches(hash, password))
    }

    /// The login with another password.
    pub(crate) fn changed(&self, password: &str, now: Millis) -> Login {
        let mut earlier = self.earlier.clone();
        earlier.insert(0, self.hash.clone());
        earlier.truncate(limits::REMEMBERED_PASSWORDS);
        Login { hash: hash(password), earlier, changed: second(now), ..self.clone() }
    }
}

fn hash(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("the default parameters are good and the kernel has randomness").to_string()
}

fn matches(hash: &str, password: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(policy: Option<&PasswordPolicy>, password: &str, text: &str) {
        assert_eq!(check(policy, password).unwrap_err().to_string(), text);
    }

    #[test]
    fn without_rules_a_password_is_eight_letters_of_three_kinds() {
        assert!(check(None, "Passw0rd").is_ok());
        assert!(check(None, "passw0rd!").is_ok());
        refused(None, "Pass0!", "Password should have a minimum length of 8");
        assert!(check(None, "password1").is_err());
    }

    #[test]
    fn each_rule_is_named_that_a_password_breaks() {
        let policy = PasswordPolicy {
            minimum_length: 6,
            symbols: true,
            numbers: true,
            uppercase: true,
            lowercase: true,
            users_change: false,
            max_age_days: Some(1),
            reuse_prevention: None,
            hard_expiry: None,
        };
        let policy = Some(&policy);
        refused(policy, "aB3!", "Password should have a minimum length of 6");
        refused(policy, "abc12!", "Password should have at least one uppercase letter");
        refused(policy, "ABC12!", "Password should have at least one lowercase letter");
        refused(policy, "ABCde!", "Password should have at least one number");
        refused(policy, "ABCd12", "Password should have at least one symbol");
        assert!(check(policy, "ABcd1!").is_ok());
        let expiry = policy.and_then(|it| it.expiry(Millis(1000)));
        assert_eq!(expiry, Some(Millis(86_401_000)));
    }

    #[test]
    fn a_login_knows_its_password_and_those_before() {
        let login = Login::new("one", false, Millis(0)).changed("two", Millis(1500));
        assert!(login.is("two") && !login.is("one"));
        assert!(login.was("one", 2) && !login.was("one", 1));
        assert_eq!((login.created, login.changed), (Millis(0), Millis(1000)));
        assert!(!format!("{login:?}").contains("argon2"));
    }
}
