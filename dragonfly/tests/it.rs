//! Integration tests: what holds for the tree as a whole.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod it {
    mod tidy;
}
