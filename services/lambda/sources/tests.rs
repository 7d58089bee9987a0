//! Mappings for tests.

use kit::{AccountId, Millis, Region};

use crate::sources::mapping::{Mapping, StreamSettings};

/// Of a queue, with Lambda's defaults.
pub(crate) fn mapping() -> Mapping {
    Mapping {
        id: "m".to_owned(),
        account: AccountId::DEFAULT,
        region: Region::default(),
        function: "f".to_owned(),
        qualifier: None,
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".parse().unwrap(),
        source: "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap(),
        batch_size: 10,
        window_seconds: 0,
        enabled: true,
        filters: Vec::new(),
        report_item_failures: false,
        maximum_concurrency: None,
        modified: Millis(0),
        tags: kit::Tags::new(),
        stream: None,
        pollers: None,
        kms_key: None,
        metrics: None,
        log_level: None,
    }
}

/// Of a Kinesis stream, from its oldest record on.
pub(crate) fn of_stream() -> Mapping {
    Mapping {
        source: "arn:aws:kinesis:us-east-1:000000000000:stream/s".parse().unwrap(),
        batch_size: 100,
        stream: Some(StreamSettings::default()),
        ..mapping()
    }
}

/// Rows of the version before streams open as mappings of queues.
#[test]
fn a_row_of_the_last_version_opens() {
    let row = serde_json::to_value(mapping()).unwrap();
    let mut row = row.as_object().unwrap().clone();
    for added in ["stream", "pollers", "kms_key", "metrics", "log_level"] {
        assert!(row.remove(added).is_some());
    }
    let read: Mapping = serde_json::from_value(row.into()).unwrap();
    assert_eq!(read, mapping());
}
