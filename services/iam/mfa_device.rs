//! Virtual MFA devices: seeds that a user's program makes codes of. Keys and other hardware are not
//! offered.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bus::NoFactor;
use kit::{AccountId, Arn, Caller, Millis, PrincipalKind};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Iam,
    account::Account,
    limits::{self, Quota},
    resource::{self, Kind, Resource},
    shelf::Shelf,
    totp,
    user::User,
};

/// The length of seeds: 64 letters in base32, as AWS's have.
const SEED_BYTES: usize = 40;
/// Devices whose last code is remembered; when there are more, all are forgotten.
const MAX_REMEMBERED: usize = 4096;

/// A device.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct MfaDevice {
    pub(crate) resource: Resource,
    pub(crate) seed: Vec<u8>,
    pub(crate) enabled: Option<Enabled>,
}

/// Whose second factor a device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Enabled {
    /// The user's id.
    pub(crate) user: String,
    pub(crate) at: Millis,
    /// How many half minutes its clock is off.
    pub(crate) drift: i64,
}

impl fmt::Debug for MfaDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed never reaches a log.
        f.debug_struct("MfaDevice").field("name", &self.resource.name).finish_non_exhaustive()
    }
}

impl MfaDevice {
    /// A device with a new seed.
    pub(crate) fn new(resource: Resource) -> MfaDevice {
        let seed = kit::ids::random::<SEED_BYTES>().to_vec();
        MfaDevice { resource, seed, enabled: None }
    }

    /// What an authenticator program reads out of its picture.
    pub(crate) fn address(&self, account: AccountId) -> String {
        let (name, secret) = (self.name(), totp::base32(&self.seed));
        let issuer = "Amazon%20Web%20Services";
        format!("otpauth://totp/{issuer}:{name}@{account}?secret={secret}&issuer={issuer}")
    }

    /// How far its clock is off by two codes in a row.
    pub(crate) fn drift(&self, first: &str, second: &str, now: Millis) -> Result<i64, Error> {
        totp::drift(&self.seed, first, second, now).ok_or(Error::WrongCodes)
    }

    /// Whether it is this user's.
    pub(crate) fn is_of(&self, user: &User) -> bool {
        self.enabled.as_ref().is_some_and(|it| it.user == user.id())
    }
}

/// The ARN of a device, which is its serial number.
pub(crate) fn arn_of(account: AccountId, path: Option<&str>, name: &str) -> Arn {
    resource::arn::<MfaDevice>(account, path, name)
}

/// The device of this serial number.
pub(crate) fn find<'a>(account: &'a Account, serial: &str) -> Result<&'a Arc<MfaDevice>, Error> {
    let missing = || Error::NoSuchMfaDevice(serial.to_owned());
    let name = serial.rsplit('/').next().unwrap_or_default();
    let device = account.mfa_devices.find(name).map_err(|_| missing())?;
    if device.arn(account.id).as_str() == serial { Ok(device) } else { Err(missing()) }
}

/// The codes that have been used: each is good for one call.
#[derive(Default)]
pub(crate) struct UsedCodes(Mutex<HashMap<String, Use>>);

struct Use {
    step: i64,
    request: String,
}

impl UsedCodes {
    /// Whether a call may use the code of a step of this device, which then is used. The same call
    /// may use it again.
    fn take(&self, device: &str, step: i64, request: &str) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.get(device).is_some_and(|it| step <= it.step && it.request != request) {
            return false;
        }
        if last.len() >= MAX_REMEMBERED {
            last.clear();
        }
        last.insert(device.to_owned(), Use { step, request: request.to_owned() });
        true
    }
}

impl Iam {
    /// Whether a code is what a user's device shows at the time of the call.
    pub(crate) fn check_factor(
        &self,
        caller: &Caller,
        serial: &str,
        code: &str,
    ) -> Result<(), NoFactor> {
        let account = self.account(caller.account);
        let own = |device: &&Arc<MfaDevice>| {
            let enabled = device.enabled.as_ref();
            caller.principal.kind == PrincipalKind::User
                && enabled.is_some_and(|it| it.user == caller.principal.user_id)
        };
        let device = find(&account, serial).ok().filter(own).ok_or(NoFactor::Device)?;
        let drift = device.enabled.as_ref().map_or(0, |it| it.drift);
        let step = totp::step_of(&device.seed, code, caller.now, drift).ok_or(NoFactor::Code)?;
        let taken = self.used_codes.take(device.id(), step, &caller.request_id);
        if taken { Ok(()) } else { Err(NoFactor::Code) }
    }
}

impl Kind for MfaDevice {
    const TABLE: &'static str = "iam/mfa-device";
    const WORD: &'static str = "mfa";
    const ID_PREFIX: &'static str = "AIMF";
    const QUOTA: Quota = limits::MFA_DEVICES;

    fn resource(&self) -> &Resource {
        &self.resource
    }

    fn resource_mut(&mut self) -> &mut Resource {
        &mut self.resource
    }

    fn shelf(account: &Account) -> &Shelf<MfaDevice> {
        &account.mfa_devices
    }

    fn shelf_mut(account: &mut Account) -> &mut Shelf<MfaDevice> {
        &mut account.mfa_devices
    }

    fn missing(name: &str) -> Error {
        Error::NoSuchMfaDevice(name.to_owned())
    }

    fn exists(_name: &str) -> Error {
        Error::MfaDeviceExists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_good_for_one_call() {
        let used = UsedCodes::default();
        assert!(used.take("d", 5, "first"));
        assert!(used.take("d", 5, "first"));
        assert!(!used.take("d", 5, "second"));
        assert!(!used.take("d", 4, "second"));
        assert!(used.take("d", 6, "second"));
        assert!(used.take("other", 5, "third"));
    }
}
