//! Running.

pub(crate) mod bell;
