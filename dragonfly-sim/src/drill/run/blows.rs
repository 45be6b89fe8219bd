//! The time of the faults, and what is done to the product's own processes.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use super::{
    super::{course::Blow, judge::HELD, process::Process},
    GRACE, LATE, MS, Run, SECOND, SILENCE, SLOW, server_arguments,
};
use crate::oracle::Rule;

/// How long after a server can open sockets again it may take to answer who has called meanwhile.
const CALL: u64 = 5 * SECOND;
/// Takes nothing, as a disk that is full.
const FULL: &str = "/dev/full";

impl Run<'_> {
    /// The time of the faults.
    pub(super) fn go_wrong(&mut self, began: u64) {
        for (at, blow) in &self.course.blows {
            self.listen((began + at).saturating_sub(self.clock.mono().0));
            *self.blows.entry(blow.name().to_owned()).or_insert(0) += 1;
            match *blow {
                Blow::KillServer => self.kill_server(&self.log()),
                Blow::FullDisk => self.kill_server(Path::new(FULL)),
                Blow::NoFiles(time) => self.without_files(time),
                Blow::StopServer(time) => {
                    // Until it goes on, and a while longer.
                    self.patient_until = self.clock.mono().0 + time + GRACE;
                    self.judge.excuse(self.patient_until);
                    self.server.signal(Signal::STOP);
                    self.listen(time);
                    self.server.signal(Signal::CONT);
                    // What had come meanwhile is heard of now: silence begins here.
                    self.patient_until = self.clock.mono().0 + SILENCE;
                }
                Blow::StopClient(time) => {
                    self.clients[SLOW].signal(Signal::STOP);
                    self.listen(time);
                    self.clients[SLOW].signal(Signal::CONT);
                }
            }
        }
        self.listen((began + self.course.span).saturating_sub(self.clock.mono().0));
        // What has begun late, or has found nothing to happen to, is waited for.
        let until = began + self.course.span + LATE;
        while !self.live.unfired().is_empty() && self.clock.mono().0 < until {
            self.listen(100 * MS);
        }
        self.check_running();
    }

    /// Where the server writes its log.
    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.server.log", self.course.seed))
    }

    /// For so long the server can open nothing: who calls waits, and is served afterwards.
    fn without_files(&mut self, time: u64) {
        let now = self.clock.mono().0;
        let limited = self.server.limit_files(Some(0));
        let caller = Caller::new(self.port);
        self.listen(time);
        let was_served = caller.as_ref().is_ok_and(Caller::is_served);
        let unlimited = limited.and_then(|before| self.server.limit_files(before));
        let caller = caller.map_err(|error| format!("port {}: {error}", self.port));
        let caller = match unlimited.and(caller) {
            Ok(caller) if !was_served => caller,
            Ok(_) => {
                let what = "a call was taken though there was no file for it";
                return self.judge.find(Rule::Fired, now, "out-of-files", what);
            }
            Err(why) => return self.judge.find(Rule::Fired, now, "out-of-files", why),
        };
        let until = self.clock.mono().0 + CALL;
        while !caller.is_served() {
            if self.clock.mono().0 > until {
                let what = "who called while it could open no file is not served";
                return self.judge.find(Rule::Failure, until, "server", what);
            }
            self.listen(20 * MS);
        }
    }

    fn kill_server(&mut self, log: &Path) {
        self.server.kill();
        let now = self.clock.mono().0;
        // What the clients had been sent before comes first.
        self.judge.judge(now.saturating_sub(HELD));
        self.judge.killed(now);
        let ca = self.folder.join(format!("{}.ca.pem", self.course.seed));
        let arguments = server_arguments(self.course, &self.live, &ca, self.port);
        match Process::start(&self.options.server, &arguments, "server", log) {
            Ok(server) => self.server = server,
            Err(why) => self.judge.find(Rule::Failure, now, "server", why),
        }
    }
}

/// Who has called the server and waits to be answered.
struct Caller(TcpStream);

impl Caller {
    fn new(port: u16) -> io::Result<Self> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        // The preface of HTTP/2, and settings that change nothing.
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Whether it has been answered.
    fn is_served(&self) -> bool {
        matches!(self.0.peek(&mut [0]), Ok(1..))
    }
}
