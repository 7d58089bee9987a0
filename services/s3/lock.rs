//! Object lock: retention and legal hold, and what they forbid.

use kit::Millis;
use s3s::dto;
use serde::{Deserialize, Serialize};

use crate::{Error, object::Object};

/// Until when a version stays, and whether somebody may lift that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retention {
    pub(crate) mode: Mode,
    pub(crate) until: Millis,
}

/// The modes of retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// `s3:BypassGovernanceRetention` lifts it.
    Governance,
    /// Nobody lifts it.
    Compliance,
}

/// What a bucket gives to new versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultRetention {
    pub(crate) mode: Mode,
    pub(crate) period: Period,
}

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Period {
    Days(u32),
    Years(u32),
}

/// Whether the request lifts governance (`x-amz-bypass-governance-retention: true`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bypass {
    No,
    Yes,
}

impl From<Option<bool>> for Bypass {
    fn from(header: Option<bool>) -> Bypass {
        if header == Some(true) { Bypass::Yes } else { Bypass::No }
    }
}

impl Mode {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Governance => "GOVERNANCE",
            Mode::Compliance => "COMPLIANCE",
        }
    }

    /// By its name.
    pub(crate) fn parse(name: &str) -> Result<Mode, Error> {
        match name {
            "GOVERNANCE" => Ok(Mode::Governance),
            "COMPLIANCE" => Ok(Mode::Compliance),
            other => {
                Err(Error::argument("Unknown wormMode directive.", "x-amz-object-lock-mode", other))
            }
        }
    }
}

impl DefaultRetention {
    const DAY_MILLIS: u64 = 24 * 60 * 60 * 1000;

    /// The retention of a version written now.
    pub(crate) fn starting(self, now: Millis) -> Retention {
        let days = match self.period {
            Period::Days(days) => u64::from(days),
            Period::Years(years) => u64::from(years) * 365,
        };
        Retention { mode: self.mode, until: now.plus(days * DefaultRetention::DAY_MILLIS) }
    }

    /// Out of a bucket's configuration.
    pub(crate) fn parse(rule: dto::DefaultRetention) -> Result<DefaultRetention, Error> {
        let mode = Mode::parse(rule.mode.as_ref().map_or("", |mode| mode.as_str()))
            .map_err(|_| Error::MalformedXML {})?;
        let positive = |name: &str, number: i32| match u32::try_from(number) {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Error::argument(
                "Default retention period must be a positive integer value.",
                name,
                number,
            )),
        };
        let period = match (rule.days, rule.years) {
            (Some(days), None) => Period::Days(positive("Days", days)?),
            (None, Some(years)) => Period::Years(positive("Years", years)?),
            _ => return Err(Error::MalformedXML {}),
        };
        Ok(DefaultRetention { mode, period })
    }
}

/// Checks a retention that a request asks for.
pub(crate) fn retention(
    mode: Option<&str>,
    until: Option<Millis>,
    now: Millis,
) -> Result<Option<Retention>, Error> {
    match (mode, until) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) if until > now => {
            Ok(Some(Retention { mode: Mode::parse(mode)?, until }))
        }
        (Some(_), Some(until)) => Err(Error::argument(
            "The retain until date must be in the future!",
            "x-amz-object-lock-retain-until-date",
            until.iso8601(),
        )),
        _ => Err(Error::argument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            "x-amz-object-lock-mode",
            "",
        )),
    }
}

/// Whether a version may be deleted now.
pub(crate) fn check_delete(object: &Object, now: Millis, bypass: Bypass) -> Result<(), Error> {
    let held = object.legal_hold == Some(true);
    let retained = object.retention.is_some_and(|retention| {
        retention.until > now && (retention.mode == Mode::Compliance || bypass == Bypass::No)
    });
    if held || retained {
        return Err(Error::AccessDenied {
            message: "Access Denied because object protected by object lock.".to_owned(),
        });
    }
    Ok(())
}

/// Whether a version's retention may become `wanted`.
pub(crate) fn check_change(
    present: Option<Retention>,
    wanted: Option<Retention>,
    now: Millis,
    bypass: Bypass,
) -> Result<(), Error> {
    let Some(present) = present.filter(|present| present.until > now) else { return Ok(()) };
    let weakens = match wanted {
        None => true,
        Some(wanted) => {
            wanted.until < present.until
                || (present.mode == Mode::Compliance && wanted.mode == Mode::Governance)
        }
    };
    if weakens && (present.mode == Mode::Compliance || bypass == Bypass::No) {
        return Err(Error::AccessDenied {
            message: "Access Denied because object protected by object lock.".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_000_000);

    fn retained(mode: Mode) -> Object {
        let retention = Some(Retention { mode, until: NOW.plus(1) });
        Object { retention, ..Object::default() }
    }

    #[test]
    fn a_retained_version_stays_until_its_date() {
        let governed = retained(Mode::Governance);
        assert!(check_delete(&governed, NOW, Bypass::No).is_err());
        assert!(check_delete(&governed, NOW, Bypass::Yes).is_ok());
        assert!(check_delete(&governed, NOW.plus(1), Bypass::No).is_ok());
        assert!(check_delete(&retained(Mode::Compliance), NOW, Bypass::Yes).is_err());
        let held = Object { legal_hold: Some(true), ..Object::default() };
        assert!(check_delete(&held, NOW, Bypass::Yes).is_err());
    }

    #[test]
    fn retention_may_grow_but_not_shrink() {
        let at = |mode, millis| Some(Retention { mode, until: NOW.plus(millis) });
        let compliance = at(Mode::Compliance, 10);
        assert!(check_change(compliance, at(Mode::Compliance, 11), NOW, Bypass::No).is_ok());
        assert!(check_change(compliance, at(Mode::Compliance, 9), NOW, Bypass::Yes).is_err());
        assert!(check_change(compliance, None, NOW, Bypass::Yes).is_err());
        let governance = at(Mode::Governance, 10);
        assert!(check_change(governance, None, NOW, Bypass::No).is_err());
        assert!(check_change(governance, None, NOW, Bypass::Yes).is_ok());
    }

    #[test]
    fn a_default_counts_from_the_write() {
        let default = DefaultRetention { mode: Mode::Governance, period: Period::Days(1) };
        assert_eq!(default.starting(NOW).until, NOW.plus(86_400_000));
        assert!(retention(Some("GOVERNANCE"), Some(NOW), NOW).is_err());
        assert!(retention(Some("GOVERNANCE"), None, NOW).is_err());
    }
}
