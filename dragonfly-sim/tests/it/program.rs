//! The program: wrong input is one clear line and exit code 2.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dragonfly-sim"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn wrong_input_is_one_line_and_exit_code_2() {
    let demo = concat!(
        "bybit=",
        env!("CARGO_MANIFEST_DIR"),
        "/recordings/bybit_20260809_spot_btcusdt.jsonl.zst"
    );
    let cases: [(&[&str], &str); 7] = [
        (&["serve"], "--venue"),
        (&["serve", "--venue", "bybit"], "VENUE=FILE"),
        (
            &["serve", "--venue", "bybit=/no/such/file"],
            "/no/such/file",
        ),
        (
            &["serve", "--venue", &demo.replace("bybit=", "mtgox=")],
            "`mtgox`",
        ),
        (&["serve", "--venue", demo, "--speed", "0"], "speed of 0"),
        (
            &["serve", "--venue", demo, "--bind", "0.0.0.0:1"],
            "loopback",
        ),
        (&["server"], "server"),
    ];
    for (arguments, named) in cases {
        let output = run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
}

#[test]
fn help_names_every_option() {
    let output = run(&["serve", "--help"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    for option in [
        "--venue",
        "--speed",
        "--ca-out",
        "--bind",
        "coinbase-advanced",
    ] {
        assert!(said.contains(option), "{option} in {said}");
    }
}
