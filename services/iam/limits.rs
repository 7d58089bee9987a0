//! Quotas, as the IAM user guide lists them ("IAM and AWS STS quotas") and `GetAccountSummary`
//! reports them.

/// A quota with the name that errors give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    pub(crate) name: &'static str,
    pub(crate) limit: usize,
}

const fn quota(name: &'static str, limit: usize) -> Quota {
    Quota { name, limit }
}

pub(crate) const USERS: Quota = quota("UsersPerAccount", 5000);
pub(crate) const GROUPS: Quota = quota("GroupsPerAccount", 300);
pub(crate) const ROLES: Quota = quota("RolesPerAccount", 1000);
pub(crate) const POLICIES: Quota = quota("PoliciesPerAccount", 1500);
pub(crate) const INSTANCE_PROFILES: Quota = quota("InstanceProfilesPerAccount", 1000);
pub(crate) const GROUPS_PER_USER: Quota = quota("GroupsPerUser", 10);
pub(crate) const ACCESS_KEYS_PER_USER: Quota = quota("AccessKeysPerUser", 2);
/// AWS's name for the one role of an instance profile.
pub(crate) const ROLES_PER_PROFILE: Quota = quota("InstanceSessionsPerInstanceProfile", 1);
pub(crate) const ATTACHED_PER_USER: Quota = quota("PoliciesPerUser", 10);
pub(crate) const ATTACHED_PER_GROUP: Quota = quota("PoliciesPerGroup", 10);
pub(crate) const ATTACHED_PER_ROLE: Quota = quota("PoliciesPerRole", 10);
pub(crate) const TAGS: Quota = quota("TagsPerResource", 50);
/// Non-whitespace characters of a trust policy.
pub(crate) const TRUST_POLICY_SIZE: Quota = quota("ACLSizePerRole", 2048);
/// Non-whitespace characters of a managed policy.
pub(crate) const POLICY_SIZE: Quota = quota("PolicySize", 6144);
/// Non-whitespace characters of all inline policies together.
pub(crate) const USER_INLINE_SIZE: usize = 2048;
pub(crate) const GROUP_INLINE_SIZE: usize = 5120;
pub(crate) const ROLE_INLINE_SIZE: usize = 10_240;
pub(crate) const VERSIONS_PER_POLICY: usize = 5;
/// Items of a page when the request does not say.
pub(crate) const PAGE: usize = 100;
/// The longest session of a role that does not say.
pub(crate) const DEFAULT_SESSION_SECONDS: u32 = 3600;
pub(crate) const OIDC_PROVIDERS: Quota = quota("OpenIDConnectProvidersPerAccount", 100);
pub(crate) const SAML_PROVIDERS: Quota = quota("SAMLProvidersPerAccount", 100);
pub(crate) const MFA_DEVICES: Quota = quota("VirtualMFADevicesPerAccount", 40_000);
pub(crate) const MFA_DEVICES_PER_USER: Quota = quota("MFADevicesPerUser", 8);
pub(crate) const CLIENTS_PER_PROVIDER: Quota = quota("ClientIdsPerOpenIdConnectProvider", 100);
pub(crate) const THUMBPRINTS_PER_PROVIDER: usize = 5;
/// Passwords that a policy may forbid to come again, the current one not counted.
pub(crate) const REMEMBERED_PASSWORDS: usize = 24;
/// How long a credential report is shown.
pub(crate) const REPORT_SECONDS: u64 = 4 * 3600;
/// Answers about services last accessed that are kept; the oldest make room.
pub(crate) const ACCESS_JOBS: usize = 1000;
