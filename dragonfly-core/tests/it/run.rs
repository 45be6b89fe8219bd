//! What a flow asks of its machine.

use std::sync::mpsc::{Receiver, Sender, channel};

use dragonfly_core::{
    clock::Clock,
    flow::{Flow, WiringError},
    queue::{self, Producer},
    run::{JoinError, PARK, RunOptions, Running, Threads, Wait, check_cores, cores},
    stage::{Cx, Host, Source, Stage, StageError, Work},
};

use super::flow::{Book, Scribe, numbers};

#[test]
fn a_core_that_is_not_there_stops_the_launch_before_anything_runs() {
    let (book, mut flow) = (Book::default(), Flow::new());
    let all = flow.listen(numbers(0, 5)).via(queue::spsc(4));
    flow.serve(Scribe(book.clone(), false), all);
    let beyond = cores().last().unwrap() + 1;
    let options = RunOptions::from(Threads::One).pin([beyond]);
    let expected = check_cores(&[beyond]).unwrap_err();
    let Err(WiringError::Core(error)) = flow.launch(options) else {
        panic!("it has no core {beyond}");
    };
    assert_eq!(error, expected);
    assert_eq!(book.lines(), [""; 0]);
}

#[test]
fn threads_that_spin_on_cores_of_their_own_give_every_view() {
    for threads in [Threads::One, Threads::Shared] {
        let (book, mut flow) = (Book::default(), Flow::new());
        let all = flow.listen(numbers(0, 100)).via(queue::spsc(1));
        flow.serve(Scribe(book.clone(), false), all);
        let options = RunOptions::from(threads).wait(Wait::Spin).pin(cores());
        flow.launch(options).unwrap().join().unwrap();
        assert_eq!(book.lines().len(), 102, "{threads:?}");
    }
}

/// Stands still in its first step until it is let go; has nothing to do from then on.
struct Stuck {
    entered: Sender<()>,
    let_go: Receiver<()>,
}

impl Source for Stuck {
    type Event = u64;

    fn attach(self: Box<Self>, _: Box<dyn Producer<Item = u64>>, _: Clock) -> Box<dyn Stage> {
        self
    }

    fn host(&self) -> Host {
        PARK
    }

    fn name(&self) -> String {
        "stuck".into()
    }
}

impl Stage for Stuck {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        if self.entered.send(()).is_ok() {
            self.let_go.recv().ok();
        }
        Ok(if cx.stop { Work::Done } else { Work::Idle })
    }
}

/// The steps of all stages.
fn steps(running: &Running) -> u64 {
    running.stages().iter().map(|stage| stage.steps.get()).sum()
}

#[test]
fn a_thread_that_stands_still_is_named_and_one_that_sleeps_is_not() {
    let (entered, entries) = channel();
    let (go, let_go) = channel();
    let mut flow = Flow::new();
    let first = flow.listen(numbers(0, 1)).via(queue::spsc(4));
    let second = flow.listen(Stuck { entered, let_go }).via(queue::spsc(4));
    let third = flow.listen(numbers(0, u64::MAX)).via(queue::spsc(4));
    let _read = [first, second, third].map(|wire| wire.into_consumer());
    let running = flow.launch(Threads::One).unwrap();
    entries.recv().unwrap();

    let mut watchdog = running.watchdog(3);
    let looks: Vec<_> = (0..5).map(|_| watchdog.look()).collect();
    let moved_before_it_was_watched = looks.iter().take_while(|look| look.is_none()).count();
    assert!((2..=3).contains(&moved_before_it_was_watched), "{looks:?}");
    let stall = looks[4].as_ref().unwrap();
    assert_eq!(stall.stage, "stuck");
    assert!(stall.to_string().contains("`stuck` has not moved for"));

    drop(entries);
    drop(go);
    while watchdog.look().is_some() {
        std::thread::yield_now();
    }
    // It sleeps, the full queue behind it, and each look wakes it for a round.
    for look in 0..100 {
        let before = steps(&running);
        assert_eq!(watchdog.look(), None, "look {look}");
        while steps(&running) == before {
            std::thread::yield_now();
        }
    }
    running.stop();
    running.join().unwrap();
    assert_eq!(
        watchdog.look(),
        None,
        "a flow that has ended stands still by right"
    );
}

/// Rests until the flow stops; its thread's host runs nothing.
struct Unborn(Host);

impl Source for Unborn {
    type Event = u64;

    fn attach(self: Box<Self>, _: Box<dyn Producer<Item = u64>>, _: Clock) -> Box<dyn Stage> {
        self
    }

    fn host(&self) -> Host {
        self.0
    }

    fn name(&self) -> String {
        format!("on {}", self.0.name)
    }
}

impl Stage for Unborn {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        Ok(if cx.stop { Work::Done } else { Work::Idle })
    }
}

#[test]
fn a_host_that_runs_nothing_is_a_fault_and_stops_the_flow() {
    let idle = Host {
        name: "idle",
        run: |life| drop(life),
    };
    let mut flow = Flow::new();
    // This one would rest for ever.
    let _well = flow
        .listen(Unborn(PARK))
        .via(queue::spsc(1))
        .into_consumer();
    let _ill = flow
        .listen(Unborn(idle))
        .via(queue::spsc(1))
        .into_consumer();
    let error = flow.launch(Threads::Dedicated).unwrap().join().unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, JoinError::Faults(faults) if faults.len() == 1));
    assert!(
        said.contains("`on idle`") && said.contains("did not run it"),
        "{said}"
    );
}
