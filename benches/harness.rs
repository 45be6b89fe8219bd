//! How every benchmark of this crate runs.

use std::time::Duration;

use criterion::Criterion;

/// Runs the groups that `add` adds, as the command line says.
///
/// The times are short because all alternatives of a group are measured in one run: what counts is
/// their ratio, and a machine that slows down slows down all of them.
pub(crate) fn run(add: fn(&mut Criterion)) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(40)
        .configure_from_args();
    add(&mut criterion);
    criterion.final_summary();
}
