//! Who may know whom, and where what is dangerous may stand.

use super::{File, Line, Tree, has_word, holds, lines};

/// The ids of the venues, as in file names.
const VENUES: [&str; 6] = [
    "binance",
    "bitstamp",
    "bybit",
    "coinbase",
    "coinbase_advanced",
    "kraken",
];

fn names_a_venue(line: &str) -> bool {
    VENUES.iter().any(|venue| has_word(line, venue))
}

fn is_library_line(file: &File, folder: &str, number: usize) -> bool {
    file.is_rust() && file.is_in(folder) && !file.is_test_line(number)
}

/// The dependencies of a package that no feature has to turn on, with those of the targets, by the
/// lines that name them, counted from 0.
fn dependencies(file: &File) -> Vec<(usize, &str)> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        if let Some(head) = line.strip_prefix('[') {
            let head = head.trim_end_matches(']');
            is_inside = head == "dependencies" || head.ends_with(".dependencies");
            if let Some((table, name)) = head.rsplit_once("dependencies.")
                && !table.ends_with('-')
            {
                found.push((number, name));
            }
        } else if is_inside && !line.contains("optional = true") {
            let name = line.split(['=', '.']).next().unwrap_or_default();
            found.push((number, name.trim()));
        }
    }
    found
}

/// The rule that of `package` no dependency has one of `banned` in its name.
fn without(package: &'static str, banned: &'static [&str]) -> impl Fn(&Tree) -> Vec<String> {
    move |tree| {
        let Some(file) = tree.file(&format!("{package}/Cargo.toml")) else {
            return Vec::new();
        };
        let is_banned = |name: &str| banned.iter().any(|part| name.contains(part));
        let all = dependencies(file).into_iter();
        let bad = all.filter(|(_, name)| is_banned(name));
        bad.map(|(number, _)| file.place(number)).collect()
    }
}

#[test]
fn core_names_no_venue_protocol_or_runtime() {
    let protocols = [
        "tokio",
        "hyper",
        "websocket",
        "serde",
        "json",
        "grpc",
        "tonic",
    ];
    holds(
        "dragonfly-core knows no venue, no protocol and no runtime",
        lines(|file, number, line| {
            // The name of a step of connecting is a word for people, not a protocol that is known.
            let code = line.code.replace("WebSocket upgrade", "");
            is_library_line(file, "dragonfly-core/src/", number)
                && (names_a_venue(&code) || protocols.iter().any(|word| has_word(&code, word)))
        }),
        &[
            ("dragonfly-core/src/a.rs", "if venue == \"kraken\" {"),
            ("dragonfly-core/src/a.rs", "use tokio::time;"),
            ("dragonfly-core/src/a.rs", "struct Binance;"),
        ],
    );
    let banned = &[
        "tokio",
        "hyper",
        "http",
        "tonic",
        "prost",
        "serde",
        "json",
        "rustls",
        "websocket",
        "tungstenite",
        "dragonfly-",
    ];
    holds(
        "dragonfly-core depends on no protocol, no runtime and no layer",
        without("dragonfly-core", banned),
        &[
            (
                "dragonfly-core/Cargo.toml",
                "[dependencies]\ntokio.workspace = true",
            ),
            (
                "dragonfly-core/Cargo.toml",
                "[target.'cfg(unix)'.dependencies]\nserde_json = \"1\"",
            ),
            (
                "dragonfly-core/Cargo.toml",
                "[dependencies.hyper]\nversion = \"1\"",
            ),
        ],
    );
}

#[test]
fn aggregators_know_no_feed_and_no_service() {
    let others = [
        "dragonfly_feeds",
        "dragonfly_clients",
        "dragonfly_grpc",
        "dragonfly_sim",
        "grpc",
    ];
    holds(
        "dragonfly-aggregators names no venue, no protocol and no service",
        lines(|file, number, line| {
            is_library_line(file, "dragonfly-aggregators/src/", number)
                && (names_a_venue(line.code) || others.iter().any(|o| has_word(line.code, o)))
        }),
        &[
            (
                "dragonfly-aggregators/src/a.rs",
                "use dragonfly_feeds::open;",
            ),
            (
                "dragonfly-aggregators/src/a.rs",
                "const FIRST: &str = \"bitstamp\";",
            ),
        ],
    );
    let banned = &[
        "dragonfly-feeds",
        "dragonfly-clients",
        "dragonfly-grpc",
        "dragonfly-sim",
        "tonic",
    ];
    holds(
        "dragonfly-aggregators depends on no feed and no service",
        without("dragonfly-aggregators", banned),
        &[(
            "dragonfly-aggregators/Cargo.toml",
            "[dependencies]\ndragonfly-feeds.workspace = true",
        )],
    );
}

