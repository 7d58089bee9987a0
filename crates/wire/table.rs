//! A service's operations: what runs for each, and what it needs permission for.

use std::{future::Future, pin::Pin, sync::Arc};

use kit::{Arn, Caller, ConditionKeys};
use tokio::sync::mpsc;

use crate::{
    Body, Call, Fault, Malformed, Reader, ServiceError, StreamingCall, Structure,
    codec::eventstream, schema::Service,
};

/// The answer of one operation.
pub type Reply = Result<Answered, Fault>;

/// What an operation answers when it succeeds.
pub struct Answered {
    /// The output, still typed.
    pub(crate) output: Box<dyn Structure>,
    /// The events that follow it, as they come.
    pub(crate) events: Option<Body>,
}

/// What a call needs permission for. Evaluated before the operation runs.
pub struct Access<I> {
    /// `sqs:SendMessage`.
    pub action: &'static str,
    /// The ARNs that the input names; empty stands for `*`.
    pub resources: fn(&Caller, &I) -> Vec<Arn>,
    /// What the input says of the service's own condition keys.
    pub keys: fn(&Caller, &I) -> Box<ConditionKeys>,
    /// What the input needs permission for beyond the action.
    pub also: fn(&Caller, &I) -> Vec<Need>,
    /// What the input claims of condition keys that has to be proved first.
    pub proof: Option<Proof<I>>,
    /// What a refusal is answered with where AWS does not say that something is refused.
    pub hidden: fn(&Caller, &I) -> Option<Fault>,
}

/// Checks what an input claims: the condition keys that are proved, or why it is refused.
pub type Proof<I> =
    Arc<dyn Fn(&Caller, &I) -> Result<Vec<(String, Vec<String>)>, Fault> + Send + Sync>;

/// A permission that some inputs of an operation need beyond its action: to pass a role on, to tag.
pub struct Need {
    /// `iam:PassRole`.
    pub action: &'static str,
    /// The ARNs that it is about; empty stands for `*`.
    pub resources: Vec<Arn>,
    /// What the input says of the action's condition keys.
    pub keys: Box<ConditionKeys>,
}

impl<I> Access<I> {
    /// An action on the resources that `resources` finds in the input.
    pub fn new(action: &'static str, resources: fn(&Caller, &I) -> Vec<Arn>) -> Access<I> {
        Access {
            action,
            resources,
            keys: |_, _| Box::default(),
            also: |_, _| Vec::new(),
            proof: None,
            hidden: |_, _| None,
        }
    }

    /// An action that knows no resources.
    pub fn any(action: &'static str) -> Access<I> {
        Access::new(action, |_, _| Vec::new())
    }

    /// With condition keys that the input tells.
    #[must_use]
    pub fn telling(mut self, keys: fn(&Caller, &I) -> Box<ConditionKeys>) -> Access<I> {
        self.keys = keys;
        self
    }

    /// With permissions that only some inputs need.
    #[must_use]
    pub fn also(mut self, also: fn(&Caller, &I) -> Vec<Need>) -> Access<I> {
        self.also = also;
        self
    }

    /// With condition keys that the input claims and that are proved first.
    #[must_use]
    pub fn proving(mut self, proof: Proof<I>) -> Access<I> {
        self.proof = Some(proof);
        self
    }

    /// With an answer of its own for some refusals.
    #[must_use]
    pub fn hiding(mut self, hidden: fn(&Caller, &I) -> Option<Fault>) -> Access<I> {
        self.hidden = hidden;
        self
    }
}

type Pending = Pin<Box<dyn Future<Output = Reply> + Send>>;
type Decode = dyn Fn(&mut dyn Reader) -> Result<Box<dyn Prepared>, Malformed> + Send + Sync;

/// A decoded request that has not run yet.
pub(crate) trait Prepared: Send {
    /// What it needs permission for.
    ///
    /// # Errors
    /// Something that it claims does not hold.
    fn needs(&self, caller: &Caller) -> Result<Vec<Need>, Fault>;

    /// What a refusal is answered with that is not to be told as one.
    fn hidden(&self, caller: &Caller) -> Option<Fault>;

    /// Runs it.
    fn run(self: Box<Self>, caller: Caller) -> Pending;
}

struct Operation<S, C: Call, F, O> {
    service: Arc<S>,
    input: C::Input,
    access: Arc<Access<C::Input>>,
    run: fn(Arc<S>, Caller, C::Input) -> F,
    answered: fn(O) -> Answered,
}

