//! A bucket: its row, what is derived from the row, and the rules of its name.

use std::collections::BTreeMap;

use kit::{AccountId, Arn, Millis, Region};
use s3s::{
    dto,
    xml::{DeserializeContent, SerializeContent},
};
use serde::{Deserialize, Serialize};

use crate::{
    Error, document, document::kind, lock::DefaultRetention, notification::Notifications,
    tags::Tags,
};

/// A bucket as it is stored: one row holds its whole configuration, so that one check in a
/// transaction tells whether any of it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BucketRow {
    pub(crate) name: String,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) created: Millis,
    pub(crate) versioning: Versioning,
    pub(crate) mfa_delete: Option<bool>,
    pub(crate) object_lock: bool,
    pub(crate) default_retention: Option<DefaultRetention>,
    /// Canned ACL; `None` is `private`.
    pub(crate) acl: Option<String>,
    pub(crate) tags: Tags,
    /// By kind, or `kind/id` for those that have ids.
    pub(crate) documents: BTreeMap<String, String>,
    /// A deletion is under way: nothing may be written.
    pub(crate) closing: bool,
}

/// Whether keys keep their old versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    /// It never was on.
    Never,
    Enabled,
    Suspended,
}

/// A bucket in memory: its row at one version, and what is read from its documents.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) row: BucketRow,
    /// The number of the commit that wrote the row.
    pub(crate) version: u64,
    pub(crate) notifications: Notifications,
    pub(crate) cors: Vec<dto::CORSRule>,
}

impl Bucket {
    /// Reads the documents of a row.
    pub(crate) fn new(row: BucketRow, version: u64) -> Result<Bucket, Error> {
        let cors = row.document::<dto::CORSConfiguration>(kind::CORS)?;
        let notifications = row.document(kind::NOTIFICATION)?.unwrap_or_default();
        Ok(Bucket {
            cors: cors.map_or_else(Vec::new, |cors| cors.cors_rules),
            notifications: Notifications::new(notifications),
            row,
            version,
        })
    }
}

impl BucketRow {
    /// A new bucket with S3's defaults of today: owner enforced, private, public access blocked.
    pub(crate) fn new(name: &str, account: AccountId, region: Region, now: Millis) -> BucketRow {
        let mut row = BucketRow {
            name: name.to_owned(),
            account,
            region,
            created: now,
            versioning: Versioning::Never,
            mfa_delete: None,
            object_lock: false,
            default_retention: None,
            acl: None,
            tags: Tags::new(),
            documents: BTreeMap::new(),
            closing: false,
        };
        row.set_document(
            kind::PUBLIC_ACCESS_BLOCK,
            &dto::PublicAccessBlockConfiguration {
                block_public_acls: Some(true),
                block_public_policy: Some(true),
                ignore_public_acls: Some(true),
                restrict_public_buckets: Some(true),
            },
        );
        row.put_ownership(dto::ObjectOwnership::BUCKET_OWNER_ENFORCED);
        row
    }

    /// Names who owns objects that others write.
    pub(crate) fn set_ownership(&mut self, ownership: &str) -> Result<(), Error> {
        const KNOWN: [&str; 3] = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];
        if !KNOWN.contains(&ownership) {
            let name = "x-amz-object-ownership";
            return Err(Error::argument("Invalid x-amz-object-ownership header", name, ownership));
        }
        self.put_ownership(ownership);
        Ok(())
    }

    fn put_ownership(&mut self, ownership: &str) {
        let object_ownership = dto::ObjectOwnership::from(ownership.to_owned());
        let rules = vec![dto::OwnershipControlsRule { object_ownership }];
        self.set_document(kind::OWNERSHIP, &dto::OwnershipControls { rules });
    }

    /// Whether ACLs have no effect: the bucket's owner owns every object.
    pub(crate) fn acls_are_disabled(&self) -> bool {
        let controls = self.document::<dto::OwnershipControls>(kind::OWNERSHIP).ok().flatten();
        controls.is_some_and(|controls| {
            let enforced = dto::ObjectOwnership::BUCKET_OWNER_ENFORCED;
            controls.rules.iter().any(|rule| rule.object_ownership.as_str() == enforced)
        })
    }

    /// Stores a configuration.
    pub(crate) fn set_document(&mut self, kind: &str, document: &impl SerializeContent) {
        self.documents.insert(kind.to_owned(), document::write(document));
    }

    /// A stored configuration.
    pub(crate) fn document<T>(&self, kind: &str) -> Result<Option<T>, Error>
    where
        T: for<'xml> DeserializeContent<'xml>,
    {
        self.documents.get(kind).map(|text| document::read(text)).transpose()
    }

    /// `arn:aws:s3:::name`.
    pub(crate) fn arn(&self) -> Arn {
        Arn::new("s3", "", "", &self.name)
    }

    /// `None` for us-east-1, as S3 has it.
    pub(crate) fn location(&self) -> Option<&str> {
        Some(self.region.as_str()).filter(|region| *region != "us-east-1")
    }

    /// Its owner as listings show it.
    pub(crate) fn owner(&self) -> dto::Owner {
        owner(self.account)
    }
}

/// An account as S3 shows it: a canonical user id of 64 hexadecimal digits.
pub(crate) fn owner(account: AccountId) -> dto::Owner {
    dto::Owner { id: Some(canonical_id(account)), display_name: None }
}

/// The canonical user id of an account: S3's are opaque; ours is the account's hash.
pub(crate) fn canonical_id(account: AccountId) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(b"lampejo canonical user ");
    hash.update(account.as_str());
    hex::encode(hash.finalize())
}

/// Checks a new bucket's name: "Bucket naming rules" of the user guide.
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let reserved = PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    if reserved || name.contains(".-") || name.contains("-.") || !s3s::path::check_bucket_name(name)
    {
        return Err(Error::InvalidBucketName { bucket: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for name in ["abc", "my.bucket-1", &"a".repeat(63)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "a".repeat(64);
        for name in
            ["ab", &long, "Abc", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "xn--a", "a-s3alias"]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_new_bucket_has_the_defaults_of_today() {
        let row = BucketRow::new("b", AccountId::DEFAULT, Region::default(), Millis(1));
        assert!(row.acls_are_disabled());
        assert_eq!(row.location(), None);
        let block = row.document::<dto::PublicAccessBlockConfiguration>(kind::PUBLIC_ACCESS_BLOCK);
        assert_eq!(block.unwrap().unwrap().block_public_acls, Some(true));
        assert_eq!(canonical_id(AccountId::DEFAULT).len(), 64);
    }
}
