//! Records from the decision to what is said of it, with a store in a temporary folder.

use std::{sync::Arc, time::Duration};

use ::store::{DataFolder, Store};
use bus::Directory;
use kit::{Arn, Attempt, Authority, Caller, Clock, Principal, Region, Service};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::{Iam, authority::Basis};

const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";

fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

/// The server's decisions, on one folder.
async fn open(folder: &TempDir, mode: Mode, clock: &Clock) -> (DataFolder, Arc<Audit>) {
    let folder = DataFolder::open(folder.path()).unwrap();
    let store = Store::open(&folder).unwrap();
    let directory = Arc::new(Directory::default());
    let iam = Iam::open(store.clone(), &directory, clock.clone()).await.unwrap();
    let audit = Audit::open(iam, mode, store, &folder).await.unwrap();
    (folder, audit)
}

/// A session of a role that does not exist.
fn session(clock: &Clock) -> Caller {
    let arn = Arn::new("sts", "", account().as_str(), "assumed-role/worker/night");
    let kind = PrincipalKind::AssumedRole;
    let principal = Principal { arn, user_id: "AROAX:night".to_owned(), kind };
    Caller { principal, ..Caller::internal(account(), Region::default(), clock.now()) }
}

/// A bucket's event on its way to the queue.
fn notify(audit: &Audit, clock: &Clock) -> bool {
    let caller = Caller::internal(account(), Region::default(), clock.now());
    let service = Service { name: "s3.amazonaws.com", source: None, account: None };
    let resources = [QUEUE.parse().unwrap()];
    let (service, action) = (Some(service), "sqs:SendMessage");
    audit
        .permit(&Attempt { caller: &caller, service, action, resources: &resources, keys: &[] })
        .is_ok()
}

fn send(audit: &Audit, caller: &Caller, resource: &str) -> bool {
    let resources = [resource.parse().unwrap()];
    let action = "sqs:SendMessage";
    audit
        .permit(&Attempt { caller, service: None, action, resources: &resources, keys: &[] })
        .is_ok()
}

async fn explained(audit: &Audit, wanted: Wanted) -> Vec<Value> {
    let found = audit.explained(account(), &Wanted { limit: 10, ..wanted }).await.unwrap();
    found.iter().map(|it| serde_json::to_value(it).unwrap()).collect()
}

#[tokio::test]
async fn audit_mode_lets_calls_pass_and_says_what_would_have_happened() {
    let (folder, clock) = (TempDir::new().unwrap(), Clock::default());
    let (_data, audit) = open(&folder, Mode::Audit, &clock).await;
    let caller = session(&clock);
    assert!(send(&audit, &caller, QUEUE));
    let root = Caller::internal(account(), Region::default(), clock.now());
    assert!(send(&audit, &root, QUEUE));

    let [of_root, of_session] = &explained(&audit, Wanted::default()).await[..] else { panic!() };
    assert_eq!(of_root["allowed"], true);
    assert_eq!(of_session["allowed"], false);
    assert_eq!(of_session["identity"], "role/worker");
    assert_eq!(
        of_session["explanation"],
        serde_json::json!([
            format!(
                "sqs:SendMessage on {QUEUE} is not allowed: no identity-based policy allows it."
            ),
            "There is no role/worker in account 123456789012, so it has no policies.",
            format!(
                "A policy of role/worker in account 123456789012 must allow sqs:SendMessage on \
                 {QUEUE}."
            ),
            "A policy of the resource itself that names \
             arn:aws:sts::123456789012:assumed-role/worker/night would do as well, if its service \
             has such policies.",
            "The call went on: the server was in audit mode.",
        ])
    );
    let denied = Wanted { denied: true, ..Wanted::default() };
    assert_eq!(explained(&audit, denied).await.len(), 1);
    let id = Some(root.request_id);
    let of_id = explained(&audit, Wanted { id, ..Wanted::default() }).await;
    assert_eq!(of_id, std::slice::from_ref(of_root));
    let others = Wanted { identity: Some("role/other".to_owned()), ..Wanted::default() };
    assert_eq!(explained(&audit, others).await.len(), 0);
    audit.shutdown().await;
}

#[tokio::test]
async fn what_was_seen_survives_a_crash_and_is_counted_once() {
    let (folder, clock) = (TempDir::new().unwrap(), Clock::default());
    for starts in 1..=3 {
        let (data, audit) = open(&folder, Mode::Audit, &clock).await;
        for number in 0..10 {
            send(&audit, &session(&clock), &format!("{QUEUE}-{number}"));
        }
        let found = audit.suggested(account(), "worker", Millis(0)).await.unwrap();
        let found = serde_json::to_value(found).unwrap();
        let counts =
            found["seen"].as_array().unwrap().iter().map(|it| it["count"].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), starts * 10);
        let policy = found["policy"].as_str().unwrap();
        assert!(policy.contains("arn:aws:sqs:us-east-1:123456789012:*"), "{policy}");
        // Once without a chance to write, once with one.
        if starts == 2 {
            audit.shutdown().await;
        } else {
            audit.abort().await;
        }
        drop((data, audit));
    }
}