impl<S, C, E, F, O> Prepared for Operation<S, C, F, O>
where
    S: Send + Sync + 'static,
    C: Call,
    E: ServiceError,
    F: Future<Output = Result<O, E>> + Send + 'static,
    O: 'static,
{
    fn needs(&self, caller: &Caller) -> Result<Vec<Need>, Fault> {
        let Access { action, resources, keys, also, proof, .. } = &*self.access;
        let (resources, keys) = (resources(caller, &self.input), keys(caller, &self.input));
        let mut needs = vec![Need { action, resources, keys }];
        needs.extend(also(caller, &self.input));
        if let Some(proof) = proof {
            let proved = proof(caller, &self.input)?;
            for need in &mut needs {
                need.keys = need.keys.iter().chain(&proved).cloned().collect();
            }
        }
        Ok(needs)
    }

    fn hidden(&self, caller: &Caller) -> Option<Fault> {
        (self.access.hidden)(caller, &self.input)
    }

    fn run(self: Box<Self>, caller: Caller) -> Pending {
        let pending = (self.run)(self.service, caller, self.input);
        let answered = self.answered;
        Box::pin(async move { pending.await.map(answered).map_err(|error| error.fault()) })
    }
}

/// The operations one service answers. Those of its model that are missing here answer
/// `NotImplemented` by name.
pub struct Table {
    pub(crate) service: &'static Service,
    decoders: Vec<Option<Box<Decode>>>,
    /// Operations that end when their client hangs up.
    cancellable: Vec<bool>,
    /// Operations that anybody may call.
    unsigned: Vec<bool>,
}

impl Table {
    /// No operation yet.
    pub fn new(service: &'static Service) -> Table {
        let decoders = service.operations.iter().map(|_| None).collect();
        let none = vec![false; service.operations.len()];
        Table { service, decoders, cancellable: none.clone(), unsigned: none }
    }

    /// Adds one operation.
    #[must_use]
    pub fn on<C, S, E, F>(
        self,
        service: &Arc<S>,
        run: fn(Arc<S>, Caller, C::Input) -> F,
        access: Access<C::Input>,
    ) -> Table
    where
        C: Call,
        S: Send + Sync + 'static,
        E: ServiceError + 'static,
        F: Future<Output = Result<C::Output, E>> + Send + 'static,
    {
        let answered = |output| Answered { output: Box::new(output), events: None };
        self.add::<C, S, E, F, C::Output>(service, run, access, answered)
    }

    /// Adds one operation whose output is followed by events: those that come out of the channel,
    /// until that is closed. Its other end is closed when the client hangs up.
    #[must_use]
    pub fn on_stream<C, S, E, F>(
        self,
        service: &Arc<S>,
        run: fn(Arc<S>, Caller, C::Input) -> F,
        access: Access<C::Input>,
    ) -> Table
    where
        C: StreamingCall,
        S: Send + Sync + 'static,
        E: ServiceError + 'static,
        F: Future<Output = Result<(C::Output, mpsc::Receiver<C::Event>), E>> + Send + 'static,
    {
        let answered = |(output, events)| Answered {
            output: Box::new(output),
            events: Some(eventstream::body::<C>(events)),
        };
        self.add::<C, S, E, F, (C::Output, mpsc::Receiver<C::Event>)>(
            service, run, access, answered,
        )
    }

    fn add<C, S, E, F, O>(
        mut self,
        service: &Arc<S>,
        run: fn(Arc<S>, Caller, C::Input) -> F,
        access: Access<C::Input>,
        answered: fn(O) -> Answered,
    ) -> Table
    where
        C: Call,
        S: Send + Sync + 'static,
        E: ServiceError + 'static,
        F: Future<Output = Result<O, E>> + Send + 'static,
        O: 'static,
    {
        debug_assert_eq!(C::SERVICE.name, self.service.name);
        let service = service.clone();
        let access = Arc::new(access);
        self.decoders[C::INDEX] = Some(Box::new(move |reader| {
            let mut input = C::Input::default();
            reader.structure(&mut |member, reader| input.read(member, reader))?;
            let (service, access) = (service.clone(), access.clone());
            Ok(Box::new(Operation::<S, C, F, O> { service, input, access, run, answered }))
        }));
        self
    }

    /// Ends an operation when its client hangs up. All others run to their end once they have begun,
    /// so that what they committed and what they remember agree. For operations that wait.
    #[must_use]
    pub fn cancellable<C: Call>(mut self) -> Table {
        self.cancellable[C::INDEX] = true;
        self
    }

    /// Whether the operation of this index ends when its client hangs up.
    pub(crate) fn is_cancellable(&self, operation: usize) -> bool {
        self.cancellable[operation]
    }

    /// Lets anybody call an operation, without a signature: it checks itself what it was sent.
    #[must_use]
    pub fn unsigned<C: Call>(mut self) -> Table {
        self.unsigned[C::INDEX] = true;
        self
    }

    /// Whether anybody may call the operation of this index.
    pub(crate) fn is_unsigned(&self, operation: usize) -> bool {
        self.unsigned[operation]
    }

    /// The model this table serves.
    pub fn service(&self) -> &'static Service {
        self.service
    }

    /// Whether the operation of this index is built.
    pub fn has(&self, operation: usize) -> bool {
        self.decoders[operation].is_some()
    }

    /// Reads the input; `None` if the operation is not built.
    pub(crate) fn decode(
        &self,
        operation: usize,
        reader: &mut dyn Reader,
    ) -> Option<Result<Box<dyn Prepared>, Malformed>> {
        self.decoders[operation].as_ref().map(|decode| decode(reader))
    }
}
