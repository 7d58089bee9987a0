//! A tally under the names of CloudWatch's metrics ("Types of metrics for Lambda functions").

use serde::Serialize;

use crate::usage::Tally;

/// Sums, except where the name says otherwise; times in milliseconds. `ColdStarts` and
/// `InitDurationAverage` are ours: on AWS they are in the log only.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // CloudWatch's names, and CloudWatch's meanings.
pub struct Metrics {
    pub invocations: u64,
    pub errors: u64,
    pub throttles: u64,
    pub duration_average: f64,
    pub duration_minimum: f64,
    pub duration_maximum: f64,
    pub duration_p50: f64,
    pub duration_p90: f64,
    pub duration_p99: f64,
    pub post_runtime_extensions_duration_average: f64,
    pub concurrent_executions_maximum: u32,
    pub cold_starts: u64,
    pub init_duration_average: f64,
    pub async_events_received: u64,
    pub async_event_age_average: f64,
    pub async_event_age_maximum: u64,
    pub async_events_dropped: u64,
    pub dead_letter_errors: u64,
    pub destination_delivery_failures: u64,
    pub recursive_invocations_dropped: u64,
}

impl Metrics {
    pub(crate) fn of(tally: &Tally) -> Metrics {
        let duration = &tally.duration;
        Metrics {
            invocations: tally.charge.requests,
            errors: tally.errors,
            throttles: tally.throttles,
            duration_average: average(millis(duration.sum_us), tally.charge.requests),
            duration_minimum: millis(duration.least_us.unwrap_or(0)),
            duration_maximum: millis(duration.most_us),
            duration_p50: millis(duration.percentile_us(50)),
            duration_p90: millis(duration.percentile_us(90)),
            duration_p99: millis(duration.percentile_us(99)),
            post_runtime_extensions_duration_average: average(
                millis(tally.extensions_us),
                tally.charge.requests,
            ),
            concurrent_executions_maximum: tally.concurrent,
            cold_starts: tally.cold_starts,
            init_duration_average: average(millis(tally.init_us), tally.cold_starts),
            async_events_received: tally.events_received,
            async_event_age_average: average(tally.event_age_ms as f64, tally.events_ran),
            async_event_age_maximum: tally.event_age_most_ms,
            async_events_dropped: tally.events_dropped,
            dead_letter_errors: tally.dead_letter_errors,
            destination_delivery_failures: tally.destination_failures,
            recursive_invocations_dropped: tally.recursive_dropped,
        }
    }
}

fn millis(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn average(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { (sum / count as f64 * 1000.0).round() / 1000.0 }
}
