//! `CreateVirtualMFADevice`, `EnableMFADevice`, `ResyncMFADevice`, `DeactivateMFADevice`,
//! `DeleteVirtualMFADevice`, `GetMFADevice`, `ListMFADevices`, `ListVirtualMFADevices`,
//! `TagMFADevice`, `UntagMFADevice`, `ListMFADeviceTags`.

use std::sync::Arc;

use bytes::Bytes;
use kit::Caller;
use model::iam as api;
use wire::Unit;

use super::{given_tags, tags, users::own_name};
use crate::{
    Error, Iam,
    account::Account,
    limits,
    mfa_device::{self, Enabled, MfaDevice},
    page::Wanted,
    picture,
    resource::{Kind, Resource, second},
    tags::Keys,
    totp,
    user::User,
    view,
};

pub(crate) async fn create(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::CreateVirtualMFADeviceInput,
) -> Result<api::CreateVirtualMFADeviceOutput, Error> {
    let (account, now) = (caller.account, caller.now);
    let tags = given_tags(Keys::CaseIgnored, input.tags)?;
    let name = input.virtual_mfa_device_name;
    let resource = Resource::new::<MfaDevice>(account, name, input.path, tags, now);
    let device = MfaDevice::new(resource);
    iam.change(account, |draft| draft.add(device.clone())).await?;
    Ok(api::CreateVirtualMFADeviceOutput {
        virtual_mfa_device: api::VirtualMFADevice {
            serial_number: device.arn(account).to_string(),
            base32_string_seed: Some(Bytes::from(totp::base32(&device.seed))),
            qr_code_png: picture::of(&device.address(account)).map(Bytes::from),
            tags: view::some_tags(&device.resource.tags),
            ..api::VirtualMFADevice::default()
        },
    })
}

pub(crate) async fn enable(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::EnableMFADeviceInput,
) -> Result<Unit, Error> {
    let enabled = iam.change(caller.account, |draft| {
        let account = draft.account();
        let user = account.find::<User>(&input.user_name)?.clone();
        let device = mfa_device::find(account, &input.serial_number)?.clone();
        if device.enabled.is_some() {
            return Err(Error::MfaDeviceInUse);
        }
        if account.mfa_devices_of(&user).count() >= limits::MFA_DEVICES_PER_USER.limit {
            return Err(Error::QuotaExceeded(limits::MFA_DEVICES_PER_USER));
        }
        let (first, next) = (&input.authentication_code1, &input.authentication_code2);
        let drift = device.drift(first, next, caller.now)?;
        draft.modify::<MfaDevice, _>(device.name(), |device| {
            let (user, at) = (user.id().to_owned(), second(caller.now));
            device.enabled = Some(Enabled { user, at, drift });
            Ok(Unit)
        })
    });
    enabled.await
}

pub(crate) async fn resync(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ResyncMFADeviceInput,
) -> Result<Unit, Error> {
    let synchronised = iam.change(caller.account, |draft| {
        let device = of_user(draft.account(), &input.user_name, &input.serial_number)?;
        let (first, next) = (&input.authentication_code1, &input.authentication_code2);
        let drift = device.drift(first, next, caller.now)?;
        draft.modify::<MfaDevice, _>(device.name(), |device| {
            device.enabled.iter_mut().for_each(|enabled| enabled.drift = drift);
            Ok(Unit)
        })
    });
    synchronised.await
}

pub(crate) async fn deactivate(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeactivateMFADeviceInput,
) -> Result<Unit, Error> {
    let name = own_name(&caller, input.user_name)?;
    let deactivated = iam.change(caller.account, |draft| {
        let missing = || Error::NoSuchMfaDevice(input.serial_number.clone());
        let name = name.ok_or_else(missing)?;
        let device = of_user(draft.account(), &name, &input.serial_number)?;
        draft.modify::<MfaDevice, _>(device.name(), |device| {
            device.enabled = None;
            Ok(Unit)
        })
    });
    deactivated.await
}

pub(crate) async fn delete(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::DeleteVirtualMFADeviceInput,
) -> Result<Unit, Error> {
    let deleted = iam.change(caller.account, |draft| {
        let device = mfa_device::find(draft.account(), &input.serial_number)?.clone();
        if device.enabled.is_some() {
            return Err(Error::MfaDeviceNotFree);
        }
        draft.remove(&*device);
        Ok(Unit)
    });
    deleted.await
}

