//! The program: wrong input is one clear line and exit code 2.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use dragonfly_sim::{
    fault::Plan,
    live::{Live, Options},
};

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dragonfly-sim"))
        .args(arguments)
        .output()
        .unwrap()
}

/// A folder of the test's own.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = format!("dragonfly-sim-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn what_cannot_be_said_changes_no_exit_code() {
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let cases: [(&[&str], i32); 4] = [
        (&["serve", "--list"], 0),
        (&["fuzz", "--seeds", "0..1"], 0),
        (&["--help"], 0),
        (&["replay"], 2),
    ];
    for (arguments, code) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dragonfly-sim"));
        command.args(arguments).stdout(full()).stderr(full());
        let status = command.status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn wrong_input_is_one_line_and_exit_code_2() {
    let demo = concat!(
        "bybit=",
        env!("CARGO_MANIFEST_DIR"),
        "/recordings/bybit_20260809_spot_btcusdt.jsonl.zst"
    );
    let cases: [(&[&str], &str); 7] = [
        (&["replay"], "--venue"),
        (&["replay", "--venue", "bybit"], "VENUE=FILE"),
        (
            &["replay", "--venue", "bybit=/no/such/file"],
            "/no/such/file",
        ),
        (
            &["replay", "--venue", &demo.replace("bybit=", "mtgox=")],
            "`mtgox`",
        ),
        (&["replay", "--venue", demo, "--speed", "0"], "speed of 0"),
        (
            &["replay", "--venue", demo, "--bind", "0.0.0.0:1"],
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
fn wrong_options_of_fuzz_and_check_are_one_line_and_exit_code_2() {
    let outages = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/outages.toml");
    let cases: [(&[&str], &str); 11] = [
        (
            &["fuzz", "--seed", "1", "--keep", "0,9999"],
            "nothing can be kept at place 9999: the plan of seed 1 has ",
        ),
        (
            &["fuzz", "--seed", "1", "--plan", outages],
            "takes real sockets",
        ),
        (&["model", "--cases", "5..5"], "no cases in 5..5"),
        (&["model", "--case", "1", "--plant", "tulip"], "tulip"),
        (&["fuzz", "--seeds", "5"], "FROM..TO"),
        (&["fuzz", "--seeds", "5..5"], "no seeds in 5..5"),
        (&["fuzz", "--seed", "1", "--venues", "mtgox"], "mtgox"),
        (
            &["fuzz", "--seed", "1", "--plan", "/no/such/plan"],
            "/no/such/plan",
        ),
        (&["fuzz", "--seed", "1", "--plant", "tulip"], "tulip"),
        (&["fuzz", "--seed", "1", "--keep", "x"], "--keep"),
        (
            &["check", "--ledger", "/no/such/file", "--views", "v"],
            "/no/such/file",
        ),
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
fn a_failing_seed_exits_with_1_and_its_files_are_found_wrong_too() {
    let folder = std::env::temp_dir().join(format!("dragonfly-sim-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let plan = folder.join("gap.toml");
    std::fs::write(
        &plan,
        "[[fault]]\nname = \"gap\"\nrate = 30\nvenue = \"kraken\"",
    )
    .unwrap();
    let (plan, out) = (plan.to_str().unwrap(), folder.to_str().unwrap());
    let check = |seed: u32| {
        let [ledger, views] = ["ledger", "views"].map(|what| format!("{out}/{seed}.{what}.jsonl"));
        run(&["check", "--ledger", &ledger, "--views", &views])
    };
    let seed = [
        "fuzz", "--seed", "3", "--venues", "kraken", "--plan", plan, "--out", out,
    ];
    let output = run(&seed);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("faults: gap ") && said.contains("1 seeds, "),
        "{said}"
    );
    assert_eq!(check(3).status.code(), Some(0));

    let output = run(&[&seed[..], &["--plant", "no-checksum"]].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let again = format!(
        "dragonfly-sim fuzz --seed 3 --venues kraken --plan {plan} --plant no-checksum --keep 0"
    );
    assert!(said.contains(&again), "{said}");
    let output = check(3);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("(a) truth: "), "{said}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn wrong_options_of_serve_are_one_line_and_exit_code_2() {
    let folder = folder("wrong");
    let machine = folder.join("machine.toml");
    std::fs::write(&machine, "[[fault]]\nname = \"clock-step\"").unwrap();
    let machine = machine.to_str().unwrap();
    let nowhere = folder.join("nowhere.toml");
    std::fs::write(&nowhere, "[[fault]]\nname = \"checksum\"").unwrap();
    let nowhere = nowhere.to_str().unwrap();
    let never = folder.join("never.toml");
    std::fs::write(
        &never,
        "[[fault]]\nname = \"cut\"\nfrom_s = 100\nuntil_s = 200",
    )
    .unwrap();
    let never = never.to_str().unwrap();
    let cases: [(&[&str], &str); 18] = [
        (
            &["serve", "--rate", "1e-300"],
            "not from 0.000001 to 100000",
        ),
        (&["serve", "--rate", "NaN"], "a rate of NaN"),
        (&["serve", "--instruments", "70000"], "at most 10000"),
        (
            &[
                "serve",
                "--venues",
                "kraken,binance",
                "--instruments",
                "AB-CUSDT,ABC-USDT",
            ],
            "\"AB-CUSDT\" and \"ABC-USDT\" are both ABCUSDT at binance",
        ),
        (&["serve", "--bind", "127.0.0.1:65534"], "none for venue 3"),
        (
            &["fuzz", "--result", "/no/such/folder/x.json"],
            "/no/such/folder/x.json",
        ),
        (&["serve", "--venues", "mtgox"], "`mtgox`"),
        (&["serve", "--instruments", "btc"], "\"btc-USDT\""),
        (&["serve", "--instruments", "0"], "at least one"),
        (&["serve", "--rate", "0"], "a rate of 0"),
        (&["serve", "--rate", "fast"], "or max"),
        (&["serve", "--for", "0"], "--for"),
        (&["serve", "--plan", "/no/such/plan"], "/no/such/plan"),
        (
            &["serve", "--plan", machine],
            "fault 1 (clock-step) can never happen: it is the client's machine",
        ),
        (
            &["serve", "--venues", "bybit", "--plan", nowhere],
            "fault 1 (checksum) can never happen: no venue is served",
        ),
        (
            &["serve", "--for", "8", "--plan", never],
            "fault 1 (cut) can never happen: from_s = 100, but faults are spread over the first 6 s",
        ),
        (
            &["fuzz", "--seed", "1", "--plan", never],
            "fault 1 (cut) can never happen: from_s = 100, but the faults of a run end after 12 s",
        ),
        (&["serve", "--bind", "0.0.0.0:1"], "loopback"),
    ];
    for (arguments, named) in cases {
        let output = run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(said.contains(named), "{arguments:?}: {said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_plan_that_cannot_be_kept_is_one_line_and_exit_code_2() {
    let folder = folder("plans");
    let two = ["--venues", "binance,kraken"];
    let cases = [
        ("serve", "", "there is no [[fault]] in it"),
        (
            "serve",
            "[[fault]]\nname = \"gap\"\nvenue = \"bybit\"",
            "that is bybit, and served are binance, kraken",
        ),
        (
            "serve",
            "[[fault]]\nname = \"gap\"\nvenue = \"kraken\"\nsocket = 0",
            "socket 0 is one of binance; those of kraken are 1, 3, 5 and so on",
        ),
        (
            "serve",
            "[[fault]]\nname = \"stall\"\nfor_ms = 18446744073709551",
            "more than a day",
        ),
        ("fuzz", "fault = []", "there is no [[fault]] in it"),
        (
            "fuzz",
            "[[fault]]\nname = \"gap\"\nvenue = \"foo\"",
            "there is no venue \"foo\", only binance, ",
        ),
        (
            "fuzz",
            "[[fault]]\nname = \"starved\"\nfor_ms = 18446744073709551",
            "more than a day",
        ),
    ];
    for (number, (command, plan, named)) in cases.into_iter().enumerate() {
        let path = folder.join(format!("{number}.toml"));
        std::fs::write(&path, plan).unwrap();
        let plan = ["--plan", path.to_str().unwrap()];
        let output = run(&[&[command][..], &two, &plan].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{named}: {said}");
        assert!(said.lines().count() == 1 && said.contains(named), "{said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_fault_that_never_fires_is_named_and_exits_with_1() {
    let folder = folder("unfired");
    let [plan, ledger] = ["plan.toml", "ledger.jsonl"].map(|name| folder.join(name));
    // Nobody connects, so that there is nothing to cut.
    std::fs::write(
        &plan,
        "[[fault]]\nname = \"cut\"\n[[fault]]\nname = \"gap\"",
    )
    .unwrap();
    let (plan, ledger) = (plan.to_str().unwrap(), ledger.to_str().unwrap());
    let serve = [
        "serve",
        "--venues",
        "bybit,kraken",
        "--instruments",
        "2",
        "--for",
        "1",
    ];
    let output = run(&[&serve[..], &["--plan", plan, "--ledger", ledger]].concat());
    let [said, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(1), "{said}{complained}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("bybit wss://localhost:"), "{said}");
    assert!(
        lines[0].ends_with("/v5/public/spot BTCUSDT ETHUSDT"),
        "{said}"
    );
    assert!(lines[1].ends_with("/v2 BTC/USDT ETH/USDT"), "{said}");
    assert_eq!(lines[2..], ["fault cut 0", "fault gap 0"]);
    let named = "fault 1 (cut) never fired\nfault 2 (gap) never fired\n";
    assert_eq!(complained, named);
    assert_eq!(run(&serve).status.code(), Some(0), "no fault, no failure");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_drill_without_its_programs_is_one_line_and_exit_code_2() {
    let (out, none) = (
        std::env::temp_dir().join("dragonfly-no-drill"),
        "/no/such/program",
    );
    let out = out.to_str().unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["drill", "--server", none], "--client"),
        (
            &["drill", "--server", none, "--client", none, "--out", out],
            none,
        ),
        (
            &[
                "drill", "--server", none, "--client", none, "--seeds", "5..5",
            ],
            "no seeds in 5..5",
        ),
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
fn a_page_is_made_of_what_the_checks_found_and_a_bad_file_is_named() {
    let folder = std::env::temp_dir().join(format!("dragonfly-sim-page-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (result, bad, page) = (file("t1.json"), file("bad.json"), file("RELIABILITY.md"));
    let seed = [
        "fuzz", "--seed", "3", "--venues", "kraken", "--result", &result,
    ];
    assert_eq!(run(&seed).status.code(), Some(0));
    let report = |result: &str| run(&["report", result, "--commit", "1a2b3c", "--out", &page]);
    assert_eq!(report(&result).status.code(), Some(0));
    let text = std::fs::read_to_string(&page).unwrap();
    let command = "dragonfly-sim report t1.json --commit 1a2b3c --out RELIABILITY.md";
    assert!(text.lines().next().unwrap().contains(command), "{text}");
    assert!(
        text.contains("    dragonfly-sim fuzz --seed 3 --venues kraken\n"),
        "{text}"
    );
    assert!(
        text.contains("Assembled flow, stepped clock | 0 violations, 1 seeds"),
        "{text}"
    );

    std::fs::write(&bad, "{\"check\":1}").unwrap();
    for (path, named) in [
        (&bad, "bad.json: no result"),
        (&file("none"), "none: cannot be read"),
    ] {
        let output = report(path);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.lines().count() == 1 && said.contains(named), "{said}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn told_to_end_it_ends_in_order() {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_dragonfly-sim"))
        .args(["serve", "--venues", "kraken"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serve.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    assert!(line.ends_with("/v2 BTC/USDT"), "{line}");
    let pid = serve.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.unwrap().success());
    assert_eq!(serve.wait().unwrap().code(), Some(0));
}

#[test]
fn the_example_plans_can_be_served_and_every_fault_is_listed() {
    let said = String::from_utf8(run(&["serve", "--list"]).stdout).unwrap();
    let outages = [
        "binance",
        "bitstamp",
        "bybit",
        "coinbase-advanced",
        "kraken",
    ];
    for (name, venues) in [("outages", &outages[..]), ("kraken", &["kraken"])] {
        let plan = format!("{}/plans/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let plan = Plan::parse(&std::fs::read_to_string(plan).unwrap()).unwrap();
        for fault in &plan.faults {
            let is_listed = |line: &str| line.split(' ').next() == Some(fault.kind.name());
            assert!(said.lines().any(is_listed), "{} in {said}", fault.kind);
        }
        for venue in venues {
            let mut options = Options::new(1);
            (options.venues, options.plan) = (vec![(*venue).to_owned()], plan.clone());
            let live = Live::start(options, Box::new(|_| {}));
            assert!(live.is_ok(), "{name} at {venue}: {live:?}");
        }
    }
    assert!(!said.contains("clock-step"));
    assert!(
        said.lines()
            .any(|line| line.contains("stall") && line.ends_with("; for_ms 9000)"))
    );
}

#[test]
fn help_names_every_option() {
    let output = run(&["replay", "--help"]);
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
