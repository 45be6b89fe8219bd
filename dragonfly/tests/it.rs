//! Integration tests: the framework from end to end, and what holds for the tree as a whole.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod it {
    mod allocations;
    mod isolation;
    mod recorded;
    mod replay;
    mod tidy;
    mod whole_flow;
}