pub(crate) async fn get(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::GetMFADeviceInput,
) -> Result<api::GetMFADeviceOutput, Error> {
    let account = iam.account(caller.account);
    let device = match &input.user_name {
        Some(name) => of_user(&account, name, &input.serial_number)?,
        None => mfa_device::find(&account, &input.serial_number)?.clone(),
    };
    Ok(api::GetMFADeviceOutput {
        user_name: owner(&account, &device).map(|user| user.name().to_owned()),
        enable_date: device.enabled.as_ref().map(|it| it.at),
        serial_number: input.serial_number,
        ..api::GetMFADeviceOutput::default()
    })
}

pub(crate) async fn list(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListMFADevicesInput,
) -> Result<api::ListMFADevicesOutput, Error> {
    let account = iam.account(caller.account);
    // The account itself has none.
    let Some(name) = own_name(&caller, input.user_name)? else {
        return Ok(api::ListMFADevicesOutput { is_truncated: Some(false), ..Default::default() });
    };
    let user = account.find::<User>(&name)?;
    let shown = account.mfa_devices_of(user).map(|(device, enabled)| {
        let shown = api::MFADevice {
            user_name: user.name().to_owned(),
            serial_number: device.arn(account.id).to_string(),
            enable_date: enabled.at,
        };
        (device.name().to_lowercase(), shown)
    });
    let page = Wanted::new(input.marker, input.max_items).of(shown)?;
    Ok(api::ListMFADevicesOutput {
        mfa_devices: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn list_virtual(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListVirtualMFADevicesInput,
) -> Result<api::ListVirtualMFADevicesOutput, Error> {
    let account = iam.account(caller.account);
    let wanted = |device: &&Arc<MfaDevice>| match input.assignment_status {
        Some(api::AssignmentStatusType::Assigned) => device.enabled.is_some(),
        Some(api::AssignmentStatusType::Unassigned) => device.enabled.is_none(),
        _ => true,
    };
    let shown = account.mfa_devices.iter().filter(wanted).map(|device| {
        let shown = api::VirtualMFADevice {
            serial_number: device.arn(account.id).to_string(),
            user: owner(&account, device).map(|user| view::user(account.id, &user)),
            enable_date: device.enabled.as_ref().map(|it| it.at),
            ..api::VirtualMFADevice::default()
        };
        (device.name().to_lowercase(), shown)
    });
    let page = Wanted::new(input.marker, input.max_items).of(shown)?;
    Ok(api::ListVirtualMFADevicesOutput {
        virtual_mfa_devices: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

pub(crate) async fn tag(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::TagMFADeviceInput,
) -> Result<Unit, Error> {
    let given = given_tags(Keys::CaseIgnored, Some(input.tags))?;
    modify(&iam, &caller, &input.serial_number, |device| {
        Keys::CaseIgnored.add(&mut device.resource.tags, given)
    })
    .await
}

pub(crate) async fn untag(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::UntagMFADeviceInput,
) -> Result<Unit, Error> {
    modify(&iam, &caller, &input.serial_number, |device| {
        Keys::CaseIgnored.remove(&mut device.resource.tags, &input.tag_keys);
        Ok(())
    })
    .await
}

pub(crate) async fn list_tags(
    iam: Arc<Iam>,
    caller: Caller,
    input: api::ListMFADeviceTagsInput,
) -> Result<api::ListMFADeviceTagsOutput, Error> {
    let account = iam.account(caller.account);
    let device = mfa_device::find(&account, &input.serial_number)?;
    let page = tags::list(&device.resource.tags, &Wanted::new(input.marker, input.max_items))?;
    Ok(api::ListMFADeviceTagsOutput {
        tags: page.items,
        is_truncated: Some(page.marker.is_some()),
        marker: page.marker,
    })
}

/// A device that is this user's.
fn of_user(account: &Account, name: &str, serial: &str) -> Result<Arc<MfaDevice>, Error> {
    let user = account.find::<User>(name)?;
    let device = mfa_device::find(account, serial)?;
    let missing = || Error::NoSuchMfaDevice(serial.to_owned());
    device.is_of(user).then(|| device.clone()).ok_or_else(missing)
}

fn owner(account: &Account, device: &MfaDevice) -> Option<Arc<User>> {
    account.users.iter().find(|user| device.is_of(user)).cloned()
}

async fn modify(
    iam: &Iam,
    caller: &Caller,
    serial: &str,
    change: impl FnOnce(&mut MfaDevice) -> Result<(), Error>,
) -> Result<Unit, Error> {
    let modified = iam.change(caller.account, |draft| {
        let name = mfa_device::find(draft.account(), serial)?.name().to_owned();
        draft.modify(&name, change)
    });
    modified.await.map(|()| Unit)
}
