//! The extensions of one instance, and what each of them is doing: the rules of the Extensions API,
//! in Lambda's own names of states. Pure.

use super::refused::Refused;

/// Lambda's limit ("Lambda quotas").
pub(crate) const MAX_EXTENSIONS: usize = 10;

/// Who starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A process of its own, out of `/opt/extensions`.
    External,
    /// A part of the runtime's process, which has registered by itself.
    Internal,
}

/// What an extension may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// An invocation begins.
    Invoke,
    /// The instance ends.
    Shutdown,
}

/// What an extension is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has not registered yet.
    Started,
    /// It has not asked for an event yet.
    Registered,
    /// It waits for an event.
    Ready,
    /// It has one in hand.
    Running,
    /// It said that its init failed.
    InitError,
    /// It said that it would exit.
    ExitError,
    /// It could not be started.
    LaunchError,
}

/// Which of its two ways to fail an extension reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// `init/error`.
    Init,
    /// `exit/error`.
    Exit,
}

/// One extension.
#[derive(Clone, Debug)]
pub(crate) struct Extension {
    /// Its file's name; an internal one names itself.
    pub(crate) name: String,
    /// What it says who it is by.
    pub(crate) id: String,
    /// Who starts it.
    pub(crate) kind: Kind,
    /// What it is told of.
    pub(crate) events: Vec<Event>,
    /// What it is doing.
    pub(crate) state: State,
    /// Why it failed, in its own words or Lambda's.
    pub(crate) error_type: Option<String>,
}

/// All extensions of an instance.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    extensions: Vec<Extension>,
    closed: bool,
    /// What the failure of the instance is called, once an extension has said that it fails.
    fatal: Option<&'static str>,
}

impl Event {
    /// As requests and log lines have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Event::Invoke => "INVOKE",
            Event::Shutdown => "SHUTDOWN",
        }
    }

    fn parse(text: &str, kind: Kind) -> Result<Event, Refused> {
        match (text, kind) {
            ("INVOKE", _) => Ok(Event::Invoke),
            ("SHUTDOWN", Kind::External) => Ok(Event::Shutdown),
            _ => Err(Refused::Event { event: text.to_owned(), kind }),
        }
    }
}

impl State {
    /// Its name in log lines.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Started => "Started",
            State::Registered => "Registered",
            State::Ready => "Ready",
            State::Running => "Running",
            State::InitError => "InitError",
            State::ExitError => "ExitError",
            State::LaunchError => "LaunchError",
        }
    }
}

impl Failing {
    fn state(self) -> State {
        match self {
            Failing::Init => State::InitError,
            Failing::Exit => State::ExitError,
        }
    }

    fn fatal(self) -> &'static str {
        match self {
            Failing::Init => "Extension.InitError",
            Failing::Exit => "Extension.ExitError",
        }
    }
}

impl Roster {
    /// Notes an external extension that is about to be started.
    pub(crate) fn start(&mut self, name: &str, id: String) {
        self.add(name, id, Kind::External, State::Started, Vec::new());
    }

    /// An external extension could not be started.
    pub(crate) fn not_started(&mut self, name: &str, error_type: &str) {
        if let Some(extension) = self.extensions.iter_mut().find(|it| it.name == name) {
            extension.state = State::LaunchError;
            extension.error_type = Some(error_type.to_owned());
        }
    }

    /// An extension registers; a name that was not started is an internal one's. Answers with its id.
    pub(crate) fn register(
        &mut self,
        name: &str,
        events: &[String],
        new_id: String,
    ) -> Result<String, Refused> {
        if name.is_empty() {
            return Err(Refused::NoName);
        }
        let known = self.extensions.iter().position(|it| it.name == name);
        let kind = match known.map(|at| self.extensions[at].kind) {
            Some(Kind::External) => Kind::External,
            _ => Kind::Internal,
        };
        let mut wanted = Vec::new();
        for event in events {
            let event = Event::parse(event, kind)?;
            if !wanted.contains(&event) {
                wanted.push(event);
            }
        }
        let Some(at) = known else {
            if self.closed {
                return Err(Refused::Closed);
            }
            if self.extensions.len() >= MAX_EXTENSIONS {
                return Err(Refused::TooMany);
            }
            self.add(name, new_id.clone(), Kind::Internal, State::Registered, wanted);
            return Ok(new_id);
        };
        if kind == Kind::Internal {
            return Err(Refused::Taken);
        }
        let extension = &mut self.extensions[at];
        if extension.state != State::Started {
            let from = extension.state;
            return Err(Refused::transition(from, State::Registered, name));
        }
        (extension.state, extension.events) = (State::Registered, wanted);
        Ok(extension.id.clone())
    }

