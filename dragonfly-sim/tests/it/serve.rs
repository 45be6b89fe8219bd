//! The program `serve`: what it does to files, what it says of where it is, what it refuses.

use std::net::TcpListener;

use dragonfly_core::clock::Clock;

use crate::program::{folder, run};

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
