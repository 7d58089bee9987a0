//! How callers name layers and their versions: by name, or by ARN. Pure.
//!
//! The model's patterns have been checked when a text arrives here.

use kit::{AccountId, Arn, Caller, Region};

use crate::Error;

/// A layer, whether or not it exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LayerKey {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

/// A version of a layer, whether or not it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerVersionName {
    pub(crate) layer: LayerKey,
    pub(crate) number: u64,
}

impl LayerKey {
    /// The layer that a caller means by a name or an ARN, of any account and region.
    pub(crate) fn parse(caller: &Caller, text: &str) -> Option<LayerKey> {
        if !text.starts_with("arn:") {
            let (account, region) = (caller.account, caller.region.clone());
            return Some(LayerKey { account, region, name: text.to_owned() });
        }
        let arn: Arn = text.parse().ok()?;
        let name = arn.resource().strip_prefix("layer:")?;
        let (account, region) = (arn.account().parse().ok()?, arn.region().parse().ok()?);
        (!name.contains(':')).then(|| LayerKey { account, region, name: name.to_owned() })
    }

    /// The caller's own layer by a name or an ARN; only the owner changes layers.
    pub(crate) fn own(caller: &Caller, text: &str) -> Result<LayerKey, Error> {
        let key = LayerKey::parse(caller, text).ok_or(Error::NoSuchResource)?;
        if key.account != caller.account {
            let caller = caller.principal.arn.to_string();
            return Err(Error::OtherAccount { caller, function: key.arn() });
        }
        if key.region != caller.region {
            return Err(Error::NoSuchResource);
        }
        Ok(key)
    }

    /// `LayerArn`.
    pub(crate) fn arn(&self) -> String {
        let resource = format!("layer:{}", self.name);
        Arn::new("lambda", self.region.as_str(), self.account.as_str(), resource).to_string()
    }

    /// A version of this layer.
    pub(crate) fn version(&self, number: i64) -> Result<LayerVersionName, Error> {
        let number = u64::try_from(number).ok().filter(|number| *number > 0);
        let number = number.ok_or(Error::LayerVersionBelowOne)?;
        Ok(LayerVersionName { layer: self.clone(), number })
    }
}

impl LayerVersionName {
    /// Reads `LayerVersionArn`.
    pub(crate) fn parse(text: &str) -> Option<LayerVersionName> {
        let arn: Arn = text.parse().ok()?;
        let (name, number) = arn.resource().strip_prefix("layer:")?.split_once(':')?;
        let (account, region) = (arn.account().parse().ok()?, arn.region().parse().ok()?);
        let layer = LayerKey { account, region, name: name.to_owned() };
        Some(LayerVersionName { layer, number: number.parse().ok()? })
    }

    /// `LayerVersionArn`.
    pub(crate) fn arn(&self) -> String {
        format!("{}:{}", self.layer.arn(), self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Millis;

    fn caller() -> Caller {
        Caller::internal(AccountId::DEFAULT, Region::default(), Millis(0))
    }

    #[test]
    fn a_name_and_an_arn_mean_the_same_layer() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:layer:l";
        let named = LayerKey::own(&caller(), "l").unwrap();
        assert_eq!(named, LayerKey::own(&caller(), arn).unwrap());
        assert_eq!(named.arn(), arn);
        let version = LayerVersionName::parse(&format!("{arn}:7")).unwrap();
        assert_eq!((&version.layer, version.number), (&named, 7));
        assert_eq!(version.arn(), format!("{arn}:7"));
    }

    #[test]
    fn what_names_no_layer_is_told() {
        for text in
            ["arn:aws:lambda:us-east-1:000000000000:function:l:1", "arn:aws:lambda:::awslayer:l"]
        {
            assert_eq!(LayerVersionName::parse(text), None, "{text}");
        }
        let layer = LayerKey::own(&caller(), "l").unwrap();
        for number in [0, -1] {
            let error = layer.version(number).unwrap_err().to_string();
            assert_eq!(error, "Layer Version Cannot be less than 1");
        }
    }

    #[test]
    fn only_the_owner_changes_a_layer() {
        let other = "arn:aws:lambda:us-east-1:123456789012:layer:l";
        assert!(matches!(LayerKey::own(&caller(), other), Err(Error::OtherAccount { .. })));
        let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:layer:l";
        assert!(matches!(LayerKey::own(&caller(), elsewhere), Err(Error::NoSuchResource)));
    }
}
