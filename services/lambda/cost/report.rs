//! The answer: usage and cost by function, alias, day or chain.

use std::collections::BTreeMap;

use kit::{AccountId, Millis};
use serde::Serialize;

use crate::{
    Error, Lambda,
    cost::{
        Period, Prices,
        bill::{Bill, Cost},
        money::{MIB_MS, decimal},
        period,
    },
    name::LATEST,
    usage::{Chain, Charge, Metrics, Subject, Tally},
};

/// Chains of one answer.
const MAX_CHAINS: usize = 1000;
/// What the amounts are, and what they leave out.
const NOTE: &str = "AWS list prices in US dollars; no free tier, savings plans or taxes";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// Whose functions.
    pub account: AccountId,
    /// One function's, or all.
    pub function: Option<String>,
    /// What a row is.
    pub by: By,
    /// When.
    pub period: Period,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A function.
    Function,
    /// An alias of a function, or a version that was called by its number.
    Alias,
    /// A day.
    Day,
    /// The invocations that one request has caused.
    Chain,
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    from: String,
    to: String,
    currency: &'static str,
    note: &'static str,
    rows: Vec<Row>,
    total: Row,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(flatten)]
    label: Label,
    requests: u64,
    errors: u64,
    billed_ms: u64,
    gb_seconds: String,
    cost: Cost,
    /// Not of chains: they are not metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<Metrics>,
}

/// What a row is about. Rows are in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Label {
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    began: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    functions: Vec<String>,
}

impl By {
    /// Reads `function`, `alias`, `day` or `chain`.
    pub fn parse(text: &str) -> Option<By> {
        match text {
            "function" => Some(By::Function),
            "alias" => Some(By::Alias),
            "day" => Some(By::Day),
            "chain" => Some(By::Chain),
            _ => None,
        }
    }
}

impl Lambda {
    /// What functions used and what AWS would take for it.
    ///
    /// # Errors
    /// The usage cannot be read.
    pub async fn cost(&self, prices: &Prices, query: &Query, now: Millis) -> Result<Report, Error> {
        let (rows, total) = match query.by {
            By::Chain => chains(prices, query, self.usage.chains()),
            _ => self.cost_of_time(prices, query, now).await?,
        };
        let Period { from, to, .. } = query.period.clone();
        Ok(Report { from, to, currency: "USD", note: NOTE, rows, total })
    }

    async fn cost_of_time(
        &self,
        prices: &Prices,
        query: &Query,
        now: Millis,
    ) -> Result<(Vec<Row>, Row), Error> {
        let mut bill = Bill::new(prices);
        let mut groups: BTreeMap<Label, (Tally, Cost)> = BTreeMap::new();
        let mut total = (Tally::default(), Cost::default());
        for (day, row) in self.usage.read(&self.store, query.period.span, now).await? {
            let (subject, tally) = (row.subject, row.tally);
            if subject.account != query.account {
                continue;
            }
            // Priced even if it is not asked for: tiers are of all functions together.
            let cost = bill.price(&subject, period::month(day), &tally.charge);
            if query.function.as_ref().is_some_and(|name| *name != subject.function) {
                continue;
            }
            let group = groups.entry(label(query.by, &subject, day)).or_default();
            for sum in [group, &mut total] {
                sum.0.merge(&tally);
                sum.1.merge(&cost);
            }
        }
        let rows = groups.into_iter().map(|(label, (tally, cost))| row(label, &tally, cost));
        Ok((rows.collect(), row(Label::default(), &total.0, total.1)))
    }

    /// What all functions of the server did in the last hour.
    ///
    /// # Errors
    /// The usage cannot be read.
    pub async fn last_hour(&self, now: Millis) -> Result<Metrics, Error> {
        let minute = now.seconds() / 60;
        // The minute under way is part of it.
        let span = crate::usage::Span { from: minute - 59, to: minute + 1 };
        let mut tally = Tally::default();
        for (_, row) in self.usage.read(&self.store, span, now).await? {
            tally.merge(&row.tally);
        }
        Ok(Metrics::of(&tally))
    }
}

fn label(by: By, subject: &Subject, day: u64) -> Label {
    let region = Some(subject.region.as_str().to_owned());
    let function = Some(subject.function.clone());
    let alias = Some(subject.qualifier.clone()).filter(|it| !it.is_empty());
    match by {
        By::Day => Label { day: Some(period::day_text(day)), ..Label::default() },
        By::Alias => {
            let alias = alias.or_else(|| Some(LATEST.to_owned()));
            Label { region, function, alias, ..Label::default() }
        }
        By::Function | By::Chain => Label { region, function, ..Label::default() },
    }
}

fn row(label: Label, tally: &Tally, cost: Cost) -> Row {
    Row { metrics: Some(Metrics::of(tally)), ..charged(label, &tally.charge, tally.errors, cost) }
}

fn charged(label: Label, charge: &Charge, errors: u64, cost: Cost) -> Row {
    Row {
        label,
        requests: charge.requests,
        errors,
        billed_ms: charge.billed_ms,
        gb_seconds: decimal(u128::from(charge.mib_ms), MIB_MS),
        cost,
        metrics: None,
    }
}

/// The chains of a period, the last one first.
fn chains(prices: &Prices, query: &Query, chains: Vec<Chain>) -> (Vec<Row>, Row) {
    let span = query.period.span;
    let asked = |chain: &Chain| {
        let minute = chain.began.seconds() / 60;
        let mut functions = chain.parts.iter().map(|part| &part.subject);
        (span.from..span.to).contains(&minute)
            && functions.any(|it| {
                it.account == query.account
                    && query.function.as_ref().is_none_or(|name| *name == it.function)
            })
    };
    let mut bill = Bill::new(prices);
    let mut total = (Charge::default(), 0, Cost::default());
    let mut rows = Vec::new();
    for chain in chains.into_iter().filter(asked).take(MAX_CHAINS) {
        let mut sum = (Charge::default(), 0, Cost::default());
        let mut functions: Vec<String> = Vec::new();
        for part in chain.parts.iter().filter(|part| part.subject.account == query.account) {
            let cost = bill.price(&part.subject, 0, &part.charge);
            for sum in [&mut sum, &mut total] {
                sum.0.merge(&part.charge);
                sum.1 += part.errors;
                sum.2.merge(&cost);
            }
            if !functions.contains(&part.subject.function) {
                functions.push(part.subject.function.clone());
            }
        }
        let label = Label {
            trace: Some(chain.root),
            began: Some(chain.began.iso8601()),
            functions,
            ..Label::default()
        };
        rows.push(charged(label, &sum.0, sum.1, sum.2));
    }
    (rows, charged(Label::default(), &total.0, total.1, total.2))
}
