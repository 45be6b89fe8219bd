//! What the program says. What cannot be said, to a reader that has left or on a disk that is full, is
//! lost, and the program goes on: its exit code still tells how it ended.

use std::{
    fmt::Arguments,
    io::{Write, stderr, stdout},
};

/// Writes a line to standard output, as `println!` does.
macro_rules! say {
    ($($text:tt)+) => {
        $crate::terminal::out(format_args!($($text)+))
    };
}

/// Writes a line to standard error, as `eprintln!` does.
macro_rules! complain {
    ($($text:tt)+) => {
        $crate::terminal::err(format_args!($($text)+))
    };
}

pub(crate) use {complain, say};

pub(crate) fn out(line: Arguments<'_>) {
    writeln!(stdout(), "{line}").ok();
}

pub(crate) fn err(line: Arguments<'_>) {
    writeln!(stderr(), "{line}").ok();
}
