//! Bounds of sessions, from the API reference of AWS STS. Those of single members are the model's.

/// A role's session that does not say how long.
pub(crate) const ROLE_SESSION_SECONDS: u32 = 3600;
/// The longest session of a role that a session assumes.
pub(crate) const CHAINED_SESSION_SECONDS: u32 = 3600;
/// A user's session that does not say how long.
pub(crate) const USER_SESSION_SECONDS: u32 = 43_200;
/// The longest session of an account itself.
pub(crate) const ROOT_SESSION_SECONDS: u32 = 3600;
/// Characters of all session policies together.
pub(crate) const POLICY_SIZE: usize = 2048;
