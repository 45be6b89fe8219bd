//! From the path of a request to who answers it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use dragonfly_core::market::{MAX_DEPTH, NameError, Symbol};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as HttpBody, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
};
use prost::Message;
use tokio::sync::Notify;
use tonic::{Status, body::Body, codegen::Service};

use super::{
    body::{StreamBody, UnaryBody},
    hub::Hub,
    request::{Prompt, framed, read_message},
    seats::Seat,
    streams::{Streams, lock},
    subscriber::Ask,
    view::View,
};
use crate::{
    encode::{Form, Schema, list_frame},
    policy::Policy,
    proto::v1,
};

const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";
/// The size of a message to the health service and to reflection, in bytes: the name of a service, of a
/// file or of a symbol.
pub(super) const OTHERS_BYTES: usize = 1024;
/// Levels a side when the client does not say.
const DEFAULT_DEPTH: usize = 10;

/// Who answers: the streams here, health and reflection through their crates.
#[derive(Clone)]
pub(super) struct Routes {
    others: tonic::service::Routes,
}

impl Routes {
    pub(super) const fn new(others: tonic::service::Routes) -> Self {
        Self { others }
    }

    /// Answers a request.
    pub(super) async fn answer(
        mut self,
        request: Request<Incoming>,
        hub: Arc<Hub>,
        caller: Caller,
    ) -> Result<Response<Body>, Infallible> {
        let call = match request.uri().path() {
            "/orderbook.OrderbookAggregator/BookSummary" => Some(Call::BookSummary),
            "/dragonfly.v1.MarketData/StreamBook" => Some(Call::StreamBook),
            "/dragonfly.v1.MarketData/StreamLiquidity" => Some(Call::StreamLiquidity),
            "/dragonfly.v1.MarketData/ListStreams" => Some(Call::ListStreams),
            _ => None,
        };
        if call.is_some() && !is_grpc(&request) {
            let mut refusal = Response::new(Body::empty());
            *refusal.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Ok(refusal);
        }
        let answer = match call {
            Some(call) => respond(call, request.into_body(), &hub, caller).await,
            None => self.foreign(request, &hub, &caller.seat).await,
        };
        Ok(answer.unwrap_or_else(|status| {
            hub.stats.refused.add(1);
            status.into_http()
        }))
    }

    /// Hands a request on within limits: those who answer it would wait for the rest for ever. An
    /// answer without end counts as a subscription.
    async fn foreign(
        &mut self,
        request: Request<Incoming>,
        hub: &Hub,
        seat: &Seat,
    ) -> Result<Response<Body>, Status> {
        let (head, body) = request.into_parts();
        let wait = hub.limits.handshake;
        let (subscribed, body) = match head.uri.path() {
            HEALTH_CHECK => (None, whole(body, hub).await?),
            HEALTH_WATCH => (Some(seat.subscribe()?), whole(body, hub).await?),
            // Of the others only reflection reads what it is sent.
            _ => (Some(seat.subscribe()?), Body::new(Prompt::new(body, wait))),
        };
        let Ok(response) = self.others.call(Request::from_parts(head, body)).await;
        let Some(subscribed) = subscribed else {
            return Ok(response);
        };
        let counted = move |frame| {
            let _counts_until_dropped = &subscribed;
            frame
        };
        Ok(response.map(|body| Body::new(body.map_frame(counted))))
    }
}

/// The body of a request to the health service, once all of it is there.
async fn whole(body: Incoming, hub: &Hub) -> Result<Body, Status> {
    let limit = hub.limits.message_bytes.min(OTHERS_BYTES);
    let message = read_message(body, limit, hub.limits.handshake).await?;
    Ok(Body::new(Full::new(framed(&message))))
}

/// Whose request it is.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) seat: Seat,
    /// Cuts its connection.
    pub(super) cut: Arc<Notify>,
}

#[derive(Clone, Copy)]
enum Call {
    BookSummary,
    StreamBook,
    StreamLiquidity,
    ListStreams,
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let is_grpc = kind.is_some_and(|k| k.as_bytes().starts_with(b"application/grpc"));
    is_grpc && request.method() == Method::POST
}

