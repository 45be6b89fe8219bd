//! The server program's options for speed: what is refused, and that it serves and stops with each.

use std::process::{Command, Stdio};

use dragonfly_core::run::cores;

use super::{
    bench::{run, soon},
    server_program::{CLOSED, Program, connect, refused},
};
use dragonfly_grpc::proto::v1::{StreamBookRequest, market_data_client::MarketDataClient};

#[test]
fn a_mode_that_cannot_be_had_is_named_with_what_can() {
    let beyond = (cores().last().unwrap() + 1).to_string();
    let usable = format!("there is no core {beyond} to run on; this process may use ");
    refused(&["--pin", &beyond], &["--pin", &usable]);
    refused(&["--pin", "0,first"], &["'first'", "--pin"]);
    refused(&["--spin", "--spin-for", "1ms"], &["--spin", "--spin-for"]);
    refused(
        &["--spin-for", "50"],
        &["'50'", "--spin-for", "50us, 2ms or 1s"],
    );
    refused(&["--spin-for", "2m"], &["'2m'", "--spin-for"]);
    refused(&["--spin-for", "61s"], &["'61s'", "from 1us to 60s"]);
    refused(&["--busy-poll", "0"], &["'0'", "--busy-poll", "1..=10000"]);
    refused(
        &["--demo", "--busy-poll", "50"],
        &["'--demo'", "'--busy-poll"],
    );
}

#[test]
fn memory_that_may_not_be_locked_is_refused_with_the_limit() {
    // Without the privilege, which would lift the limit.
    let script = "ulimit -l 64; drop='setpriv --bounding-set=-ipc_lock'; \
                  $drop true 2>/dev/null || drop=; exec $drop \"$0\" --lock-memory --bind 127.0.0.1:0";
    let program = env!("CARGO_BIN_EXE_dragonflybot-grpc-server");
    let output = Command::new("sh")
        .args(["-c", script, program])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for part in [
        "error: --lock-memory: ",
        "RLIMIT_MEMLOCK is 64 KiB",
        "ulimit -l",
        "CAP_IPC_LOCK",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn a_choice_for_the_log_that_means_nothing_is_named() {
    let script = "RUST_LOG=info,dragonfly=loud exec \"$0\" --bind 127.0.0.1:0 --venues kraken \
                  --endpoint kraken=wss://127.0.0.1:1/";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_dragonflybot-grpc-server")]);
    let mut program = Program::run(command);
    let said = program.hears("RUST_LOG");
    assert!(
        said.contains("WARN") && said.contains("dragonfly=loud"),
        "{said}"
    );
    program.address();
}

/// Starts it with `options`, takes a view, tells it to stop, and waits for its end.
fn serves_and_stops(options: &[&str]) {
    let (one, other) = (format!("binance={CLOSED}"), format!("bitstamp={CLOSED}"));
    let args = [
        "--bind",
        "127.0.0.1:0",
        "--endpoint",
        &one,
        "--endpoint",
        &other,
    ];
    let mut program = Program::start(&[&args[..], options].concat());
    let address = program.address();
    run(async {
        let mut client = MarketDataClient::new(connect(&address).await);
        let books = client.stream_book(StreamBookRequest::default());
        let mut books = soon(books).await.unwrap().into_inner();
        assert!(
            soon(books.message()).await.unwrap().is_some(),
            "{options:?}"
        );
        program.terminate();
        while let Ok(Some(_)) = soon(books.message()).await {}
    });
    let (status, _, said) = program.finish();
    assert_eq!(status.code(), Some(0), "{options:?}: {said:#?}");
    assert!(
        said.last().unwrap().ends_with("stopped"),
        "{options:?}: {said:#?}"
    );
}

#[test]
fn it_serves_and_stops_however_it_waits() {
    let last = cores().last().unwrap().to_string();
    serves_and_stops(&["--spin"]);
    serves_and_stops(&["--spin", "--threads", "shared", "--pin", &last]);
    serves_and_stops(&["--spin-for", "500us", "--pin", &last]);
}