#[tokio::test]
async fn calls_that_are_alike_are_one_record_and_told_one_by_one() {
    let (folder, clock) = (TempDir::new().unwrap(), Clock::default());
    let (_data, audit) = open(&folder, Mode::Audit, &clock).await;
    let root = Caller::internal(account(), Region::default(), clock.now());
    let [first, last] = [session(&clock), session(&clock)];
    let calls = || [&first, &root, &last].map(|caller| send(&audit, caller, QUEUE));
    calls();
    assert_eq!(audit.gathered().take().0.len(), 2);
    calls();
    let of_role = Wanted { identity: Some("worker".to_owned()), ..Wanted::default() };
    let found = explained(&audit, of_role).await;
    let ids: Vec<&str> = found.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&*last.request_id, &*first.request_id]);
    let id = Some(last.request_id.clone());
    let [of_last] = &explained(&audit, Wanted { id, ..Wanted::default() }).await[..] else {
        panic!()
    };
    assert_eq!(of_last["caller"], "arn:aws:sts::123456789012:assumed-role/worker/night");
    let found = audit.suggested(account(), "worker", Millis(0)).await.unwrap();
    assert_eq!(serde_json::to_value(found).unwrap()["seen"][0]["count"], 2);
    audit.shutdown().await;
    assert_eq!(explained(&audit, Wanted::default()).await.len(), 3, "and nobody waits for ever");
}

#[tokio::test]
async fn what_was_refused_is_not_suggested() {
    let (folder, clock) = (TempDir::new().unwrap(), Clock::default());
    let (_data, audit) = open(&folder, Mode::Enforce, &clock).await;
    let caller = session(&clock);
    assert!(!send(&audit, &caller, QUEUE));
    assert!(audit.suggested(account(), "worker", Millis(0)).await.is_none());
    assert!(!notify(&audit, &clock));
    let [of_service, _] = &explained(&audit, Wanted::default()).await[..] else { panic!() };
    assert_eq!(of_service["caller"], "s3.amazonaws.com");
    assert_eq!(
        of_service["explanation"][1],
        format!(
            "The policy of {QUEUE} in account 123456789012 must allow sqs:SendMessage to the \
             service s3.amazonaws.com."
        )
    );
    assert!(audit.check_reader(&caller).is_err());
    let root = Caller::internal(account(), Region::default(), clock.now());
    assert!(audit.check_reader(&root).is_ok());
    audit.shutdown().await;
}

#[tokio::test]
async fn what_is_old_is_forgotten() {
    let (folder, clock) = (TempDir::new().unwrap(), Clock::default());
    let (_data, audit) = open(&folder, Mode::Audit, &clock).await;
    send(&audit, &session(&clock), QUEUE);
    assert!(audit.suggested(account(), "worker", Millis(0)).await.is_some());
    clock.advance(Duration::from_millis(RETENTION_MILLIS));
    let mut minutes = 0;
    while audit.suggested(account(), "worker", Millis(0)).await.is_some() {
        clock.advance(Duration::from_secs(60));
        minutes += 1;
        assert!(minutes < 1000, "the writer tidies every minute");
        tokio::task::yield_now().await;
    }
    audit.shutdown().await;
}

#[test]
fn many_keys_of_an_identity_stay_few_rows() {
    let mut seen = seen::Seen::default();
    let clock = Clock::default();
    let caller = session(&clock);
    for number in 0..5000_u64 {
        let key = format!("arn:aws:s3:::b{}/{}/{number}", number % 7, number % 900);
        let resources = [key.parse().unwrap()];
        let attempt = Attempt {
            caller: &caller,
            service: None,
            action: "s3:PutObject",
            resources: &resources,
            keys: &[],
        };
        let judged = Judged {
            resource: resources[0].as_str().into(),
            owner: account(),
            decision: crate::evaluate::Decision { outcome: Outcome::Allowed, matched: Vec::new() },
            basis: Basis::default(),
            missing: Vec::new(),
        };
        seen.note(&Record::of(&attempt, vec![judged], Mode::Audit));
    }
    let found = seen.of(account(), "role/worker", Millis(0));
    let scopes = &found["s3:PutObject"];
    assert!(scopes.len() <= 64, "{scopes:?}");
    assert_eq!(scopes.values().map(|uses| uses.count).sum::<u64>(), 5000);
}
