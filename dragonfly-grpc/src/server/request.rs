//! What a client asks, read within its limits of size and time.

use std::{
    error::Error,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::time::{Sleep, sleep, timeout};
use tonic::Status;

/// The head of a gRPC message: a flag and its length, in bytes.
const PREFIX: usize = 5;

/// Reads the one message of a request, `[flag, len32]` and so many bytes.
pub(super) async fn read_message<B>(body: B, limit: usize, wait: Duration) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes>,
{
    let mut frame = timeout(wait, read_whole(body, limit))
        .await
        .map_err(|_| too_slow())??;
    let malformed = || Status::invalid_argument("the request is not one gRPC message");
    if frame.len() < PREFIX {
        return Err(malformed());
    }
    let compressed = frame.get_u8() != 0;
    let length = frame.get_u32();
    if compressed {
        return Err(Status::unimplemented(
            "compressed requests are not supported",
        ));
    }
    if usize::try_from(length) != Ok(frame.len()) {
        return Err(malformed());
    }
    Ok(frame)
}

/// Everything a client sends, as one piece of memory: a frame of a single byte keeps all of what was
/// read of the socket with it.
async fn read_whole<B>(body: B, limit: usize) -> Result<Bytes, Status>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Status::cancelled("the request broke off"))?;
        let data = frame.data_ref().map_or(&[][..], |data| data);
        if whole.len().saturating_add(data.len()) > limit.saturating_add(PREFIX) {
            return Err(Status::resource_exhausted(format!(
                "a request has at most {limit} bytes"
            )));
        }
        whole.extend_from_slice(data);
    }
    Ok(whole.freeze())
}

fn too_slow() -> Status {
    Status::deadline_exceeded("the request took too long to arrive")
}

/// A message as it was in its request.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len().saturating_add(PREFIX));
    frame.extend_from_slice(&[0]);
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame.freeze()
}

/// A request of any number of messages, which fails when the first is not there in time.
pub(super) struct Prompt<B> {
    body: B,
    /// None once the first message is there.
    deadline: Option<Pin<Box<Sleep>>>,
    first: First,
}

impl<B> Prompt<B> {
    pub(super) fn new(body: B, wait: Duration) -> Self {
        Self {
            body,
            deadline: Some(Box::pin(sleep(wait))),
            first: First::default(),
        }
    }
}

impl<B> Body for Prompt<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(too_slow().into())));
        }
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && this.first.is_whole_with(data)
        {
            this.deadline = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}

/// How much of the first message is there.
#[derive(Debug, Default)]
struct First {
    head: [u8; PREFIX],
    seen: usize,
}

impl First {
    /// Whether it is whole with the next bytes.
    fn is_whole_with(&mut self, bytes: &[u8]) -> bool {
        let head = self.head.iter_mut().skip(self.seen);
        for (place, byte) in head.zip(bytes) {
            *place = *byte;
        }
        self.seen = self.seen.saturating_add(bytes.len());
        let [_, length @ ..] = self.head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        self.seen >= length.saturating_add(PREFIX)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible, sync::Arc};

    use super::*;

    /// What a frame pins: the counter says how many frames are kept.
    struct Pinned {
        byte: [u8; 1],
        _counted: Arc<()>,
    }

    impl AsRef<[u8]> for Pinned {
        fn as_ref(&self) -> &[u8] {
            &self.byte
        }
    }

    /// Frames of one byte; it looks whether those before are still kept.
    struct Bytewise {
        bytes: VecDeque<u8>,
        kept: Arc<()>,
    }

    impl Body for Bytewise {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let kept = Arc::strong_count(&self.kept) - 1;
            assert_eq!(kept, 0, "frames that were read are kept");
            let byte = self.bytes.pop_front();
            Poll::Ready(byte.map(|byte| {
                let pinned = Pinned {
                    byte: [byte],
                    _counted: self.kept.clone(),
                };
                Ok(Frame::data(Bytes::from_owner(pinned)))
            }))
        }
    }

    fn read(bytes: &[u8], limit: usize) -> Result<Bytes, Status> {
        let body = Bytewise {
            bytes: bytes.iter().copied().collect(),
            kept: Arc::default(),
        };
        let mut read = pin!(read_whole(body, limit));
        match read
            .as_mut()
            .poll(&mut Context::from_waker(std::task::Waker::noop()))
        {
            Poll::Ready(read) => read,
            Poll::Pending => panic!("it never waits"),
        }
    }

    #[test]
    fn what_was_read_of_the_socket_is_not_kept() {
        let request = framed(b"abcdef");
        assert_eq!(read(&request, 6).unwrap(), request);
    }

    #[test]
    fn a_request_beyond_the_limit_is_refused_when_it_is_reached() {
        let refusal = read(&framed(b"abcdefg"), 6).unwrap_err();
        assert!(refusal.message().contains("6 bytes"), "{refusal}");
    }

    #[test]
    fn the_first_message_is_whole_with_its_last_byte_wherever_it_is_cut() {
        let message = framed(b"abc");
        for cut in 0..message.len() {
            for second in cut..message.len() {
                let mut first = First::default();
                assert!(!first.is_whole_with(&message[..cut]));
                assert!(!first.is_whole_with(&message[cut..second]));
                assert!(first.is_whole_with(&message[second..]));
            }
        }
        assert!(First::default().is_whole_with(&[0, 0, 0, 0, 0]));
        let endless = [0, 0xff, 0xff, 0xff, 0xff, 1, 2];
        assert!(!First::default().is_whole_with(&endless));
    }
}
