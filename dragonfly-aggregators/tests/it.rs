//! The aggregators against naive models that share none of their code.
#![allow(clippy::unwrap_used)]

#[path = "it/model.rs"]
mod model;
#[path = "it/states.rs"]
mod states;
