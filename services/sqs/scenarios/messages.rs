//! Messages of standard queues: sending, receiving, deleting, hiding, batches.

use model::sqs as api;

use super::{Bench, bodies, handle, message, receiving};
use crate::{Error, ops};

fn attribute(text: &str) -> api::MessageAttributeValue {
    api::MessageAttributeValue {
        data_type: "String".to_owned(),
        string_value: Some(text.to_owned()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_message_is_received_as_it_was_sent_and_gone_when_deleted() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let attributes = [("Hello".to_owned(), attribute("There"))];
    let input = api::SendMessageInput {
        message_attributes: Some(attributes.clone().into()),
        ..message(&url, "msg")
    };
    let sent = bench.send_as(input).await.unwrap();
    assert_eq!(sent.md5_of_message_body.as_deref(), Some("6e2baaf3b97dbeef01c0043275f9a0e7"));
    assert_eq!(sent.md5_of_message_attributes.as_deref(), Some("a311262e065454b75da111d535b8dacd"));
    let received = bench.receive(&url, 10).await;
    assert_eq!(bodies(&received), ["msg"]);
    let one = &received[0];
    assert_eq!(one.message_id, sent.message_id);
    assert_eq!(one.md5_of_message_attributes, sent.md5_of_message_attributes);
    assert_eq!(one.message_attributes, Some(attributes.into()));
    let system = one.attributes.as_ref().unwrap();
    assert_eq!(system["ApproximateReceiveCount"], "1");
    assert_eq!(system["SenderId"], "000000000000");
    assert_eq!(system.len(), 4);
    assert_eq!(bench.counts(&url).await, ["0", "0", "1"]);
    bench.delete(&url, handle(one)).await.unwrap();
    bench.delete(&url, handle(one)).await.unwrap();
    bench.advance(3600);
    assert!(bench.receive(&url, 10).await.is_empty());
}

#[tokio::test]
async fn a_consumer_sees_only_the_attributes_it_asks_for() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("VisibilityTimeout", "0")]).await;
    let attributes = [("Hello", "There"), ("General", "Kenobi"), ("Help.Me", "Me")];
    let input = api::SendMessageInput {
        message_attributes: Some(
            attributes.map(|(name, text)| (name.to_owned(), attribute(text))).into(),
        ),
        ..message(&url, "msg")
    };
    bench.send_as(input).await.unwrap();
    let digest = async |asked: &[&str]| {
        let asked = asked.iter().map(|it| (*it).to_owned()).collect();
        let input =
            api::ReceiveMessageInput { message_attribute_names: Some(asked), ..receiving(&url) };
        bench.receive_as(input).await.unwrap().remove(0).md5_of_message_attributes
    };
    assert_eq!(digest(&[]).await, None);
    assert_eq!(digest(&["None"]).await, None);
    let all = Some("4c360f3fdafd970e05fae2f149d997f5");
    assert_eq!(digest(&["All"]).await.as_deref(), all);
    assert_eq!(digest(&[".*"]).await.as_deref(), all);
    assert_eq!(
        digest(&["Hello", "General"]).await.as_deref(),
        Some("fca026605781cb4126a1e9044df24232")
    );
    assert_eq!(digest(&["Hel.*"]).await.as_deref(), Some("83fee93c1bcd8b9a5a923ffacdc636c7"));
}

#[tokio::test]
async fn a_lease_ends_and_is_extended_and_given_back() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("VisibilityTimeout", "30")]).await;
    bench.send(&url, "a").await;
    let first = bench.receive(&url, 1).await.remove(0);
    assert!(bench.receive(&url, 1).await.is_empty());
    bench.hide(&url, handle(&first), 100).await.unwrap();
    bench.advance(99);
    assert!(bench.receive(&url, 1).await.is_empty());
    bench.advance(1);
    // Over, but nobody else has it: it may be held on to.
    bench.hide(&url, handle(&first), 10).await.unwrap();
    assert!(bench.receive(&url, 1).await.is_empty());
    bench.hide(&url, handle(&first), 0).await.unwrap();
    assert_eq!(bench.hide(&url, handle(&first), 5).await, Err(Error::MessageNotInflight));
    let second = bench.receive(&url, 1).await.remove(0);
    assert_eq!(second.attributes.as_ref().unwrap()["ApproximateReceiveCount"], "2");
    assert!(bench.hide(&url, handle(&first), 5).await.unwrap_err().to_string().ends_with(
        "Reason: Message does not exist or is not available for visibility timeout change."
    ));
    bench.delete(&url, handle(&first)).await.unwrap();
    assert_eq!(bench.counts(&url).await, ["0", "0", "1"], "an old receipt deletes nothing");
    assert_eq!(
        bench.hide(&url, handle(&second), 43_201).await.unwrap_err().to_string(),
        "Value 43201 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200."
    );
    bench.advance(1);
    assert_eq!(
        bench.hide(&url, handle(&second), 43_200).await.unwrap_err().to_string(),
        "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    );
    bench.delete(&url, handle(&second)).await.unwrap();
    assert_eq!(
        bench.delete(&url, "nonsense").await.unwrap_err().to_string(),
        "The input receipt handle \"nonsense\" is not a valid receipt handle."
    );
}

