//! Which network each function has: what it asks for, within what the configuration grants, as far as
//! the machine can do it.

use kit::Clock;
use network::{Mode, Network};

use crate::{
    config::Networking,
    function::{Function, RuntimeError},
    sandbox::{Isolation, lacks_tun},
};

/// The networks of all functions.
pub(crate) struct Networks {
    /// Of functions that do not ask for any.
    default: Mode,
    /// The most that a function may ask for.
    most: Mode,
    /// Why there is no way out, if there is none.
    lack: Option<String>,
    /// What serves them.
    pub(crate) network: Network,
}

impl Networks {
    /// Fails if the configuration wants what the machine cannot do.
    pub(crate) fn new(
        settings: Networking,
        isolation: Isolation,
        clock: Clock,
    ) -> Result<Networks, RuntimeError> {
        // Plain processes have the host's network, whatever anybody wants.
        let lack = if isolation == Isolation::Process { None } else { lacks_tun() };
        let possible = if lack.is_none() { Mode::Egress } else { Mode::None };
        let default = settings.mode.unwrap_or(possible);
        let network = Network::new(settings.names, settings.reach, clock);
        let networks = Networks { default, most: default.max(settings.most), lack, network };
        networks.check(default)?;
        Ok(networks)
    }

    /// What a function has.
    pub(crate) fn of(&self, function: &Function) -> Result<Mode, RuntimeError> {
        let mode = function.network.unwrap_or(self.default);
        self.check(mode).map(|()| mode)
    }

    /// What functions have that do not ask for any.
    pub(crate) fn default(&self) -> Mode {
        self.default
    }

    /// Whether a function may have this network here.
    pub(crate) fn check(&self, mode: Mode) -> Result<(), RuntimeError> {
        if mode > self.most {
            let (asked, most) = (mode.as_str(), self.most.as_str());
            let text = format!("the network {asked} is more than this server grants: {most}");
            return Err(RuntimeError::Network(text));
        }
        match &self.lack {
            Some(lack) if mode == Mode::Egress => Err(RuntimeError::Network(lack.clone())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(mode: Option<Mode>, most: Mode) -> Networks {
        let settings = Networking { mode, most, ..Networking::default() };
        Networks::new(settings, Isolation::Process, Clock::default()).unwrap()
    }

    #[test]
    fn a_function_gets_no_more_than_the_server_grants() {
        let granted = networks(Some(Mode::None), Mode::Egress);
        assert_eq!(granted.default(), Mode::None);
        assert!(granted.check(Mode::Egress).is_ok());
        let refused = granted.check(Mode::Host).unwrap_err().to_string();
        assert_eq!(refused, "the network host is more than this server grants: egress");
        assert!(networks(Some(Mode::Host), Mode::Egress).check(Mode::Host).is_ok());
        assert!(networks(Some(Mode::None), Mode::None).check(Mode::Egress).is_err());
    }

    #[test]
    fn the_internet_is_there_unless_the_machine_lacks_the_way() {
        assert_eq!(networks(None, Mode::Egress).default(), Mode::Egress);
        let mut lacking = networks(Some(Mode::None), Mode::Egress);
        lacking.lack = Some("no way".into());
        assert!(lacking.check(Mode::None).is_ok());
        assert_eq!(lacking.check(Mode::Egress).unwrap_err().to_string(), "no way");
    }
}
