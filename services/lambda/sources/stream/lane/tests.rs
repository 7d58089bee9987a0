//! Lanes under random answers of the function.

use proptest::prelude::*;

use super::*;
use crate::sources::{mapping::StreamSettings, tests::of_stream};

const OPEN: Read = Read { until: Millis(0), end: false };
const ENDED: Read = Read { until: Millis(0), end: true };

fn rules() -> Rules {
    Rules { batch_size: 3, ..Rules::of(&of_stream(), &StreamSettings::default()) }
}

fn item(number: u64, arrived: u64) -> Item {
    let sequence = (number + 1).to_string();
    Item { number, sequence, arrived: Millis(arrived), event: "{}".to_owned() }
}

fn lane(count: u64) -> Lane {
    let mut lane = Lane::default();
    (0..count).for_each(|number| lane.admit(item(number, number), Millis(0)));
    lane
}

fn called(outcome: Outcome) -> Ran {
    let (request_id, version) = ("r".to_owned(), "1".to_owned());
    let attempt = Attempt { request_id, version, error: outcome == Outcome::Failed };
    Ran::Called { attempt, outcome, state: None }
}

fn call(lane: &mut Lane, rules: &Rules, now: Millis) -> Piece {
    match lane.next(rules, now, OPEN) {
        Next::Call(piece, _) => piece,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_call_is_under_way_and_a_refused_one_comes_again_later() {
    let (mut lane, rules) = (lane(4), rules());
    let piece = call(&mut lane, &rules, Millis(0));
    assert_eq!(lane.next(&rules, Millis(0), OPEN), Next::Rest);
    lane.settle(piece.clone(), Ran::Refused, &rules, Millis(0));
    assert_eq!(lane.next(&rules, Millis(0), OPEN), Next::Wait(Millis(100)));
    assert_eq!(call(&mut lane, &rules, Millis(100)), piece, "and it counts as no attempt");
}

#[test]
fn a_batch_waits_for_its_window_unless_it_is_full() {
    let rules = Rules { batching_millis: 1000, ..rules() };
    let mut short = lane(2);
    assert_eq!(short.next(&rules, Millis(999), OPEN), Next::Wait(Millis(1000)));
    assert_eq!(call(&mut short, &rules, Millis(1000)).items.len(), 2);
    assert_eq!(call(&mut lane(3), &rules, Millis(0)).items.len(), 3);
    assert!(matches!(lane(2).next(&rules, Millis(0), ENDED), Next::Call(..)));
}

#[test]
fn records_that_are_too_old_are_given_up_before_a_call() {
    let rules = Rules { age_millis: Some(10), ..rules() };
    let mut lane = lane(3);
    let Next::Discard(old) = lane.next(&rules, Millis(12), OPEN) else { panic!("not given up") };
    assert_eq!(old.items.len(), 2, "what arrived at 0 and 1");
    assert_eq!(call(&mut lane, &rules, Millis(12)).items.len(), 1);
}

#[test]
fn a_state_that_is_too_large_ends_the_window_early() {
    let rules = Rules { tumbling_millis: Some(1000), ..rules() };
    let mut lane = lane(1);
    let piece = call(&mut lane, &rules, Millis(0));
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let Ran::Called { attempt, outcome, .. } = called(Outcome::Succeeded) else { return };
    let ran = Ran::Called { attempt, outcome, state: Some(large.clone()) };
    lane.settle(piece, ran, &rules, Millis(0));
    let Next::Close(window) = lane.next(&rules, Millis(0), OPEN) else { panic!("still open") };
    assert_eq!(window.state, large);
    lane.settle_closing(true, Millis(0));
    let window = lane.mark().window.clone().unwrap();
    assert_eq!((window.start, window.state.as_str()), (Millis(0), "{}"));
}

/// What the simulated function does with each call in turn.
fn answers() -> impl Strategy<Value = Vec<Option<Outcome>>> {
    let answer = prop_oneof![
        3 => Just(Some(Outcome::Succeeded)),
        2 => Just(Some(Outcome::Failed)),
        1 => (0..3_usize).prop_map(|position| Some(Outcome::FailedAt(position))),
        1 => Just(None),
    ];
    prop::collection::vec(answer, 0..40)
}

proptest! {
    /// Whatever the function does, every record is done once and in order, no batch crosses the end
    /// of a window, each window's last call has counted all of its records that succeeded once, and a
    /// restart at any moment goes on with the same counts.
    #[test]
    fn a_lane_loses_and_doubles_nothing(
        gaps in prop::collection::vec(0..700_u64, 1..25),
        answers in answers(),
        bisect in any::<bool>(),
        restarts in prop::collection::btree_set(0..60_usize, 0..4),
    ) {
        let rules = Rules { tumbling_millis: Some(1000), bisect, ..rules() };
        let arrivals: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        let items: Vec<Item> =
            (0..).zip(&arrivals).map(|(number, at)| item(number, *at)).collect();
        let (mut lane, mut now) = (Lane::default(), Millis(0));
        let (mut done, mut closed) = (Vec::new(), Vec::new());
        items.iter().for_each(|item| lane.admit(item.clone(), now));
        let mut answers = answers.into_iter();
        for step in 0.. {
            if restarts.contains(&step) {
                // Nothing is under way: what was called is settled.
                lane = Lane::new(lane.mark().clone());
                let rest: Vec<_> =
                    items.iter().filter(|item| !lane.has_done(&item.sequence)).cloned().collect();
                rest.into_iter().for_each(|item| lane.admit(item, now));
            }
            match lane.next(&rules, now, ENDED) {
                Next::Rest => break,
                Next::Wait(moment) => now = moment,
                Next::Discard(_) => prop_assert!(false, "nothing is too old"),
                Next::Close(window) => {
                    let answer = answers.next().unwrap_or(Some(Outcome::Succeeded));
                    let succeeded = answer == Some(Outcome::Succeeded);
                    lane.settle_closing(succeeded, now);
                    if succeeded {
                        closed.push((window.start.0, window.state.parse::<usize>().unwrap_or(0)));
                    }
                }
                Next::Call(piece, window) => {
                    let window = window.unwrap();
                    prop_assert!(piece.items.len() <= 3);
                    for item in &piece.items {
                        prop_assert!(window.start <= item.arrived && item.arrived < window.end);
                    }
                    let length = piece.items.len();
                    let outcome = match answers.next().unwrap_or(Some(Outcome::Succeeded)) {
                        None => {
                            lane.settle(piece, Ran::Refused, &rules, now);
                            continue;
                        }
                        Some(Outcome::FailedAt(position)) => Outcome::FailedAt(position % length),
                        Some(outcome) => outcome,
                    };
                    let counted = match outcome {
                        Outcome::Succeeded => length,
                        Outcome::Failed => 0,
                        Outcome::FailedAt(position) => position,
                    };
                    let before = window.state.parse::<usize>().unwrap_or(0);
                    let Ran::Called { attempt, outcome, .. } = called(outcome) else { continue };
                    let state = Some((before + counted).to_string());
                    let ran = Ran::Called { attempt, outcome, state };
                    done.extend(lane.settle(piece, ran, &rules, now).done);
                }
            }
        }
        prop_assert_eq!(&done, &items);
        let mut expected: Vec<(u64, usize)> = Vec::new();
        for at in arrivals {
            let start = at - at % 1000;
            match expected.last_mut() {
                Some((last, count)) if *last == start => *count += 1,
                _ => expected.push((start, 1)),
            }
        }
        prop_assert_eq!(closed, expected);
    }
}
