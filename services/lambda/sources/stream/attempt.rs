//! One call of a function with records of a stream, and what its answer says of them.

use bytes::Bytes;

use crate::{
    Error,
    sources::{
        answer::{self, Failures},
        stream::{
            Polled,
            event::{self, Framed},
            lane::Ran,
            piece::{Attempt, Outcome, Piece},
            window::{self, Window},
        },
    },
};

impl Polled {
    /// The role that reads, as events of Kinesis name it.
    pub(super) fn role(&self) -> String {
        let runnable = self.lambda.mapped(&self.mapping);
        runnable.map(|runnable| runnable.function.role.clone()).unwrap_or_default()
    }

    fn framed<'a>(&'a self, shard: &'a str, window: &'a Window, closes: bool) -> Framed<'a> {
        Framed { window, shard, source: self.mapping.source.as_str(), closes }
    }

    /// Calls the function with the state of a window that has ended; answers whether it succeeded.
    pub(super) async fn close(&self, shard: &str, window: &Window) -> bool {
        let framed = self.framed(shard, window, true);
        let event = Bytes::from(event::event(&[], Some(&framed)));
        let called = self.lambda.call(&self.mapping, event, String::new()).await;
        let succeeded = called.is_ok_and(|called| !called.failed);
        self.status.note(succeeded);
        succeeded
    }

    /// Calls the function with a piece.
    pub(super) async fn call(&self, shard: &str, piece: &Piece, window: Option<&Window>) -> Ran {
        let framed = window.map(|window| self.framed(shard, window, false));
        let event = Bytes::from(event::event(&piece.items, framed.as_ref()));
        let called = match self.lambda.call(&self.mapping, event, String::new()).await {
            Ok(called) => called,
            Err(error) => {
                tracing::debug!(mapping = self.mapping.id, %error, "the function did not run");
                if matches!(error, Error::NoSuchFunction(_) | Error::NoSuchAlias(_)) {
                    self.status.note(false);
                }
                return Ran::Refused;
            }
        };
        let state = window.and_then(|_| window::state(&called.answer));
        let outcome = if called.failed || (window.is_some() && state.is_none()) {
            Outcome::Failed
        } else if self.rules.report_item_failures {
            let ids = piece.items.iter().map(|item| item.sequence.as_str());
            match answer::failures(&called.answer, ids) {
                Failures::None => Outcome::Succeeded,
                Failures::All => Outcome::Failed,
                // The place is the lowest that failed; what follows it comes again.
                Failures::Some(positions) => {
                    Outcome::FailedAt(positions.into_iter().min().unwrap_or_default())
                }
            }
        } else {
            Outcome::Succeeded
        };
        self.status.note(outcome == Outcome::Succeeded);
        let kept = !matches!(outcome, Outcome::Failed | Outcome::FailedAt(0));
        let (request_id, version, error) = (called.request_id, called.version, called.failed);
        let attempt = Attempt { request_id, version, error };
        Ran::Called { attempt, outcome, state: state.filter(|_| kept) }
    }
}
