//! The programs where the system gives them too little.

use std::process::{Command, Output, Stdio};

/// What a program says and how it ends, with so many file descriptors.
fn with_files(most: usize, program: &str, args: &[&str]) -> Output {
    let script = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, program]).args(args);
    let command = command.env_remove("RUST_LOG").stdin(Stdio::null());
    command.output().unwrap()
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