#[test]
fn services_know_no_aggregator_and_no_feed() {
    let others = [
        "dragonfly_aggregators",
        "dragonfly_feeds",
        "dragonfly_clients",
        "dragonfly_sim",
    ];
    holds(
        "the library of dragonfly-grpc names no aggregator, no feed and no venue",
        lines(|file, number, line| {
            is_library_line(file, "dragonfly-grpc/src/", number)
                && !file.is_in("dragonfly-grpc/src/bin/")
                && (names_a_venue(line.code) || others.iter().any(|o| has_word(line.code, o)))
        }),
        &[
            (
                "dragonfly-grpc/src/server.rs",
                "use dragonfly_aggregators::Bbo;",
            ),
            ("dragonfly-grpc/src/server.rs", "\"binance\" => 1,"),
        ],
    );
    let banned = &[
        "dragonfly-aggregators",
        "dragonfly-feeds",
        "dragonfly-clients",
        "dragonfly-sim",
    ];
    holds(
        "only the programs of dragonfly-grpc depend on aggregators and feeds",
        without("dragonfly-grpc", banned),
        &[(
            "dragonfly-grpc/Cargo.toml",
            "[dependencies]\ndragonfly-feeds.workspace = true",
        )],
    );
}

#[test]
fn only_the_edges_depend_on_tokio() {
    for package in [
        "dragonfly-core",
        "dragonfly-aggregators",
        "dragonfly-feeds",
        "dragonfly",
    ] {
        let path = format!("{package}/Cargo.toml");
        holds(
            "tokio is for clients, the simulator and services",
            without(package, &["tokio"]),
            &[(&path, "[dependencies]\ntokio.workspace = true")],
        );
    }
}

#[test]
fn unsafe_stands_under_the_queues_and_in_one_simd_module() {
    let places = [
        "dragonfly-core/src/queue/",
        "dragonfly-feeds/src/json/simd/",
    ];
    holds(
        "unsafe code is for dragonfly-core/src/queue, for dragonfly-feeds/src/json/simd, and for a \
         test that counts allocations",
        lines(|file, _, line| {
            let counts = file.path.contains("/tests/") || file.is_in("benches/");
            file.is_rust()
                && has_word(line.bare, "unsafe")
                && !places.iter().any(|place| file.is_in(place))
                && !(counts && file.bare.contains("GlobalAlloc"))
        }),
        &[
            ("dragonfly-feeds/src/a.rs", "let x = unsafe { *p };"),
            ("dragonfly-feeds/src/json/simd.rs", "unsafe { f() }"),
            ("dragonfly-core/src/queue.rs", "unsafe impl Send for X {}"),
            ("dragonfly-core/tests/it/a.rs", "unsafe { f() }"),
        ],
    );
}

/// The most places of unsafe code there may be: blocks, functions, traits and implementations. Raising
/// it is a decision of its own.
const MOST_UNSAFE: usize = 41;

#[test]
fn unsafe_is_counted_and_capped() {
    let mut places = Vec::new();
    let files = Tree::own().0.iter().filter(|file| file.is_rust());
    for file in files.filter(|file| file.path.contains("/src/")) {
        let lines = file.bare.lines().enumerate();
        let is_unsafe = |line: &str| has_word(line, "unsafe");
        places.extend(
            lines
                .filter(|(_, line)| is_unsafe(line))
                .map(|(n, _)| file.place(n)),
        );
    }
    println!("{} places of unsafe code, of {MOST_UNSAFE}", places.len());
    assert!(places.len() <= MOST_UNSAFE, "{}", places.join("\n"));
    let is_used = places.len() == MOST_UNSAFE;
    assert!(is_used, "there are {} now: lower the cap", places.len());
}

/// What reads bytes from outside, keeps books, or serves.
const NEVER_PANICS: [&str; 10] = [
    "dragonfly-aggregators/src/lib.rs",
    "dragonfly-clients/src/ws.rs",
    "dragonfly-core/src/feed.rs",
    "dragonfly-core/src/market.rs",
    "dragonfly-feeds/src/decorate.rs",
    "dragonfly-feeds/src/early.rs",
    "dragonfly-feeds/src/json.rs",
    "dragonfly-feeds/src/venue.rs",
    "dragonfly-grpc/src/encode.rs",
    "dragonfly-grpc/src/server.rs",
];

#[test]
fn what_reads_bytes_keeps_books_or_serves_denies_what_may_panic() {
    let denied = [
        "arithmetic_side_effects",
        "expect_used",
        "indexing_slicing",
        "panic",
        "string_slice",
        "unreachable",
        "unwrap_used",
    ];
    for path in NEVER_PANICS {
        let text = Tree::own().text(path);
        let attribute = text
            .split_once("deny(")
            .and_then(|(_, rest)| rest.split_once(')'));
        let (list, _) = attribute.expect(path);
        for lint in denied {
            assert!(has_word(list, &format!("clippy::{lint}")), "{path}: {lint}");
        }
    }
    let waives = |file: &&File| {
        let names = |lint: &&str| has_word(&file.bare, &format!("clippy::{lint}"));
        file.is_in("dragonfly-grpc/src/server/") && denied.iter().any(names)
    };
    let found: Vec<_> = Tree::own()
        .0
        .iter()
        .filter(waives)
        .map(|f| f.place(0))
        .collect();
    assert!(found.is_empty(), "the server needs no waiver: {found:?}");
}

