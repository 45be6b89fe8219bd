//! Integration tests: every venue over its captures, and the decorators.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod it {
    pub(crate) mod books;
    pub(crate) mod capture;
    pub(crate) mod conformance;
    pub(crate) mod decorate;
    pub(crate) mod early;
    pub(crate) mod fixtures;
    pub(crate) mod fuzz_smoke;
    pub(crate) mod json_suite;
    pub(crate) mod json_text;
    pub(crate) mod only_changes;
    pub(crate) mod replay;
    pub(crate) mod sequence;
    pub(crate) mod wide;
}
