//! What the operations share that begin sessions of roles.

use kit::{Arn, Principal, PrincipalKind};

use crate::{Error, Sts, limits, session};

/// A session that is wished for.
pub(super) struct Wish {
    pub(super) arn: Arn,
    pub(super) name: String,
    pub(super) seconds: Option<i32>,
}

/// The ARN of a role.
pub(super) fn arn(text: &str) -> Result<Arn, Error> {
    let arn = text.parse::<Arn>().ok();
    let fits = |arn: &Arn| !arn.account().is_empty();
    arn.filter(fits).ok_or_else(|| Error::InvalidRoleArn(text.to_owned()))
}

impl Wish {
    /// Who the session will be and for how long; `None` if there is no such role. The model bounds
    /// what is asked for. A session of a role that wants another role gets an hour at most.
    pub(super) fn granted(
        &self,
        sts: &Sts,
        caller: Option<PrincipalKind>,
    ) -> Option<Result<(Principal, u32), Error>> {
        let role = sts.identities.role(&self.arn)?;
        let account = self.arn.account().parse().ok()?;
        let given = self.seconds.and_then(|seconds| u32::try_from(seconds).ok());
        let seconds = given.unwrap_or(limits::ROLE_SESSION_SECONDS);
        let chained = caller == Some(PrincipalKind::AssumedRole);
        Some(match () {
            () if chained && seconds > limits::CHAINED_SESSION_SECONDS => {
                Err(Error::LongerThanChainAllows)
            }
            () if seconds > role.max_session_seconds => Err(Error::LongerThanRoleAllows),
            () => Ok((session::assumed_role(account, &role.name, &role.id, &self.name), seconds)),
        })
    }
}
