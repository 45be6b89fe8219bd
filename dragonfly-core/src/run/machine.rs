//! What a flow may claim of its machine: cores of its own, and memory that stays where it is.

use rustix::{
    io::Errno,
    mm::{MlockAllFlags, mlockall},
    process::{Resource, getrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// The cores this process may run on, by their numbers, in order.
///
/// Empty where the system does not say.
pub fn cores() -> Vec<usize> {
    let usable = |set: CpuSet| (0..CpuSet::MAX_CPU).filter(move |&core| set.is_set(core));
    sched_getaffinity(None).map_or_else(|_| Vec::new(), |set| usable(set).collect())
}

/// A core that a thread cannot be tied to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no core {core} to run on; this process may use {}",
    list(usable)
)]
pub struct NoSuchCore {
    /// The number asked for.
    pub core: usize,
    /// The numbers of the cores there are, in order.
    pub usable: Vec<usize>,
}

/// Checks that threads can be tied to each of `wanted`.
///
/// # Errors
/// [`NoSuchCore`] names the first that does not exist or is not this process's to use.
pub fn check_cores(wanted: &[usize]) -> Result<(), NoSuchCore> {
    let usable = cores();
    match wanted.iter().find(|core| !usable.contains(core)) {
        Some(&core) => Err(NoSuchCore { core, usable }),
        None => Ok(()),
    }
}

/// Numbers with their runs drawn together: `0-3, 6`.
fn list(cores: &[usize]) -> String {
    let runs = cores.chunk_by(|a, b| a + 1 == *b);
    let text = |run: &[usize]| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run.iter().map(usize::to_string).collect(),
    };
    runs.map(text).collect::<Vec<_>>().join(", ")
}

/// Ties the calling thread to a core.
pub(super) fn pin_to(core: usize) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    if core < CpuSet::MAX_CPU {
        set.set(core);
    }
    sched_setaffinity(None, &set)
}

/// Why memory cannot be kept resident.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the system does not let this process lock its memory ({reason}; RLIMIT_MEMLOCK is {}): \
     raise the limit (`ulimit -l unlimited`, LimitMEMLOCK=infinity) or give it CAP_IPC_LOCK",
    limit.map_or_else(|| "unlimited".into(), |bytes| format!("{} KiB", bytes / 1024))
)]
pub struct LockError {
    /// What the system said.
    pub reason: String,
    /// How many bytes it may lock; none: any number.
    pub limit: Option<u64>,
}

/// Keeps all memory of this process resident, what it has and what it will have, so that no access
/// waits for a page to be fetched or made.
///
/// To be called once the program has read what it needs and before its threads start. Everything is
/// made resident at once, untouched stacks too: expect some 2 MiB for each thread.
///
/// # Errors
/// [`LockError`] when the limit of the process does not allow it.
pub fn lock_memory() -> Result<(), LockError> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(|error| LockError {
        reason: std::io::Error::from(error).to_string(),
        limit: getrlimit(Resource::Memlock).current,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_cores_are_drawn_together() {
        assert_eq!(list(&[0, 1, 2, 3, 6, 8, 9]), "0-3, 6, 8-9");
        assert_eq!(list(&[5]), "5");
        assert_eq!(list(&[]), "");
    }

    #[test]
    fn a_core_that_is_not_there_is_named_with_those_that_are() {
        let usable = cores();
        assert_eq!(check_cores(&usable), Ok(()));
        let beyond = usable.last().unwrap() + 1;
        let error = check_cores(&[usable[0], beyond]).unwrap_err();
        assert_eq!((error.core, &error.usable), (beyond, &usable));
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("there is no core {beyond} to run on; ")),
            "{text}"
        );
        assert!(text.ends_with(&list(&usable)), "{text}");
    }
}
