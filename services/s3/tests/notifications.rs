//! Events on their way to a target.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bus::{Delivery, DeliveryError, Target};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::bench::Bench;

/// A queue that keeps what it gets.
struct Queue {
    sender: mpsc::UnboundedSender<Delivery>,
    refuses: Mutex<bool>,
}

#[async_trait]
impl Target for Queue {
    async fn deliver(&self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let _ = self.sender.send(delivery.clone());
        Ok(())
    }

    async fn validate(&self, _delivery: &Delivery) -> Result<(), DeliveryError> {
        if *self.refuses.lock().unwrap() {
            return Err(DeliveryError::Refused("The destination queue does not exist".to_owned()));
        }
        Ok(())
    }
}

const ARN: &str = "arn:aws:sqs:us-east-1:000000000000:q";

fn configuration(events: &str) -> String {
    format!(
        "<NotificationConfiguration><QueueConfiguration><Id>mine</Id><Queue>{ARN}</Queue>{events}\
         <Filter><S3Key><FilterRule><Name>prefix</Name><Value>in/</Value></FilterRule></S3Key>\
         </Filter></QueueConfiguration></NotificationConfiguration>"
    )
}

async fn with_queue() -> (Bench, Arc<Queue>, mpsc::UnboundedReceiver<Delivery>) {
    let bench = Bench::with_bucket().await;
    let (sender, receiver) = mpsc::unbounded_channel();
    let queue = Arc::new(Queue { sender, refuses: Mutex::new(false) });
    bench.bus.directory().offer_target("sqs", queue.clone());
    bench.bus.start();
    (bench, queue, receiver)
}

async fn next(receiver: &mut mpsc::UnboundedReceiver<Delivery>) -> (Delivery, Value) {
    let delivery = receiver.recv().await.unwrap();
    let payload = serde_json::from_str(&delivery.payload).unwrap();
    (delivery, payload)
}

#[tokio::test]
async fn what_happens_to_matching_keys_is_delivered_in_order() {
    let (bench, _queue, mut receiver) = with_queue().await;
    let events = "<Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event>\
                  <Event>s3:ObjectTagging:*</Event>";
    bench.put("/bucket?notification", configuration(events)).await.expect(200);
    let (delivery, test) = next(&mut receiver).await;
    assert_eq!(test["Event"], "s3:TestEvent");
    assert_eq!(delivery.source.as_str(), "arn:aws:s3:::bucket");
    assert_eq!(delivery.principal, "s3.amazonaws.com");
    bench.put("/bucket/out/a", "x").await.expect(200);
    let put = bench.put("/bucket/in/a%20b", "hello").await.expect(200);
    let (_, payload) = next(&mut receiver).await;
    let record = &payload["Records"][0];
    assert_eq!(record["eventName"], "ObjectCreated:Put");
    assert_eq!(record["s3"]["configurationId"], "mine");
    assert_eq!(record["s3"]["object"]["key"], "in/a+b");
    assert_eq!(record["s3"]["object"]["size"], 5);
    assert_eq!(record["s3"]["object"]["eTag"], put.header("etag").trim_matches('"'));
    assert_eq!(record["responseElements"]["x-amz-request-id"], put.header("x-amz-request-id"));
    let first = record["s3"]["object"]["sequencer"].as_str().unwrap().to_owned();
    let copy = [("x-amz-copy-source", "/bucket/in/a%20b")];
    bench.send("PUT", "/bucket/in/c", &copy, "").await.expect(200);
    assert_eq!(next(&mut receiver).await.1["Records"][0]["eventName"], "ObjectCreated:Copy");
    let tags = "<Tagging><TagSet></TagSet></Tagging>";
    bench.put("/bucket/in/c?tagging", tags).await.expect(200);
    let (_, payload) = next(&mut receiver).await;
    assert_eq!(payload["Records"][0]["eventName"], "ObjectTagging:Put");
    assert_eq!(payload["Records"][0]["eventVersion"], "2.3");
    bench.delete("/bucket/in/a%20b").await.expect(204);
    let (_, payload) = next(&mut receiver).await;
    assert_eq!(payload["Records"][0]["eventName"], "ObjectRemoved:Delete");
    let last = payload["Records"][0]["s3"]["object"]["sequencer"].as_str().unwrap().to_owned();
    assert!(first < last && first.len() == last.len(), "{first} {last}");
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    bench.put("/bucket?versioning", versioning).await.expect(200);
    bench.delete("/bucket/in/c").await.expect(204);
    let (_, payload) = next(&mut receiver).await;
    assert_eq!(payload["Records"][0]["eventName"], "ObjectRemoved:DeleteMarkerCreated");
    assert!(payload["Records"][0]["s3"]["object"]["versionId"].is_string());
    bench.bus.shutdown().await;
}

#[tokio::test]
async fn a_target_that_refuses_is_not_configured() {
    let (bench, queue, _receiver) = with_queue().await;
    *queue.refuses.lock().unwrap() = true;
    let put = configuration("<Event>s3:ObjectCreated:Put</Event>");
    let answer = bench.put("/bucket?notification", put.clone()).await;
    let refused = answer.refused(400, "InvalidArgument");
    assert_eq!(
        refused.element("Message"),
        "Unable to validate the following destination configurations"
    );
    assert_eq!(refused.element("ArgumentName1"), ARN);
    assert_eq!(refused.element("ArgumentValue1"), "The destination queue does not exist");
    let skip = [("x-amz-skip-destination-validation", "true")];
    bench.send("PUT", "/bucket?notification", &skip, put).await.expect(200);
    let found = bench.get("/bucket?notification").await.expect(200);
    assert_eq!((found.element("Queue"), found.element("Id")), (ARN.to_owned(), "mine".to_owned()));
    bench.put("/bucket?notification", "<NotificationConfiguration/>").await.expect(200);
    assert_eq!(bench.get("/bucket?notification").await.element("Queue"), "");
    bench.bus.shutdown().await;
}
