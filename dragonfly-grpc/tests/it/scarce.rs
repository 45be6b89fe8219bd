//! The programs where the system gives them too little.

use std::process::{Command, Output, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use super::server_program::{CLOSED, Program};

/// What a program says and how it ends, with so many file descriptors.
fn with_files(most: usize, program: &str, args: &[&str]) -> Output {
    let script = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, program]).args(args);
    let command = command.env_remove("RUST_LOG").stdin(Stdio::null());
    command.output().unwrap()
}

/// Lets the program open so many files; those that are open stay.
pub(crate) fn limit_files(program: &Program, most: usize) {
    let limit = Rlimit {
        current: Some(most as u64),
        ..getrlimit(Resource::Nofile)
    };
    prlimit(Some(program.pid()), Resource::Nofile, limit).unwrap();
}

/// How many files the program may have open, as the system shows it.
fn most_files(program: &Program) -> String {
    let path = format!("/proc/{}/limits", program.pid().as_raw_nonzero());
    let limits = std::fs::read_to_string(path).unwrap();
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"));
    line.unwrap().split_whitespace().next().unwrap().to_owned()
}

#[test]
fn a_program_that_cannot_begin_says_so_and_fails() {
    let (server, client) = (
        env!("CARGO_BIN_EXE_dragonflybot-grpc-server"),
        env!("CARGO_BIN_EXE_dragonflybot-grpc-client"),
    );
    for threads in ["one", "shared", "dedicated"] {
        let args = ["--bind", "127.0.0.1:0", "--threads", threads];
        let output = with_files(5, server, &args);
        let said = str::from_utf8(&output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        let named = |line: &str| line.starts_with("error: ") && line.contains("grpc");
        assert!(said.lines().any(named), "{said}");
        assert!(!said.contains("stopped"), "{said}");
    }
    let output = with_files(4, client, &["--once"]);
    let said = str::from_utf8(&output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    assert!(
        said.starts_with("error: ") && said.contains("descriptor"),
        "{said}"
    );
}

#[test]
fn the_server_takes_as_many_files_as_it_may_have() {
    let most = getrlimit(Resource::Nofile).maximum;
    let name = most.map_or_else(|| "unlimited".into(), |most| most.to_string());
    let script = format!(
        "ulimit -S -n 256; exec \"$0\" --bind 127.0.0.1:0 --venues kraken \
                          --endpoint kraken={CLOSED}"
    );
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &script,
        env!("CARGO_BIN_EXE_dragonflybot-grpc-server"),
    ]);
    let mut program = Program::run(command);
    program.address();
    assert_eq!(most_files(&program), name);
    program.terminate();
    let (_, _, said) = program.finish();
    let fewer = |line: &String| line.contains("connections at once");
    let is_enough = most.is_none_or(|most| most >= 1_024 + 80);
    assert_eq!(said.iter().any(fewer), !is_enough, "{said:#?}");
}
