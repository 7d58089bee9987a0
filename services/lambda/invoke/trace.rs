//! X-Ray trace headers: `Root=1-8hex-24hex;Parent=16hex;Sampled=0`.

use bus::Delivery;
use kit::{Millis, ids};
use runtime::Tracing;

/// The header for an invocation: what came with the request, or a new trace. Where nobody has decided
/// whether it is sampled, the function's tracing does.
pub(crate) fn header(given: &str, tracing: Tracing, now: Millis) -> String {
    let sampled = u8::from(tracing == Tracing::Active);
    match (given.contains("Root="), given.contains("Sampled="), tracing) {
        (true, false, Tracing::Active) => format!("{given};Sampled=1"),
        (true, ..) => given.to_owned(),
        (false, ..) => {
            let (root, parent) = (ids::hex::<12>(), ids::hex::<8>());
            format!("Root=1-{:08x}-{root};Parent={parent};Sampled={sampled}", now.seconds())
        }
    }
}

/// The header for an event: what came with it, or a trace that all its attempts share.
pub(crate) fn of_delivery(delivery: &Delivery) -> String {
    if delivery.trace.contains("Root=") {
        return delivery.trace.clone();
    }
    let digits: String = delivery.id.chars().filter(char::is_ascii_hexdigit).collect();
    // Ids are UUIDs: 32 digits.
    let (root, parent) = digits.split_at(digits.len().min(24));
    let created = delivery.created.seconds();
    format!("Root=1-{created:08x}-{root:0>24};Parent={parent:0>16};Sampled=0")
}

/// The trace's id: what all requests of a chain share.
pub(crate) fn root(header: &str) -> Option<&str> {
    header.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::{AccountId, Caller, Region};

    #[test]
    fn a_given_trace_goes_on_and_a_missing_one_begins() {
        let given = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1";
        assert_eq!(header(given, Tracing::PassThrough, Millis(0)), given);
        assert_eq!(root(given), Some("1-5759e988-bd862e3fe1be46a994272793"));
        let new = header("", Tracing::PassThrough, Millis(0x5759_e988 * 1000));
        assert_eq!(
            new.len(),
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0".len()
        );
        assert!(new.starts_with("Root=1-") && new.ends_with(";Sampled=0"));
    }

    #[test]
    fn active_tracing_samples_what_nobody_has_decided_about() {
        let active = |given| header(given, Tracing::Active, Millis(0));
        assert!(active("").ends_with(";Sampled=1"));
        assert_eq!(active("Root=1-0-1"), "Root=1-0-1;Sampled=1");
        assert_eq!(active("Root=1-0-1;Sampled=0"), "Root=1-0-1;Sampled=0");
    }

    #[test]
    fn attempts_of_an_event_share_a_trace() {
        let now = Millis(0x5759_e988 * 1000);
        let caller = Caller::internal(AccountId::DEFAULT, Region::default(), now);
        let arn = caller.arn("lambda", "function:f");
        let mut delivery = Delivery::new(arn.clone(), "s3", arn, &caller, String::new());
        delivery.id = "01234567-89ab-cdef-0123-456789abcdef".to_owned();
        assert_eq!(
            of_delivery(&delivery),
            "Root=1-5759e988-0123456789abcdef01234567;Parent=0000000089abcdef;Sampled=0"
        );
        delivery.trace = "Root=1-5759e988-bd862e3fe1be46a994272793".to_owned();
        assert_eq!(of_delivery(&delivery), delivery.trace);
    }
}
