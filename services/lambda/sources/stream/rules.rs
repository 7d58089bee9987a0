//! What a mapping demands of its batches, in the units that lanes reckon in. Pure.

use kit::Millis;

use crate::sources::mapping::{Mapping, StreamSettings};

/// The settings of one mapping.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) batch_size: usize,
    /// How long the first record waits for others.
    pub(crate) batching_millis: u64,
    pub(crate) lanes: usize,
    pub(crate) bisect: bool,
    pub(crate) retries: Option<u32>,
    pub(crate) age_millis: Option<u64>,
    /// `None`: no windows.
    pub(crate) tumbling_millis: Option<u64>,
    pub(crate) report_item_failures: bool,
}

impl Rules {
    pub(crate) fn of(mapping: &Mapping, settings: &StreamSettings) -> Rules {
        let millis = |seconds: u32| u64::from(seconds) * 1000;
        Rules {
            batch_size: mapping.batch_size.max(1) as usize,
            batching_millis: millis(mapping.window_seconds),
            lanes: settings.lanes.max(1) as usize,
            bisect: settings.bisect,
            retries: settings.retries,
            age_millis: settings.age_seconds.map(millis),
            tumbling_millis: Some(millis(settings.tumbling_seconds)).filter(|it| *it > 0),
            report_item_failures: mapping.report_item_failures,
        }
    }

    /// Records that arrived before this moment are too old.
    pub(crate) fn oldest(&self, now: Millis) -> Millis {
        self.age_millis.map_or(Millis(0), |age| Millis(now.0.saturating_sub(age)))
    }

    /// The lane of a partition key: the same one in every run of the server, so that a lane's place
    /// holds across restarts (FNV-1a).
    pub(crate) fn lane(&self, partition_key: &str) -> usize {
        let hash = partition_key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        (hash % self.lanes as u64) as usize
    }
}