async fn respond(
    call: Call,
    body: Incoming,
    hub: &Hub,
    Caller { seat, cut }: Caller,
) -> Result<Response<Body>, Status> {
    let message = read_message(body, hub.limits.message_bytes, hub.limits.handshake).await?;
    match call {
        Call::BookSummary => {
            let form = Form {
                schema: Schema::Summary,
                depth: DEFAULT_DEPTH,
            };
            let ask = Ask {
                symbol: Symbol::EMPTY,
                form,
                policy: Policy::EveryUpdate,
                cut,
            };
            open(&hub.books, ask, &seat)
        }
        Call::StreamBook => {
            use v1::stream_book_request::Policy as Wire;
            let request: v1::StreamBookRequest = decode(message)?;
            let policy = match request.policy {
                None | Some(Wire::EveryUpdate(_)) => Policy::EveryUpdate,
                Some(Wire::Conflate(_)) => Policy::Conflate,
                Some(Wire::AtMost(most)) => Policy::AtMost(most.per_second),
            };
            open(
                &hub.books,
                ask(&request.symbol, request.depth, policy, cut)?,
                &seat,
            )
        }
        Call::StreamLiquidity => {
            use v1::stream_liquidity_request::Policy as Wire;
            let request: v1::StreamLiquidityRequest = decode(message)?;
            let policy = match request.policy {
                None | Some(Wire::EveryUpdate(_)) => Policy::EveryUpdate,
                Some(Wire::Conflate(_)) => Policy::Conflate,
                Some(Wire::AtMost(most)) => Policy::AtMost(most.per_second),
            };
            open(
                &hub.liquidity,
                ask(&request.symbol, request.depth, policy, cut)?,
                &seat,
            )
        }
        Call::ListStreams => {
            let _: v1::ListStreamsRequest = decode(message)?;
            let frame = list_frame(|list| {
                lock(&hub.books).describe(list);
                lock(&hub.liquidity).describe(list);
            });
            Ok(grpc_response(UnaryBody::new(frame)))
        }
    }
}

fn decode<M: Message + Default>(message: Bytes) -> Result<M, Status> {
    M::decode(message)
        .map_err(|error| Status::invalid_argument(format!("malformed request: {error}")))
}

/// Checks what a client asks for.
fn ask(symbol: &str, depth: u32, policy: Policy, cut: Arc<Notify>) -> Result<Ask, Status> {
    let symbol = Symbol::new(symbol.trim())
        .map_err(|error: NameError| Status::invalid_argument(format!("symbol: {error}")))?;
    let depth = match usize::try_from(depth) {
        Ok(0) => DEFAULT_DEPTH,
        Ok(depth) if depth <= MAX_DEPTH => depth,
        _ => {
            return Err(Status::invalid_argument(format!(
                "depth {depth} is too large: 1 to {MAX_DEPTH}, or 0 for {DEFAULT_DEPTH}"
            )));
        }
    };
    if let Policy::AtMost(rate) = policy
        && !(1..=Policy::MAX_PER_SECOND).contains(&rate)
    {
        return Err(Status::invalid_argument(format!(
            "at_most.per_second {rate} is out of range: 1 to {}",
            Policy::MAX_PER_SECOND
        )));
    }
    let form = Form {
        schema: Schema::V1,
        depth,
    };
    Ok(Ask {
        symbol,
        form,
        policy,
        cut,
    })
}

fn open<V: View>(
    streams: &Arc<Mutex<Streams<V>>>,
    ask: Ask,
    seat: &Seat,
) -> Result<Response<Body>, Status> {
    let subscribed = seat.subscribe()?;
    let period = match ask.policy {
        Policy::AtMost(rate) => Duration::from_secs(1).checked_div(rate),
        _ => None,
    };
    let place = lock(streams).subscribe(ask)?;
    let body = StreamBody::new(streams.clone(), place, period, Some(subscribed));
    Ok(grpc_response(body))
}

fn grpc_response<B>(body: B) -> Response<Body>
where
    B: HttpBody<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let mut response = Response::new(Body::new(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
