//! AWS's price list for Lambda: a file in the binary, of which a user's own may replace regions.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{cost::money::Price, usage::Architecture};

/// AWS's prices.
const BUILT_IN: &str = include_str!("prices.toml");

/// Prices by region.
#[derive(Clone, Debug)]
pub struct Prices {
    default: String,
    tiers: Tiers,
    regions: BTreeMap<String, Region>,
}

/// What is wrong with a file of prices.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// It is not TOML of this form.
    #[error("{0}")]
    Form(String),
    /// A price is not a number of dollars.
    #[error("{0:?} is not a price: write it as \"0.0000166667\", with up to twelve decimals")]
    Price(String),
    /// The region whose prices the others have has none.
    #[error("`default` names {0:?}, which has no prices")]
    Default(String),
}

/// The file's form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Option<String>,
    tiers: Option<Tiers>,
    #[serde(default)]
    regions: BTreeMap<String, RegionFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionFile {
    request: String,
    x86: String,
    arm: String,
    storage: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tiers {
    x86: Vec<Tier>,
    arm: Vec<Tier>,
}

/// Beyond so many GB-seconds a month, so many percent of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tier {
    pub(crate) beyond: u64,
    pub(crate) percent: u32,
}

/// The prices of a region.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    /// Of a request.
    pub(crate) request: Price,
    /// Of a GB-second of `/tmp` beyond what is free.
    pub(crate) storage: Price,
    x86: Price,
    arm: Price,
}

impl Prices {
    /// The built-in prices, and a user's file before them.
    ///
    /// # Errors
    /// The file is not of the form of `prices.toml`.
    pub fn load(own: Option<&str>) -> Result<Prices, PricesError> {
        let none =
            || Prices { default: String::new(), tiers: Tiers::default(), regions: BTreeMap::new() };
        let mut prices = none();
        for text in [Some(BUILT_IN), own].into_iter().flatten() {
            prices.read(text)?;
        }
        if !prices.regions.contains_key(&prices.default) {
            return Err(PricesError::Default(prices.default));
        }
        Ok(prices)
    }

    fn read(&mut self, text: &str) -> Result<(), PricesError> {
        let file: File =
            toml::from_str(text).map_err(|error| PricesError::Form(error.to_string()))?;
        self.default = file.default.unwrap_or(std::mem::take(&mut self.default));
        self.tiers = file.tiers.unwrap_or(std::mem::take(&mut self.tiers));
        let parse = |text: String| Price::parse(&text).ok_or(PricesError::Price(text));
        for (name, region) in file.regions {
            let region = Region {
                request: parse(region.request)?,
                x86: parse(region.x86)?,
                arm: parse(region.arm)?,
                storage: parse(region.storage)?,
            };
            self.regions.insert(name, region);
        }
        Ok(())
    }

    /// A region's prices, or those of the default one.
    pub(crate) fn of(&self, region: &str) -> &Region {
        self.regions.get(region).unwrap_or_else(|| &self.regions[&self.default])
    }

    /// The tiers of an architecture, from the first.
    pub(crate) fn tiers(&self, architecture: Architecture) -> &[Tier] {
        match architecture {
            Architecture::X86 => &self.tiers.x86,
            Architecture::Arm => &self.tiers.arm,
        }
    }
}

impl Region {
    /// The price of a GB-second.
    pub(crate) fn duration(&self, architecture: Architecture) -> Price {
        match architecture {
            Architecture::X86 => self.x86,
            Architecture::Arm => self.arm,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_prices_are_there_and_a_users_go_before_them() {
        let prices = Prices::load(None).unwrap();
        let price = |text: &str| Price::parse(text).unwrap();
        assert_eq!(prices.of("ap-east-1").duration(Architecture::Arm), price("0.0000183"));
        assert_eq!(prices.of("nowhere-1").storage, price("0.0000000309"));
        let own = r#"
            default = "nowhere-1"
            [regions.nowhere-1]
            request = "1"
            x86 = "2"
            arm = "3"
            storage = "4"
        "#;
        let prices = Prices::load(Some(own)).unwrap();
        assert_eq!(prices.of("elsewhere-1").request, price("1"));
        assert_eq!(prices.of("us-east-1").request, price("0.0000002"));
        assert_eq!(prices.tiers(Architecture::X86).len(), 2);
    }

    #[test]
    fn a_wrong_file_says_what_is_wrong() {
        let wrong = |text: &str| Prices::load(Some(text)).unwrap_err().to_string();
        assert!(wrong("prices = 1").contains("unknown field"));
        assert!(wrong("default = 'nowhere-1'").contains("has no prices"));
        let region = "[regions.r]\nrequest = 'free'\nx86 = '1'\narm = '1'\nstorage = '1'";
        assert!(wrong(region).contains("\"free\" is not a price"));
    }
}
