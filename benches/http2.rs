//! The bytes of a gRPC subscriber, with no socket and no more understanding than it takes to count
//! messages: thousands of them must cost less than the server they measure.
//!
//! Windows are opened so wide at the start that they are not opened again: a stream may carry 2 GiB.

/// What every HTTP/2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The largest window there is, in bytes.
const WINDOW: u32 = (1 << 31) - 1;
/// What a window has before anybody says otherwise, in bytes.
const FIRST_WINDOW: u32 = 65_535;
/// The head of a frame, in bytes.
const HEAD: usize = 9;
/// The head of a gRPC message, in bytes.
const PREFIX: usize = 5;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a client sends to make `streams` calls of `path`, each with the message `request`.
pub fn opening(path: &str, request: &[u8], streams: u32) -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    let mut settings = vec![0, 4];
    settings.extend(WINDOW.to_be_bytes());
    frame(&mut out, SETTINGS, 0, 0, &settings);
    frame(
        &mut out,
        WINDOW_UPDATE,
        0,
        0,
        &(WINDOW - FIRST_WINDOW).to_be_bytes(),
    );
    // POST, http; then literals that enter no table.
    let mut headers = vec![0x83, 0x86];
    for (name, value) in [
        (&[0x01_u8][..], "localhost"),
        (&[0x04], path),
        (&[0x0f, 0x10], "application/grpc"),
        (b"\0\x02te", "trailers"),
    ] {
        headers.extend(name);
        headers.push(u8::try_from(value.len()).unwrap());
        headers.extend(value.as_bytes());
    }
    let mut body = vec![0];
    body.extend(u32::try_from(request.len()).unwrap().to_be_bytes());
    body.extend(request);
    for stream in 0..streams {
        frame(&mut out, HEADERS, END_HEADERS, 2 * stream + 1, &headers);
        frame(&mut out, DATA, END_STREAM, 2 * stream + 1, &body);
    }
    out
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap();
    out.extend(&length.to_be_bytes()[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

/// The receiving side of a connection.
#[derive(Debug, Default)]
pub struct Receiver {
    /// The beginning of a frame whose end has not come.
    rest: Vec<u8>,
    /// For each stream the beginning of a message whose end has not come.
    parts: Vec<Vec<u8>>,
    /// Streams that have ended, well or not.
    pub ended: u64,
}

impl Receiver {
    /// Takes what was read: calls `each` with every whole gRPC message, and appends what has to be
    /// answered to `reply`.
    pub fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8]), reply: &mut Vec<u8>) {
        let mut whole = std::mem::take(&mut self.rest);
        let mut left = if whole.is_empty() {
            bytes
        } else {
            whole.extend_from_slice(bytes);
            &whole
        };
        while let Some((head, after)) = left.split_first_chunk::<HEAD>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, after)) = after.split_at_checked(length) else {
                break;
            };
            self.frame(head, payload, &mut each, reply);
            left = after;
        }
        self.rest = left.to_vec();
    }

    fn frame(
        &mut self,
        head: &[u8; HEAD],
        payload: &[u8],
        each: &mut impl FnMut(&[u8]),
        reply: &mut Vec<u8>,
    ) {
        let (kind, flags) = (head[3], head[4]);
        match kind {
            DATA => {
                let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                self.data(stream as usize / 2, payload, each);
            }
            HEADERS if flags & END_STREAM != 0 => self.ended += 1,
            RST_STREAM | GOAWAY => self.ended += 1,
            SETTINGS if flags & ACK == 0 => frame(reply, SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => frame(reply, PING, ACK, 0, payload),
            _ => {}
        }
    }

    fn data(&mut self, stream: usize, payload: &[u8], each: &mut impl FnMut(&[u8])) {
        if self.parts.len() <= stream {
            self.parts.resize_with(stream + 1, Vec::new);
        }
        let part = &mut self.parts[stream];
        if part.is_empty() && message(payload).is_some_and(|m| m.len() + PREFIX == payload.len()) {
            return each(&payload[PREFIX..]);
        }
        part.extend_from_slice(payload);
        while let Some(found) = message(part) {
            each(found);
            let length = found.len();
            part.drain(..PREFIX + length);
        }
    }
}

/// The gRPC message that is whole at the beginning of `bytes`.
fn message(bytes: &[u8]) -> Option<&[u8]> {
    let (prefix, after) = bytes.split_first_chunk::<PREFIX>()?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]);
    after.get(..length as usize)
}

/// What a subscriber reads of a `dragonfly.v1.Book`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamps {
    /// When the newest message behind it was received, ns UTC.
    pub ts_recv: u64,
    /// When it was published, ns UTC.
    pub ts_emit: u64,
    /// How many updates were left out before it.
    pub skipped: u64,
    /// Its number.
    pub seq: u64,
}

/// Reads the stamps of a `dragonfly.v1.Book`; what is malformed reads as zero.
pub fn stamps(mut book: &[u8]) -> Stamps {
    let mut stamps = Stamps::default();
    while let Some(tag) = varint(&mut book) {
        match (tag & 7, tag >> 3) {
            (0, field) => {
                let value = varint(&mut book).unwrap_or_default();
                match field {
                    2 => stamps.seq = value,
                    15 => stamps.skipped = value,
                    _ => {}
                }
            }
            (1, field) => {
                let Some((value, after)) = book.split_first_chunk::<8>() else {
                    return stamps;
                };
                book = after;
                match field {
                    9 => stamps.ts_recv = u64::from_le_bytes(*value),
                    10 => stamps.ts_emit = u64::from_le_bytes(*value),
                    _ => {}
                }
            }
            (2, _) => {
                let length = varint(&mut book).unwrap_or_default();
                book = book.get(length as usize..).unwrap_or_default();
            }
            _ => return stamps,
        }
    }
    stamps
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = bytes.split_first()?;
        *bytes = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
