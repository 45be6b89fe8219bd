//! Wiring and running: the topologies users write, and what must hold while they run.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use dragonfly_core::{
    clock::{Clock, Nanos},
    flow::{Flow, WiringError, merge},
    queue::{self, Consumer, Producer, PushError},
    run::{JoinError, PARK, RunOptions, Threads, Wait},
    stage::{Aggregator, Cx, Host, Serve, Service, Source, Stage, StageError, Work},
};

/// Emits `from..to`, one a step, and holds what does not fit.
pub(crate) struct Numbers {
    from: u64,
    to: u64,
    panic_at: Option<u64>,
    host: Host,
}

pub(crate) fn numbers(from: u64, to: u64) -> Numbers {
    Numbers {
        from,
        to,
        panic_at: None,
        host: PARK,
    }
}

struct Counting(Numbers, Box<dyn Producer<Item = u64>>);

impl Stage for Counting {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        let Self(numbers, output) = self;
        if numbers.panic_at == Some(numbers.from) {
            panic!("number {} is too much", numbers.from);
        }
        if numbers.from == numbers.to || cx.stop {
            return Ok(Work::Done);
        }
        match output.push(numbers.from) {
            Ok(()) => numbers.from += 1,
            Err(PushError::Full(_)) => return Ok(Work::Held),
            Err(PushError::Closed(_)) => return Ok(Work::Done),
        }
        Ok(Work::Busy)
    }
}

impl Source for Numbers {
    type Event = u64;
    fn attach(self: Box<Self>, output: Box<dyn Producer<Item = u64>>, _: Clock) -> Box<dyn Stage> {
        Box::new(Counting(*self, output))
    }
    fn host(&self) -> Host {
        self.host
    }
    fn name(&self) -> String {
        format!("numbers {}..", self.from)
    }
}

/// Publishes the running sum `copies` times after each number.
struct Sum {
    sum: u64,
    copies: usize,
    left: usize,
}

fn sum(copies: usize) -> Sum {
    Sum {
        sum: 0,
        copies,
        left: 0,
    }
}

impl Aggregator for Sum {
    type Input = u64;
    type Output = u64;
    fn apply(&mut self, event: &u64) {
        self.sum += event;
        self.left = self.copies;
    }
    fn publish(&mut self) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        Some(self.sum)
    }
    fn name(&self) -> String {
        "sum".into()
    }
}

/// Writes down what it serves.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Vec<String>>>);

impl Book {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
    fn write(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }
}

pub(crate) struct Scribe(pub(crate) Book, pub(crate) bool);

impl Service for Scribe {
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        Ok(if self.1 { Work::Done } else { Work::Idle })
    }
    fn close(&mut self) {
        self.0.write("close");
        self.1 = true;
    }
    fn host(&self) -> Host {
        PARK
    }
    fn name(&self) -> String {
        "scribe".into()
    }
}

impl Serve<u64> for Scribe {
    fn publish(&mut self, items: &[u64]) {
        items.iter().for_each(|n| self.0.write(n.to_string()));
    }
    fn withdraw(&mut self) {
        self.0.write("no more numbers");
    }
}

impl Serve<String> for Scribe {
    fn publish(&mut self, items: &[String]) {
        items.iter().for_each(|text| self.0.write(text.clone()));
    }
    fn withdraw(&mut self) {
        self.0.write("no more text");
    }
}

fn step_to_the_end(flow: &mut Flow) -> usize {
    (1..10_000)
        .find(|i| flow.step(Nanos(*i)).unwrap() == Work::Done)
        .unwrap() as usize
}

#[test]
fn the_simple_topology_stepped_by_hand_is_exact() {
    let (book, mut flow) = (Book::default(), Flow::new());
    let all = flow
        .listen([numbers(0, 3), numbers(10, 11)])
        .via(queue::mpsc(256));
    let sums = flow.aggregate(all, sum(1)).via(queue::spmc(256));
    flow.serve(Scribe(book.clone(), false), sums);
    assert_eq!(flow.step(Nanos(1)).unwrap(), Work::Busy);
    assert_eq!(
        book.lines(),
        ["0", "10"],
        "one round takes a message from end to end"
    );
    step_to_the_end(&mut flow);
    assert_eq!(
        book.lines(),
        ["0", "10", "11", "13", "no more numbers", "close"]
    );
}

#[test]
fn the_complex_topology_changes_one_word_and_each_reader_sees_everything() {
    let (first, second, mut flow) = (Book::default(), Book::default(), Flow::new());
    let all = flow
        .listen([numbers(1, 3), numbers(3, 5)])
        .via(queue::mpmc(256));
    let sums = flow.aggregate(all.clone(), sum(1)).via(queue::spmc(256));
    let texts = flow
        .aggregate(all, sum(1))
        .via(queue::spsc(256))
        .map(|n| format!("t{n}"));
    flow.serve(Scribe(first.clone(), false), sums.clone());
    flow.serve(Scribe(second.clone(), false), (sums, texts));
    step_to_the_end(&mut flow);
    assert_eq!(
        first.lines(),
        ["1", "4", "6", "10", "no more numbers", "close"]
    );
    let mut lines = second.lines();
    assert_eq!(
        lines.pop().as_deref(),
        Some("close"),
        "a service closes after its last stream"
    );
    let is_number = |l: &&str| l.parse::<u64>().is_ok();
    let numbers: Vec<_> = lines.iter().map(String::as_str).filter(is_number).collect();
    let texts: Vec<_> = lines.iter().filter(|l| l.starts_with('t')).collect();
    assert_eq!((numbers, texts.len()), (vec!["1", "4", "6", "10"], 4));
}

