//! The programs: the runner, and those of libFuzzer.

use std::{fs, path::Path, process::Command};

use dragonfly_fuzz::TARGETS;

#[test]
fn every_target_is_a_program_of_libfuzzer_too() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for target in TARGETS {
        let name = target.name;
        let path = folder.join("targets").join(name).with_extension("rs");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains(&format!("dragonfly_fuzz::run({name:?}, bytes)")),
            "{name}"
        );
        assert!(manifest.contains(&format!(
            "[[bin]]\nname = {name:?}\npath = \"targets/{name}.rs\""
        )));
    }
    let programs = fs::read_dir(folder.join("targets")).unwrap().count();
    assert_eq!(programs, TARGETS.len());
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_dragonfly-fuzz");
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_campaign_says_what_it_did() {
    let result = std::env::temp_dir().join(format!("dragonfly-fuzz-{}.json", std::process::id()));
    let path = result.to_str().unwrap();
    let only = "decimal,view";
    let (code, text) = run(&["--only", only, "--executions", "3001", "--result", path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("3001 executions"), "{text}");
    let written = dragonfly_sim::report::Result::read(&result).unwrap();
    fs::remove_file(&result).unwrap();
    assert_eq!(written.violations, 0);
    assert_eq!(written.figures["R5: executions"], "3001");
}

#[test]
fn an_input_is_tried_alone_and_a_wrong_name_is_refused() {
    let file = std::env::temp_dir().join(format!("dragonfly-fuzz-{}.bin", std::process::id()));
    fs::write(&file, b"65140.40").unwrap();
    let path = file.to_str().unwrap();
    let (code, text) = run(&["--only", "decimal", "--input", path]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("8 bytes: "), "{text}");
    let (code, text) = run(&["--input", path]);
    fs::remove_file(&file).unwrap();
    assert_eq!(code, Some(2));
    assert!(text.contains("for one target"), "{text}");
    let (code, text) = run(&["--only", "nasdaq"]);
    assert_eq!(code, Some(2));
    assert!(
        text.contains("no target nasdaq; there are binance"),
        "{text}"
    );
}
