//! What is taken of a stream at once: one message, or the newest of all that have arrived.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream as AsyncStream;
use tonic::Status;

use super::view::Stream;

/// A message, and how many images the reader does not get since the message before.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Taken<M> {
    pub(super) message: M,
    pub(super) skipped: u64,
}

impl<M: Stream> Taken<M> {
    fn new(message: M, passed_over: Option<&Self>) -> Self {
        let own = message.skipped();
        let skipped = passed_over.map_or(own, |before| {
            // What is no image yet is not counted as one.
            let image = u64::from(before.message.seq() > 0);
            before.skipped.saturating_add(image).saturating_add(own)
        });
        Self { message, skipped }
    }
}

/// The newest message that has arrived. At the end of the stream, and at an error, whatever came
/// before it is dropped: nothing of it is current any more.
///
/// Messages are passed over until they make up more than `most` bytes, so that a server that sends as
/// fast as they are read cannot keep the caller here; 0 takes one message after the other.
pub(super) fn poll_newest<S, M>(
    messages: &mut S,
    cx: &mut Context<'_>,
    most: usize,
) -> Poll<Option<Result<Taken<M>, Status>>>
where
    S: AsyncStream<Item = Result<M, Status>> + Unpin,
    M: Stream,
{
    let mut newest: Option<Taken<M>> = None;
    let mut bytes: usize = 0;
    while bytes <= most {
        match Pin::new(&mut *messages).poll_next(cx) {
            Poll::Ready(Some(Ok(message))) => {
                bytes = bytes.saturating_add(message.framed_len());
                newest = Some(Taken::new(message, newest.as_ref()));
            }
            Poll::Ready(Some(Err(status))) => return Poll::Ready(Some(Err(status))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => break,
        }
    }
    newest.map_or(Poll::Pending, |taken| Poll::Ready(Some(Ok(taken))))
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, task::Waker};

    use proptest::prelude::*;

    use super::*;
    use crate::proto::v1::Book;

    /// What is on the way: messages, moments at which nothing has arrived, and the end.
    struct Script(VecDeque<Poll<Option<Result<Book, Status>>>>);

    impl AsyncStream for Script {
        type Item = Result<Book, Status>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.pop_front().unwrap_or(Poll::Pending)
        }
    }

    fn poll(script: &mut Script, most: usize) -> Poll<Option<Result<Taken<Book>, Status>>> {
        poll_newest(script, &mut Context::from_waker(Waker::noop()), most)
    }

    fn book(seq: u64, skipped: u64) -> Book {
        Book {
            seq,
            skipped,
            ..Book::default()
        }
    }

    /// Books of which so many were skipped by the server before each; none is a pause.
    fn script(gaps: &[Option<u64>]) -> Script {
        let mut seq = 0;
        let step = |gap: &Option<u64>| match gap {
            None => Poll::Pending,
            Some(skipped) => {
                seq += 1 + skipped;
                Poll::Ready(Some(Ok(book(seq, *skipped))))
            }
        };
        Script(gaps.iter().map(step).collect())
    }

    proptest! {
        /// What is handed over is what a reader of every message has seen last, and what it is told it
        /// missed makes up the rest.
        #[test]
        fn the_newest_of_each_batch_is_handed_over_and_the_others_counted(
            gaps in prop::collection::vec(prop::option::of(0..5_u64), 0..60),
            most in prop_oneof![Just(0), 1..60_usize, Just(usize::MAX)],
        ) {
            let (mut all, mut few) = (script(&gaps), script(&gaps));
            let mut last = 0;
            let mut behind = 0;
            while !few.0.is_empty() {
                if let Poll::Ready(taken) = poll(&mut few, most) {
                    let taken = taken.unwrap().unwrap();
                    prop_assert_eq!(taken.message.seq, last + 1 + taken.skipped);
                    last = taken.message.seq;
                }
                while all.0.len() > few.0.len() {
                    if let Some(Poll::Ready(Some(Ok(book)))) = all.0.pop_front() {
                        behind = book.seq;
                    }
                }
                prop_assert_eq!(last, behind, "nothing that was read is kept back");
                if most == usize::MAX {
                    let was_pause = few.0.is_empty() || gaps[gaps.len() - few.0.len() - 1].is_none();
                    prop_assert!(was_pause, "nothing that has arrived is left");
                }
            }
        }
    }

    #[test]
    fn nothing_that_came_before_the_end_is_shown() {
        let mut ended = script(&[Some(0), Some(3)]);
        ended.0.push_back(Poll::Ready(None));
        assert!(matches!(poll(&mut ended, usize::MAX), Poll::Ready(None)));
        let mut broken = script(&[Some(0), Some(3)]);
        let lost = Status::unavailable("gone");
        broken.0.push_back(Poll::Ready(Some(Err(lost))));
        let end = poll(&mut broken, usize::MAX);
        assert!(matches!(end, Poll::Ready(Some(Err(_)))), "{end:?}");
    }

    #[test]
    fn one_after_the_other_keeps_what_came_before_the_end() {
        let mut ended = script(&[Some(0), Some(3)]);
        ended.0.push_back(Poll::Ready(None));
        for (seq, skipped) in [(1, 0), (5, 3)] {
            let Poll::Ready(Some(Ok(taken))) = poll(&mut ended, 0) else {
                panic!("no book {seq}");
            };
            assert_eq!((taken.message.seq, taken.skipped), (seq, skipped));
        }
        assert!(matches!(poll(&mut ended, 0), Poll::Ready(None)));
    }

    #[test]
    fn a_server_that_never_pauses_does_not_keep_the_reader() {
        let mut fast = script(&[Some(0); 1_000]);
        let size = book(1_000, 0).framed_len();
        assert!(poll(&mut fast, 10 * size).is_ready());
        assert!((970..=990).contains(&fast.0.len()), "{}", fast.0.len());
    }

    #[test]
    fn what_is_no_image_yet_is_not_counted_as_skipped() {
        let steps = [book(0, 0), book(1, 0)].map(|book| Poll::Ready(Some(Ok(book))));
        let Poll::Ready(Some(Ok(taken))) = poll(&mut Script(steps.into()), usize::MAX) else {
            panic!("nothing taken");
        };
        assert_eq!((taken.message.seq, taken.skipped), (1, 0));
    }
}
