//! Queues: creating, finding, setting, deleting.

use kit::Caller;
use model::sqs as api;

use super::{Bench, bodies, texts};
use crate::{Error, ops};

#[tokio::test]
async fn creating_a_queue_again_finds_it_if_it_is_set_as_asked() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("DelaySeconds", "5")]).await;
    assert_eq!(url, "http://localhost:4566/000000000000/q");
    assert_eq!(bench.create("q", &[]).await, url);
    assert_eq!(bench.create("q", &[("DelaySeconds", "5")]).await, url);
    assert_eq!(
        bench.try_create("q", &[("DelaySeconds", "6")]).await.unwrap_err().to_string(),
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    );
}

#[tokio::test]
async fn many_at_once_create_one_queue() {
    let bench = Bench::open().await;
    let all = (0..8).map(|_| bench.create("q", &[]));
    let urls = join(all).await;
    assert!(urls.iter().all(|url| *url == urls[0]));
    assert_eq!(bench.sqs.shelf.all().len(), 1);
}

/// Polls all of them on this task, so that they interleave at every await.
async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in running.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        match done.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn a_deleted_queue_is_gone_and_its_name_rests_for_a_minute() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    bench.send(&url, "lost").await;
    let input = || api::DeleteQueueInput { queue_url: url.clone() };
    ops::delete_queue::run(bench.sqs.clone(), bench.caller(), input()).await.unwrap();
    assert_eq!(
        ops::delete_queue::run(bench.sqs.clone(), bench.caller(), input()).await.unwrap_err(),
        Error::QueueDoesNotExist
    );
    assert_eq!(bench.try_create("q", &[]).await.unwrap_err(), Error::QueueDeletedRecently);
    let bench = bench.restart().await;
    assert_eq!(bench.try_create("q", &[]).await.unwrap_err(), Error::QueueDeletedRecently);
    bench.advance(60);
    let url = bench.create("q", &[]).await;
    assert!(bench.receive(&url, 10).await.is_empty());
}

#[tokio::test]
async fn a_purge_empties_the_queue_once_a_minute() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    bench.send(&url, "a").await;
    bench.send(&url, "b").await;
    bench.receive(&url, 1).await;
    let purge = async || {
        let input = api::PurgeQueueInput { queue_url: url.clone() };
        ops::purge_queue::run(bench.sqs.clone(), bench.caller(), input).await
    };
    purge().await.unwrap();
    assert_eq!(bench.counts(&url).await, ["0", "0", "0"]);
    assert_eq!(
        purge().await.unwrap_err().to_string(),
        "Only one PurgeQueue operation on q is allowed every 60 seconds."
    );
    bench.send(&url, "c").await;
    bench.advance(60);
    purge().await.unwrap();
    bench.send(&url, "d").await;
    let url_again = url.clone();
    let bench = bench.restart().await;
    assert_eq!(bodies(&bench.receive(&url_again, 10).await), ["d"]);
}

#[tokio::test]
async fn attributes_are_set_and_answered() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[("VisibilityTimeout", "20")]).await;
    bench.advance(5);
    bench.set(&url, &[("DelaySeconds", "420"), ("MaximumMessageSize", "2048")]).await.unwrap();
    assert_eq!(bench.attribute(&url, "DelaySeconds").await.as_deref(), Some("420"));
    assert_eq!(bench.attribute(&url, "VisibilityTimeout").await.as_deref(), Some("20"));
    assert_eq!(
        bench.attribute(&url, "QueueArn").await.as_deref(),
        Some("arn:aws:sqs:us-east-1:000000000000:q")
    );
    let created: u64 = bench.attribute(&url, "CreatedTimestamp").await.unwrap().parse().unwrap();
    let modified = bench.attribute(&url, "LastModifiedTimestamp").await.unwrap();
    assert!(modified.parse::<u64>().unwrap() >= created + 5);
    assert_eq!(
        bench.set(&url, &[("FifoQueue", "true")]).await.unwrap_err().to_string(),
        "Unknown Attribute FifoQueue."
    );
    let ask = |names: &[&str]| api::GetQueueAttributesInput {
        queue_url: url.clone(),
        attribute_names: Some(names.iter().map(|it| (*it).to_owned()).collect()),
    };
    let get = async |names: &[&str]| {
        ops::get_queue_attributes::run(bench.sqs.clone(), bench.caller(), ask(names)).await
    };
    assert_eq!(get(&["Policy"]).await.unwrap().attributes, None);
    assert_eq!(get(&["Nonsense"]).await.unwrap_err().to_string(), "Unknown Attribute Nonsense.");
    let two = get(&["DelaySeconds", "MaximumMessageSize"]).await.unwrap().attributes.unwrap();
    assert_eq!(two, texts(&[("DelaySeconds", "420"), ("MaximumMessageSize", "2048")]));
}

