//! The client program, run as a user runs it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    thread,
};

use tokio::sync::oneshot;

use super::bench::{Bench, dead, deep, run, soon};

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dragonflybot-grpc-client"));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// Waits for the program on a thread of its own, so that the server goes on answering.
async fn finish(child: Child) -> Output {
    let (send, receive) = oneshot::channel();
    thread::spawn(move || send.send(child.wait_with_output().unwrap()));
    soon(receive).await.unwrap()
}

/// The next line of the program's output, read on a thread of its own.
async fn line<R: Read + Send + 'static>(mut from: BufReader<R>) -> (String, BufReader<R>) {
    let (send, receive) = oneshot::channel();
    thread::spawn(move || {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        send.send((line, from)).ok()
    });
    soon(receive).await.unwrap()
}

#[test]
fn help_names_every_option_and_a_wrong_one_is_one_line() {
    let help = program(&["--help"]).output().unwrap();
    assert_eq!(help.status.code(), Some(0));
    for option in [
        "--server",
        "--format",
        "--once",
        "--symbol",
        "--depth",
        "--max-per-second",
    ] {
        assert!(text(&help.stdout).contains(option), "{option}");
    }
    for (args, named) in [
        (&["--colour"][..], "--colour"),
        (&["--depth", "21"], "1..=20"),
        (&["--format", "xml"], "table, json"),
        (&["--server", "127.0.0.1:50051"], "http://127.0.0.1:50051"),
        (&["--max-per-second", "0"], "1..=1000"),
        (&["ETH-BTC"], "ETH-BTC"),
    ] {
        let wrong = program(args).output().unwrap();
        let error = text(&wrong.stderr);
        assert_eq!(wrong.status.code(), Some(2), "{error}");
        assert!(
            error.contains(named) && error.starts_with("error: "),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn once_without_a_server_says_so_and_ends_with_one() {
    let output = program(&["--once", "--server", "http://127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    let error = text(&output.stderr);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.contains("http://127.0.0.1:1") && error.contains("refused"),
        "{error}"
    );
}

#[test]
fn once_waits_for_a_live_venue_and_shows_one_book() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[dead(1)]);
        let args = [
            "--once",
            "--format",
            "json",
            "--depth",
            "3",
            "--server",
            &bench.uri(),
        ];
        let mut child = program(&args).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said;
        loop {
            (said, errors) = line(errors).await;
            if !said.starts_with("connected") {
                break;
            }
        }
        assert!(said.contains("binance is down (disconnected)"), "{said}");
        assert!(said.contains("bitstamp is stale"), "{said}");
        bench.publish(&[deep(2)]);
        let output = finish(child).await;
        assert_eq!(output.status.code(), Some(0));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["bids"].as_array().unwrap().len(), 3);
        assert_eq!(json["bids"][0]["price"], "0.068");
        assert_eq!(json["bids"][0]["qty"], "2.000000000000000001");
        assert_eq!((&json["live_legs"], &json["seq"]), (&2.into(), &2.into()));
        assert_eq!(json["legs"][1]["state"], "live");
    });
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let args = ["--format", "json", "--server", &bench.uri()];
        let mut child = program(&args).spawn().unwrap();
        let (first, out) = line(BufReader::new(child.stdout.take().unwrap())).await;
        assert!(first.contains("\"seq\":1"), "{first}");
        drop(out);
        bench.publish(&[deep(2), deep(3)]);
        let output = finish(child).await;
        assert_eq!(output.status.code(), Some(0));
        assert!(!text(&output.stderr).contains("panic"));
    });
}

#[test]
fn a_line_of_json_says_that_the_book_before_is_no_longer_true() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let args = ["--format", "json", "--server", &bench.uri()];
        let mut child = program(&args).spawn().unwrap();
        let (_, out) = line(BufReader::new(child.stdout.take().unwrap())).await;
        bench.close().await;
        let (withdrawn, out) = line(out).await;
        assert!(withdrawn.contains("\"live_legs\":0"), "{withdrawn}");
        let (lost, _out) = line(out).await;
        child.kill().unwrap();
        finish(child).await;
        let lost: serde_json::Value = serde_json::from_str(&lost).unwrap();
        assert_eq!(lost["disconnected"], "the server ended the stream");
        assert_eq!(
            (&lost["bids"], &lost["live_legs"]),
            (&serde_json::json!([]), &0.into())
        );
    });
}

#[test]
fn a_server_that_goes_away_is_named_once_and_found_again() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let address = bench.server.local_addr().to_string();
        let mut child = program(&["--server", &bench.uri()]).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut shown;
        (shown, out) = line(out).await;
        assert!(
            shown.starts_with("ETH-BTC  update 1  spread 0.000001"),
            "{shown}"
        );
        bench.close().await;
        while !shown.starts_with("No book: http://") {
            (shown, out) = line(out).await;
            assert!(
                !shown.is_empty(),
                "the last table must not stand as if it were true"
            );
        }
        let mut bench = Bench::of(dragonfly_grpc::Server::bind(&address).unwrap());
        bench.publish(&[deep(77)]);
        while !shown.contains("update 77") {
            (shown, out) = line(out).await;
            assert!(!shown.is_empty(), "it goes on until it is stopped");
        }
        child.kill().unwrap();
        let output = finish(child).await;
        let errors = text(&output.stderr);
        assert_eq!(errors.matches("trying again").count(), 1, "{errors}");
    });
}

#[test]
fn a_symbol_the_server_does_not_have_is_named() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let args = ["--symbol", "DOGE-EUR", "--server", &bench.uri()];
        let output = finish(program(&args).spawn().unwrap()).await;
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
        let error = text(&output.stderr);
        assert!(
            error.contains("DOGE-EUR") && error.contains("ETH-BTC"),
            "{error}"
        );
    });
}

#[test]
fn ctrl_c_ends_it_without_another_word() {
    run(async {
        let mut bench = Bench::new();
        bench.publish(&[deep(1)]);
        let args = ["--server", &bench.uri()];
        let mut child = program(&args).spawn().unwrap();
        let (_, _out) = line(BufReader::new(child.stdout.take().unwrap())).await;
        let pid = child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().unwrap();
        let output = finish(child).await;
        assert_eq!(output.status.code(), Some(130));
        let error = text(&output.stderr);
        assert_eq!(
            error.lines().count(),
            1,
            "only that it was connected: {error}"
        );
    });
}
