//! Integration tests: the corpus, the runner, and the list of the programs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod it {
    mod corpus;
    mod programs;
}
