//! The program `serve`: what it does to files, what it says of where it is, what it refuses.

use std::net::TcpListener;

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
