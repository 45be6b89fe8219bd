//! How many files the program may have open, and so how many connections it can take: those of
//! clients must not take what a venue needs to be connected again.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections of clients at once, where the system allows as many files.
const CONNECTIONS: u64 = 1_024;
/// Files for everything but clients and venues: runtimes, listeners, probes, standard streams.
const RESERVE: u64 = 64;
/// Files for a venue: a connection and the next one, look-ups of its name, its thread's runtime; in the
/// demo the venue itself, too.
const OF_A_VENUE: u64 = 16;

/// How many connections of clients to take beside so many venues. Lets the process have as many files
/// as the system allows, and says so where that is too few.
pub(crate) fn connections(venues: usize) -> usize {
    let Some(files) = raised() else {
        return fitting(u64::MAX, venues);
    };
    let most = fitting(files, venues);
    if fitting(u64::MAX, venues) > most {
        tracing::warn!(
            "clients may have {most} connections at once and not {CONNECTIONS}: \
             the limit of open files (ulimit -n, RLIMIT_NOFILE) is {files}"
        );
    }
    most
}

/// The limit of open files after it was raised as far as it can be; none for no limit.
fn raised() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    // Where it is refused, it stays as it is.
    setrlimit(Resource::Nofile, most).ok();
    getrlimit(Resource::Nofile).current
}

/// How many connections fit into so many files; at least one.
fn fitting(files: u64, venues: usize) -> usize {
    let of_venues = OF_A_VENUE.saturating_mul(venues as u64);
    let others = RESERVE.saturating_add(of_venues);
    let most = files.saturating_sub(others).clamp(1, CONNECTIONS);
    usize::try_from(most).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_venues_and_the_rest() {
        assert_eq!(fitting(u64::MAX, 2), 1_024);
        assert_eq!(fitting(1_120, 2), 1_024);
        assert_eq!(fitting(1_119, 2), 1_023);
        assert_eq!(fitting(1_024, 24), 576);
        assert_eq!(fitting(5, 2), 1);
    }
}
