//! From the command line to a wired flow.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use dragonfly_aggregators::Bbo;
use dragonfly_core::{
    flow::Flow,
    market::{Instrument, Symbol},
    queue,
    run::{check_cores, lock_memory},
};
use dragonfly_feeds::{BookFeed, Builder, Gate, OpenError, build_all};
use dragonfly_grpc::{Health, Probes, Server};
use dragonfly_sim::Sim;

use crate::{demo, files, options::Options, report::Report};

/// How many items a queue holds: the listeners' burst of a few hundred milliseconds.
const QUEUE: usize = 256;

/// What is made of the options.
pub(crate) struct Parts {
    pub(crate) flow: Flow,
    /// Where it will serve.
    pub(crate) address: SocketAddr,
    pub(crate) health: Health,
    /// Listening, where that is asked for.
    pub(crate) probes: Option<Probes>,
    /// The recorded venues, where it plays those.
    pub(crate) sim: Option<Sim>,
}

/// Wires the flow.
pub(crate) fn parts(options: &Options) -> Result<Parts> {
    check_cores(&options.pin).context("--pin")?;
    check_quorum(options)?;
    let (feeds, name, sim) = if options.demo {
        let sim = demo::venues()?;
        (
            demo::feeds(&sim, options.depth)?,
            Some(demo::name()?),
            Some(sim),
        )
    } else {
        let (feeds, name) = live(options)?;
        (feeds, name, None)
    };
    let mut bbo = Bbo::top(options.depth.into());
    if let Some(name) = name {
        bbo = bbo.named(name);
    }
    let mut server = Server::builder().max_connections(files::connections(feeds.len()));
    if options.insecure {
        server = server.insecure_public_bind();
    }
    if let Some(quorum) = options.quorum {
        server = server.quorum(quorum.into());
    }
    let server = server.bind(&options.bind).context("--bind")?;
    let (address, health) = (server.local_addr(), server.health());
    let probes = options.health_bind.as_ref();
    let probes = probes.map(|address| Probes::bind(address, options.insecure));
    let probes = probes.transpose().context("--health-bind")?;

    let mut flow = Flow::new();
    let books = flow.listen(feeds).via(queue::mpsc(QUEUE));
    let views = flow.aggregate(books, bbo).via(queue::spmc(QUEUE));
    flow.serve(server, views.clone());
    flow.serve(Report::default(), views);
    if options.lock_memory {
        lock_memory().context("--lock-memory")?;
    }
    Ok(Parts {
        flow,
        address,
        health,
        probes,
        sim,
    })
}

/// All venues are merged into one book: one that needs more of them than there are is never ready.
fn check_quorum(options: &Options) -> Result<()> {
    let venues = if options.demo {
        demo::VENUES.len()
    } else {
        options.venues.len()
    };
    match options.quorum {
        Some(quorum) if usize::from(quorum) > venues => {
            bail!("--quorum: {quorum} venues cannot be live, there are {venues}")
        }
        _ => Ok(()),
    }
}

/// The feeds the options ask for; with a name for the view where their instruments differ.
fn live(options: &Options) -> Result<(Vec<BookFeed>, Option<Symbol>)> {
    let (mut feeds, mut asked) = (Vec::new(), Vec::new());
    let mut gates: HashMap<&str, Gate> = HashMap::new();
    let common: Instrument = options
        .instrument_name
        .parse()
        .context("--instrument-name")?;
    for entry in options.venues.iter().map(|entry| entry.trim()) {
        let (venue, instrument) = match entry.split_once(':') {
            Some((venue, instrument)) => (venue, instrument.parse().context("--venues")?),
            None => (entry, common),
        };
        if asked.contains(&(venue, instrument)) {
            bail!("--venues: {venue} with {instrument} is named twice");
        }
        asked.push((venue, instrument));
        // A venue counts the connections of an address, whatever they are for.
        let gate = gates.entry(venue).or_default();
        feeds.push(feed(options, venue, instrument, gate)?);
    }
    check_endpoints(options, &asked)?;
    // Before anything is said of what was asked for: it may be refused.
    let feeds = build_all(feeds).map_err(explain)?;
    let differ = asked.windows(2).any(|pair| pair[0].1 != pair[1].1);
    if differ {
        let list: Vec<_> = asked.iter().map(|(v, i)| format!("{i} at {v}")).collect();
        tracing::warn!(
            "taken as worth the same and merged into one book: {}",
            list.join(", ")
        );
    }
    Ok((feeds, differ.then(|| asked[0].1.symbol())))
}

/// Each other address is that of a venue, or of an instrument of it, that was asked for.
fn check_endpoints(options: &Options, asked: &[(&str, Instrument)]) -> Result<()> {
    for (index, endpoint) in options.endpoint.iter().enumerate() {
        let mut before = options.endpoint.iter().take(index);
        if before.any(|o| (&o.venue, &o.instrument) == (&endpoint.venue, &endpoint.instrument)) {
            bail!("--endpoint: {endpoint} is given twice");
        }
        let is_asked = |(venue, instrument): &(&str, _)| endpoint.is_for(venue, instrument);
        if !asked.iter().any(is_asked) {
            let name = |(venue, instrument): &(&str, Instrument)| match endpoint.instrument {
                Some(_) => format!("{venue}:{instrument}"),
                None => (*venue).to_owned(),
            };
            let known = asked.iter().map(name).collect::<Vec<_>>().join(", ");
            let endpoint = endpoint.to_string();
            bail!("--endpoint: {endpoint:?} is not among the venues: {known}");
        }
    }
    Ok(())
}

/// What is wrong, with the option that would set it right where that is not plain.
fn explain(error: OpenError) -> anyhow::Error {
    let hint = match &error {
        OpenError::SharedEndpoint { venue, other, .. } => {
            format!("; --endpoint {venue}:{other}=URL is for that one alone")
        }
        _ => String::new(),
    };
    anyhow!("{error}{hint}")
}

fn feed(options: &Options, venue: &str, instrument: Instrument, gate: &Gate) -> Result<Builder> {
    let mut feed = Builder::new(venue, &instrument.to_string())
        .context("--venues")?
        .gate(gate)
        .depth(options.depth.into());
    // What is said of the instrument goes before what is said of the venue.
    let endpoints = options.endpoint.iter();
    let meant = endpoints.filter(|endpoint| endpoint.is_for(venue, &instrument));
    if let Some(endpoint) = meant.max_by_key(|endpoint| endpoint.instrument.is_some()) {
        feed = feed.endpoint(&endpoint.url);
    }
    if let Some(path) = &options.tls_ca {
        feed = feed.tls_ca_file(path);
    }
    if let Some(us) = options.busy_poll {
        feed = feed.busy_poll(Duration::from_micros(us.into()));
    }
    Ok(feed)
}
