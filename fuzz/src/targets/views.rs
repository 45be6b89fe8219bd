//! The answers of a gRPC server, as the client decodes them.

use dragonfly_grpc::{
    client::Stream,
    proto::{orderbook, v1},
};
use prost::Message;

/// Decodes all but the first byte of `input` as the message that the first byte chooses: what is
/// decoded can be encoded and decoded again, and its levels name legs that there are.
pub(super) fn view(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    match first % 4 {
        0 => image::<v1::Book>(bytes),
        1 => image::<v1::Liquidity>(bytes),
        2 => again::<v1::ListStreamsResponse>(bytes).map_or((), drop),
        _ => again::<orderbook::Summary>(bytes).map_or((), drop),
    }
}

fn image<M: Message + Default + Stream>(bytes: &[u8]) {
    let Some(view) = again::<M>(bytes).and_then(|message| message.into_view().ok()) else {
        return;
    };
    for level in view.bids.iter().chain(&view.asks) {
        assert_eq!(view.venue(level).is_some(), level.leg.is_some());
    }
    view.spread();
}

fn again<M: Message + Default>(bytes: &[u8]) -> Option<M> {
    let message = M::decode(bytes).ok()?;
    let encoded = message.encode_to_vec();
    let second = M::decode(&encoded[..]).expect("what was encoded can be decoded");
    // By their bytes: a number that is none does not equal itself.
    assert_eq!(second.encode_to_vec(), encoded);
    Some(message)
}
