//! A view as one line of JSON.

use dragonfly_grpc::client::{Disconnect, Level, View};
use serde_json::{Value, json};

/// What follows the last view before a loss: an image without levels, so that a reader that knows
/// nothing of it does not go on with old prices.
pub(crate) fn lost_line(why: &Disconnect) -> String {
    let mut object = object(&View::default());
    object["disconnected"] = why.to_string().into();
    format!("{object}\n")
}

/// The line of a view, with its end. Prices and quantities are text, so that they stay exact.
pub(crate) fn line(view: &View) -> String {
    format!("{}\n", object(view))
}

fn object(view: &View) -> Value {
    let side = |levels: &[Level]| -> Vec<Value> {
        let level = |level: &Level| {
            json!({
                "venue": view.venue(level),
                "leg": level.leg,
                "price": level.price.to_string(),
                "qty": level.qty.to_string(),
            })
        };
        levels.iter().map(level).collect()
    };
    let legs: Vec<Value> = view
        .legs
        .iter()
        .map(|leg| {
            json!({
                "venue": leg.venue,
                "symbol": leg.symbol,
                "native_symbol": leg.native_symbol,
                "state": leg.state.name(),
                "cause": leg.cause.name(),
                "epoch": leg.epoch,
                "seq": leg.seq,
                "ts_venue_ns": leg.ts_venue.map(|t| t.0),
                "ts_recv_ns": leg.ts_recv.0,
            })
        })
        .collect();
    json!({
        "symbol": view.symbol,
        "seq": view.seq,
        "skipped": view.skipped,
        "live_legs": view.live_legs,
        "spread": view.spread().map(|s| s.to_string()),
        "crossed": view.crossed,
        "locked": view.locked,
        "bids": side(&view.bids),
        "asks": side(&view.asks),
        "legs": legs,
        "ts_recv_ns": view.ts_recv.0,
        "ts_emit_ns": view.ts_emit.0,
    })
}
