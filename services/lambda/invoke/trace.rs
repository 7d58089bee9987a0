//! X-Ray trace headers: `Root=1-8hex-24hex;Parent=16hex;Sampled=0`.

use kit::{Millis, ids};

/// The header for an invocation: what came with the request, or a new trace.
pub(crate) fn header(given: &str, now: Millis) -> String {
    if given.contains("Root=") {
        return given.to_owned();
    }
    let (root, parent) = (ids::hex::<12>(), ids::hex::<8>());
    format!("Root=1-{:08x}-{root};Parent={parent};Sampled=0", now.seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_trace_goes_on_and_a_missing_one_begins() {
        let given = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        assert_eq!(header(given, Millis(0)), given);
        let new = header("", Millis(0x5759_e988 * 1000));
        assert_eq!(
            new.len(),
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0".len()
        );
        assert!(new.starts_with("Root=1-"));
    }
}
