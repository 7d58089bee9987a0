//! A bill: usage in the order of time, priced. Pure.
//!
//! Tiers ("AWS Lambda pricing"): the memory time of an account's functions on one architecture in one
//! region in a month. A bill counts them from its own first day on.

use std::collections::HashMap;

use serde::{Serialize, Serializer};

use crate::{
    cost::{
        money::{MIB_MS, Money},
        prices::{Prices, Tier},
    },
    usage::{Architecture, Charge, Subject},
};

/// What something costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cost {
    #[serde(serialize_with = "text")]
    pub(crate) requests: Money,
    #[serde(serialize_with = "text")]
    pub(crate) duration: Money,
    #[serde(serialize_with = "text")]
    pub(crate) ephemeral_storage: Money,
    #[serde(serialize_with = "text")]
    pub(crate) total: Money,
}

/// Prices usage; knows how much there was of each kind this month.
pub(crate) struct Bill<'a> {
    prices: &'a Prices,
    /// MiB-milliseconds by region, architecture and month.
    used: HashMap<(kit::Region, Architecture, u32), u128>,
}

impl Cost {
    pub(crate) fn merge(&mut self, other: &Cost) {
        self.requests += other.requests;
        self.duration += other.duration;
        self.ephemeral_storage += other.ephemeral_storage;
        self.total += other.total;
    }
}

impl<'a> Bill<'a> {
    pub(crate) fn new(prices: &'a Prices) -> Bill<'a> {
        Bill { prices, used: HashMap::new() }
    }

    /// The cost of usage in a month, behind all that was priced before.
    pub(crate) fn price(&mut self, subject: &Subject, month: u32, charge: &Charge) -> Cost {
        let Subject { region, architecture, .. } = subject;
        let prices = self.prices.of(region.as_str());
        let used = self.used.entry((region.clone(), *architecture, month)).or_default();
        let (from, to) = (*used, *used + u128::from(charge.mib_ms));
        *used = to;
        let price = prices.duration(*architecture);
        let tiers = self.prices.tiers(*architecture);
        let parts = shares(tiers, from, to).into_iter();
        let duration = parts.map(|(percent, mib_ms)| price.percent(percent).for_mib_ms(mib_ms));
        let duration: Money = duration.sum();
        let requests = prices.request.times(charge.requests);
        let ephemeral_storage = prices.storage.for_mib_ms(u128::from(charge.storage_mib_ms));
        let total = requests + duration + ephemeral_storage;
        Cost { requests, duration, ephemeral_storage, total }
    }
}

/// How the way from one amount of MiB-milliseconds to a greater one parts into tiers: percent of the
/// price, and how much at it.
fn shares(tiers: &[Tier], from: u128, to: u128) -> Vec<(u32, u128)> {
    let starts = tiers.iter().map(|tier| (u128::from(tier.beyond) * MIB_MS, tier.percent));
    let steps: Vec<(u128, u32)> = std::iter::once((0, 100)).chain(starts).collect();
    let ends = steps.iter().skip(1).map(|(start, _)| *start).chain([u128::MAX]);
    let parts = steps
        .iter()
        .zip(ends)
        .map(|((start, percent), end)| (*percent, to.min(end).saturating_sub(from.max(*start))));
    parts.filter(|(_, mib_ms)| *mib_ms > 0).collect()
}

fn text<S: Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(money)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::{AccountId, Region};

    fn subject(architecture: Architecture) -> Subject {
        Subject {
            account: AccountId::DEFAULT,
            region: Region::default(),
            function: "f".to_owned(),
            version: "1".to_owned(),
            qualifier: String::new(),
            architecture,
        }
    }

    /// So many invocations of so many ms with this memory and `/tmp`, in MiB.
    fn usage(requests: u64, ms: u64, memory: u64, storage: u64) -> Charge {
        let billed_ms = requests * ms;
        let storage_mib_ms = storage.saturating_sub(512) * billed_ms;
        Charge { requests, billed_ms, mib_ms: memory * billed_ms, storage_mib_ms }
    }

    fn price(architecture: Architecture, charge: &Charge) -> Cost {
        let prices = Prices::load(None).unwrap();
        Bill::new(&prices).price(&subject(architecture), 0, charge)
    }

    /// AWS's first example ("AWS Lambda pricing"): a mobile application's 3 million requests a month,
    /// of 120 ms with 1,536 MB: 540,000 GB-s. AWS takes 400,000 GB-s and 1 million requests off as free:
    /// $2.33 and $0.40.
    #[test]
    fn the_first_example_of_the_pricing_page() {
        let cost = price(Architecture::X86, &usage(3_000_000, 120, 1536, 512));
        assert_eq!(cost.duration.to_string(), "9.000018");
        assert_eq!(cost.requests.to_string(), "0.6");
        assert_eq!(cost.total.to_string(), "9.600018");
        let taken =
            Charge { requests: 2_000_000, mib_ms: 140_000 * 1_024_000, ..Charge::default() };
        let cost = price(Architecture::X86, &taken);
        assert_eq!(
            (cost.duration.to_string().as_str(), &*cost.requests.to_string()),
            ("2.333338", "0.4")
        );
    }

    /// By hand: 100 requests of 1,000 ms with 1,024 MB and 10,240 MB of `/tmp`: 100 GB-s, and 950 GB-s
    /// of storage (9,728 MB are 9.5 GB).
    #[test]
    fn storage_beyond_what_is_free_costs() {
        let cost = price(Architecture::Arm, &usage(100, 1000, 1024, 10_240));
        assert_eq!(cost.duration.to_string(), "0.00133334");
        assert_eq!(cost.ephemeral_storage.to_string(), "0.000029355");
        assert_eq!(cost.requests.to_string(), "0.00002");
        assert_eq!(cost.total.to_string(), "0.001382695");
    }

    /// The example of "Introducing tiered pricing for AWS Lambda" has three tiers; by hand: 20 billion
    /// GB-s are 6 at 100 %, 9 at 90 % and 5 at 80 %.
    #[test]
    fn great_amounts_pass_through_the_tiers_wherever_they_are_split() {
        let billion = 1_000_000_000 * 1_024_000;
        let all = Charge { mib_ms: 18 * billion, ..Charge::default() };
        let exact = 6e9 * 0.000_016_666_7 + 9e9 * 0.000_015 + 3e9 * 0.000_013_333_4;
        assert_eq!(exact, 275_000.4);
        assert_eq!(price(Architecture::X86, &all).total.to_string(), "275000.4");
        let prices = Prices::load(None).unwrap();
        let mut bill = Bill::new(&prices);
        let subject = subject(Architecture::X86);
        let piece = Charge { mib_ms: 2 * billion, ..Charge::default() };
        let costs = (0..9).map(|_| bill.price(&subject, 0, &piece).total);
        assert_eq!(costs.sum::<Money>().to_string(), "275000.4");
        // Another month begins at the first tier.
        assert_eq!(bill.price(&subject, 1, &piece).total.to_string(), "33333.4");
    }
}
