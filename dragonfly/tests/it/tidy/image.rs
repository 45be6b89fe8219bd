//! The Dockerfile, which no test can run: what it names must be there.

use super::{File, Tree, holds};

const NEEDED: [(&str, usize); 5] = [
    ("ARG BUILD_PROFILE=release", 1),
    ("--profile \"${BUILD_PROFILE}\"", 2),
    ("USER ", 1),
    ("dragonflybot-grpc-server", 2),
    ("dragonflybot-grpc-client", 2),
];

/// What a line copies from the tree; what comes from another stage is no file of it.
fn copied<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let is_copy = words.first() == Some(&"COPY");
    if !is_copy || words.iter().any(|word| word.starts_with("--from=")) {
        return Vec::new();
    }
    let paths = words[1..words.len() - 1].iter().copied();
    paths.filter(|word| !word.starts_with("--")).collect()
}

/// What follows each `flag` of a line.
fn after<'a>(words: &[&'a str], flag: &str) -> Vec<&'a str> {
    let pairs = words.windows(2).filter(|pair| pair[0] == flag);
    pairs.map(|pair| pair[1]).collect()
}

fn exists(path: &str) -> bool {
    let is_under = |file: &File| file.path == path || file.path.starts_with(&format!("{path}/"));
    path == "." || Tree::own().0.iter().any(is_under)
}

fn is_right(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let grpc = Tree::own().text("dragonfly-grpc/Cargo.toml");
    let is_bin = |name: &&str| grpc.contains(&format!("name = \"{name}\""));
    let is_package = |name: &&str| exists(&format!("{name}/Cargo.toml"));
    copied(&words).into_iter().all(exists)
        && after(&words, "--bin").iter().all(is_bin)
        && after(&words, "-p").iter().all(is_package)
}

fn find(tree: &Tree) -> Vec<String> {
    let Some(file) = tree.file("Dockerfile") else {
        return vec!["Dockerfile:1: there is none".to_owned()];
    };
    // Comments may name what is not there, such as options of another program.
    let lines: Vec<&str> = file.text.lines().collect();
    let lines = lines
        .iter()
        .enumerate()
        .filter(|(_, l)| !l.starts_with('#'));
    let wrong = lines.clone().filter(|(_, line)| !is_right(line));
    let mut found: Vec<String> = wrong.map(|(number, _)| file.place(number)).collect();
    let commands: String = lines.map(|(_, line)| format!("{line}\n")).collect();
    for (needed, times) in NEEDED {
        if commands.matches(needed).count() < times {
            found.push(format!("Dockerfile:1: too few of {needed:?}"));
        }
    }
    found
}

#[test]
fn the_image_is_built_from_what_there_is() {
    let right = Tree::own().text("Dockerfile");
    let broken = [
        right.replace("USER ", "# "),
        right.replace("--profile \"${BUILD_PROFILE}\"", "--release"),
        right.replace("--bin dragonflybot-grpc-client", "--bin dragonfly-client"),
        right.replace("-p dragonfly-grpc", "-p grpc"),
        format!("{right}\nCOPY --chmod=644 settings.toml /etc/\n"),
    ];
    let broken: Vec<_> = broken.iter().map(|text| ("Dockerfile", &**text)).collect();
    holds("the image is built from what there is", find, &broken);
}
