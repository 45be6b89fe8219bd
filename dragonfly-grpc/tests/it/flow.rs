//! The server as the last stage of a flow that runs on its own threads.

use dragonfly_core::{
    clock::Clock,
    flow::Flow,
    market::ConsolidatedBook,
    queue::{self, Producer, PushError},
    run::Threads,
    stage::{Cx, Host, Source, Stage, StageError, Work},
};
use dragonfly_grpc::{
    Client, Server, TOKIO,
    client::{Disconnect, Event},
};

use super::bench::{deep, run, soon};

/// Emits views as fast as the queue takes them, until told to stop.
struct Views(u64);

struct Emitting(u64, Box<dyn Producer<Item = ConsolidatedBook>>);

impl Stage for Emitting {
    fn work(&mut self, cx: &Cx<'_>) -> Result<Work, StageError> {
        if cx.stop {
            return Ok(Work::Done);
        }
        match self.1.push(deep(self.0)) {
            Ok(()) => self.0 += 1,
            Err(PushError::Full(_)) => return Ok(Work::Held),
            Err(PushError::Closed(_)) => return Ok(Work::Done),
        }
        Ok(Work::Busy)
    }
}

impl Source for Views {
    type Event = ConsolidatedBook;
    fn attach(
        self: Box<Self>,
        output: Box<dyn Producer<Item = ConsolidatedBook>>,
        _: Clock,
    ) -> Box<dyn Stage> {
        Box::new(Emitting(self.0, output))
    }
    fn host(&self) -> Host {
        TOKIO
    }
    fn name(&self) -> String {
        "views".into()
    }
}

fn serve_and_stop(threads: Threads) {
    let server = Server::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", server.local_addr());
    let stats = server.stats();
    let mut flow = Flow::new();
    let views = flow.listen(Views(1)).via(queue::spsc(16));
    flow.serve(server, views);
    let running = flow.launch(threads).unwrap();
    run(async {
        let mut books = Client::builder(uri).build().unwrap().book("").subscribe();
        assert!(matches!(soon(books.next()).await, Event::Connected));
        let mut seq = None;
        for _ in 0..1_000 {
            let Event::View(view) = soon(books.next()).await else {
                panic!("the stream broke off");
            };
            if let Some(before) = seq.filter(|before| *before > 0) {
                assert_eq!(view.seq, before + 1 + view.skipped);
            }
            seq = Some(view.seq);
        }
        running.stop();
        let mut live = true;
        loop {
            match soon(books.next()).await {
                Event::View(view) => live = view.is_live(),
                Event::Disconnected(Disconnect::Ended) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(!live, "the last view of a stopped server has no live leg");
    });
    running.join().unwrap();
    assert_eq!((stats.connections(), stats.subscribers()), (0, 0));
    assert!(stats.published() > 1_000);
}

#[test]
fn on_one_thread_with_everything_else() {
    serve_and_stop(Threads::One);
}

#[test]
fn on_a_thread_of_its_own() {
    serve_and_stop(Threads::Dedicated);
}
