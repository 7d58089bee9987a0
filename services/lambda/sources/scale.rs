//! How many batches of a queue run at once: few at first, more while all are busy, few again when
//! the queue is empty.

use std::{sync::Arc, time::Duration};

use kit::{Clock, Millis};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sources::mapping::Mapping;

/// Places are added only while batches take longer than this.
const SLOW_MILLIS: u64 = 50;
const GROW_EVERY: Duration = Duration::from_secs(1);

/// The bounds of a mapping ("Configuring scaling behavior for SQS event source mappings").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Batches at once when messages begin to come.
    pub(crate) first: usize,
    /// How many are added each second while all are busy.
    pub(crate) step: usize,
    /// Never more.
    pub(crate) most: usize,
}

impl Bounds {
    /// On demand five, 300 more each minute, at most 1,250. A provisioned poller runs ten batches at
    /// once; a thousand are added each minute.
    pub(crate) fn of(mapping: &Mapping) -> Bounds {
        if let Some(pollers) = mapping.pollers {
            let batches = |pollers: u32| 10 * pollers as usize;
            let (first, most) = (batches(pollers.minimum), batches(pollers.maximum));
            return Bounds { first, step: 17, most };
        }
        let most = mapping.maximum_concurrency.map_or(1250, |most| most as usize);
        Bounds { first: most.min(5), step: 5, most }
    }

    /// The places after a second in which all were busy.
    fn grown(self, places: usize) -> usize {
        (places + self.step).min(self.most)
    }
}

/// The places of one mapping.
pub(crate) struct Scale {
    places: Arc<Semaphore>,
    given: usize,
    bounds: Bounds,
    grown: Millis,
    clock: Clock,
}

impl Scale {
    pub(crate) fn new(bounds: Bounds, clock: Clock) -> Scale {
        let places = Arc::new(Semaphore::new(bounds.first));
        Scale { places, given: bounds.first, bounds, grown: clock.now(), clock }
    }

    /// Waits for a place; adds some while there is none.
    pub(crate) async fn place(&mut self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(place) = self.places.clone().try_acquire_owned() {
                return place;
            }
            // Places that come free at once need no others beside them.
            let slow = self.clock.now().plus(SLOW_MILLIS);
            let next_growth = self.grown.plus(GROW_EVERY.as_millis() as u64).max(slow);
            let can_grow = self.given < self.bounds.most;
            tokio::select! {
                Ok(place) = self.places.clone().acquire_owned() => return place,
                () = self.clock.sleep_until(next_growth), if can_grow => {
                    let places = self.bounds.grown(self.given);
                    self.places.add_permits(places - self.given);
                    self.given = places;
                    self.grown = self.clock.now();
                }
            }
        }
    }

    /// The queue is empty: places that nobody uses are taken back, down to the first.
    pub(crate) fn shrink(&mut self) {
        self.given -= self.places.forget_permits(self.given - self.bounds.first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::mapping::Pollers;

    const ON_DEMAND: Bounds = Bounds { first: 5, step: 5, most: 1250 };

    #[test]
    fn bounds_are_those_of_the_mapping() {
        let mapping = crate::sources::tests::mapping;
        assert_eq!(Bounds::of(&mapping()), ON_DEMAND);
        let two = Mapping { maximum_concurrency: Some(2), ..mapping() };
        assert_eq!(Bounds::of(&two), Bounds { first: 2, step: 5, most: 2 });
        let pollers = Some(Pollers { minimum: 3, maximum: 40 });
        let provisioned = Mapping { pollers, ..mapping() };
        assert_eq!(Bounds::of(&provisioned), Bounds { first: 30, step: 17, most: 400 });
    }

    #[test]
    fn on_demand_it_grows_by_three_hundred_a_minute_up_to_its_bound() {
        let after = |seconds: usize| (0..seconds).fold(5, |places, _| ON_DEMAND.grown(places));
        assert_eq!((after(60), after(249), after(1000)), (305, 1250, 1250));
    }

    #[tokio::test]
    async fn places_grow_while_all_are_busy_and_go_when_the_queue_is_empty() {
        let clock = Clock::default();
        let mut scale = Scale::new(Bounds { first: 1, step: 2, most: 4 }, clock.clone());
        let mut taken = vec![scale.place().await];
        for places in [3, 4] {
            clock.advance(Duration::from_secs(2));
            taken.push(scale.place().await);
            assert_eq!(scale.given, places);
            while scale.places.available_permits() > 0 {
                taken.push(scale.place().await);
            }
        }
        scale.shrink();
        assert_eq!(scale.given, 4, "places in use stay");
        taken.truncate(2);
        scale.shrink();
        assert_eq!((scale.given, scale.places.available_permits()), (2, 0));
    }
}
