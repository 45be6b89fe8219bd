//! Many executions of many targets on some threads.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

use dragonfly_core::clock::{Clock, Nanos};
use dragonfly_fuzz::{Cost, Failure, Mutator, Target, execute, read, watch_panics};

use crate::{Options, reduce::reduce};

/// How many executions a thread takes at a time.
const CHUNK: u64 = 2_000;

/// How often the threads are looked at, and after how many looks at the same execution it is given
/// up: a hang that does not end.
const LOOK: Duration = Duration::from_secs(2);
const LOOKS: u32 = 10;

/// What became of a target.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) executions: u64,
    pub(crate) cpu: Duration,
    /// The slowest execution, and the one that held the most memory, each by itself.
    pub(crate) worst: Cost,
    /// How many executions failed, by what distinguishes them.
    pub(crate) failures: BTreeMap<String, u64>,
}

/// What became of all of them.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) targets: Vec<(&'static Target, Tally)>,
    pub(crate) time: Nanos,
}

impl Outcome {
    pub(crate) fn failures(&self) -> u64 {
        let tallies = self.targets.iter().map(|(_, tally)| tally);
        tallies.flat_map(|tally| tally.failures.values()).sum()
    }

    pub(crate) fn executions(&self) -> u64 {
        self.targets.iter().map(|(_, tally)| tally.executions).sum()
    }
}

/// Some executions of one target.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    target: usize,
    from: u64,
    to: u64,
}

/// What the threads share.
struct Shared<'a> {
    targets: Vec<(&'static Target, Mutator)>,
    chunks: Vec<Chunk>,
    next: AtomicUsize,
    tallies: Vec<Mutex<Tally>>,
    failures: &'a Path,
    trace: Option<&'a Path>,
}

/// What a thread is at: the number of the chunk, and that of the execution within it.
type Place = AtomicU64;

/// Runs the campaign.
pub(crate) fn run(targets: &[&'static Target], options: &Options) -> Result<Outcome, String> {
    let clock = Clock::monotonic();
    let began = clock.mono();
    let shared = prepare(targets, options)?;
    watch_panics();
    let threads = if options.trace.is_some() {
        1
    } else {
        options.threads
    };
    let places: Vec<Place> = (0..threads).map(|_| Place::new(u64::MAX)).collect();
    thread::scope(|scope| {
        let (done, ended) = sync_channel(usize::from(threads));
        for place in &places {
            let (shared, done) = (&shared, done.clone());
            scope.spawn(move || {
                shared.work(place);
                // Whoever waits for it waits for all.
                done.send(()).ok();
            });
        }
        drop(done);
        watch(&shared, &places, &ended);
    });
    let tallies = shared.tallies.into_iter();
    let tallies = tallies.map(|tally| tally.into_inner().unwrap_or_else(PoisonError::into_inner));
    let targets = targets.iter().copied().zip(tallies).collect();
    let time = Nanos(clock.mono().0.saturating_sub(began.0));
    Ok(Outcome { targets, time })
}

fn prepare<'a>(targets: &[&'static Target], options: &'a Options) -> Result<Shared<'a>, String> {
    let whole: u64 = targets.iter().map(|target| u64::from(target.share)).sum();
    let (mut prepared, mut chunks, mut before) = (Vec::new(), Vec::new(), 0);
    for (number, target) in targets.iter().enumerate() {
        let entries = read(target).map_err(|error| error.to_string())?;
        let entries = entries.into_iter().map(|entry| entry.bytes).collect();
        prepared.push((*target, Mutator::new(entries, target.words, options.seed)));
        let executions = share(options.executions, before, u64::from(target.share), whole);
        before += u64::from(target.share);
        let starts = (0..executions).step_by(usize::try_from(CHUNK).unwrap_or(usize::MAX));
        chunks.extend(starts.map(|from| Chunk {
            target: number,
            from,
            to: executions.min(from + CHUNK),
        }));
    }
    Ok(Shared {
        tallies: prepared.iter().map(|_| Mutex::default()).collect(),
        targets: prepared,
        chunks,
        next: AtomicUsize::new(0),
        failures: &options.failures,
        trace: options.trace.as_deref(),
    })
}

/// How many of all executions are those of a target with so many of the `whole` shares, behind others
/// with so many `before` it: none is lost by rounding.
fn share(executions: u64, before: u64, own: u64, whole: u64) -> u64 {
    let until = |shares: u64| u128::from(executions) * u128::from(shares) / u128::from(whole);
    u64::try_from(until(before + own) - until(before)).unwrap_or_default()
}

