//! The HTTP/1.1 upgrade: the request, and every check of the answer.

use std::{future::poll_fn, pin::pin, task::Poll};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use dragonfly_core::client::ClientError;
use http_body_util::Empty;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{
        CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
        UPGRADE, USER_AGENT,
    },
};
use hyper_util::rt::TokioIo;

use super::{endpoint::Endpoint, retry_after, stream::Transport};

/// The name of this step in errors.
pub(super) const STEP: &str = "WebSocket upgrade";

/// What RFC 6455 appends to the key before hashing it.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The largest answer that is read: one header, and all together.
const MAX_HEADER: usize = 16 * 1024;
const MAX_ANSWER: usize = 64 * 1024;

/// Asks for the upgrade; the transport comes back with the bytes that were read behind the answer.
pub(super) async fn upgrade(
    endpoint: &Endpoint,
    user_agent: &HeaderValue,
    transport: Transport,
) -> Result<(Transport, Bytes), ClientError> {
    let key = new_key()?;
    let request = request(endpoint, user_agent, &key)?;
    let (mut sender, mut connection) = http1::Builder::new()
        .title_case_headers(true)
        .max_header_size(MAX_HEADER)
        .max_buf_size(MAX_ANSWER)
        .handshake(TokioIo::new(transport))
        .await
        .map_err(|error| failed(reason(&error)))?;
    let mut answer = pin!(sender.send_request(request));
    // Both are polled from here: a spawned task would have to be Send and would outlive an error.
    let mut done = None;
    let response = poll_fn(|cx| {
        if done.is_none()
            && let Poll::Ready(result) = connection.poll_without_shutdown(cx)
        {
            done = Some(result);
        }
        answer.as_mut().poll(cx)
    })
    .await
    .map_err(|error| failed(reason(&error)))?;
    check(&response, &key)?;
    match done {
        Some(result) => result,
        None => poll_fn(|cx| connection.poll_without_shutdown(cx)).await,
    }
    .map_err(|error| failed(reason(&error)))?;
    let parts = connection.into_parts();
    Ok((parts.io.into_inner(), parts.read_buf))
}

/// Sixteen random bytes in base64, new for each connection.
fn new_key() -> Result<String, ClientError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| failed("this machine gives no random numbers".into()))?;
    Ok(STANDARD.encode(bytes))
}

/// The only right answer to a key.
fn accept_for(key: &str) -> String {
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(ACCEPT_GUID);
    STANDARD.encode(hash.finish())
}

fn request(
    endpoint: &Endpoint,
    user_agent: &HeaderValue,
    key: &str,
) -> Result<Request<Empty<Bytes>>, ClientError> {
    Request::get(&endpoint.target)
        .header(HOST, &endpoint.authority)
        .header(USER_AGENT, user_agent)
        .header(UPGRADE, "websocket")
        .header(CONNECTION, "Upgrade")
        .header(SEC_WEBSOCKET_KEY, key)
        .header(SEC_WEBSOCKET_VERSION, "13")
        .body(Empty::new())
        .map_err(|error| ClientError::Endpoint(format!("{:?}: {error}", endpoint.url)))
}

fn check(response: &Response<Incoming>, key: &str) -> Result<(), ClientError> {
    let headers = response.headers();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refused(response.status(), headers));
    }
    if !has_token(headers, UPGRADE, "websocket") {
        return Err(failed("the answer does not upgrade to websocket".into()));
    }
    if !has_token(headers, CONNECTION, "upgrade") {
        return Err(failed(
            "the answer's Connection header does not say upgrade".into(),
        ));
    }
    let mut accepts = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
    let (accept, another) = (accepts.next(), accepts.next());
    let fits = accept.is_some_and(|a| a.as_bytes().trim_ascii() == accept_for(key).as_bytes());
    if !fits || another.is_some() {
        return Err(failed(
            "the answer's Sec-WebSocket-Accept does not fit the key sent".into(),
        ));
    }
    for name in [SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL] {
        if let Some(value) = headers.get(&name) {
            return Err(failed(format!(
                "the answer sets {name} to {value:?}, none was asked for"
            )));
        }
    }
    Ok(())
}

/// Whether a header that is a list of tokens holds one of them, in any case.
fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

fn refused(status: StatusCode, headers: &HeaderMap) -> ClientError {
    // Not 418, 429 and 503 alone: firewalls in front of venues answer 403 with a wait.
    if (status.is_client_error() || status.is_server_error())
        && let Some(seconds) = retry_after::seconds(headers)
    {
        return ClientError::RetryAfter {
            status: status.as_u16(),
            seconds,
        };
    }
    match headers.get(LOCATION) {
        Some(location) if status.is_redirection() => failed(format!(
            "HTTP {status} to {location:?}: redirects are not followed, use that address if you trust it"
        )),
        _ => failed(format!("the server answered HTTP {status}, not 101")),
    }
}

fn failed(reason: String) -> ClientError {
    ClientError::Connect { step: STEP, reason }
}

/// The error with its cause, which hyper keeps apart.
fn reason(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_key_is_that_of_the_standard() {
        // The example of RFC 6455, section 1.3.
        assert_eq!(
            accept_for("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn keys_are_sixteen_bytes_and_never_the_same() {
        let (one, two) = (new_key().unwrap(), new_key().unwrap());
        assert_eq!(STANDARD.decode(&one).unwrap().len(), 16);
        assert_ne!(one, two);
    }

    #[test]
    fn tokens_are_found_in_lists_and_in_any_case() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, "keep-alive, UPGRADE".parse().unwrap());
        assert!(has_token(&headers, CONNECTION, "upgrade"));
        assert!(!has_token(&headers, CONNECTION, "up"));
    }
}