/// Who else names a clock, and why it may.
const CLOCKS: [(&str, &str); 2] = [
    (
        "dragonfly-core/src/clock.rs",
        "the one place that reads the clock",
    ),
    (
        "dragonfly-clients/src/drive.rs",
        "tokio's timer wants an instant",
    ),
];

/// Whether these are tests that stop tokio's clock and move it by hand.
fn stops_the_clock(file: &File) -> bool {
    file.path.contains("/tests/") && file.bare.contains("pause()")
}

#[test]
fn the_clock_is_read_in_one_place() {
    let calls = ["Instant::now", "SystemTime::now"];
    holds(
        "time is an argument; only dragonfly-core/src/clock.rs reads the clock",
        lines(|file, _, line| {
            file.is_rust()
                && calls.iter().any(|call| line.bare.contains(call))
                && !file.is_in("benches/")
                && !stops_the_clock(file)
                && !CLOCKS.iter().any(|(path, _)| file.path == *path)
        }),
        &[
            ("dragonfly-sim/src/a.rs", "let now = Instant::now();"),
            ("examples/a.rs", "let now = std::time::SystemTime::now();"),
        ],
    );
    for (path, why) in CLOCKS {
        let file = Tree::own().file(path);
        let reads = file.is_some_and(|f| calls.iter().any(|call| f.bare.contains(call)));
        assert!(
            reads,
            "{path} ({why}) reads no clock any more: take it off the list"
        );
    }
}

#[test]
fn no_test_sleeps_or_is_ignored() {
    holds(
        "step the clock instead of sleeping",
        lines(|file, _, line: Line<'_>| {
            file.is_rust() && line.bare.contains("thread::sleep")
                || file.path.contains("/tests/")
                    && has_word(line.bare, "sleep")
                    && line.bare.contains("sleep(")
                    && !stops_the_clock(file)
        }),
        &[
            ("dragonfly-core/src/a.rs", "std::thread::sleep(wait);"),
            (
                "dragonfly-sim/tests/it/a.rs",
                "tokio::time::sleep(wait).await;",
            ),
        ],
    );
    holds(
        "an ignored test tests nothing",
        lines(|file, _, line| {
            file.is_rust() && (line.bare.contains("#[ignore") || line.bare.contains(", ignore"))
        }),
        &[
            ("dragonfly-core/src/a.rs", "    #[ignore]"),
            ("dragonfly-core/tests/it/a.rs", "#[ignore = \"slow\"]"),
        ],
    );
}

/// The module names of the venue files: those that declare a venue.
fn venue_files(tree: &Tree) -> impl Iterator<Item = (&File, &str)> {
    tree.0.iter().filter_map(|file| {
        let name = file.path.strip_prefix("dragonfly-feeds/src/venue/")?;
        let name = name.strip_suffix(".rs")?;
        // What stands in a folder is a part of the file beside it.
        let is_venue = !["spec", "grammar"].contains(&name) && !name.contains('/');
        is_venue.then_some((file, name))
    })
}

#[test]
fn every_venue_is_registered_recorded_and_tested() {
    let own = Tree::own();
    let list = own.file("dragonfly-feeds/src/venue.rs").unwrap();
    let list = list.bare.rsplit("venues! {").next().unwrap();
    let fixtures = own.text("dragonfly-feeds/tests/it/fixtures.rs");
    let options = own.text("dragonfly-grpc/src/bin/dragonflybot-grpc-server/options.rs");
    let recordings = |id: &str| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .unwrap();
        let folder = root.join("dragonfly-feeds/tests/captures").join(id);
        let files = folder.read_dir().into_iter().flatten().map(Result::unwrap);
        let names = files.map(|f| f.file_name().into_string().unwrap());
        names.filter(|n| n.contains(".jsonl")).count()
    };
    let find = |tree: &Tree| {
        let mut found = Vec::new();
        for (file, name) in venue_files(tree) {
            let id = name.replace('_', "-");
            for (is_missing, what) in [
                (!has_word(list, name), "is not in the venues! list"),
                (
                    recordings(&id) == 0,
                    "has no recording under tests/captures",
                ),
                (
                    !fixtures.contains(&format!("\"{name}\" =>")),
                    "has no fixture",
                ),
                (
                    !has_word(options, &id),
                    "is not named in the server's --help",
                ),
            ] {
                if is_missing {
                    found.push(format!("{}:1: {what}", file.path));
                }
            }
        }
        found
    };
    holds(
        "a venue is registered, has recorded messages and passes the conformance suite",
        find,
        &[("dragonfly-feeds/src/venue/nasdaq.rs", "//! A venue.")],
    );
    let suite = own.text("dragonfly-feeds/tests/it/conformance.rs");
    assert!(
        suite.contains("each_venue!(conformance_of)"),
        "the suite runs over all venues"
    );
    let count = venue_files(own).count();
    assert!(count >= 5, "{count} venues");
    for (_, name) in venue_files(own) {
        assert!(
            VENUES.contains(&name),
            "tell layers.rs of {name}, which other crates must not name"
        );
    }
}
