//! What a check found, as one JSON object, and the page that is made of such objects.
//!
//! Every program that tries the product writes a [`Result`]; [`page()`] makes one page for users of
//! all of them, so that no figure in it is typed by hand.

mod page;
mod promise;

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

pub use page::page;
pub use promise::{PROMISES, Promise};

/// What one check found.
///
/// A field that nobody knows is refused: a misspelt `violations` would read as none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Result {
    /// A short name of the check, such as `t1`.
    pub check: String,
    /// What it is, in a few words.
    pub title: String,
    /// Which promises it shows, by their ids; see [`PROMISES`].
    #[serde(default)]
    pub promises: Vec<String>,
    /// The command that was run.
    pub command: String,
    /// How long it took, in s.
    pub seconds: f64,
    /// Seeds or cases.
    #[serde(default)]
    pub seeds: u64,
    /// Updates that were applied or judged.
    #[serde(default)]
    pub updates: u64,
    /// Books that were compared with what they should be.
    #[serde(default)]
    pub compared: u64,
    /// How often each fault took place, by its name.
    #[serde(default)]
    pub faults: BTreeMap<String, u64>,
    /// How many promises were found broken.
    #[serde(default)]
    pub violations: u64,
    /// Values with their units that have no field of their own. One whose name begins with the id of
    /// a promise and a colon, as `R4: loopback cut to Live, p99`, is shown beside that promise.
    #[serde(default)]
    pub figures: BTreeMap<String, String>,
}

/// Why a file holds no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file cannot be read.
    #[error("{file}: cannot be read: {error}")]
    Read {
        /// The file.
        file: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The file cannot be written.
    #[error("{file}: cannot be written: {error}")]
    Write {
        /// The file.
        file: String,
        /// What went wrong.
        error: std::io::Error,
    },
    /// It is not JSON of the form of a [`Result`].
    #[error("{file}: no result of a check: {error}")]
    Form {
        /// The file.
        file: String,
        /// What is wrong, and where.
        error: serde_json::Error,
    },
    /// It names a promise that nobody made.
    #[error("{file}: unknown promise {id:?}; known are {known}")]
    Promise {
        /// The file.
        file: String,
        /// The id.
        id: String,
        /// The ids there are.
        known: String,
    },
    /// A duration is negative or no number.
    #[error("{file}: {seconds} seconds is not a time")]
    Seconds {
        /// The file.
        file: String,
        /// What was given.
        seconds: f64,
    },
}

impl Result {
    /// An empty result of a check.
    pub fn new(check: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            title: title.into(),
            ..Self::default()
        }
    }

    /// Names the promises it shows.
    #[must_use]
    pub fn shows(mut self, promises: &[&str]) -> Self {
        self.promises = promises.iter().map(|id| (*id).to_owned()).collect();
        self
    }

    /// How many faults took place.
    pub fn faults_total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Reads a result; `file` is named in errors.
    ///
    /// # Errors
    /// [`ReportError`] names the file and what is wrong with it.
    pub fn parse(file: &str, text: &str) -> std::result::Result<Self, ReportError> {
        let file = || file.to_owned();
        let result: Self = serde_json::from_str(text).map_err(|error| ReportError::Form {
            file: file(),
            error,
        })?;
        let is_known = |id: &&String| PROMISES.iter().any(|promise| promise.id == **id);
        if let Some(id) = result.promises.iter().find(|id| !is_known(id)) {
            let known: Vec<&str> = PROMISES.iter().map(|promise| promise.id).collect();
            return Err(ReportError::Promise {
                file: file(),
                id: id.clone(),
                known: known.join(", "),
            });
        }
        if !(result.seconds.is_finite() && result.seconds >= 0.0) {
            let seconds = result.seconds;
            return Err(ReportError::Seconds {
                file: file(),
                seconds,
            });
        }
        Ok(result)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ReportError`] names the file and what is wrong with it.
    pub fn read(path: &Path) -> std::result::Result<Self, ReportError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) => Err(ReportError::Read { file, error }),
        }
    }

    /// Writes a file: one JSON object, indented.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn write(&self, path: &Path) -> std::result::Result<(), ReportError> {
        let file = path.display().to_string();
        let text = match serde_json::to_string_pretty(self) {
            Ok(text) => text,
            Err(error) => return Err(ReportError::Form { file, error }),
        };
        std::fs::write(path, text + "\n").map_err(|error| ReportError::Write { file, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_none_and_what_is_written_is_read() {
        let least = r#"{"check":"t0","title":"Books","command":"cargo test","seconds":1.5}"#;
        let mut result = Result::parse("a", least).unwrap();
        assert_eq!((result.seeds, result.violations), (0, 0));
        result.faults.insert("gap".into(), 3);
        result.promises.push("R1".into());
        let text = serde_json::to_string(&result).unwrap();
        assert_eq!(Result::parse("a", &text).unwrap(), result);
    }

    #[test]
    fn a_bad_result_is_named() {
        let with =
            |more: &str| format!(r#"{{"check":"t","title":"T","command":"c","seconds":1{more}}}"#);
        for (text, named) in [
            (String::new(), "t.json: no result of a check: EOF"),
            (with(r#","violation":3"#), "unknown field `violation`"),
            (
                with(r#","promises":["R99"]"#),
                "t.json: unknown promise \"R99\"; known are R1, R2",
            ),
            (with(r#","seeds":-1"#), "invalid value"),
            (with("").replace(":1}", ":-1}"), "-1 seconds is not a time"),
        ] {
            let error = Result::parse("t.json", &text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let error = Result::read(Path::new("/no/such/file")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("/no/such/file: cannot be read"),
            "{error}"
        );
    }
}
