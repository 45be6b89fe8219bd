//! Where clients come in: TCP, TLS, the upgrade to WebSocket, and what goes wrong on the way.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    floor::{Attempt, Shared},
    line,
    pipe::{Controls, Pipe},
    upgrade,
};
use crate::{certificate::Impostors, fault::Kind};

/// TLS and upgrade together may take this long.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// How long a client that is left hanging is waited for.
const HANG: Duration = Duration::from_secs(60);
/// Connections a venue serves at a time; more are closed as they come.
const MAX_CONNECTIONS: usize = 1_024;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
/// How often a closed door looks whether it is to open.
const LOOK: Duration = Duration::from_millis(20);

/// Where the clients of a venue come in.
pub(super) struct Door {
    pub(super) venue: usize,
    pub(super) address: SocketAddr,
    pub(super) floor: Shared,
    pub(super) tls: TlsAcceptor,
    pub(super) impostors: Impostors,
    pub(super) wake: Arc<Notify>,
}

/// Accepts clients for ever.
pub(super) async fn serve(listener: std::net::TcpListener, door: Arc<Door>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut listener = match TcpListener::from_std(listener) {
        Ok(listener) => Some(listener),
        Err(error) => return tracing::error!(%error, "cannot accept connections"),
    };
    // A fault that is proved by the next client that comes in.
    let mut unproved = None;
    loop {
        let Some(open) = &listener else {
            sleep(LOOK).await;
            listener = door.open().await.ok();
            continue;
        };
        let accepted = tokio::select! {
            biased;
            () = door.wake.notified() => None,
            accepted = open.accept() => Some(accepted),
        };
        match accepted {
            None => {
                if let Some(attempt) = door.closing() {
                    drop(listener.take());
                    listener = door.stay_closed(attempt).await.ok();
                    unproved = Some(attempt.index);
                }
            }
            Some(Ok((tcp, _))) => {
                if let Some(index) = unproved.take() {
                    door.floor.get().schedule.keep(index);
                }
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                    tracing::warn!("too many connections, one refused");
                    continue;
                };
                let door = Arc::clone(&door);
                tokio::spawn(async move {
                    door.welcome(tcp).await;
                    drop(slot);
                });
            }
            Some(Err(error)) => {
                // Out of file descriptors, most likely: others may give some back.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits until the client has gone.
async fn hang(input: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut bytes = [0; 4_096];
    let gone = async { while input.read(&mut bytes).await.is_ok_and(|len| len > 0) {} };
    timeout(HANG, gone).await.is_ok()
}

impl Door {
    /// The fault that wants the door closed, if there is one.
    fn closing(&self) -> Option<Attempt> {
        let mut floor = self.floor.get();
        let next = &mut floor.venues[self.venue].next_attempt;
        let is_closing =
            |attempt: &Attempt| matches!(attempt.kind, Kind::ConnectRefused | Kind::ConnectHangs);
        next.take_if(|attempt| is_closing(attempt))
    }

    fn socket(&self) -> io::Result<TcpSocket> {
        let socket = if self.address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // The connections that were accepted on it are still there.
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        Ok(socket)
    }

    async fn open(&self) -> io::Result<TcpListener> {
        self.socket()?.listen(BACKLOG)
    }

    /// Keeps the port without letting anybody in, and opens it again.
    async fn stay_closed(&self, attempt: Attempt) -> io::Result<TcpListener> {
        let socket = self.socket()?;
        let lasting = Duration::from_nanos(attempt.lasting);
        if attempt.kind == Kind::ConnectRefused {
            // A port that is taken and does not listen refuses.
            self.wait(lasting).await;
            return socket.listen(BACKLOG);
        }
        // A port whose queue is full does not answer at all.
        let full = socket.listen(0)?;
        let mut stuffing = Vec::new();
        for _ in 0..3 {
            let connect = TcpStream::connect(self.address);
            stuffing.push(timeout(LOOK, connect).await);
        }
        self.wait(lasting).await;
        drop((full, stuffing));
        self.open().await
    }

    /// Waits, but not beyond the end of all faults.
    async fn wait(&self, lasting: Duration) {
        let until = self.floor.get().now() + u64::try_from(lasting.as_nanos()).unwrap_or(u64::MAX);
        let is_over = || {
            let floor = self.floor.get();
            floor.is_calm || floor.now() >= until
        };
        while !is_over() {
            sleep(LOOK).await;
        }
    }

    /// Sees a client through TLS and upgrade, and serves it.
    async fn welcome(&self, mut tcp: TcpStream) {
        // Without it the system delays small messages; a socket that refuses is slow, not wrong.
        tcp.set_nodelay(true).ok();
        let attempt = self.floor.get().knock(self.venue);
        let kind = attempt.map(|attempt| attempt.kind);
        if kind == Some(Kind::TlsHangs) {
            return self.proved(attempt, hang(&mut tcp).await);
        }
        let controls = Arc::new(Controls::default());
        let pipe = Pipe::new(tcp, Arc::clone(&controls));
        let Ok(tls) = timeout(HANDSHAKE_WAIT, self.secure(kind).accept(pipe)).await else {
            return;
        };
        let is_impostor = matches!(
            kind,
            Some(Kind::UnknownCa | Kind::WrongHost | Kind::Expired)
        );
        let Ok(mut tls) = tls else {
            return self.proved(attempt, is_impostor);
        };
        if is_impostor {
            self.floor.get().credulous += 1;
            tracing::warn!(
                ?kind,
                "the client trusts a certificate that it must not trust"
            );
        }
        let Ok(Some(request)) = timeout(HANDSHAKE_WAIT, upgrade::read(&mut tls)).await else {
            return;
        };
        if kind == Some(Kind::UpgradeHangs) {
            return self.proved(attempt, hang(&mut tls).await);
        }
        let is_in = self.answer(&mut tls, &request, attempt).await;
        if kind == Some(Kind::AcceptThenClose) {
            tls.shutdown().await.ok();
            return self.proved(attempt, is_in);
        }
        if is_in {
            let target = [request.path.as_str(), request.query.as_str()];
            let id = self.floor.get().open(self.venue, target, controls);
            line::run(tls, id, self.floor.clone()).await;
        }
    }

    fn proved(&self, attempt: Option<Attempt>, is_proved: bool) {
        if let (Some(attempt), true) = (attempt, is_proved) {
            self.floor.get().schedule.keep(attempt.index);
        }
    }

    fn secure(&self, kind: Option<Kind>) -> TlsAcceptor {
        let config = match kind {
            Some(Kind::UnknownCa) => &self.impostors.unknown_ca,
            Some(Kind::WrongHost) => &self.impostors.wrong_host,
            Some(Kind::Expired) => &self.impostors.expired,
            _ => return self.tls.clone(),
        };
        TlsAcceptor::from(Arc::clone(config))
    }

    /// Answers the request; true when the client is in.
    async fn answer(
        &self,
        tls: &mut TlsStream<Pipe>,
        request: &upgrade::Request,
        attempt: Option<Attempt>,
    ) -> bool {
        let wrong = attempt.and_then(|at| Some((at, upgrade::wrong(&at)?)));
        if let Some((attempt, answer)) = wrong {
            if attempt.kind == Kind::RetryAfter {
                self.floor.get().bar(self.venue, attempt.lasting);
            }
            let is_sent = say(tls, &answer).await;
            tls.shutdown().await.ok();
            self.proved(Some(attempt), is_sent);
            return false;
        }
        let has_path = self.floor.get().venues[self.venue].dialect.has_path;
        let answer = match &request.key {
            _ if !has_path(&request.path) => upgrade::refuse("404 Not Found", ""),
            None => upgrade::refuse("426 Upgrade Required", "Upgrade: websocket\r\n"),
            Some(key) => return say(tls, &upgrade::accept(key)).await,
        };
        say(tls, &answer).await;
        tls.shutdown().await.ok();
        false
    }
}

async fn say(tls: &mut TlsStream<Pipe>, answer: &str) -> bool {
    tls.write_all(answer.as_bytes()).await.is_ok() && tls.flush().await.is_ok()
}