    fn add(&mut self, name: &str, id: String, kind: Kind, state: State, events: Vec<Event>) {
        let (name, error_type) = (name.to_owned(), None);
        self.extensions.push(Extension { name, id, kind, events, state, error_type });
    }

    /// An extension asks for an event. Answers with its place in the roster.
    pub(crate) fn ready(&mut self, id: &str) -> Result<usize, Refused> {
        let at = self.place(id).ok_or_else(|| Refused::Unknown(id.to_owned()))?;
        let extension = &mut self.extensions[at];
        match extension.state {
            State::Registered | State::Running => extension.state = State::Ready,
            from => return Err(Refused::transition(from, State::Ready, id)),
        }
        Ok(at)
    }

    /// An extension says that it fails.
    pub(crate) fn fail(
        &mut self,
        id: &str,
        failing: Failing,
        error_type: &str,
    ) -> Result<(), Refused> {
        let at = self.place(id).ok_or(Refused::UnknownIdentifier)?;
        let extension = &mut self.extensions[at];
        match (extension.state, failing) {
            (State::Registered, _) | (State::Ready | State::Running, Failing::Exit) => {}
            // Said twice.
            (from, _) if from == failing.state() => return Ok(()),
            (from, _) => return Err(Refused::transition(from, failing.state(), id)),
        }
        extension.state = failing.state();
        extension.error_type = Some(error_type.to_owned());
        self.fatal.get_or_insert(failing.fatal());
        Ok(())
    }

    /// The name of the extension that goes by this id.
    pub(crate) fn name(&self, id: &str) -> Option<&str> {
        self.place(id).map(|at| self.extensions[at].name.as_str())
    }

    fn place(&self, id: &str) -> Option<usize> {
        self.extensions.iter().position(|it| it.id == id && it.state != State::Started)
    }

    /// An event happens: those who asked to be told of it and wait now have it in hand.
    pub(crate) fn tell(&mut self, event: Event) -> Vec<usize> {
        let mut told = Vec::new();
        for (at, extension) in self.extensions.iter_mut().enumerate() {
            if extension.state == State::Ready && extension.events.contains(&event) {
                extension.state = State::Running;
                told.push(at);
            }
        }
        told
    }

    /// The runtime has asked for its first event: nobody registers any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether all that were started have registered.
    pub(crate) fn all_registered(&self) -> bool {
        self.extensions.iter().all(|it| it.state != State::Started)
    }

    /// Whether all wait for an event.
    pub(crate) fn all_ready(&self) -> bool {
        self.extensions.iter().all(|it| it.state == State::Ready)
    }

    /// What an end of the instance is called: as an extension has said, or else this.
    pub(crate) fn fatal_or(&self, otherwise: &'static str) -> &'static str {
        self.fatal.unwrap_or(otherwise)
    }

    /// What an extension has called the end of the instance.
    pub(crate) fn fatal(&self) -> Option<&'static str> {
        self.fatal
    }

