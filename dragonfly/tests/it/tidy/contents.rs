//! What every file has, and what none has.

use super::{File, Line, Tree, files, has_word, holds, lines};

const LONGEST_FILE: usize = 500;
const LONGEST_EXAMPLE: usize = 60;

/// Module names that say nothing.
const EMPTY_NAMES: [&str; 10] = [
    "util",
    "utils",
    "common",
    "types",
    "constants",
    "manager",
    "helper",
    "helpers",
    "misc",
    "mod",
];

#[test]
fn a_file_is_named_after_what_is_in_it() {
    holds(
        "no mod.rs (x.rs stands beside x/), and no module without a subject",
        files(|file| {
            let name = file.path.rsplit('/').next().unwrap();
            let stem = name.strip_suffix(".rs").unwrap_or_default();
            EMPTY_NAMES.contains(&stem)
        }),
        &[
            ("dragonfly-core/src/queue/mod.rs", "//! Queues."),
            ("dragonfly-core/src/util.rs", "//! This and that."),
        ],
    );
}

#[test]
fn a_file_says_first_what_it_is() {
    holds(
        "a Rust file opens with //!",
        files(|file| file.is_rust() && !file.text.starts_with("//! ")),
        &[("dragonfly/src/a.rs", "use std::fmt;\n//! Late.")],
    );
}

#[test]
fn files_are_short() {
    let too_long = "//! A line.\n".repeat(LONGEST_FILE + 1);
    let source = [".rs", ".py", ".sh", ".proto", ".ci/run"];
    holds(
        "a source file has at most 500 lines",
        files(|file| {
            let is_source = source.iter().any(|end| file.path.ends_with(end));
            is_source && file.text.lines().count() > LONGEST_FILE
        }),
        &[("dragonfly/src/a.rs", &too_long), ("tests/a.py", &too_long)],
    );
}

#[test]
fn examples_are_short() {
    holds(
        "an example has at most 60 lines",
        files(|file| {
            file.is_rust() && file.is_in("examples/") && file.text.lines().count() > LONGEST_EXAMPLE
        }),
        &[(
            "examples/a.rs",
            &"//! A line.\n".repeat(LONGEST_EXAMPLE + 1),
        )],
    );
}

#[test]
fn nothing_is_left_for_later() {
    let notes = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("HA", "CK:"),
    ];
    let macros = ["todo!", "unimplemented!", "dbg!"];
    holds(
        "nothing is left for later, and no trace of looking for a mistake",
        lines(|file, _, line: Line<'_>| {
            notes.iter().any(|note| line.text.contains(note))
                || file.is_rust() && macros.iter().any(|name| line.bare.contains(name))
        }),
        &[
            ("README.md", concat!("TO", "DO: write it")),
            ("dragonfly/src/a.rs", concat!("// FIX", "ME")),
            ("dragonfly/src/a.rs", "    todo!()"),
            ("dragonfly/src/a.rs", "    dbg!(x);"),
        ],
    );
}

#[test]
fn no_file_speaks_of_one_machine() {
    let folders = ["work", "home", "root", "tmp", "Users", "mnt"];
    let is_path = |text: &str| {
        let mut places = folders.iter().map(|name| format!("/{name}/"));
        // A path begins there; within a URL or another path it is a part like any other.
        places.any(|part| {
            text.match_indices(&part).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || "._-}$*".contains(c))
            })
        })
    };
    holds(
        "no path of one machine",
        lines(|file, _, line: Line<'_>| {
            // The image has a home of its own.
            !file.path.ends_with("Dockerfile") && is_path(line.text)
        }),
        &[
            ("README.md", concat!("see /wo", "rk/notes")),
            ("dragonfly/src/a.rs", concat!("open(\"/t", "mp/x\")")),
        ],
    );
}

