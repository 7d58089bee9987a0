//! Keeps an instance's processes within their memory, where the kernel counts `/tmp` with them
//! (`docs/decisions/006-tmp-is-memory-that-is-not-counted.md`).

use std::time::Duration;

use kit::Clock;

use crate::{
    instance::Instance,
    sandbox::{Armed, Holds},
};

/// What a program fills in a microsecond at most, about: 2 GB/s.
const BYTES_PER_MICRO: u64 = 2048;
/// How soon, and how late, an instance is looked at again that holds much.
const SOONEST: Duration = Duration::from_millis(5);
const LATEST: Duration = Duration::from_millis(250);

/// Ends an instance whose processes hold more than their limit. Costs nothing while an instance
/// holds less, `/tmp` included.
pub(crate) async fn keep_within(instance: &Instance, clock: &Clock) {
    let Some(alarm) = instance.sandboxed.memory_alarm().await else { return };
    // It may have grown before there was an alarm.
    while watch(instance, &alarm, clock).await {
        if let Err(error) = alarm.rings().await {
            tracing::warn!(%error, function = instance.function.name, "memory is not watched");
            return;
        }
    }
}

/// Looks for as long as it holds much. Answers whether it goes on.
async fn watch(instance: &Instance, alarm: &Armed, clock: &Clock) -> bool {
    let mut held_back = true;
    loop {
        match instance.sandboxed.memory() {
            Holds::Little => break,
            Holds::TooMuch => {
                instance.sandboxed.starve();
                return false;
            }
            Holds::Much(room) => {
                if held_back {
                    alarm.hold_back(false);
                    held_back = false;
                }
                let micros = Duration::from_micros(room / BYTES_PER_MICRO);
                clock.sleep(micros.clamp(SOONEST, LATEST)).await;
                // What stands still holds what it held.
                instance.rest.awake().await;
            }
        }
    }
    if !held_back {
        alarm.hold_back(true);
    }
    true
}
