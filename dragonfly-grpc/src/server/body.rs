//! The body of a streaming response: ready frames, then the status.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::{
    HeaderMap,
    body::{Body, Frame},
    header::HeaderValue,
};
use tokio::time::{Sleep, sleep};

use super::{
    seats::Subscribed,
    streams::{Streams, Taken, lock},
    view::View,
};

/// The trailers of a call that went well.
fn ok_trailers() -> Frame<Bytes> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    Frame::trailers(trailers)
}

/// Takes the frames of one subscriber for as long as the connection has room for them.
pub(super) struct StreamBody<V: View> {
    streams: Arc<Mutex<Streams<V>>>,
    place: usize,
    pace: Option<Pace>,
    ended: bool,
    /// Counts until the body is dropped.
    _subscribed: Option<Subscribed>,
}

/// Keeps a subscriber to its rate.
struct Pace {
    period: Duration,
    rest: Pin<Box<Sleep>>,
}

impl<V: View> StreamBody<V> {
    /// The body of the subscriber at `place`; `period` is the least time between two messages.
    pub(super) fn new(
        streams: Arc<Mutex<Streams<V>>>,
        place: usize,
        period: Option<Duration>,
        subscribed: Option<Subscribed>,
    ) -> Self {
        let pace = |period| Pace {
            period,
            rest: Box::pin(sleep(Duration::ZERO)),
        };
        Self {
            streams,
            place,
            pace: period.map(pace),
            ended: false,
            _subscribed: subscribed,
        }
    }
}

impl<V: View> Body for StreamBody<V> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let this = &mut *self;
        if let Some(pace) = &mut this.pace
            && pace.rest.as_mut().poll(cx).is_pending()
            && lock(&this.streams).rest(this.place, cx.waker())
        {
            return Poll::Pending;
        }
        let taken = lock(&self.streams).take(self.place, cx.waker());
        let frame = match taken {
            Taken::Nothing => return Poll::Pending,
            Taken::Frame(bytes) => Frame::data(bytes),
            Taken::End => {
                self.ended = true;
                ok_trailers()
            }
        };
        if let Some(pace) = &mut self.pace {
            pace.rest.set(sleep(pace.period));
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl<V: View> Drop for StreamBody<V> {
    fn drop(&mut self) {
        lock(&self.streams).leave(self.place);
    }
}

/// The body of a call with one answer.
pub(super) struct UnaryBody(Option<Bytes>, bool);

impl UnaryBody {
    pub(super) const fn new(frame: Bytes) -> Self {
        Self(Some(frame), false)
    }
}

impl Body for UnaryBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(frame) = self.0.take() {
            return Poll::Ready(Some(Ok(Frame::data(frame))));
        }
        let ended = std::mem::replace(&mut self.1, true);
        Poll::Ready((!ended).then(|| Ok(ok_trailers())))
    }
}
