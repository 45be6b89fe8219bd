//! What judges the product, and what it is judged by, has nothing of the product in it.

use std::{fs, path::Path};

/// Every source file under a folder or beside it, with its text.
fn sources(place: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut waiting = vec![root.join(place), root.join(format!("{place}.rs"))];
    while let Some(path) = waiting.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path.display().to_string(), text));
        }
    }
    assert!(!found.is_empty(), "there is no {place}");
    found
}

fn names(place: &str, part: &str) -> Vec<String> {
    let files = sources(place).into_iter();
    files
        .filter(|(_, text)| text.contains(part))
        .map(|(path, _)| path)
        .collect()
}

#[test]
fn market_dialects_ledger_and_oracle_share_no_code_with_the_product() {
    for place in [
        "market", "exchange", "fault", "ledger", "oracle", "random", "fuzz", "post",
    ] {
        for product in [
            "dragonfly_core",
            "dragonfly_clients",
            "dragonfly_feeds",
            "dragonfly_aggregators",
        ] {
            assert_eq!(
                names(place, product),
                Vec::<String>::new(),
                "{place} names {product}"
            );
        }
    }
    assert!(
        !names("harness", "dragonfly_feeds").is_empty(),
        "the search finds what there is"
    );
}

#[test]
fn the_model_of_the_state_machines_shares_no_code_with_them() {
    let names = names("model", "dragonfly_");
    let is_subject = |path: &String| path.contains("/src/model/subject");
    // The module's own page shows how it is used.
    let is_page = |path: &String| path.ends_with("/src/model.rs");
    let others: Vec<_> = names
        .iter()
        .filter(|path| !is_subject(path) && !is_page(path))
        .collect();
    assert_eq!(others, Vec::<&String>::new());
    assert!(
        names.iter().any(is_subject),
        "the search finds what there is"
    );
}

#[test]
fn feeds_and_aggregators_are_known_to_the_harness_alone() {
    for place in [
        "dialect",
        "session",
        "sim",
        "server",
        "live",
        "tape",
        "naive_book",
        "recording",
    ] {
        for product in ["dragonfly_feeds", "dragonfly_aggregators"] {
            assert_eq!(
                names(place, product),
                Vec::<String>::new(),
                "{place} names {product}"
            );
        }
    }
}
