//! Everything in the corpus, and some of what comes of it.

use dragonfly_fuzz::{Failure, Mutator, TARGETS, Target, Words, escape, execute, read, unescape};

/// How many changed inputs each target is tried with.
const ROUNDS: u64 = 1_000;

/// Each entry of the corpus is a test of its own by its name, if it has one: what once broke something
/// stays mended.
#[test]
fn no_entry_of_the_corpus_breaks_anything() {
    for target in TARGETS {
        let entries = read(target).unwrap();
        assert!(!entries.is_empty(), "{} has no corpus", target.name);
        for entry in entries {
            let tried = execute(target, &entry.bytes);
            assert!(
                tried.is_ok(),
                "{}: {:?}: {tried:?}",
                target.name,
                entry.name
            );
        }
    }
}

#[test]
fn what_comes_of_the_corpus_breaks_nothing() {
    for target in TARGETS {
        let entries = read(target).unwrap();
        let from = entries.len() as u64;
        let entries = entries.into_iter().map(|entry| entry.bytes).collect();
        let mutator = Mutator::new(entries, target.words, 77);
        let mut input = Vec::new();
        for number in from..from + ROUNDS {
            mutator.input(number, &mut input);
            match execute(target, &input) {
                // A build without optimisation, on a machine that has other things to do.
                Ok(_) | Err(Failure::Slow(_)) => {}
                Err(failure) => panic!(
                    "{} {number}: {failure}: {:.300}",
                    target.name,
                    escape(&input)
                ),
            }
        }
    }
}

#[test]
fn the_same_seed_and_number_give_the_same_input() {
    let entries = || vec![br#"{"a":[1,"2"]}"#.to_vec(), b"[]".to_vec()];
    let input = |seed, number| {
        let mut input = Vec::new();
        Mutator::new(entries(), Words::Json, seed).input(number, &mut input);
        input
    };
    assert_eq!(
        (input(1, 0), input(1, 1)),
        (entries()[0].clone(), entries()[1].clone())
    );
    for number in 2..200 {
        assert_eq!(input(1, number), input(1, number));
    }
    let inputs = |seed| (2..200).map(move |number| input(seed, number));
    assert_ne!(inputs(1).collect::<Vec<_>>(), inputs(2).collect::<Vec<_>>());
}

fn target(run: fn(&[u8])) -> Target {
    Target {
        name: "test",
        about: "a test",
        run,
        words: Words::Json,
        share: 1,
    }
}

#[test]
fn what_breaks_a_bound_is_found() {
    assert!(execute(&target(|_| {}), b"x").is_ok());
    let panics = execute(&target(|_| panic!("on purpose")), b"x");
    assert!(matches!(panics, Err(Failure::Panic(_))));
    let allowed = target(|_| {}).allowed(1);
    assert_eq!(allowed, 16 + (1 << 20));
    let holds = target(|_| drop(vec![0_u8; (1 << 20) + 17]));
    assert!(matches!(execute(&holds, b"x"), Err(Failure::Memory(n)) if n > allowed));
    let frees = target(|_| (0..10).for_each(|_| drop(vec![0_u8; 1 << 19])));
    assert!(execute(&frees, b"x").is_ok());
    let spins = target(|_| {
        let mut sum = 0_u64;
        for n in 0..4_000_000_000_u64 {
            sum = std::hint::black_box(sum ^ n);
            if n % (1 << 20) == 0 && has_spun() {
                break;
            }
        }
    });
    assert!(matches!(execute(&spins, b"x"), Err(Failure::Slow(_))));
}

/// Whether this thread has had more of a processor than an execution may since it first asked.
fn has_spun() -> bool {
    use std::{cell::Cell, time::Duration};
    thread_local!(static BEGAN: Cell<Option<Duration>> = const { Cell::new(None) });
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap();
    let now = Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap());
    let began = BEGAN.get().unwrap_or(now);
    let has_spun = now - began > dragonfly_fuzz::MAX_CPU * 2;
    BEGAN.set((!has_spun).then_some(began));
    has_spun
}

#[test]
fn an_input_survives_being_written_down() {
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&all[..], b"", b"# x", b"\\x41\\", b"\n\r\t"] {
        let text = escape(bytes);
        assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b)) && !text.starts_with('#'));
        assert_eq!(unescape(&text), Some(bytes.to_vec()));
    }
    assert_eq!(unescape("\\q"), None);
    assert_eq!(unescape("\\x4"), None);
}
