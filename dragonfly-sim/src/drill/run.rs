//! One run: venues, a server and its clients, from their start to their end.

mod blows;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    time::Duration,
};

use dragonfly_core::clock::Clock;
use rustix::process::Signal;

use super::{
    Options, Outcome,
    course::{Blow, Course},
    judge::{HELD, Judge, News},
    process::Process,
    trace::Trace,
};
use crate::{
    exchange::DIALECTS,
    live::{self, Live},
    oracle::{Limits, Rule},
};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// Which clients are held to times; the other one is stopped at times.
const PROMPT: [bool; 3] = [true, true, false];
const SLOW: usize = 2;
/// How often the run is looked at.
const LOOK: u64 = 50 * MS;
/// After anything has stood still nothing is held to times for so long.
const GRACE: u64 = 2 * SECOND;
/// A server that stood still takes a message that came meanwhile for a new one: until it must have
/// noticed that nothing followed.
const SILENCE: u64 = 6_500 * MS;
/// Until when every book is shown for the first time.
const START: u64 = 20 * SECOND;
/// How much longer a fault may take to happen than planned.
const LATE: u64 = 12 * SECOND;
/// How long after the last fault every book is shown as it is.
const RECOVERY: u64 = 45 * SECOND;
/// Over how long the processor time of a quiet server is measured, and how much of it may be used.
const QUIET: u64 = 2 * SECOND;
const MOST_CPU_PERCENT: u64 = 25;
/// How long a server that is told to end may take.
const EXIT: u64 = 10 * SECOND;

/// What a run consists of.
struct Run<'a> {
    options: &'a Options,
    course: &'a Course,
    folder: PathBuf,
    clock: Clock,
    sender: SyncSender<News>,
    news: Receiver<News>,
    judge: Judge,
    live: Live,
    server: Process,
    port: u16,
    clients: Vec<Process>,
    next_look: u64,
    /// Nothing is held to times before then.
    patient_until: u64,
    blows: BTreeMap<String, u64>,
}

/// Runs a course; what was found is in the outcome.
///
/// # Errors
/// When it cannot be run at all: a program or a file that is not there.
pub(super) fn run(options: &Options, course: &Course, folder: &Path) -> Result<Outcome, String> {
    let mut run = Run::start(options, course, folder)?;
    let began = run.clock.mono().0;
    run.wait_for_all();
    run.go_wrong(began);
    run.live.calm();
    let recovery = run.settle();
    let cpu_percent = if recovery.is_some() { run.idle() } else { 0 };
    let exit = run.end();
    run.conclude(recovery, cpu_percent, exit)
}

impl<'a> Run<'a> {
    fn start(options: &'a Options, course: &'a Course, folder: &Path) -> Result<Self, String> {
        let clock = Clock::monotonic();
        // Room for some seconds; who fills it waits, which the times tell.
        let (sender, news) = sync_channel(65_536);
        let live = venues(course, &clock, sender.clone())?;
        let ca = folder.join(format!("{}.ca.pem", course.seed));
        std::fs::write(&ca, live.ca_pem()).map_err(|error| format!("{}: {error}", ca.display()))?;
        let trace = Trace::new(folder, course.seed)?;
        let judge = Judge::new(course.depth, limits(course), &PROMPT, trace);
        let log = folder.join(format!("{}.server.log", course.seed));
        // What an earlier run left behind would be taken for this one's.
        std::fs::remove_file(&log).ok();
        let arguments = server_arguments(course, &live, &ca, 0);
        let server = Process::start(&options.server, &arguments, "server", &log)?;
        let now = clock.mono().0;
        let mut run = Self {
            options,
            course,
            folder: folder.to_owned(),
            clock,
            sender,
            news,
            judge,
            live,
            server,
            port: 0,
            clients: Vec::new(),
            next_look: now,
            patient_until: 0,
            blows: BTreeMap::new(),
        };
        run.port = run.wait_for_port(&log)?;
        for number in 0..PROMPT.len() {
            let client = run.client(number)?;
            run.clients.push(client);
        }
        Ok(run)
    }

    /// The port the server says it serves on.
    fn wait_for_port(&mut self, log: &Path) -> Result<u16, String> {
        let until = self.clock.mono().0 + START;
        while self.clock.mono().0 < until && self.server.ended().is_none() {
            self.listen(20 * MS);
            let text = std::fs::read_to_string(log).unwrap_or_default();
            if let Some(port) = port(&text) {
                return Ok(port);
            }
        }
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let last = said.lines().last().unwrap_or("nothing");
        Err(format!(
            "{} does not serve; it says: {last}",
            self.options.server.display()
        ))
    }

