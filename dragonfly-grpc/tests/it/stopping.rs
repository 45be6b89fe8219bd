//! The server program's probes, and its end beside those who would hold it up.

use std::{io::Write, net::TcpListener, net::TcpStream};

use super::{
    bench::run,
    probes::get,
    server_program::{CLOSED, Program, refused},
};

/// The address of the probes, which the program says.
fn probes(program: &mut Program) -> std::net::SocketAddr {
    let line = program.hears("answering /livez and /readyz");
    let after = line.split("address=").nth(1).unwrap();
    after.trim().parse().unwrap()
}

#[test]
fn probes_of_the_program_say_whether_venues_are_live() {
    let (one, other) = (format!("binance={CLOSED}"), format!("bitstamp={CLOSED}"));
    let args = ["--bind", "127.0.0.1:0", "--health-bind", "127.0.0.1:0"];
    let without = [&args[..], &["--endpoint", &one, "--endpoint", &other]].concat();
    let mut program = Program::start(&without);
    let address = probes(&mut program);
    program.hears_times(2, "state=down");
    run(async move {
        assert_eq!(get(address, "/livez").await, (200, "running".into()));
        let none = (503, "0 of 2 books live, 1 needed".into());
        assert_eq!(get(address, "/readyz").await, none);
    });
    let mut program = Program::start(&[&args[..], &["--demo", "--quorum", "2"]].concat());
    let address = probes(&mut program);
    program.hears("2 of 2 venues live");
    run(async move {
        let both = (200, "2 of 2 books live, 2 needed".into());
        assert_eq!(get(address, "/readyz").await, both);
    });
}

#[test]
fn wrong_probes_are_refused_before_anything_starts() {
    refused(
        &["--health-bind", "8080"],
        &["'8080'", "--health-bind", "HOST:PORT"],
    );
    let open = ["--bind", "127.0.0.1:0", "--health-bind", "0.0.0.0:0"];
    refused(&open, &["--health-bind", "0.0.0.0:0", "--insecure"]);
    refused(&["--quorum", "0"], &["'0'", "--quorum", "1..=24"]);
    refused(&["--quorum", "3"], &["--quorum", "3 venues", "2"]);
    refused(&["--venues", "kraken", "--quorum", "2"], &["--quorum", "1"]);
    let two = ["--venues", "kraken:BTC-USD,kraken:BTC-EUR"];
    let three = [&two[..], &["--quorum", "3"]].concat();
    refused(&three, &["--quorum", "3 venues", "2"]);
    refused(&["--demo", "--quorum", "3"], &["--quorum", "3 venues"]);
}

/// A subscription, and then nothing is read.
fn subscribe_and_stop_reading(address: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    let opening = super::hostile::subscription_without_flow_control();
    socket.write_all(&opening).unwrap();
    socket
}

#[test]
fn neither_clients_nor_venues_that_hang_hold_up_the_end() {
    // It takes connections and says nothing: the program hangs in the TLS handshake.
    let venue = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("kraken=wss://{}/", venue.local_addr().unwrap());
    let args = ["--bind", "127.0.0.1:0", "--venues", "kraken", "--endpoint"];
    for threads in ["one", "shared", "dedicated"] {
        let mut program = Program::start(&[&args[..], &[&url, "--threads", threads]].concat());
        let address = program.address();
        let (held, _) = venue.accept().unwrap();
        let stalled: Vec<_> = (0..20)
            .map(|_| subscribe_and_stop_reading(&address))
            .collect();
        program.terminate();
        // It waits for ten seconds and no longer.
        let (status, _, said) = program.finish();
        assert_eq!(status.code(), Some(0), "{threads}: {said:#?}");
        drop((held, stalled));
    }
}
