//! Recursive loops: a chain of invocations that comes back to the same function again and again is
//! stopped ("Use Lambda recursive loop detection to prevent infinite loops").
//!
//! The trace header of a chain counts: `Lineage=REQUESTS:HASH:LOOPS`, the form in which AWS writes
//! it. SDKs inside functions send the header on, queues and buckets keep it. REQUESTS counts the
//! invocations of the chain, HASH names one of its functions, the anchor, and LOOPS counts how often
//! the chain has come back to it. What AWS does for an anchor it does not say. Here the first function
//! is it; one that does not come back is replaced when REQUESTS is a power of two, so that a loop is
//! found wherever in a chain it begins (Brent's cycle detection). Pure.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::invoke::concurrency::FunctionKey;

/// Invocations of one function in a chain; the next one is stopped.
const INVOCATIONS: u32 = 16;
/// REQUESTS is a byte. Beyond it, it goes on from here.
const MOST_REQUESTS: u32 = 255;
const WRAPPED_REQUESTS: u32 = 128;
/// An anchor in a loop of at most this many functions stays.
const LOOP_FUNCTIONS: u32 = 32;
const FIELD: &str = "Lineage=";

/// `RecursiveLoop`: what becomes of loops through a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Recursion {
    #[default]
    Terminate,
    Allow,
}

/// The invocation would be one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Looping;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lineage {
    requests: u32,
    anchor: u32,
    loops: u32,
}

/// Counts an invocation in its trace header.
pub(crate) fn follow(header: &mut String, function: u32) -> Result<(), Looping> {
    let next = match Lineage::read(header) {
        None => Lineage { requests: 1, anchor: function, loops: 0 },
        Some(lineage) => lineage.next(function).ok_or(Looping)?,
    };
    next.write(header);
    Ok(())
}

/// The header with which destinations are told of an invocation that was stopped. `None` if one of
/// this chain was told already: they are part of the loop.
pub(crate) fn stopped(header: &str) -> Option<String> {
    let lineage = Lineage::read(header)?;
    let untold = lineage.loops < INVOCATIONS;
    untold.then(|| {
        let mut header = header.to_owned();
        Lineage { loops: INVOCATIONS, ..lineage }.write(&mut header);
        header
    })
}

/// What names a function in HASH: FNV-1a of its place and name.
pub(crate) fn hash(key: &FunctionKey) -> u32 {
    let parts = [key.account.as_str(), key.region.as_str(), &key.name];
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Lineage {
    fn read(header: &str) -> Option<Lineage> {
        let field = header.split(';').find_map(|field| field.trim().strip_prefix(FIELD))?;
        let mut parts = field.split(':');
        let (requests, anchor, loops) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Lineage {
            requests: requests.parse().ok().filter(|it| *it <= MOST_REQUESTS)?,
            anchor: u32::from_str_radix(anchor, 16).ok()?,
            loops: loops.parse().ok().filter(|it| *it <= u32::from(u16::MAX))?,
        })
    }

    /// After one more invocation; `None` if that is one too many.
    fn next(self, function: u32) -> Option<Lineage> {
        let Lineage { requests, anchor, loops } = self;
        let requests = if requests < MOST_REQUESTS { requests + 1 } else { WRAPPED_REQUESTS };
        if anchor == function {
            let loops = loops + 1;
            return (loops < INVOCATIONS).then_some(Lineage { requests, anchor, loops });
        }
        let came_back = loops * LOOP_FUNCTIONS >= requests;
        if requests.is_power_of_two() && !came_back {
            return Some(Lineage { requests, anchor: function, loops: 0 });
        }
        Some(Lineage { requests, anchor, loops })
    }

    /// Puts it into a header in place of the one that is there.
    fn write(self, header: &mut String) {
        if let Some(begin) = header.find(FIELD) {
            let end = header[begin..].find(';').map_or(header.len(), |at| begin + at + 1);
            header.replace_range(begin..end, "");
        }
        if !header.is_empty() && !header.ends_with(';') {
            header.push(';');
        }
        let Lineage { requests, anchor, loops } = self;
        write!(header, "{FIELD}{requests}:{anchor:08x}:{loops}").expect("a text takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str =
        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";

    /// How many invocations of a chain run, at most `most`.
    fn run(chain: impl Iterator<Item = u32>, most: usize) -> usize {
        let mut header = TRACE.to_owned();
        chain.take(most).take_while(|function| follow(&mut header, *function).is_ok()).count()
    }

    #[test]
    fn the_seventeenth_invocation_of_a_function_is_stopped() {
        assert_eq!(run(std::iter::repeat(7), 1000), 16);
        assert_eq!(run([1].into_iter().chain(std::iter::repeat(7)), 1000), 17);
        // The anchor is the second one.
        assert_eq!(run([1, 2].into_iter().cycle(), 1000), 33);
    }

    #[test]
    fn a_header_is_counted_in_place() {
        let mut header = TRACE.to_owned();
        follow(&mut header, 0xabc).unwrap();
        assert_eq!(header, format!("{TRACE};Lineage=1:00000abc:0"));
        follow(&mut header, 0xabc).unwrap();
        assert_eq!(header, format!("{TRACE};Lineage=2:00000abc:1"));
        let mut first = "Lineage=1:00000abc:0;Root=1".to_owned();
        follow(&mut first, 0xabc).unwrap();
        assert_eq!(first, "Root=1;Lineage=2:00000abc:1");
    }

    #[test]
    fn what_is_no_lineage_begins_anew() {
        for text in ["Lineage=", "Lineage=x:1:1", "Lineage=1:1", "Lineage=999:1:1", "Lineage=1:g:1"]
        {
            let mut header = text.to_owned();
            follow(&mut header, 1).unwrap();
            assert_eq!(header, "Lineage=1:00000001:0", "{text}");
        }
    }

    #[test]
    fn destinations_are_told_once() {
        let mut header = TRACE.to_owned();
        while follow(&mut header, 1).is_ok() {}
        let told = stopped(&header).unwrap();
        assert_eq!(follow(&mut told.clone(), 1), Err(Looping));
        let mut onwards = told;
        follow(&mut onwards, 2).unwrap();
        assert_eq!(stopped(&onwards), None);
        assert_eq!(stopped(TRACE), None);
    }

    #[test]
    fn functions_have_names_of_their_own() {
        let key = |region: &str, name: &str| FunctionKey {
            account: kit::AccountId::DEFAULT,
            region: region.parse().unwrap(),
            name: name.to_owned(),
        };
        let keys = [key("us-east-1", "f"), key("us-east-1", "g"), key("eu-west-1", "f")];
        let hashes: std::collections::BTreeSet<u32> = keys.iter().map(hash).collect();
        assert_eq!(hashes.len(), 3);
    }

    proptest! {
        #[test]
        fn a_chain_of_ever_new_functions_goes_on(length in 1..2000usize) {
            prop_assert_eq!(run(1.., length), length);
        }

        #[test]
        fn a_loop_is_found_wherever_it_begins(before in 0..100u32, functions in 1..30u32) {
            let chain = (1000..1000 + before).chain((0..functions).cycle());
            let most = 4 * (before + 16 * functions) as usize + 1000;
            prop_assert!(run(chain, most) < most);
        }

        #[test]
        fn no_header_breaks_the_reader(mut text in ".{0,200}") {
            let _ = follow(&mut text, 1);
        }
    }
}