#[tokio::test]
async fn a_delay_hides_a_message_at_first() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("DelaySeconds", "60")]).await;
    bench.send(&url, "queue's delay").await;
    let soon = api::SendMessageInput { delay_seconds: Some(5), ..message(&url, "own delay") };
    bench.send_as(soon).await.unwrap();
    let now = api::SendMessageInput { delay_seconds: Some(0), ..message(&url, "none") };
    bench.send_as(now).await.unwrap();
    assert_eq!(bench.counts(&url).await, ["1", "2", "0"]);
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["none"]);
    bench.advance(5);
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["own delay"]);
    let late = api::SendMessageInput { delay_seconds: Some(901), ..message(&url, "too late") };
    assert_eq!(
        bench.send_as(late).await.unwrap_err().to_string(),
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
    );
}

#[tokio::test]
async fn messages_expire() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("MessageRetentionPeriod", "60")]).await;
    bench.send(&url, "old").await;
    bench.advance(30);
    bench.send(&url, "young").await;
    bench.advance(30);
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["young"]);
    let bench = bench.restart().await;
    bench.set(&url, &[("MessageRetentionPeriod", "600")]).await.unwrap();
    bench.advance(60);
    assert_eq!(bodies(&bench.receive(&url, 10).await), ["young"], "the row of the old one is gone");
}

#[tokio::test]
async fn sizes_and_texts_are_bounded() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("MaximumMessageSize", "1024")]).await;
    let refusal =
        async |body: &str| bench.send_as(message(&url, body)).await.unwrap_err().to_string();
    assert_eq!(
        refusal(&"a".repeat(1025)).await,
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
    );
    assert_eq!(refusal("").await, "The request must contain the parameter MessageBody.");
    assert_eq!(
        refusal("bell \u{7}").await,
        "Invalid binary character '#x7' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
    );
    bench.send(&url, &"a".repeat(1024)).await;
}

#[tokio::test]
async fn a_large_message_lies_in_the_store_and_comes_back_whole() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let body = "é".repeat(1_048_576 / 2);
    bench.send(&url, &body).await;
    let bench = bench.restart().await;
    let received = bench.receive(&url, 1).await;
    assert!(bodies(&received) == [body.as_str()]);
    bench.delete(&url, handle(&received[0])).await.unwrap();
    let bench = bench.restart().await;
    assert_eq!(bench.counts(&url).await, ["0", "0", "0"]);
}

fn entries(bodies: &[(&str, &str)]) -> Vec<api::SendMessageBatchRequestEntry> {
    let entry = |(id, body): &(&str, &str)| api::SendMessageBatchRequestEntry {
        id: (*id).to_owned(),
        message_body: (*body).to_owned(),
        ..Default::default()
    };
    bodies.iter().map(entry).collect()
}

#[tokio::test]
async fn entries_of_a_batch_succeed_and_fail_one_by_one() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let send = async |entries| {
        let input = api::SendMessageBatchInput { queue_url: url.clone(), entries };
        ops::send_message_batch::run(bench.sqs.clone(), bench.caller(), input).await
    };
    let output = send(entries(&[("a", "1"), ("b", "\u{1}"), ("c", "3")])).await.unwrap();
    let ids: Vec<&str> = output.successful.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["a", "c"]);
    assert_eq!(output.failed.len(), 1);
    assert_eq!(
        (output.failed[0].id.as_str(), output.failed[0].code.as_str()),
        ("b", "InvalidMessageContents")
    );
    assert!(output.failed[0].sender_fault);
    let half = "x".repeat(600_000);
    assert_eq!(
        send(entries(&[("a", &half), ("b", &half)])).await.unwrap_err().to_string(),
        "Batch requests cannot be longer than 1048576 bytes. You have sent 1200000 bytes."
    );
    assert_eq!(
        send(Vec::new()).await.unwrap_err().to_string(),
        "There should be at least one SendMessageBatchRequestEntry in the request."
    );
    let received = bench.receive(&url, 10).await;
    assert_eq!(bodies(&received), ["1", "3"]);

    let hide = [("a", handle(&received[0]), Some(600)), ("b", "no", Some(1)), ("c", "x", None)];
    let entries = hide.map(|(id, handle, timeout)| api::ChangeMessageVisibilityBatchRequestEntry {
        id: id.to_owned(),
        receipt_handle: handle.to_owned(),
        visibility_timeout: timeout,
    });
    let input =
        api::ChangeMessageVisibilityBatchInput { queue_url: url.clone(), entries: entries.into() };
    let output =
        ops::change_message_visibility::run_batch(bench.sqs.clone(), bench.caller(), input)
            .await
            .unwrap();
    assert_eq!(output.successful.len(), 1);
    let codes: Vec<&str> = output.failed.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["ReceiptHandleIsInvalid", "MissingParameter"]);

    let delete = [("a", handle(&received[0])), ("b", "no"), ("c", handle(&received[1]))];
    let entries = delete.map(|(id, handle)| api::DeleteMessageBatchRequestEntry {
        id: id.to_owned(),
        receipt_handle: handle.to_owned(),
    });
    let input = api::DeleteMessageBatchInput { queue_url: url.clone(), entries: entries.into() };
    let output =
        ops::delete_message::run_batch(bench.sqs.clone(), bench.caller(), input).await.unwrap();
    assert_eq!((output.successful.len(), output.failed.len()), (2, 1));
    assert_eq!(bench.counts(&url).await, ["0", "0", "0"]);
}
