//! What a program has found: on the screen, and in the target folder for the page that shows it.

use std::{fmt, fs, path::PathBuf};

use serde_json::{Map, Value};

use crate::target_folder;

/// The lines and figures of one program.
#[derive(Debug)]
pub struct Report {
    /// Where they go, without the ending; nowhere when it is only tried whether the program runs.
    file: Option<PathBuf>,
    text: String,
    figures: Map<String, Value>,
}

impl Report {
    /// The report of the program `name`; it is kept where `is_kept`, and printed in any case.
    pub fn new(name: &str, is_kept: bool) -> Self {
        Self {
            file: is_kept.then(|| target_folder().join("figures").join(name)),
            text: String::new(),
            figures: Map::new(),
        }
    }

    /// Says a line, of a Markdown table for instance.
    pub fn line(&mut self, line: impl fmt::Display) {
        println!("{line}");
        self.text += &format!("{line}\n");
    }

    /// A number that a target is held against, see `table/targets.rs`.
    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), value.into());
    }

    /// Writes what was said and found to `figures` in the target folder.
    pub fn finish(self) {
        let Some(file) = self.file else { return };
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file.with_extension("md"), self.text).unwrap();
        let figures = Value::Object(self.figures);
        fs::write(file.with_extension("json"), format!("{figures}\n")).unwrap();
    }
}

/// Writes the result of a check to the file that follows `--result` among the arguments; for the page
/// of what is promised and how it is shown.
pub fn write_result(arguments: &[String], result: &Value) {
    let file = arguments.iter().skip_while(|a| *a != "--result").nth(1);
    if let Some(file) = file {
        fs::write(file, format!("{result:#}\n")).unwrap();
        println!("written to {file}");
    }
}
