//! Everything in Dragonfly that reads bytes from outside, under inputs nobody would send.
//!
//! A [`Target`] is one reader of bytes and what must hold whatever they are: it does not panic, it
//! keeps its own promises, it takes less than [`MAX_CPU`] and less memory than [`Target::allowed`].
//! [`execute`] holds it to all of that for one input; the program `dragonfly-fuzz` does so for
//! millions that a [`Mutator`] makes out of the committed corpus, and the programs under
//! `fuzz/libfuzzer` for those that libFuzzer finds by coverage.

mod corpus;
mod execute;
mod mutate;
mod targets;
mod words;

pub use corpus::{Entry, escape, read, unescape};
pub use execute::{Cost, Failure, MAX_CPU, execute, watch_panics};
pub use mutate::Mutator;
pub use targets::{TARGETS, Target, find, run};
pub use words::Words;
