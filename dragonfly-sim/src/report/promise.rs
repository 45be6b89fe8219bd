//! The promises, each with what it is held to.

/// What is promised to users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promise {
    /// Its name in results and on the page.
    pub id: &'static str,
    /// What is promised.
    pub text: &'static str,
    /// The figure a check has to reach.
    pub bar: &'static str,
}

const fn promise(id: &'static str, text: &'static str, bar: &'static str) -> Promise {
    Promise { id, text, bar }
}

/// Every promise, in the order of the page.
pub const PROMISES: &[Promise] = &[
    promise(
        "R1",
        "No wrong best price, level or merged book against an independent model",
        "0 in 2,000 seeds, 20 M checked updates, 50,000 faults",
    ),
    promise(
        "R2",
        "No stale or gapped book is shown as Live",
        "0; Stale within 5 s of silence + 100 ms",
    ),
    promise(
        "R3",
        "A gap stops the book at once",
        "0 updates applied after it; Live again within one snapshot round trip + 50 ms (p99)",
    ),
    promise(
        "R4",
        "Always reconnects, never storms",
        "first retry within 250 ms, venue budgets kept; loopback cut to Live p99 at most 250 ms",
    ),
    promise(
        "R5",
        "Malformed input: no panic, no hang, no memory blow-up",
        "0 in 10 M executions; at most 100 ms and 16 x input + 1 MiB each",
    ),
    promise(
        "R7",
        "Queues are sound in every interleaving",
        "loom on every own shared-memory primitive, preemption bound 2",
    ),
    promise(
        "R8",
        "A slow client hurts nobody",
        "50 stalled of 200: p99 of the healthy at most 1.2 x; 256 KiB a client; skipped counts exact",
    ),
    promise(
        "R9",
        "Nothing grows without bound",
        "10 M messages within 256 MiB",
    ),
    promise(
        "R10",
        "Faults are isolated",
        "p99 of the other books at most 1.2 x, no state of theirs changes",
    ),
    promise(
        "R14",
        "Starts, drains and stops in order",
        "health service; SIGTERM to exit at most 10 s, clients told why",
    ),
    promise(
        "S1",
        "Memory safety",
        "`unsafe` only where the architecture allows it, counted and capped",
    ),
    promise(
        "S2",
        "No panic on untrusted bytes",
        "lints against unwrap, expect, indexing and panic in code that reads bytes",
    ),
    promise(
        "S3",
        "TLS is verified by default, 1.2 or newer",
        "8 of 8 kinds of bad certificate refused",
    ),
    promise(
        "S4",
        "The server is safe by default",
        "hostile clients: memory at most + 64 MiB, p99 of the healthy at most 2 x",
    ),
    promise(
        "H1",
        "The checks can fail",
        "25 planted bugs, each found within 200 seeds",
    ),
];
