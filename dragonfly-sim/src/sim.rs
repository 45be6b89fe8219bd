//! The simulator as a library: what to serve, and the handle to what is being served.

use std::{
    collections::BTreeMap,
    fmt,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, atomic::AtomicU64},
    thread::JoinHandle,
    time::Duration,
};

use dragonfly_core::clock::Clock;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::{
    Pace, Recording, SimError, certificate,
    dialect::{self, Spec},
    server::{self, Venue},
    session::Terms,
};

/// A venue to simulate and the recording it plays.
#[derive(Clone, Debug)]
pub struct Recorded {
    venue: String,
    capture: Recording,
    pace: Pace,
}

impl Recorded {
    /// Plays `capture` as `venue`, at the recorded pace. See [`crate::venues`] for the names.
    pub fn new(venue: impl Into<String>, capture: Recording) -> Self {
        Self {
            venue: venue.into(),
            capture,
            pace: Pace::default(),
        }
    }

    /// Plays at this pace instead; default [`Pace::Speed`]`(1.0)`.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }
}

/// Collects what a simulator is to serve.
#[derive(Debug)]
pub struct SimBuilder {
    venues: Vec<Recorded>,
    bind: SocketAddr,
    write_stall: Duration,
}

impl Default for SimBuilder {
    fn default() -> Self {
        Self {
            venues: Vec::new(),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            write_stall: Duration::from_secs(10),
        }
    }
}

impl SimBuilder {
    /// Adds a venue. A venue added again plays its recordings one after the other, or side by side
    /// where they belong to different paths, as Bybit's spot and linear do; the pace is the last.
    #[must_use]
    pub fn venue(mut self, venue: Recorded) -> Self {
        self.venues.push(venue);
        self
    }

    /// Listens here: the first venue on this port, each further one on the next. Default
    /// `127.0.0.1:0`, which gives every venue a free port. Loopback addresses only.
    #[must_use]
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// A client that takes nothing for this long is dropped. Default 10 s.
    #[must_use]
    pub fn write_stall(mut self, limit: Duration) -> Self {
        self.write_stall = limit;
        self
    }

    /// Makes the certificates, binds the ports and starts serving on a thread of its own.
    ///
    /// # Errors
    /// When a venue is unknown, its recording holds nothing to play, a speed is not a positive
    /// number, the address is not loopback, or the system refuses a port or a thread.
    pub fn start(self) -> Result<Sim, SimError> {
        if self.venues.is_empty() {
            return Err(SimError::NoVenue);
        }
        if !self.bind.ip().is_loopback() {
            return Err(SimError::NotLoopback(self.bind));
        }
        let authority = certificate::generate(self.bind.ip())?;
        let tls = TlsAcceptor::from(authority.server);
        let connections = Arc::new(AtomicU64::new(1));
        let (mut endpoints, mut served) = (BTreeMap::new(), Vec::new());
        for (index, (spec, recorded)) in merged(&self.venues)?.into_iter().enumerate() {
            let venue = Venue {
                spec,
                tapes: tapes(spec, &recorded)?,
                terms: Terms {
                    pace: recorded.pace,
                    clock: Clock::monotonic(),
                    patience: spec.patience,
                    max_message: spec.max_message,
                    write_stall: self.write_stall,
                },
                tls: tls.clone(),
                connections: Arc::clone(&connections),
            };
            let listener = listen(self.bind, index)?;
            let address = listener.local_addr().map_err(SimError::Thread)?;
            let path = venue.tapes.keys().next_back().map_or("/", String::as_str);
            endpoints.insert(spec.name, url(address, path));
            served.push((listener, venue));
        }
        let (stop, stopped) = oneshot::channel();
        let thread = spawn(served, stopped)?;
        Ok(Sim {
            endpoints,
            ca_pem: authority.pem,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// One entry a venue, in the order they were first given, its recordings joined.
fn merged(venues: &[Recorded]) -> Result<Vec<(&'static Spec, Recorded)>, SimError> {
    let mut merged: Vec<(&'static Spec, Recorded)> = Vec::new();
    for recorded in venues {
        let spec = dialect::find(&recorded.venue).ok_or_else(|| SimError::UnknownVenue {
            name: recorded.venue.clone(),
            known: dialect::venues().collect::<Vec<_>>().join(", "),
        })?;
        match recorded.pace {
            Pace::Speed(factor) if !(factor.is_finite() && factor > 0.0) => {
                return Err(SimError::Speed(factor));
            }
            _ => {}
        }
        match merged.iter_mut().find(|(known, _)| known.name == spec.name) {
            Some((_, known)) => {
                known.capture = known.capture.followed_by(&recorded.capture);
                known.pace = recorded.pace;
            }
            None => merged.push((spec, recorded.clone())),
        }
    }
    Ok(merged)
}

fn tapes(spec: &'static Spec, recorded: &Recorded) -> Result<dialect::Tapes, SimError> {
    let tapes = (spec.prepare)(&recorded.capture);
    if tapes.is_empty() {
        return Err(SimError::NothingToPlay {
            venue: spec.name,
            recording: recorded.capture.name().to_owned(),
        });
    }
    Ok(tapes)
}

/// Where clients find what listens at an address of this machine.
pub(crate) fn url(address: SocketAddr, path: &str) -> String {
    let port = address.port();
    if address.ip() == Ipv4Addr::LOCALHOST {
        format!("wss://localhost:{port}{path}")
    } else {
        format!("wss://{address}{path}")
    }
}

/// Binds the port of the `index`th venue, ready for the runtime.
pub(crate) fn listen(bind: SocketAddr, index: usize) -> Result<TcpListener, SimError> {
    let mut address = bind;
    if bind.port() != 0 {
        let port = u16::try_from(index).ok();
        let Some(port) = port.and_then(|offset| bind.port().checked_add(offset)) else {
            return Err(SimError::Ports {
                first: bind.port(),
                number: index + 1,
            });
        };
        address.set_port(port);
    }
    let failed = |source| SimError::Bind { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn spawn(
    served: Vec<(TcpListener, Venue)>,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(SimError::Thread)?;
    let body = move || {
        runtime.block_on(async {
            for (listener, venue) in served {
                tokio::spawn(server::serve(listener, Arc::new(venue)));
            }
            // A dropped sender means stop as well.
            stopped.await.ok();
        });
    };
    std::thread::Builder::new()
        .name("dragonfly-sim".to_owned())
        .spawn(body)
        .map_err(SimError::Thread)
}

/// Venues being simulated. Dropping it stops them.
pub struct Sim {
    endpoints: BTreeMap<&'static str, String>,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sim {
    /// A builder with no venue yet.
    pub fn builder() -> SimBuilder {
        SimBuilder::default()
    }

    /// Where clients of this venue connect, such as `wss://localhost:40123/v5/public/spot`; `None`
    /// if the venue is not simulated. Of several paths it is the last in alphabetical order.
    pub fn endpoint(&self, venue: &str) -> Option<&str> {
        let spec = dialect::find(venue)?;
        self.endpoints.get(spec.name).map(String::as_str)
    }

    /// All endpoints by venue.
    pub fn endpoints(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.endpoints
            .iter()
            .map(|(venue, endpoint)| (*venue, endpoint.as_str()))
    }

    /// The certificate authority to trust, as PEM text.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Stops serving. Connections end without a closing handshake, as when a venue dies.
    pub fn stop(self) {
        drop(self);
    }

    /// Serves until the process ends.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic on that thread has been reported by its own hook.
            thread.join().ok();
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}
