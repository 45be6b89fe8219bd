//! A first look at what `dragonfly-fuzz` tries at length: no input makes a decoder panic.
//!
//! `DRAGONFLY_FUZZ_ROUNDS` says how many mutations are tried in all (20 000 unless told otherwise); the
//! same number gives the same mutations.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dragonfly_core::{
    feed::{Decoded, Verdict},
    market::{BookUpdate, Cause, Price, Qty},
};
use dragonfly_feeds::venue::{self, Spec, Subscription};
use proptest::prelude::*;

use super::{fixtures, replay::of_recording};

/// Deterministic choices (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap()
    }
}

pub(crate) fn mutate(seed: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let from = dice.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            2 => bytes.insert(at, br#"[]{}",:\0-e."#[dice.below(12)]),
            3 if at < bytes.len() => {
                bytes.remove(at);
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            _ => {}
        }
    }
    bytes
}

/// Decodes `bytes` in every way the venue has, and checks what may be relied on.
fn decode(spec: &Spec, bytes: &[u8]) {
    let wanted = Subscription::default();
    let decoders = [
        Some((spec.decoder)(&wanted)),
        spec.diffs.map(|d| (d.decoder)(&wanted)),
    ];
    for mut decoder in decoders.into_iter().flatten() {
        let mut update = BookUpdate {
            wanted: 10,
            ..BookUpdate::default()
        };
        let mut applied = 0;
        let decoded = decoder.decode(&mut bytes.to_vec(), &mut update, &mut |u| {
            applied += 1;
            let levels = u.bids.iter().chain(&u.asks);
            for level in levels {
                assert!(level.price > Price::ZERO && level.qty >= Qty::ZERO);
            }
        });
        assert_eq!(applied > 0, decoded == Ok(Decoded::Book), "{decoded:?}");
    }
    let mut subscriber = (spec.subscriber)(&wanted);
    let _: dragonfly_core::feed::Ack = subscriber.acknowledge(bytes);
}

/// The messages mutations start from.
pub(crate) fn corpus(spec: &Spec) -> Vec<String> {
    let fixture = fixtures::of(&spec.id.replace('-', "_"));
    let recorded = fixture.recordings.iter().flat_map(|r| &r.lines);
    let recorded = recorded.map(|l| &l.msg).filter(|m| m.len() < 8_000);
    let samples = fixture.samples.iter().chain(&fixture.others);
    let samples = samples.map(|m| (*m).to_owned());
    samples
        .chain(recorded.step_by(11).take(150).cloned())
        .collect()
}

#[test]
fn fuzz_smoke() {
    let rounds = std::env::var("DRAGONFLY_FUZZ_ROUNDS").ok();
    let rounds = rounds.map_or(20_000, |n| n.parse::<usize>().unwrap());
    for spec in venue::all() {
        let corpus = corpus(spec);
        let mut dice = Dice(7);
        for _ in 0..rounds / venue::all().len() {
            let [seed, other] = [0, 0].map(|_| corpus[dice.below(corpus.len())].as_bytes());
            let bytes = mutate(seed, other, &mut dice);
            let tried = catch_unwind(AssertUnwindSafe(|| decode(spec, &bytes)));
            assert!(
                tried.is_ok(),
                "{}: {}",
                spec.id,
                String::from_utf8_lossy(&bytes)
            );
        }
    }
}

/// Whole streams with some of their messages broken: the books behind the decoders hold out as well.
#[test]
fn broken_streams_never_panic() {
    for spec in venue::all() {
        let fixture = fixtures::of(&spec.id.replace('-', "_"));
        let recording = &fixture.recordings[0];
        let mut dice = Dice(11);
        let mut replay = of_recording(spec, &recording.url);
        let lines = &recording.lines[..recording.lines.len().min(1_500)];
        for line in lines.iter().filter(|l| l.msg.len() < 100_000) {
            let other = lines[dice.below(lines.len())].msg.as_bytes();
            if dice.below(8) == 0 {
                replay.bytes(&mut mutate(line.msg.as_bytes(), other, &mut dice));
            } else {
                replay.message(&line.msg);
            }
        }
        let panicked = |v: &Verdict| *v == Verdict::Close(Cause::Panicked);
        assert!(!replay.verdicts.iter().any(panicked), "{}", spec.id);
        assert!(!replay.errors.is_empty(), "{}: nothing was broken", spec.id);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        venue::all().iter().for_each(|spec| decode(spec, &bytes));
    }

    /// Bytes that get further, for they are made of what JSON is made of.
    #[test]
    fn no_json_like_bytes_panic(parts in proptest::collection::vec(0_usize..24, 0..60)) {
        let words = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"data\":", "\"bids\":", "\"asks\":", "1",
            "\"topic\":\"orderbook.1.X\"", "\"channel\":\"book\"", "\"channel\":\"l2_data\"", "-0.5",
            "\"events\":", "\"b\":", "[[\"1\",\"2\"]]", "1e-5", "\\u0022", "null", " ", "\u{fe}",
        ];
        let text: String = parts.iter().map(|i| words[*i]).collect();
        venue::all().iter().for_each(|spec| decode(spec, text.as_bytes()));
    }
}