#[test]
fn every_way_of_threading_gives_the_same_views_through_the_smallest_queues() {
    for threads in [
        Threads::Auto,
        Threads::One,
        Threads::Shared,
        Threads::Dedicated,
    ] {
        for wait in [
            Wait::Auto,
            Wait::Park,
            Wait::Adaptive(Nanos::from_millis(1)),
        ] {
            let (book, mut flow) = (Book::default(), Flow::new());
            // Every queue is full most of the time: whoever holds an item is woken by its reader.
            let all = flow.listen(numbers(0, 500)).via(queue::spsc(1));
            let sums = flow.aggregate(all, sum(2)).via(queue::spsc(1));
            flow.serve(Scribe(book.clone(), false), sums);
            flow.launch(RunOptions::from(threads).wait(wait))
                .unwrap()
                .join()
                .unwrap();
            let lines = book.lines();
            assert_eq!(lines.len(), 1_002, "{threads:?} {wait:?}");
            assert_eq!(lines[999], (499 * 500 / 2).to_string());
        }
    }
}

#[test]
fn a_flow_runs_inside_a_runtime_of_the_users_own() {
    let (book, mut flow) = (Book::default(), Flow::new());
    let all = flow.listen(numbers(0, 5)).via(queue::spsc(1));
    flow.serve(Scribe(book.clone(), false), all);
    (PARK.run)(Box::pin(async { flow.run().await.unwrap() }));
    assert_eq!(book.lines().len(), 7);
}

#[test]
fn what_is_left_is_published_before_the_end_is_passed_on() {
    let mut flow = Flow::new();
    let all = flow.listen(numbers(7, 8)).via(queue::spsc(4));
    let mut bot = flow
        .aggregate(all, sum(5))
        .via(queue::spsc(1))
        .into_consumer();
    let mut seen = Vec::new();
    for now in 0..50 {
        let work = flow.step(Nanos(now)).unwrap();
        if seen.is_empty() && now > 2 {
            assert_eq!(work, Work::Held, "an item that waits for room is not rest");
        }
        if now > 5
            && let Ok(items) = bot.ready()
        {
            let count = items.len();
            seen.extend_from_slice(items);
            bot.release(count);
        }
    }
    assert_eq!(seen, [7; 5]);
    assert!(bot.ready().is_err());
}

#[test]
fn a_bot_outside_the_flow_wakes_the_stage_that_waits_for_room() {
    let mut flow = Flow::new();
    let mut bot = flow
        .listen(numbers(0, 1_000))
        .via(queue::spsc(1))
        .into_consumer();
    let running = flow.launch(Threads::One).unwrap();
    let mut next = 0;
    while let Ok(items) = bot.ready() {
        let count = items.len();
        if let Some(first) = items.first() {
            assert_eq!(*first, next);
            next += 1;
        }
        bot.release(count);
        std::thread::yield_now();
    }
    assert_eq!(next, 1_000);
    running.join().unwrap();
}

#[test]
fn a_bot_that_leaves_ends_the_stage_that_waits_for_it() {
    let mut flow = Flow::new();
    let mut bot = flow
        .listen(numbers(0, 1_000))
        .via(queue::spsc(1))
        .into_consumer();
    let running = flow.launch(Threads::One).unwrap();
    while bot.ready().unwrap().is_empty() {
        std::thread::yield_now();
    }
    drop(bot);
    running.join().unwrap();
}

#[test]
fn several_wires_are_read_as_one() {
    let mut flow = Flow::new();
    let a = flow.listen(numbers(0, 3)).via(queue::spsc(8));
    let b = flow.listen(numbers(10, 13)).via(queue::spsc(8));
    let mut bot = flow
        .aggregate(merge([a, b]), sum(1))
        .via(queue::spsc(16))
        .into_consumer();
    step_to_the_end(&mut flow);
    assert_eq!(bot.ready().unwrap().last(), Some(&36));
}

