//! Starting: what is refused, and that two venues do not disturb each other.

use std::net::SocketAddr;

use dragonfly_sim::{Pace, Recorded, Recording, Sim, SimBuilder, SimError};

use crate::client::{Client, simulate};

fn bybit() -> Recorded {
    Recorded::new("bybit", Recording::demo_bybit().unwrap())
}

fn refusal(builder: SimBuilder) -> String {
    builder.start().unwrap_err().to_string()
}

#[test]
fn wrong_input_is_named() {
    let unknown = Recorded::new("mtgox", Recording::demo_bybit().unwrap());
    let said = refusal(Sim::builder().venue(unknown));
    assert!(
        said.contains("`mtgox`") && said.contains("bybit, coinbase-advanced"),
        "{said}"
    );
    let mismatched = Recorded::new("kraken", Recording::demo_bybit().unwrap());
    assert!(refusal(Sim::builder().venue(mismatched)).contains("no message of kraken"));
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let said = refusal(Sim::builder().venue(bybit().pace(Pace::Speed(speed))));
        assert!(said.contains("above 0"), "{said}");
    }
    let public = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(refusal(Sim::builder().venue(bybit()).bind(public)).contains("0.0.0.0:0"));
    assert!(matches!(Sim::builder().start(), Err(SimError::NoVenue)));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let said = refusal(Sim::builder().venue(bybit()).bind(address));
    assert!(said.contains(&address.to_string()), "{said}");
}

#[test]
fn venues_have_endpoints_of_their_own() {
    let coinbase = Recorded::new("coinbase-advanced", Recording::demo_coinbase().unwrap());
    let sim = Sim::builder()
        .venue(bybit())
        .venue(coinbase)
        .start()
        .unwrap();
    let endpoints: Vec<_> = sim.endpoints().collect();
    assert_eq!(endpoints.len(), 2);
    assert_ne!(endpoints[0].1, endpoints[1].1);
    for (venue, _) in endpoints {
        Client::connect(&sim, venue).expect_silence();
    }
    assert_eq!(sim.endpoint("kraken"), None);
}

#[test]
fn stopping_ends_every_connection() {
    let sim = simulate("bybit", Recording::demo_bybit().unwrap());
    let mut client = Client::connect(&sim, "bybit");
    client.expect_silence();
    sim.stop();
    assert!(client.text().is_err());
}