    /// All of them, those that were started first.
    pub(crate) fn all(&self) -> &[Extension] {
        &self.extensions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn both() -> Vec<String> {
        events(&["INVOKE", "SHUTDOWN"])
    }

    fn message(refused: Result<impl std::fmt::Debug, Refused>) -> (&'static str, String) {
        let refused = refused.unwrap_err();
        (refused.error_type(), refused.message())
    }

    #[test]
    fn an_extension_goes_from_started_to_ready_and_round_with_every_event() {
        let mut roster = Roster::default();
        roster.start("tool", "id-1".into());
        assert!(!roster.all_registered());
        assert_eq!(roster.register("tool", &both(), "unused".into()).unwrap(), "id-1");
        assert!(roster.all_registered() && !roster.all_ready());
        assert_eq!(roster.ready("id-1").unwrap(), 0);
        assert!(roster.all_ready());
        assert_eq!(roster.tell(Event::Invoke), [0]);
        assert!(!roster.all_ready());
        assert!(roster.tell(Event::Invoke).is_empty(), "it has one in hand");
        roster.ready("id-1").unwrap();
        assert_eq!(roster.tell(Event::Shutdown), [0]);
    }

    #[test]
    fn who_wants_no_invocations_is_not_told_of_them_and_holds_nobody_up() {
        let mut roster = Roster::default();
        roster.start("tool", "id-1".into());
        roster.register("tool", &events(&["SHUTDOWN"]), String::new()).unwrap();
        roster.ready("id-1").unwrap();
        assert!(roster.tell(Event::Invoke).is_empty());
        assert!(roster.all_ready());
    }

    #[test]
    fn an_internal_extension_registers_before_the_runtime_is_ready_for_invocations_only() {
        let mut roster = Roster::default();
        assert_eq!(
            message(roster.register("inner", &both(), "id".into())),
            (
                "Extension.InvalidEventType",
                "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension".into()
            )
        );
        assert_eq!(
            message(roster.register("inner", &events(&["LUNCH"]), "id".into())),
            ("Extension.InvalidEventType", "LUNCH: ErrorInvalidEventType".into())
        );
        roster.register("inner", &events(&["INVOKE"]), "id".into()).unwrap();
        assert_eq!(
            message(roster.register("inner", &[], "other".into())),
            (
                "Extension.InvalidExtensionState",
                "Extension with this name already registered".into()
            )
        );
        roster.close();
        assert_eq!(
            message(roster.register("late", &[], "other".into())),
            ("Extension.RegistrationClosed", "Extension registration closed already".into())
        );
    }

    #[test]
    fn ten_extensions_and_no_more() {
        let mut roster = Roster::default();
        for number in 0..MAX_EXTENSIONS {
            roster.register(&format!("e{number}"), &[], number.to_string()).unwrap();
        }
        assert_eq!(
            message(roster.register("one-more", &[], "x".into())),
            ("Extension.TooManyExtensions", "Extension limit (10) reached".into())
        );
    }

    #[test]
    fn forged_ids_and_untimely_requests_are_refused() {
        let mut roster = Roster::default();
        roster.start("tool", "id-1".into());
        assert_eq!(
            message(roster.ready("id-1")),
            ("Extension.UnknownExtensionIdentifier", "Unknown extension id-1".into()),
            "nobody has been told that id"
        );
        roster.register("tool", &both(), String::new()).unwrap();
        let text = "State transition from Registered to Registered failed for extension tool. \
                    Error: State transition is not allowed";
        assert_eq!(
            message(roster.register("tool", &both(), String::new())),
            ("Extension.InvalidExtensionState", text.into())
        );
        roster.ready("id-1").unwrap();
        assert_eq!(message(roster.ready("id-1")).0, "Extension.InvalidExtensionState");
        assert_eq!(
            message(roster.fail("id-1", Failing::Init, "E")).0,
            "Extension.InvalidExtensionState",
            "its init is over"
        );
        assert_eq!(message(roster.register("", &[], String::new())).1, "Empty extension name");
    }

    #[test]
    fn the_first_failure_that_is_told_names_the_end() {
        let mut roster = Roster::default();
        roster.start("tool", "id-1".into());
        roster.register("tool", &both(), String::new()).unwrap();
        assert_eq!(roster.fatal_or("Extension.Crash"), "Extension.Crash");
        roster.fail("id-1", Failing::Init, "Tool.NoKey").unwrap();
        roster.fail("id-1", Failing::Init, "Tool.NoKey").unwrap();
        assert_eq!(roster.fatal_or("Extension.Crash"), "Extension.InitError");
        assert_eq!(roster.all()[0].error_type.as_deref(), Some("Tool.NoKey"));
    }
}
