//! The aggregators against naive models that share none of their code.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

#[path = "it/model.rs"]
mod model;
#[path = "it/states.rs"]
mod states;