#[test]
fn a_wire_nobody_reads_is_refused_before_anything_runs() {
    let mut flow = Flow::new();
    let _forgotten = flow.listen(numbers(0, 3)).via(queue::spsc(8));
    let error = flow.launch(Threads::One).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("nobody reads the spsc(8) behind `numbers 0..`"),
        "{error}"
    );
    let mut flow = Flow::new();
    let all = flow.listen(numbers(0, 3)).via(queue::spmc(8));
    let spare = all.clone();
    let _bot = all.into_consumer();
    assert!(matches!(flow.step(Nanos(0)), Err(e) if e.to_string().contains("nobody reads")));
    drop(spare);
    assert!(
        flow.step(Nanos(0)).is_ok(),
        "a clone that was dropped is no reader"
    );
    assert_eq!(
        Flow::new().launch(Threads::One).unwrap_err(),
        WiringError::Empty
    );
}

#[test]
fn a_panicking_stage_is_named_and_the_flow_behind_it_ends() {
    let (book, mut flow) = (Book::default(), Flow::new());
    let source = Numbers {
        panic_at: Some(2),
        ..numbers(0, 9)
    };
    let all = flow.listen(source).via(queue::spsc(8));
    flow.serve(Scribe(book.clone(), false), all);
    let error = flow.launch(Threads::One).unwrap().join().unwrap_err();
    assert_eq!(
        error.to_string(),
        "stage `numbers 0..` failed: number 2 is too much"
    );
    assert_eq!(book.lines(), ["0", "1", "no more numbers", "close"]);
}

struct Stubborn(Arc<AtomicUsize>);

impl Source for Stubborn {
    type Event = u64;
    fn attach(self: Box<Self>, _: Box<dyn Producer<Item = u64>>, _: Clock) -> Box<dyn Stage> {
        self
    }
    fn host(&self) -> Host {
        PARK
    }
    fn name(&self) -> String {
        "stubborn".into()
    }
}

impl Stage for Stubborn {
    fn work(&mut self, _: &Cx<'_>) -> Result<Work, StageError> {
        Ok(if self.0.load(Ordering::Acquire) == 0 {
            Work::Idle
        } else {
            Work::Done
        })
    }
}

#[test]
fn stopping_follows_the_data_and_names_who_does_not_stop() {
    let let_go = Arc::new(AtomicUsize::new(0));
    let mut flow = Flow::new();
    let mut good = flow
        .listen(numbers(0, u64::MAX))
        .via(queue::spsc(8))
        .into_consumer();
    let _bad = flow
        .listen(Stubborn(let_go.clone()))
        .via(queue::spsc(8))
        .into_consumer();
    let options = RunOptions::from(Threads::Dedicated).join_limit(Nanos::from_millis(50));
    let running = flow.launch(options).unwrap();
    let stopper = running.stopper();
    stopper.stop();
    let error = running.join().unwrap_err();
    assert_eq!(
        error,
        JoinError::Stuck {
            stages: vec!["stubborn".into()],
            limit_ms: 50
        }
    );
    let_go.store(1, Ordering::Release);
    stopper.stop();
    while let Ok(items) = good.ready() {
        let count = items.len();
        good.release(count);
    }
}

#[test]
fn stages_of_two_hosts_cannot_share_a_thread() {
    let other = Host {
        name: "other",
        run: PARK.run,
    };
    let third = Host {
        name: "third",
        run: PARK.run,
    };
    let build = || {
        let mut flow = Flow::new();
        let sources = [
            Numbers {
                host: other,
                ..numbers(0, 1)
            },
            Numbers {
                host: third,
                ..numbers(5, 6)
            },
        ];
        let bot = flow.listen(sources).via(queue::mpsc(8)).into_consumer();
        (flow, bot)
    };
    let (flow, _bot) = build();
    let error = flow.launch(Threads::One).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`numbers 5..` needs the host third on a thread that has other"
    );
    let (flow, mut bot) = build();
    flow.launch(Threads::Dedicated).unwrap().join().unwrap();
    assert_eq!(bot.ready().unwrap().len(), 2);
}

#[test]
fn the_picture_and_the_counters_say_what_was_wired_and_what_passed() {
    let (book, mut flow) = (Book::default(), Flow::new());
    let all = flow
        .listen([numbers(0, 3), numbers(5, 6)])
        .via(queue::mpsc(64));
    let sums = flow.aggregate(all, sum(1)).via(queue::spsc(64));
    flow.serve(Scribe(book, false), sums);
    let picture = flow.mermaid();
    assert_eq!(
        picture,
        "flowchart LR\n    s0([\"numbers 0..\"])\n    s1([\"numbers 5..\"])\n    s2[\"sum\"]\n    \
         s3[[\"scribe\"]]\n    q0>\"mpsc(64)\"]\n    q1>\"spsc(64)\"]\n    s0 --> q0\n    \
         s1 --> q0\n    q0 --> s2\n    s2 --> q1\n    q1 --> s3\n"
    );
    step_to_the_end(&mut flow);
    let queues: Vec<_> = flow.queues().iter().map(|q| (q.pushed, q.full)).collect();
    assert_eq!(queues, [(4, 0), (4, 0)]);
    let stages = flow.stages();
    assert_eq!((stages[2].name.as_str(), stages[2].busy.get()), ("sum", 4));
}

#[test]
fn two_misuses_do_not_compile_and_say_what_to_do() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/misuse/*.rs");
}
