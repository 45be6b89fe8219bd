//! The programs where what they say can be written nowhere: the disk is full, or the reader has left.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use dragonfly_grpc::proto::v1::LegState;
use rustix::process::{Pid, Signal, kill_process};

use super::{
    bench::run,
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
