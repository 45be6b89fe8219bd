//! The upgrade from HTTP to WebSocket, from the server's side: the request, and answers right and
//! wrong.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::floor::Attempt;
use crate::fault::Kind;

/// The largest request head, in bytes.
const MAX_HEAD: usize = 8 << 10;
/// What RFC 6455 appends to the key before hashing it.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a client asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) path: String,
    /// Empty where there is none.
    pub(super) query: String,
    /// None where it is no request to upgrade to WebSocket.
    pub(super) key: Option<String>,
}

/// Reads a request; `None` when the client goes away or sends what is none.
pub(super) async fn read(input: &mut (impl AsyncRead + Unpin)) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // A client says nothing more before the answer, so that what is read is all there is.
        if head.len() >= MAX_HEAD || input.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    parse(str::from_utf8(&head).ok()?)
}

fn parse(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let (mut is_upgrade, mut key) = (method == "GET", None);
    let mut has_upgrade = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "upgrade" => has_upgrade = value.eq_ignore_ascii_case("websocket"),
            "sec-websocket-version" => is_upgrade &= value == "13",
            "sec-websocket-key" => key = Some(value.to_owned()),
            _ => {}
        }
    }
    let key = key.filter(|_| is_upgrade && has_upgrade);
    Some(Request { path, query, key })
}

/// The answer that accepts.
pub(super) fn accept(key: &str) -> String {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(GUID);
    let accept = STANDARD.encode(hash.finish());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// An answer that refuses.
pub(super) fn refuse(status: &str, more: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n")
}

/// The wrong answer that the fault wants.
pub(super) fn wrong(attempt: &Attempt) -> Option<String> {
    let answer = match attempt.kind {
        Kind::RetryAfter => {
            let seconds = attempt.lasting.div_ceil(1_000_000_000);
            let status = if attempt.is_other {
                "403 Forbidden"
            } else {
                "429 Too Many Requests"
            };
            refuse(status, &format!("Retry-After: {seconds}\r\n"))
        }
        Kind::Upgrade200 => {
            let page = "<html><body>Welcome</body></html>";
            let len = page.len();
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len}\r\n\r\n{page}"
            )
        }
        Kind::Upgrade403 => refuse("403 Forbidden", ""),
        Kind::Upgrade503 => refuse("503 Service Unavailable", ""),
        Kind::UpgradeRedirect => refuse(
            "301 Moved Permanently",
            "Location: https://elsewhere.invalid/\r\n",
        ),
        Kind::UpgradeGarbage => "\u{0}\u{1}SSH-2.0-OpenSSH_9.6\r\n\r\n{]\r\n\r\n".to_owned(),
        _ => return None,
    };
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_standard_gets_the_answer_of_the_standard() {
        let answer = accept("dGhlIHNhbXBsZSBub25jZQ==");
        assert!(answer.contains("Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    }

    #[test]
    fn only_a_whole_request_to_upgrade_has_a_key() {
        let whole = "GET /v2?a=b HTTP/1.1\r\nHost: a\r\nUPGRADE: WebSocket\r\n\
                     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\n\r\n";
        let request = parse(whole).unwrap();
        assert_eq!(
            (request.path.as_str(), request.query.as_str()),
            ("/v2", "a=b")
        );
        assert_eq!(request.key.as_deref(), Some("k"));
        for (part, other) in [("GET", "POST"), ("WebSocket", "h2c"), ("13", "8")] {
            assert_eq!(
                parse(&whole.replace(part, other)).unwrap().key,
                None,
                "{other}"
            );
        }
        assert_eq!(parse("\r\n\r\n"), None);
    }
}
