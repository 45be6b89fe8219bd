//! The program `serve`: what it does to files, what it says of where it is, what it refuses.

use std::{net::TcpListener, process::Command};

use dragonfly_core::clock::Clock;
use dragonfly_sim::{Recorded, Recording, Sim};

use crate::{
    client::Client,
    live::{entries, options, request, start},
    program::{folder, run},
};

#[test]
fn a_serve_that_cannot_start_leaves_the_ledger_of_another_alone() {
    let folder = folder("in-use");
    let ledger = folder.join("ledger.jsonl");
    std::fs::write(&ledger, "what another one writes").unwrap();
    let (fresh, taken) = (
        folder.join("fresh.jsonl"),
        TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let address = taken.local_addr().unwrap().to_string();
    for file in [&ledger, &fresh] {
        let file = file.to_str().unwrap();
        let serve = ["serve", "--venues", "kraken", "--for", "1"];
        let output = run(&[&serve[..], &["--bind", &address, "--ledger", file]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&address), "{said}");
    }
    let kept = std::fs::read_to_string(&ledger).unwrap();
    assert_eq!(kept, "what another one writes");
    assert!(!fresh.exists());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_ledger_that_cannot_be_written_is_said_once_and_exits_with_1() {
    let serve = ["serve", "--venues", "kraken", "--for", "1"];
    let output = run(&[&serve[..], &["--ledger", "/dev/full"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("/dev/full: cannot be written: ") && said.lines().count() == 1,
        "{said}"
    );
    let output = run(&[&serve[..], &["--ledger", "/no/such/folder/l.jsonl"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("/no/such/folder/l.jsonl"), "{said}");
}

#[test]
fn the_first_line_of_a_ledger_ties_its_times_to_wall_time() {
    let folder = folder("began");
    let ledger = folder.join("ledger.jsonl");
    let before = Clock::monotonic().utc().0;
    let serve = ["serve", "--venues", "kraken", "--for", "1", "--ledger"];
    let output = run(&[&serve[..], &[ledger.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0));
    let after = Clock::monotonic().utc().0;
    let text = std::fs::read_to_string(&ledger).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["record"], "began");
    let utc = first["utc"].as_u64().unwrap();
    assert!((before..after).contains(&utc), "{before} {utc} {after}");
    assert!(first["at"].as_u64().unwrap() < after - before);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn check_judges_the_views_its_help_shows_and_refuses_to_judge_none() {
    let folder = folder("check");
    let [ledger, views] = ["l.jsonl", "v.jsonl"].map(|name| folder.join(name));
    let check = || {
        let [ledger, views] = [&ledger, &views].map(|path| path.to_str().unwrap());
        run(&["check", "--ledger", ledger, "--views", views])
    };
    for nothing in ["", "\n\n"] {
        std::fs::write(&ledger, "").unwrap();
        std::fs::write(&views, nothing).unwrap();
        let output = check();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("v.jsonl: holds no view"), "{said}");
    }
    let help = String::from_utf8(run(&["check", "--help"]).stdout).unwrap();
    let view = help.lines().find(|line| line.contains("\"at\":")).unwrap();
    let said = r#"{"record":"began","at":3,"utc":1790000000000000000}
{"record":"entry","at":1499000000,"socket":0,"venue":"bybit","symbol":"BTCUSDT","stream":1,"seq":42,"is_whole":true,"bids":[["100.5","2"]],"asks":[["101","1"]]}"#;
    std::fs::write(&ledger, said).unwrap();
    for (view, code) in [(view.to_owned(), 0), (view.replace("100.5", "100.4"), 1)] {
        std::fs::write(&views, view).unwrap();
        let output = check();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("1 views, 1 live legs compared"), "{said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn another_loopback_address_is_printed_and_certified() {
    // Not every machine has both.
    let has_address = |bind: &&str| TcpListener::bind(bind).is_ok();
    let binds = ["127.0.0.2:0", "[::1]:0"].into_iter().filter(has_address);
    assert!(binds.clone().next().is_some());
    for bind in binds {
        let host = bind.trim_end_matches(":0");
        let mut options = options("kraken");
        options.bind = bind.parse().unwrap();
        let (live, _ledger) = start(options);
        let url = live.endpoint("kraken").unwrap();
        assert!(url.starts_with(&format!("wss://{host}:")), "{url}");
        let mut client = Client::reach(live.ca_pem(), url).unwrap();
        assert!(client.next().contains("\"channel\":\"status\""));
        let demo = Recorded::new("bybit", Recording::demo_bybit().unwrap());
        let sim = Sim::builder().venue(demo).bind(bind.parse().unwrap());
        let sim = sim.start().unwrap();
        let url = sim.endpoint("bybit").unwrap();
        assert!(url.starts_with(&format!("wss://{host}:")), "{url}");
        Client::connect(&sim, "bybit").expect_silence();
    }
}

#[test]
fn the_servers_command_line_is_printed_for_each_instrument_as_a_shell_takes_it() {
    let folder = folder("it's told");
    let ca = folder.join("my ca.pem");
    let serve = [
        "serve",
        "--venues",
        "bybit,kraken",
        "--instruments",
        "BTC,ETH-USD",
    ];
    let more = ["--for", "1", "--ca-out", ca.to_str().unwrap()];
    let output = run(&[&serve[..], &more[..]].concat());
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    let told: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .collect();
    let [btc, eth] = told[..] else {
        panic!("{said}")
    };
    // What a shell makes of it is what the server is given.
    let words = |line: &str| {
        let script = format!("dragonflybot-grpc-server() {{ printf '%s\\n' \"$@\"; }}; {line}");
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        words.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let [btc, eth] = [words(btc), words(eth)];
    assert_eq!(btc[..2], ["--venues", "bybit:BTC-USDT,kraken:BTC-USDT"]);
    assert_eq!(eth[..2], ["--venues", "bybit:ETH-USD,kraken:ETH-USD"]);
    assert!(btc[3].starts_with("bybit=wss://localhost:"), "{btc:?}");
    assert!(btc.contains(&ca.to_str().unwrap().to_owned()), "{btc:?}");
    assert!(eth.contains(&"127.0.0.1:50052".to_owned()), "{eth:?}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn quantities_are_ordinary_unless_wild_ones_are_asked_for() {
    let most = |seed: u64, is_wild: bool, venue: &str| {
        let mut options = options(venue);
        (options.seed, options.wild) = (seed, is_wild);
        let (live, ledger) = start(options);
        let mut client = Client::reach(live.ca_pem(), live.endpoint(venue).unwrap()).unwrap();
        client.send(&request(venue));
        let image = loop {
            client.next();
            let entry = entries(&ledger).into_iter().next();
            if let Some(entry) = entry {
                break entry;
            }
        };
        let levels = image.bids.iter().chain(image.asks.iter());
        let worth =
            levels.map(|(price, qty)| [price, qty].map(|text| text.parse::<f64>().unwrap()));
        worth.map(|[price, qty]| price * qty).fold(0.0, f64::max)
    };
    for venue in ["kraken", "bitstamp"] {
        let ordinary = (1..6).map(|seed| most(seed, false, venue));
        let ordinary = ordinary.fold(0.0, f64::max);
        assert!((100.0..250_000.0).contains(&ordinary), "{venue} {ordinary}");
    }
    assert!((1..6).any(|seed| most(seed, true, "kraken") > 1e9));
}