    fn client(&self, number: usize) -> Result<Process, String> {
        let name = format!("client-{number}");
        let log = self.folder.join(format!("{}.{name}.log", self.course.seed));
        let arguments = [
            "--server".to_owned(),
            format!("http://127.0.0.1:{}", self.port),
            "--format".to_owned(),
            "json".to_owned(),
            "--depth".to_owned(),
            self.course.depth.to_string(),
        ];
        let mut client = Process::start(&self.options.client, &arguments, &name, &log)?;
        let tell = move |written| News::Shown(number, written);
        client.read(&self.clock, self.sender.clone(), tell)?;
        Ok(client)
    }

    /// Takes what comes in for about so long, and looks around when it is time.
    fn listen(&mut self, time: u64) {
        let until = self.clock.mono().0 + time;
        loop {
            let now = self.clock.mono().0;
            if now >= until {
                return;
            }
            self.look(now);
            let wait = until.min(self.next_look).saturating_sub(now).max(MS);
            match self.news.recv_timeout(Duration::from_nanos(wait)) {
                Ok(news) => self.judge.take(news),
                Err(RecvTimeoutError::Timeout) => {}
                // This run has a sender itself.
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, now: u64) {
        if now < self.next_look {
            return;
        }
        if now > self.next_look + 2 * LOOK {
            // This machine has no time even for the judge: nobody can be in time.
            self.patient_until = self.patient_until.max(now + GRACE);
        }
        self.next_look = now + LOOK;
        if now >= self.patient_until {
            self.judge
                .take(News::Said(crate::ledger::Record::Looked { at: now }));
        }
        self.judge.judge(now.saturating_sub(HELD));
    }

    /// Waits until every client shows every book as live.
    fn wait_for_all(&mut self) {
        let until = self.clock.mono().0 + START;
        while !self.judge.is_all_live() {
            self.listen(20 * MS);
            let now = self.clock.mono().0;
            if now > until {
                let what = "not every book is live, before anything went wrong";
                return self.judge.find(Rule::Recovery, now, "start", what);
            }
        }
    }

    /// Waits until every client shows every book as it is: how long it took until all were live.
    fn settle(&mut self) -> Option<u64> {
        let began = self.clock.mono().0;
        let mut live_after = None;
        loop {
            self.listen(20 * MS);
            let now = self.clock.mono().0;
            if live_after.is_none() && self.judge.is_all_live() {
                // What is judged by now happened that long ago.
                live_after = Some(now.saturating_sub(began + HELD));
            }
            let books = self.live.books().into_iter().filter(|book| book.is_listed);
            let books: Vec<_> = books
                .map(|book| (book.venue.to_owned(), book.symbol))
                .collect();
            let ailing = self.judge.ailing(&books);
            if ailing.is_empty() {
                return live_after;
            }
            if now > began + RECOVERY {
                for what in ailing {
                    self.judge.find(Rule::Recovery, now, "quiet end", what);
                }
                return None;
            }
        }
    }

    /// Nothing ends by itself.
    fn check_running(&mut self) {
        let now = self.clock.mono().0;
        for (name, process) in [("server".to_owned(), &mut self.server)]
            .into_iter()
            .chain((0..).map(|n| format!("client {n}")).zip(&mut self.clients))
        {
            if let Some(status) = process.ended() {
                let what = format!("ended by itself: {status}");
                self.judge.find(Rule::Failure, now, &name, what);
            }
        }
    }

    /// How much of a processor the server takes when hardly anything happens, in percent.
    fn idle(&mut self) -> u64 {
        let (began, before) = (self.clock.mono().0, self.server.cpu_ms());
        self.listen(QUIET);
        let (now, after) = (self.clock.mono().0, self.server.cpu_ms());
        let (Some(before), Some(after)) = (before, after) else {
            return 0;
        };
        let percent = (after - before) * 100 * MS / (now - began).max(1);
        if percent > MOST_CPU_PERCENT {
            let what = format!("{percent} % of a processor while hardly anything happens");
            self.judge.find(Rule::Storm, now, "server", what);
        }
        percent
    }

    /// Tells the server to end: it does so in time and in order, and every client hears of it.
    fn end(&mut self) -> Option<u64> {
        self.check_running();
        let told = self.clock.mono().0;
        self.server.signal(Signal::TERM);
        *self.blows.entry("server-terminated".into()).or_insert(0) += 1;
        let mut status = None;
        while status.is_none() && self.clock.mono().0 < told + EXIT {
            self.listen(5 * MS);
            status = self.server.ended();
        }
        let now = self.clock.mono().0;
        match status {
            Some(status) if status.success() => {}
            Some(status) => {
                self.judge.find(
                    Rule::Failure,
                    now,
                    "server",
                    format!("on SIGTERM: {status}"),
                );
            }
            None => {
                self.judge.find(
                    Rule::Failure,
                    now,
                    "server",
                    "on SIGTERM: runs on after 10 s",
                );
            }
        }
        // All that was sent before has arrived by then.
        self.listen(SECOND);
        self.judge.judge(u64::MAX);
        for number in 0..PROMPT.len() {
            let is_late = self.judge.lost_at(number).is_none_or(|at| at < told);
            if is_late || !self.judge.was_told(number) {
                let client = format!("client {number}");
                let what = "was not told that the server stops";
                self.judge.find(Rule::Failure, now, &client, what);
            }
        }
        status.map(|_| now - told)
    }

    fn conclude(
        mut self,
        recovery: Option<u64>,
        cpu_percent: u64,
        exit: Option<u64>,
    ) -> Result<Outcome, String> {
        let now = self.clock.mono().0;
        for (place, kind) in self.live.unfired() {
            let what = format!("{kind}, number {place} of the plan, never happened");
            self.judge.find(Rule::Fired, now, "venues", what);
        }
        if self.live.credulous() > 0 {
            let what = "a certificate that must be refused was taken";
            self.judge.find(Rule::Failure, now, "server", what);
        }
        if self.live.early_attempts() > 0 {
            let what = "a venue that had asked to wait was called too soon";
            self.judge.find(Rule::Storm, now, "server", what);
        }
        let mut fired = std::mem::take(&mut self.blows);
        for (kind, count) in self.live.fired() {
            *fired.entry(kind.name().to_owned()).or_insert(0) += count;
        }
        let (judged, skipped) = (self.judge.judged(), self.judge.skipped());
        let figures = std::mem::take(&mut self.judge.figures);
        let (violations, written) = self.judge.finish();
        written?;
        Ok(Outcome {
            judged,
            fired,
            violations,
            figures,
            skipped,
            recovery,
            cpu_percent,
            exit,
            is_of_cuts: self.course.is_of_cuts,
        })
    }
}

/// What the prompt clients are held to.
fn limits(course: &Course) -> Limits {
    let mut limits = Limits::real_time();
    if course
        .blows
        .iter()
        .any(|(_, blow)| matches!(blow, Blow::StopServer(_)))
    {
        // A server that stood still cannot know what was said meanwhile.
        limits.alive = 0;
    }
    limits
}

fn venues(course: &Course, clock: &Clock, sender: SyncSender<News>) -> Result<Live, String> {
    let mut options = live::Options::new(course.seed);
    options.instruments = course.instruments();
    options.plan = course.plan.clone();
    options.rate = live::Rate::PerSecond(course.rate);
    options.depth = course.depth;
    options.wild = true;
    options.span = Duration::from_nanos(course.last_due());
    options.clock = clock.clone();
    let sink = move |record| {
        // The run is over when nobody takes it.
        sender.send(News::Said(record)).ok();
    };
    Live::start(options, Box::new(sink)).map_err(|error| error.to_string())
}

fn server_arguments(course: &Course, live: &Live, ca: &Path, port: u16) -> Vec<String> {
    let mut venues = Vec::new();
    for base in course.instruments() {
        let books = DIALECTS
            .iter()
            .map(|d| format!("{}:{base}-{}", d.name, d.quote));
        venues.extend(books);
    }
    let mut arguments = vec![
        "--bind".to_owned(),
        format!("127.0.0.1:{port}"),
        "--venues".to_owned(),
        venues.join(","),
        "--depth".to_owned(),
        course.depth.to_string(),
        "--tls-ca".to_owned(),
        ca.display().to_string(),
    ];
    for (venue, url) in live.endpoints() {
        arguments.extend(["--endpoint".to_owned(), format!("{venue}={url}")]);
    }
    arguments
}

/// The port in the server's log.
fn port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("serving gRPC address=")?;
    // A line without its end may be cut in the middle of the number.
    let (address, _) = rest.split_once('\n')?;
    address.trim().rsplit_once(':')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_once_its_line_is_whole() {
        let log = "a INFO x: serving gRPC address=127.0.0.1:4242";
        assert_eq!(port(log), None);
        assert_eq!(port(&format!("{log}\nmore")), Some(4242));
        assert_eq!(port("error: no\n"), None);
    }
}