#[tokio::test]
async fn two_changes_at_once_are_both_made() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let (one, other) =
        (bench.set(&url, &[("DelaySeconds", "7")]), bench.set(&url, &[("VisibilityTimeout", "8")]));
    let (one, other) = tokio::join!(one, other);
    one.and(other).unwrap();
    let bench = bench.restart().await;
    assert_eq!(bench.attribute(&url, "DelaySeconds").await.as_deref(), Some("7"));
    assert_eq!(bench.attribute(&url, "VisibilityTimeout").await.as_deref(), Some("8"));
}

#[tokio::test]
async fn queues_are_listed_by_prefix_and_page() {
    let bench = Bench::open().await;
    for name in ["b1", "a2", "a1", "a3"] {
        bench.create(name, &[]).await;
    }
    let list = async |prefix: &str, max, token| {
        let input = api::ListQueuesInput {
            queue_name_prefix: Some(prefix.to_owned()),
            max_results: max,
            next_token: token,
        };
        let output = ops::list_queues::run(bench.sqs.clone(), bench.caller(), input).await.unwrap();
        (output.queue_urls.unwrap_or_default(), output.next_token)
    };
    let url = |name: &str| format!("http://localhost:4566/000000000000/{name}");
    assert_eq!(list("b", None, None).await, (vec![url("b1")], None));
    let (first, token) = list("a", Some(2), None).await;
    assert_eq!(first, [url("a1"), url("a2")]);
    assert_eq!(list("a", Some(2), token).await, (vec![url("a3")], None));
    assert_eq!(list("c", None, None).await, (vec![], None));
}

#[tokio::test]
async fn a_queue_belongs_to_its_account_and_region() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let send = async |caller: Caller| {
        ops::send_message::run(bench.sqs.clone(), caller, super::message(&url, "a")).await.map(drop)
    };
    let stranger = Caller { account: "111111111111".parse().unwrap(), ..bench.caller() };
    // Whether it may is asked before.
    assert_eq!(send(stranger.clone()).await, Ok(()));
    let delete = api::DeleteQueueInput { queue_url: url.clone() };
    let deleted = ops::delete_queue::run(bench.sqs.clone(), stranger, delete).await;
    assert_eq!(deleted.map(drop), Err(Error::QueueDoesNotExist));
    let elsewhere = Caller { region: "eu-west-1".parse().unwrap(), ..bench.caller() };
    assert_eq!(send(elsewhere).await, Err(Error::QueueDoesNotExist));
    assert_eq!(send(bench.caller()).await, Ok(()));
}

#[tokio::test]
async fn tags_come_and_go() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let tags =
        |pairs: &[(&str, &str)]| api::TagQueueInput { queue_url: url.clone(), tags: texts(pairs) };
    let tag = async |pairs: &[(&str, &str)]| {
        ops::tags::tag(bench.sqs.clone(), bench.caller(), tags(pairs)).await.map(drop)
    };
    let list = async || {
        let input = api::ListQueueTagsInput { queue_url: url.clone() };
        ops::tags::list(bench.sqs.clone(), bench.caller(), input).await.unwrap().tags
    };
    tag(&[("tag1", "value1"), ("tag2", "value2")]).await.unwrap();
    tag(&[("tag1", ""), ("tag3", "x")]).await.unwrap();
    let input = api::UntagQueueInput { queue_url: url.clone(), tag_keys: vec!["tag3".to_owned()] };
    ops::tags::untag(bench.sqs.clone(), bench.caller(), input).await.unwrap();
    assert_eq!(list().await, Some(texts(&[("tag1", ""), ("tag2", "value2")])));
    let many: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
    assert!(tag(&many).await.is_err());
}

#[tokio::test]
async fn permissions_edit_the_policy() {
    let bench = Bench::open().await;
    let url = bench.create("q", &[]).await;
    let input = api::AddPermissionInput {
        queue_url: url.clone(),
        label: "label".to_owned(),
        aws_account_ids: vec!["111111111111".to_owned()],
        actions: vec!["SendMessage".to_owned()],
    };
    ops::permissions::add(bench.sqs.clone(), bench.caller(), input).await.unwrap();
    assert!(bench.attribute(&url, "Policy").await.unwrap().contains("SQS:SendMessage"));
    let input = api::RemovePermissionInput { queue_url: url.clone(), label: "label".to_owned() };
    ops::permissions::remove(bench.sqs.clone(), bench.caller(), input).await.unwrap();
    assert_eq!(bench.attribute(&url, "Policy").await, None);
}
