//! The operations called as the front calls them, with a real store in a temporary folder.

mod fifo;
mod messages;
mod queues;
mod redrive;
mod restart;
mod speed;
mod waiting;

use std::{sync::Arc, time::Duration};

use ::store::{DataFolder, Store};
use bus::Directory;
use kit::{AccountId, Caller, Clock, Region};
use model::sqs as api;
use tempfile::TempDir;

use crate::{Error, Sqs, ops};

/// A service with its store; the folder goes when it is dropped.
pub(crate) struct Bench {
    pub(crate) sqs: Arc<Sqs>,
    pub(crate) directory: Directory,
    pub(crate) clock: Clock,
    store: Store,
    folder: TempDir,
}

impl Bench {
    pub(crate) async fn open() -> Bench {
        Bench::reopen(TempDir::new().unwrap(), Clock::default()).await
    }

    async fn reopen(folder: TempDir, clock: Clock) -> Bench {
        let store = Store::open(&DataFolder::open(folder.path()).unwrap()).unwrap();
        let directory = Directory::default();
        let sqs = Sqs::open(store.clone(), &directory, clock.clone()).await.unwrap();
        Bench { sqs, directory, clock, store, folder }
    }

    /// Stops in good order and opens again.
    pub(crate) async fn restart(self) -> Bench {
        self.sqs.shutdown().await;
        let Bench { sqs, directory, clock, store, folder } = self;
        drop((sqs, directory, store));
        Bench::reopen(folder, clock).await
    }

    /// Opens the same rows again as if nothing that was in memory had been written.
    pub(crate) async fn crash(self) -> Bench {
        let Bench { sqs, directory, clock, store, folder } = self;
        // Its workers stop; nothing is written behind.
        lock(&sqs.workers).abort_all();
        drop((sqs, directory));
        let directory = Directory::default();
        let sqs = Sqs::open(store.clone(), &directory, clock.clone()).await.unwrap();
        Bench { sqs, directory, clock, store, folder }
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            endpoint: "http://localhost:4566".to_owned(),
            ..Caller::internal(AccountId::DEFAULT, Region::default(), self.clock.now())
        }
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn create(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        self.try_create(name, attributes).await.unwrap()
    }

    pub(crate) async fn try_create(
        &self,
        name: &str,
        attributes: &[(&str, &str)],
    ) -> Result<String, Error> {
        let input = api::CreateQueueInput {
            queue_name: name.to_owned(),
            attributes: Some(texts(attributes)),
            tags: None,
        };
        let output = ops::create_queue::run(self.sqs.clone(), self.caller(), input).await?;
        Ok(output.queue_url.unwrap())
    }

    pub(crate) async fn set(&self, url: &str, attributes: &[(&str, &str)]) -> Result<(), Error> {
        let input = api::SetQueueAttributesInput {
            queue_url: url.to_owned(),
            attributes: texts(attributes),
        };
        ops::set_queue_attributes::run(self.sqs.clone(), self.caller(), input).await.map(drop)
    }

    pub(crate) async fn attribute(&self, url: &str, name: &str) -> Option<String> {
        let input = api::GetQueueAttributesInput {
            queue_url: url.to_owned(),
            attribute_names: Some(vec!["All".to_owned()]),
        };
        let output = ops::get_queue_attributes::run(self.sqs.clone(), self.caller(), input).await;
        output.unwrap().attributes.unwrap().remove(name)
    }

    /// Visible, delayed, in flight.
    pub(crate) async fn counts(&self, url: &str) -> [String; 3] {
        let visible = self.attribute(url, "ApproximateNumberOfMessages").await.unwrap();
        let delayed = self.attribute(url, "ApproximateNumberOfMessagesDelayed").await.unwrap();
        let flying = self.attribute(url, "ApproximateNumberOfMessagesNotVisible").await.unwrap();
        [visible, delayed, flying]
    }

    pub(crate) async fn send(&self, url: &str, body: &str) -> api::SendMessageOutput {
        self.send_as(message(url, body)).await.unwrap()
    }

    pub(crate) async fn send_as(
        &self,
        input: api::SendMessageInput,
    ) -> Result<api::SendMessageOutput, Error> {
        ops::send_message::run(self.sqs.clone(), self.caller(), input).await
    }

    pub(crate) async fn receive(&self, url: &str, max: i32) -> Vec<api::Message> {
        self.receive_as(api::ReceiveMessageInput {
            max_number_of_messages: Some(max),
            message_system_attribute_names: Some(vec!["All".to_owned()]),
            message_attribute_names: Some(vec!["All".to_owned()]),
            ..receiving(url)
        })
        .await
        .unwrap()
    }

    pub(crate) async fn receive_as(
        &self,
        input: api::ReceiveMessageInput,
    ) -> Result<Vec<api::Message>, Error> {
        let output = ops::receive_message::run(self.sqs.clone(), self.caller(), input).await?;
        Ok(output.messages.unwrap_or_default())
    }

    pub(crate) async fn delete(&self, url: &str, handle: &str) -> Result<(), Error> {
        let input = api::DeleteMessageInput {
            queue_url: url.to_owned(),
            receipt_handle: handle.to_owned(),
        };
        ops::delete_message::run(self.sqs.clone(), self.caller(), input).await.map(drop)
    }

    pub(crate) async fn hide(&self, url: &str, handle: &str, seconds: i32) -> Result<(), Error> {
        let input = api::ChangeMessageVisibilityInput {
            queue_url: url.to_owned(),
            receipt_handle: handle.to_owned(),
            visibility_timeout: seconds,
        };
        ops::change_message_visibility::run(self.sqs.clone(), self.caller(), input).await.map(drop)
    }
}

use crate::open::lock;

pub(crate) fn texts(pairs: &[(&str, &str)]) -> wire::Map<String> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

pub(crate) fn message(url: &str, body: &str) -> api::SendMessageInput {
    api::SendMessageInput {
        queue_url: url.to_owned(),
        message_body: body.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn receiving(url: &str) -> api::ReceiveMessageInput {
    api::ReceiveMessageInput { queue_url: url.to_owned(), ..Default::default() }
}

pub(crate) fn bodies(messages: &[api::Message]) -> Vec<&str> {
    messages.iter().map(|it| it.body.as_deref().unwrap()).collect()
}

pub(crate) fn handle(message: &api::Message) -> &str {
    message.receipt_handle.as_deref().unwrap()
}
