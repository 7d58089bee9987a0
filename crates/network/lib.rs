//! The network of functions, as the host serves it: names, and connections to the outside.
//!
//! A sandbox has a network of its own with nothing in it but what the host serves there. Always true:
//! no packet of a function ever reaches a network of the host. What a function sends ends here; the
//! server opens a connection of its own in its place, to where [`Reach`] lets it, or to nowhere.
//! Everything that an instance can make the server hold is bounded.
//!
//! Read in this order: `reach` (who may be reached), `route` (which addresses are the host's own),
//! `names/` (the name server inside), `egress/` (packets, connections and datagrams).

mod egress;
mod names;
mod reach;
mod route;

use std::{net::IpAddr, os::fd::OwnedFd, str::FromStr, sync::Arc};

use kit::Clock;
use tokio::{
    io::unix::AsyncFd,
    net::{TcpListener, UdpSocket},
};

pub use egress::link;
pub use names::Names;
pub use reach::{Range, RangeError, Reach};

/// What network a function has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Its own loopback, with the Runtime API and the AWS endpoint.
    None,
    /// That, and connections to the outside.
    Egress,
    /// The host's network, as every process of the host has it.
    Host,
}

/// A word that names no mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is none, egress or host")]
pub struct UnknownMode;

impl Mode {
    /// Its name in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::None => "none",
            Mode::Egress => "egress",
            Mode::Host => "host",
        }
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(word: &str) -> Result<Mode, UnknownMode> {
        [Mode::None, Mode::Egress, Mode::Host]
            .into_iter()
            .find(|mode| mode.as_str() == word)
            .ok_or(UnknownMode)
    }
}

/// What all instances' networks have in common. Made once per server; cheap to clone.
#[derive(Clone)]
pub struct Network {
    names: Arc<Names>,
    reach: Arc<Reach>,
    clock: Clock,
}

/// The host's ends of one instance's network.
pub struct Ends {
    /// Where the instance asks for names: port 53 of its loopback.
    pub questions: UdpSocket,
    /// The same, for long answers.
    pub long_questions: TcpListener,
    /// Its way out, nonblocking: what it sends to other addresses is read here. None: it has none.
    pub link: Option<AsyncFd<OwnedFd>>,
}

impl Network {
    /// With these names of ours, and these limits of what is reached.
    pub fn new(names: Names, reach: Reach, clock: Clock) -> Network {
        Network { names: Arc::new(names), reach: Arc::new(reach), clock }
    }

    /// Serves one instance until this is dropped; everything that it has opened ends with it.
    pub async fn serve(self, ends: Ends) {
        let Ends { questions, long_questions, link } = ends;
        let outside = match link {
            Some(_) => names::Outside::Asked,
            None => names::Outside::Unknown,
        };
        let asked = names::serve(&self.names, outside, &questions, &long_questions, &self.clock);
        let out = async {
            let Some(link) = link else { return };
            if let Err(error) = egress::serve(link, self.reach, self.clock.clone()).await {
                tracing::warn!(%error, "an instance has lost its way out");
            }
        };
        tokio::join!(asked, out);
    }
}

/// Whether this host can send to the global internet over IPv6.
pub fn host_has_ipv6() -> bool {
    // One of the root servers: an address that no network has for itself.
    const ELSEWHERE: &str = "2001:503:ba3e::2:30";
    let address: Option<IpAddr> = ELSEWHERE.parse().ok();
    address.is_some_and(|address| matches!(route::of(address), Ok(route::Route::Away)))
}