impl Shared<'_> {
    /// Takes chunks until there are none.
    fn work(&self, place: &Place) {
        let mut warm = vec![false; self.targets.len()];
        let mut input = Vec::new();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(number) else {
                break;
            };
            let (target, mutator) = &self.targets[chunk.target];
            if !std::mem::replace(&mut warm[chunk.target], true) {
                // What a thread sets up once is no execution's own.
                mutator.input(0, &mut input);
                execute(target, &input).ok();
            }
            let mut tally = Tally::default();
            for execution in chunk.from..chunk.to {
                let within = execution - chunk.from;
                place.store(number as u64 * CHUNK + within, Ordering::Relaxed);
                mutator.input(execution, &mut input);
                if let Some(path) = self.trace {
                    fs::write(path, &input).ok();
                }
                match execute(target, &input) {
                    Ok(cost) => tally.note(cost),
                    Err(failure) => self.fail(target, &mut tally, &input, &failure),
                }
            }
            self.tally(chunk.target).add(tally);
        }
        place.store(u64::MAX, Ordering::Relaxed);
    }

    fn tally(&self, target: usize) -> std::sync::MutexGuard<'_, Tally> {
        // Nothing panics while it holds the lock.
        self.tallies[target]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a failure and tells of the first one of its kind in this chunk.
    fn fail(&self, target: &Target, tally: &mut Tally, input: &[u8], failure: &Failure) {
        tally.executions += 1;
        let count = tally.failures.entry(failure.key().to_owned()).or_default();
        *count += 1;
        let number = self.targets.iter().position(|(t, _)| t.name == target.name);
        let is_known = number.is_some_and(|at| self.tally(at).failures.contains_key(failure.key()));
        if *count == 1 && !is_known {
            let smaller = reduce(target, input, failure);
            tell(target, &smaller, &failure.to_string(), self.failures);
        }
    }

    /// Gives up what hangs: the process ends, for a thread cannot be stopped.
    fn hang(&self, place: u64) -> ! {
        let chunk = usize::try_from(place / CHUNK).ok();
        if let Some(chunk) = chunk.and_then(|number| self.chunks.get(number)) {
            let (target, mutator) = &self.targets[chunk.target];
            let mut input = Vec::new();
            mutator.input(chunk.from + place % CHUNK, &mut input);
            tell(target, &input, "does not end", self.failures);
        }
        process::exit(1)
    }
}

/// Looks at the threads until all have ended.
fn watch(shared: &Shared<'_>, places: &[Place], ended: &Receiver<()>) {
    let mut seen = vec![(u64::MAX, 0); places.len()];
    let mut running = places.len();
    while running > 0 {
        match ended.recv_timeout(LOOK) {
            Ok(()) => running -= 1,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                for (place, (last, times)) in places.iter().zip(&mut seen) {
                    let now = place.load(Ordering::Relaxed);
                    *times = if now == *last && now != u64::MAX {
                        *times + 1
                    } else {
                        0
                    };
                    *last = now;
                    if *times > LOOKS {
                        shared.hang(now);
                    }
                }
            }
        }
    }
}

/// Writes an input that breaks something, and prints what it breaks and how to see it.
fn tell(target: &Target, input: &[u8], what: &str, folder: &Path) {
    let name = format!("{}-{:08x}.bin", target.name, checksum(input));
    let path: PathBuf = folder.join(name);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, input));
    println!("{}: {} bytes: {what}", target.name, input.len());
    match written {
        Ok(()) => println!(
            "    cargo run --profile checked -p dragonfly-fuzz -- --only {} --input {}",
            target.name,
            path.display()
        ),
        Err(error) => println!("    {}: {error}", path.display()),
    }
}

/// FNV-1a, for a name.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, step)
}

impl Tally {
    fn note(&mut self, cost: Cost) {
        self.executions += 1;
        self.cpu += cost.cpu;
        self.worst.cpu = self.worst.cpu.max(cost.cpu);
        self.worst.memory = self.worst.memory.max(cost.memory);
    }

    fn add(&mut self, other: Self) {
        self.executions += other.executions;
        self.cpu += other.cpu;
        self.worst.cpu = self.worst.cpu.max(other.worst.cpu);
        self.worst.memory = self.worst.memory.max(other.worst.memory);
        for (key, count) in other.failures {
            *self.failures.entry(key).or_default() += count;
        }
    }
}