#[test]
fn dependencies_come_from_crates_io() {
    let registry = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    holds(
        "every dependency comes from crates.io",
        lines(|file, _, line: Line<'_>| {
            let is_lock = file.path.ends_with("Cargo.lock");
            let is_manifest = file.path.ends_with("Cargo.toml");
            is_lock && line.text.starts_with("source = ") && line.text != registry
                || is_manifest && (has_word(line.text, "git") || line.text.contains("registry ="))
                || file.is_in(".cargo/")
        }),
        &[
            (
                "Cargo.lock",
                "source = \"registry+https://example.com/index\"",
            ),
            (
                "fuzz/libfuzzer/Cargo.lock",
                "source = \"git+https://example.com/a\"",
            ),
            (
                "dragonfly/Cargo.toml",
                "a = { git = \"https://example.com/a\" }",
            ),
            (".cargo/config.toml", "[source.crates-io]"),
        ],
    );
}

/// The packages of the workspace; the fuzz targets are a workspace of their own.
fn is_member(file: &File) -> bool {
    file.path.ends_with("/Cargo.toml") && !file.is_in("fuzz/libfuzzer/")
}

#[test]
fn every_package_takes_lints_and_licence_from_the_workspace() {
    let wanted = [
        ("package", "license.workspace = true"),
        ("package", "version.workspace = true"),
        ("package", "edition.workspace = true"),
        ("package", "rust-version.workspace = true"),
        ("package", "publish.workspace = true"),
        ("lints", "workspace = true"),
    ];
    let lacks = |file: &File| {
        let has = |(section, line): &(&str, &str)| file.section(section).any(|(_, l)| l == *line);
        !wanted.iter().all(has)
    };
    let right = "[package]\nlicense.workspace = true\nversion.workspace = true\n\
                 edition.workspace = true\nrust-version.workspace = true\n\
                 publish.workspace = true\n";
    holds(
        "a package takes its version, licence and lints from the workspace",
        files(|file| is_member(file) && lacks(file)),
        &[
            ("new/Cargo.toml", right),
            (
                "new/Cargo.toml",
                &format!("{right}[lints]\nrust.warnings = \"allow\""),
            ),
            ("new/Cargo.toml", "[lints]\nworkspace = true"),
        ],
    );
}

#[test]
fn there_is_one_licence() {
    holds(
        "everything is MIT OR Apache-2.0",
        lines(|file, _, line: Line<'_>| {
            file.path.ends_with("Cargo.toml")
                && line.text.starts_with("license =")
                && line.text != "license = \"MIT OR Apache-2.0\""
        }),
        &[("fuzz/libfuzzer/Cargo.toml", "license = \"GPL-3.0\"")],
    );
    let own = Tree::own();
    assert!(
        own.text("LICENSE-MIT")
            .contains("Permission is hereby granted")
    );
    assert!(
        own.text("LICENSE-APACHE")
            .contains("Version 2.0, January 2004")
    );
    assert!(
        own.text("Cargo.toml")
            .contains("license = \"MIT OR Apache-2.0\"")
    );
}

#[test]
fn what_may_panic_says_why_it_may() {
    // Clippy refuses these without an allowance; this asks each allowance for its reason.
    let lints = [
        "unwrap_used",
        "expect_used",
        "disallowed_methods",
        "too_many_lines",
        "panic",
        "unreachable",
        "arithmetic_side_effects",
        "indexing_slicing",
        "string_slice",
    ];
    let lacks = |file: &File, number: usize| {
        let rest: Vec<&str> = file.code.lines().skip(number).take(8).collect();
        let text = rest.join(" ");
        let attribute = text.split(")]").next().unwrap_or_default();
        let names = lints
            .iter()
            .any(|lint| attribute.contains(&format!("clippy::{lint}")));
        names && !attribute.contains("reason =")
    };
    holds(
        "an allowance of a checked lint has a reason",
        lines(|file, number, line: Line<'_>| {
            let begins = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
            file.is_rust()
                && begins.iter().any(|begin| line.bare.contains(begin))
                && lacks(file, number)
        }),
        &[
            (
                "dragonfly/src/a.rs",
                "#[allow(clippy::unwrap_used)]\nfn f() {}",
            ),
            (
                "dragonfly/src/a.rs",
                "#[allow(\n    clippy::disallowed_methods,\n)]",
            ),
        ],
    );
}

#[test]
fn changes_not_yet_released_have_their_place() {
    let changes = Tree::own().text("CHANGELOG.md");
    let has = changes.lines().any(|line| line == "## [Unreleased]");
    assert!(
        has,
        "CHANGELOG.md:1: there is no section \"## [Unreleased]\""
    );
}
