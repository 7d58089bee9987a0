//! Why a child gave up, in the eight bytes in which it can say so.

use std::io;

use rustix::io::Errno;

pub(super) use super::protocol::Step;
use super::{StartError, protocol::FAILED, root::Root, spec::Program};

/// The step that a wrong working directory fails in.
pub(crate) const ENTER_FOLDER: &str = "enter the working folder";

impl Step {
    const ALL: [(Step, &str); 23] = [
        (Step::Descriptors, "close the server's descriptors"),
        (Step::Handshake, "handshake"),
        (Step::Identity, "take the sandbox's user"),
        (Step::DeathSignal, "tie to the server"),
        (Step::Tun, "make the way out"),
        (Step::Loopback, "loopback up"),
        (Step::Listen, "listen on loopback"),
        (Step::Root, "build the root"),
        (Step::Tmp, "mount /tmp"),
        (Step::Proc, "mount /proc"),
        (Step::PivotRoot, "enter the root"),
        (Step::Hostname, "set the hostname"),
        (Step::Limits, "set limits"),
        (Step::Capabilities, "drop capabilities"),
        (Step::Landlock, "landlock"),
        (Step::Seccomp, "seccomp"),
        (Step::Standard, "standard streams"),
        (Step::Init, "run init"),
        (Step::Room, "make room for the program"),
        (Step::Message, "read what to run"),
        (Step::Fork, "fork"),
        (Step::Folder, ENTER_FOLDER),
        (Step::Exec, "exec"),
    ];

    /// Its name in errors.
    pub(super) fn name(self) -> &'static str {
        Step::ALL.iter().find(|(step, _)| *step == self).map_or("start", |(_, name)| *name)
    }
}

/// Why the child gave up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) step: Step,
    /// Which entry of the root, if `step` is `Root`.
    pub(super) entry: u16,
    pub(super) errno: Errno,
}

impl Failure {
    /// The message of the control socket.
    pub(super) fn encode(self) -> [u8; 8] {
        let [e0, e1] = self.entry.to_le_bytes();
        let [n0, n1, n2, n3] = self.errno.raw_os_error().to_le_bytes();
        [FAILED, self.step as u8, e0, e1, n0, n1, n2, n3]
    }

    pub(super) fn decode(message: &[u8]) -> Option<Failure> {
        let &[FAILED, step, e0, e1, n0, n1, n2, n3] = message else { return None };
        let (step, _) = *Step::ALL.get(usize::from(step))?;
        let errno = Errno::from_raw_os_error(i32::from_le_bytes([n0, n1, n2, n3]));
        Some(Failure { step, entry: u16::from_le_bytes([e0, e1]), errno })
    }

    /// In words, with what it is about.
    pub(super) fn explain(self, root: Option<&Root>, program: &Program) -> StartError {
        let about = match (self.step, root) {
            (Step::Root, Some(root)) => root.path(self.entry),
            (Step::Exec, _) => program.name(),
            _ => String::new(),
        };
        let cause = io::Error::from(self.errno);
        let source = match about.is_empty() {
            true => cause,
            false => io::Error::new(cause.kind(), format!("{about}: {cause}")),
        };
        StartError { step: self.step.name(), source }
    }
}

/// A result that names the step it failed in.
pub(super) trait At<T> {
    fn at(self, step: Step) -> Result<T, Failure>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at(self, step: Step) -> Result<T, Failure> {
        self.map_err(|errno| Failure { step, entry: 0, errno })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_control_socket() {
        for (index, (step, _)) in Step::ALL.iter().enumerate() {
            assert_eq!(*step as usize, index, "{step:?} stands at its own number");
        }
        let failure = Failure { step: Step::Proc, entry: 300, errno: Errno::PERM };
        let back = Failure::decode(&failure.encode()).unwrap();
        assert_eq!((back.step, back.entry, back.errno), (Step::Proc, 300, Errno::PERM));
    }
}
