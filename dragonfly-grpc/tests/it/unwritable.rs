//! The programs where what they say can be written nowhere: the disk is full, the reader has left, or
//! it stays and does not read.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use dragonfly_grpc::proto::v1::{
    LegState, StreamBookRequest, market_data_client::MarketDataClient,
};
use dragonfly_sim::{Recorded, Recording, Sim};
use rustix::{
    io::ioctl_fionread,
    process::{Pid, Signal, kill_process},
};

use super::{
    bench::{run, soon},
    server_program::{book_with, connect},
};

const SERVER: &str = env!("CARGO_BIN_EXE_dragonflybot-grpc-server");
const CLIENT: &str = env!("CARGO_BIN_EXE_dragonflybot-grpc-client");

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A file on a disk without room for a single byte.
fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn a_server_whose_log_nobody_takes_serves_on_and_ends_in_order() {
    let child = Command::new(SERVER)
        .args(["--demo", "--bind", "127.0.0.1:0"])
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(full())
        .stderr(Stdio::piped())
        .spawn();
    let mut server = Running(child.unwrap());
    let log = BufReader::new(server.0.stderr.take().unwrap());
    let mut lines = log.lines().map(Result::unwrap);
    let address = lines.find_map(|line| Some(line.split_once("gRPC address=")?.1.to_owned()));
    drop(lines);
    run(async {
        let channel = connect(address.unwrap().trim()).await;
        let book = book_with(&channel, LegState::Live, 2).await;
        assert_eq!((book.bids.len(), book.asks.len()), (10, 10));
    });
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn an_error_that_cannot_be_told_is_still_in_the_exit_code() {
    let cases: [(&str, &[&str], i32); 4] = [
        (SERVER, &["--venues", "nasdaq"], 2),
        (SERVER, &["--bind", "nonsense"], 2),
        (CLIENT, &["--once", "--server", "http://127.0.0.1:1"], 1),
        (CLIENT, &["--depth", "many"], 2),
    ];
    for (program, arguments, code) in cases {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        let status = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

/// Reads the log up to the address in it.
fn address(log: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if let Some((_, address)) = line.split_once("gRPC address=") {
            return address.trim().to_owned();
        }
        line.clear();
    }
    panic!("it says where it serves");
}

/// A server that says everything it can, of a venue that plays a recording, until the sim stops.
fn talkative(sim: &Sim) -> Running {
    let endpoint = format!("{VENUE}={}", sim.endpoint(VENUE).unwrap());
    let ca = std::env::temp_dir().join(format!("dragonfly-{}-log.pem", std::process::id()));
    std::fs::write(&ca, sim.ca_pem()).unwrap();
    let child = Command::new(SERVER)
        .args(["--bind", "127.0.0.1:0", "--instrument-name", "BTC-USD"])
        .args(["--venues", VENUE, "--endpoint", &endpoint, "--tls-ca"])
        .arg(ca)
        .env("RUST_LOG", "trace")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

const VENUE: &str = "coinbase-advanced";

#[test]
fn a_log_that_stands_still_holds_up_nothing() {
    let venue = Recorded::new(VENUE, Recording::demo_coinbase().unwrap());
    let sim = Sim::builder().venue(venue).start().unwrap();
    let mut server = talkative(&sim);
    // From here on nobody reads, and the pipe stays open.
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let address = address(&mut log);
    run(async {
        let channel = connect(&address).await;
        let mut client = MarketDataClient::new(channel.clone());
        let books = soon(client.stream_book(StreamBookRequest::default())).await;
        let mut books = books.unwrap().into_inner();
        let (mut full, mut since) = (0, 0);
        while full < 32 * 1024 || since < 20 {
            let book = soon(books.message()).await.unwrap();
            book.expect("it goes on");
            let waiting = ioctl_fionread(log.get_ref()).unwrap();
            since = if waiting == full { since + 1 } else { 0 };
            full = waiting;
        }
        sim.stop();
        let book = book_with(&channel, LegState::Down, 1).await;
        assert!(book.bids.is_empty() && book.asks.is_empty());
    });
    let (ended, end) = channel();
    let mut shown = server.0.stdout.take().unwrap();
    thread::spawn(move || ended.send(shown.read_to_end(&mut Vec::new()).unwrap()));
    kill_process(Pid::from_child(&server.0), Signal::TERM).unwrap();
    let end = end.recv_timeout(Duration::from_secs(10));
    end.expect("it should have ended by now");
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
    drop(log);
}
