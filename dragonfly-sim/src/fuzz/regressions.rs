//! The worlds in which a mistake of the product was once found.

use serde::Deserialize;

use super::Options;
use crate::fault::{Plan, PlanError, PlanLine};

const FILE: &str = include_str!("../../regressions.toml");

/// Seeds under a plan of their own, in which something was once found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Regression {
    /// What was found.
    pub found: String,
    /// What is to be run.
    pub options: Options,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    run: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    found: String,
    seeds: String,
    venues: Vec<String>,
    fault: Vec<PlanLine>,
}

/// The list, which is part of the program.
///
/// # Errors
/// [`PlanError`] when the list was written wrongly.
pub fn regressions() -> Result<Vec<Regression>, PlanError> {
    let file: File = toml::from_str(FILE).map_err(|error| PlanError::Toml(error.to_string()))?;
    file.run.into_iter().map(Run::check).collect()
}

impl Run {
    fn check(self) -> Result<Regression, PlanError> {
        let seeds = self.seeds.split_once("..");
        let seeds = seeds.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
        let wrong = || PlanError::Toml(format!("seeds = {:?} are no FROM..TO", self.seeds));
        let mut options = Options::new(seeds.ok_or_else(wrong)?);
        options.venues = self.venues;
        options.plan = Some(Plan::of(self.fault)?);
        Ok(Regression {
            found: self.found,
            options,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_can_be_read() {
        let list = regressions().unwrap();
        assert!(list.len() >= 5);
        for regression in list {
            assert!(!regression.found.is_empty());
            assert!(!regression.options.seeds.is_empty());
            assert!(!regression.options.plan.unwrap().faults.is_empty());
        }
    }
}
