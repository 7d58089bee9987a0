//! Money in integers. Pure.
//!
//! Prices are of GB-seconds, usage is of MiB-milliseconds, and 1,024,000 of those are one of these:
//! the smallest unit is a 1,024,000th of a trillionth of a dollar. A `u128` of them holds more dollars
//! than there are.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
};

/// MiB-milliseconds of a GB-second.
pub(crate) const MIB_MS: u128 = 1024 * 1000;
/// Units of a price in a dollar.
const PICO: u128 = 1_000_000_000_000;
/// Decimals of a price.
const PRICE_DECIMALS: usize = 12;

/// A price in trillionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price(u128);

/// An amount of dollars, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Money(u128);

impl Price {
    /// Reads `0.0000166667`.
    pub(crate) fn parse(text: &str) -> Option<Price> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || decimals.len() > PRICE_DECIMALS
            || !digits(whole)
            || !digits(decimals)
        {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let decimals: u64 = format!("{decimals:0<PRICE_DECIMALS$}").parse().ok()?;
        Some(Price(u128::from(whole) * PICO + u128::from(decimals)))
    }

    /// So many percent of it, to ten decimals as AWS prints prices.
    pub(crate) fn percent(self, percent: u32) -> Price {
        const LAST: u128 = 100;
        let exact = self.0 * u128::from(percent);
        Price((exact + 100 * LAST / 2) / (100 * LAST) * LAST)
    }

    /// For so many requests.
    pub(crate) fn times(self, count: u64) -> Money {
        Money(self.0 * u128::from(count) * MIB_MS)
    }

    /// For so many MiB-milliseconds, when the price is a GB-second's.
    pub(crate) fn for_mib_ms(self, mib_ms: u128) -> Money {
        Money(self.0 * mib_ms)
    }
}

impl Add for Money {
    type Output = Money;

    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        self.0 += other.0;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::default(), Add::add)
    }
}

/// All decimals, and no zeros behind them.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(self.0, PICO * MIB_MS))
    }
}

/// A fraction in decimals; the divisor has no prime factor but 2 and 5.
pub(crate) fn decimal(dividend: u128, divisor: u128) -> String {
    let mut text = (dividend / divisor).to_string();
    let mut rest = dividend % divisor;
    if rest > 0 {
        text.push('.');
    }
    while rest > 0 {
        rest *= 10;
        text.push(char::from(b'0' + (rest / divisor) as u8));
        rest %= divisor;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    #[test]
    fn prices_are_read_and_others_are_not() {
        assert_eq!(price("0.0000166667"), Price(16_666_700));
        assert_eq!(price("2"), Price(2 * PICO));
        for text in ["", ".", "-1", "1,5", "0.0000000000001", "1.2.3", "1e-7"] {
            assert_eq!(Price::parse(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        assert_eq!(price("0.0000002").times(1).to_string(), "0.0000002");
        // 128 MB for 1 ms: 0.0000166667 / 8 / 1000.
        assert_eq!(price("0.0000166667").for_mib_ms(128).to_string(), "0.0000000020833375");
        assert_eq!(Money::default().to_string(), "0");
        let sum: Money = (0..3).map(|_| price("0.1").times(1)).sum();
        assert_eq!(sum.to_string(), "0.3");
    }

    #[test]
    fn a_share_of_a_price_is_rounded_as_aws_rounds_it() {
        // The prices of the higher tiers in us-east-1.
        assert_eq!(price("0.0000166667").percent(90), price("0.0000150000"));
        assert_eq!(price("0.0000166667").percent(80), price("0.0000133334"));
        assert_eq!(price("0.0000133334").percent(90), price("0.0000120001"));
        assert_eq!(price("0.0000133334").percent(80), price("0.0000106667"));
    }
}
