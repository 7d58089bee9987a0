//! One invocation: a place in the account's concurrency, then the pool.

use bytes::Bytes;
use kit::Millis;
use runtime::{Invocation, Outcome, RuntimeError, Streamed};
use tokio::sync::oneshot;

use crate::{
    Error, Lambda,
    functions::Runnable,
    invoke::{
        concurrency::{Claim, FunctionKey, Place},
        lineage::{self, Recursion},
        trace,
    },
    usage::{Counting, Subject},
    version::Number,
};

/// An invocation that may run.
struct Entered {
    place: Place,
    counting: Counting,
    invocation: Invocation,
}

/// What is sent to a function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// Its id in logs, headers and answers.
    pub(crate) id: String,
    /// The event, JSON.
    pub(crate) payload: Bytes,
    /// Client context, JSON.
    pub(crate) client_context: Option<String>,
    /// Trace header to carry on, or empty.
    pub(crate) trace: String,
    /// Whom a function with tenant isolation is to serve.
    pub(crate) tenant: Option<String>,
}

impl Lambda {
    /// Runs a function once and waits for what it comes to.
    pub(crate) async fn run(
        &self,
        runnable: &Runnable,
        request: Request,
        now: Millis,
    ) -> Result<Outcome, Error> {
        let current = self.current(runnable).await?;
        let function = self.functions.tenants.run(runnable, current, request.tenant.as_deref())?;
        let Entered { place, counting, invocation } = self.enter(runnable, request, now)?;
        let outcome = self.pool.invoke(&function, invocation).await;
        match &outcome {
            // The response is there; the instance is busy until its extensions are done.
            Ok(begun) if begun.ending.is_some() => {
                tokio::spawn(count(begun.clone(), counting, place));
            }
            ended => counting.ended(ended.as_ref()),
        }
        outcome.map_err(not_run)
    }

    /// Runs a function once and hands its response on as it comes. Its place is taken until it has
    /// ended, whether or not anybody still reads.
    pub(crate) async fn run_streaming(
        &self,
        runnable: &Runnable,
        request: Request,
        now: Millis,
    ) -> Result<Streamed, Error> {
        let current = self.current(runnable).await?;
        let function = self.functions.tenants.run(runnable, current, request.tenant.as_deref())?;
        let Entered { place, counting, invocation } = self.enter(runnable, request, now)?;
        let streamed = match self.pool.invoke_streaming(&function, invocation).await {
            Ok(streamed) => streamed,
            Err(error) => {
                counting.ended(Err(&error));
                return Err(not_run(error));
            }
        };
        let Streamed { content_type, chunks, outcome } = streamed;
        let (ended, receiver) = oneshot::channel();
        // Ends with the invocation, which the pool ends when the server does.
        tokio::spawn(async move {
            let outcome = outcome.await.map_err(|_| RuntimeError::Stopping);
            match outcome {
                Ok(outcome) => {
                    // The reader may be gone.
                    let _ = ended.send(outcome.clone());
                    count(outcome, counting, place).await;
                }
                Err(error) => counting.ended(Err(&error)),
            }
        });
        Ok(Streamed { content_type, chunks, outcome: receiver })
    }

    /// A place among the invocations that run at once, its part in the ledger, and what is sent to
    /// the function.
    fn enter(&self, runnable: &Runnable, request: Request, now: Millis) -> Result<Entered, Error> {
        runnable.snapshot.check()?;
        let function = &runnable.function;
        let key = FunctionKey {
            account: function.account,
            region: function.region.clone(),
            name: function.name.clone(),
        };
        let mut trace_id = trace::header(&request.trace, function.tracing, now);
        if runnable.recursion == Recursion::Terminate
            && lineage::follow(&mut trace_id, lineage::hash(&key)).is_err()
        {
            tracing::warn!(function = function.name, trace_id, "recursive invocation dropped");
            self.usage.note(&Subject::of(runnable), now, |tally| tally.recursive_dropped += 1);
            return Err(Error::RecursiveInvocation);
        }
        let claim = Claim {
            reserved: runnable.reserved,
            provisioned: Number::parse(&function.version)
                .filter(|_| runnable.provisioned > 0)
                .map(|version| (version, runnable.provisioned)),
            claimed: self.functions.claimed(function.account, &function.region),
        };
        let place = self.concurrency.enter(key, claim, now);
        let place = place.map_err(|throttled| {
            self.usage.throttled(runnable, now);
            Error::Throttled(throttled)
        })?;
        let counting = self.usage.begin(runnable, &trace_id, now);
        let invocation = Invocation {
            trace_id,
            request_id: request.id,
            payload: request.payload,
            invoked_arn: runnable.invoked_arn.clone(),
            client_context: request.client_context,
            cognito_identity: None,
            tenant_id: request.tenant,
        };
        Ok(Entered { place, counting, invocation })
    }
}

/// Counts an invocation when all of it is over. Ends with it, which the pool ends when the server does.
async fn count(mut outcome: Outcome, counting: Counting, place: Place) {
    outcome.complete().await;
    counting.ended(Ok(&outcome));
    drop(place);
}

fn not_run(error: RuntimeError) -> Error {
    match error {
        RuntimeError::Saturated { .. } | RuntimeError::NoMemory { .. } => {
            Error::ServerBusy(error.to_string())
        }
        RuntimeError::Stopping => Error::Stopping,
        RuntimeError::Network(text) => Error::InvalidParameter(text),
        RuntimeError::RestoreFailed(_) => Error::SnapStart,
        RuntimeError::RestoreTimedOut => Error::SnapStartTimeout,
        RuntimeError::NoInterpreter(text) => Error::InvalidRuntime(text),
        RuntimeError::Start { .. } => Error::Service(error.to_string()),
    }
}
