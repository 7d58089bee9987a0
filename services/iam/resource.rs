//! What users, groups, roles, policies and instance profiles have in common.

use kit::{AccountId, Arn, Millis, Tags};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, account::Account, limits::Quota, shelf::Shelf};

/// Name, id and tags of an IAM resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Resource {
    /// Never changes and is never given twice: `AIDA…`, `AROA…`.
    pub(crate) id: String,
    pub(crate) name: String,
    /// Starts and ends with `/`.
    pub(crate) path: String,
    pub(crate) created: Millis,
    pub(crate) tags: Tags,
}

/// One kind of IAM resource. Its rows are keyed by id, so that a new name moves no row.
pub(crate) trait Kind: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The table of its rows.
    const TABLE: &'static str;
    /// The word in its ARNs.
    const WORD: &'static str;
    /// The first letters of its ids.
    const ID_PREFIX: &'static str;
    /// How many an account may have.
    const QUOTA: Quota;

    fn resource(&self) -> &Resource;
    fn resource_mut(&mut self) -> &mut Resource;
    fn shelf(account: &Account) -> &Shelf<Self>;
    fn shelf_mut(account: &mut Account) -> &mut Shelf<Self>;
    /// There is none of this name.
    fn missing(name: &str) -> Error;
    /// There is one of this name.
    fn exists(name: &str) -> Error;

    fn id(&self) -> &str {
        &self.resource().id
    }

    fn name(&self) -> &str {
        &self.resource().name
    }

    fn path(&self) -> &str {
        &self.resource().path
    }

    fn arn(&self, account: AccountId) -> Arn {
        arn::<Self>(account, Some(self.path()), self.name())
    }
}

impl Resource {
    /// A new resource of a kind.
    pub(crate) fn new<T: Kind>(
        account: AccountId,
        name: String,
        path: Option<String>,
        tags: Tags,
        now: Millis,
    ) -> Resource {
        Resource {
            id: kit::ids::of_account(T::ID_PREFIX, account, 17),
            name,
            path: path.unwrap_or_else(|| "/".to_owned()),
            created: second(now),
            tags,
        }
    }
}

/// The second of a moment: IAM tells all times in whole seconds.
pub(crate) fn second(moment: Millis) -> Millis {
    Millis(moment.seconds() * 1000)
}

/// The ARN of a kind's resource; without a path the path is `/`.
pub(crate) fn arn<T: Kind>(account: AccountId, path: Option<&str>, name: &str) -> Arn {
    let path = path.unwrap_or("/");
    Arn::new("iam", "", account.as_str(), format_args!("{}{path}{name}", T::WORD))
}
