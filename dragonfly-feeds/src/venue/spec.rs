//! What a venue file tells the rest of the framework.

use std::fmt::Write as _;

use dragonfly_core::{
    feed::{Decoder, FeedPolicy, Subscriber},
    market::{BookRules, Instrument, Symbol},
};

/// One venue: what it is, and how to make the parts of a feed for it.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The id, lower case, as it appears in events and on command lines.
    pub id: &'static str,
    /// One line for help texts and tables.
    pub about: &'static str,
    /// The kinds of instrument whose books are offered, in words.
    pub kinds: &'static str,
    /// The channel that is subscribed to.
    pub channel: &'static str,
    /// How a lost update is noticed.
    pub loss: &'static str,
    /// How many levels a side can be subscribed to, ascending; empty where the venue sends its
    /// whole book.
    pub depths: &'static [usize],
    /// How many of `depths` are subscribed to unless more are wanted.
    pub usual_depth: usize,
    /// The rules of its books.
    pub rules: fn() -> BookRules,
    /// What it wants of a connection.
    pub policy: fn() -> FeedPolicy,
    /// The longest message it sends, in bytes.
    pub max_message: usize,
    /// The venue's name for an instrument; `None` where it has no instruments of that kind.
    pub native: fn(&Instrument) -> Option<Symbol>,
    /// For a connection to the given URL, what makes a unified symbol of a native one. A native
    /// symbol that cannot be taken apart stays as it is.
    pub unify: fn(url: &str) -> fn(&str) -> Symbol,
    /// Where to connect for an instrument. Instruments of different endpoints need different
    /// connections.
    pub endpoint: fn(&Instrument) -> &'static str,
    /// Makes layer 2.
    pub subscriber: fn(&Subscription) -> Box<dyn Subscriber>,
    /// Makes the venue's part of layer 3.
    pub decoder: fn(&Subscription) -> Box<dyn Decoder>,
    /// The venue's other book channel, for recordings of it.
    pub diffs: Option<Diffs>,
}

/// A channel of changes whose start is fetched by a request of its own: read from recordings only.
#[derive(Clone, Copy, Debug)]
pub struct Diffs {
    /// The rules of such books.
    pub rules: fn() -> BookRules,
    /// Makes the decoder.
    pub decoder: fn(&Subscription) -> Box<dyn Decoder>,
    /// Makes a message of the channel out of a recorded answer to the request, given its URL;
    /// `None` when it is the answer to something else.
    pub snapshot: fn(url: &str, body: &str) -> Option<String>,
}

/// What one connection is to subscribe to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscription {
    /// Native symbols; none for a recording, whose instruments are found in it.
    pub symbols: Vec<Symbol>,
    /// How many levels a side the channel is to carry, where the venue offers a choice. Taken up to
    /// the next number it offers; `None` chooses the venue's usual one, or more if `depth` is more.
    pub channel_depth: Option<usize>,
    /// How many levels a side are wanted of the result.
    pub depth: usize,
}

impl Subscription {
    /// The best `depth` levels of `symbols`.
    pub fn new(symbols: impl IntoIterator<Item = Symbol>, depth: usize) -> Self {
        Self {
            symbols: symbols.into_iter().collect(),
            channel_depth: None,
            depth,
        }
    }

    /// Asks for a channel of `levels` levels a side.
    #[must_use]
    pub fn channel_depth(mut self, levels: usize) -> Self {
        self.channel_depth = Some(levels);
        self
    }

    /// How many levels `spec` will be asked for; zero where there is no choice.
    pub fn levels(&self, spec: &Spec) -> usize {
        let least = self.channel_depth.unwrap_or(spec.usual_depth);
        let least = least.max(self.depth);
        let offered = spec.depths.iter().copied().find(|levels| *levels >= least);
        offered.or_else(|| spec.depths.last().copied()).unwrap_or(0)
    }
}

/// What the venues can do, as a table in Markdown.
pub fn table() -> String {
    let mut table = String::from(
        "| venue | instruments | channel | levels | a lost update shows by |\n\
         |---|---|---|---|---|\n",
    );
    for spec in super::all() {
        let levels = spec.depths.iter().map(ToString::to_string);
        let levels = match spec.depths {
            [] => "all".to_owned(),
            _ => levels.collect::<Vec<_>>().join(", "),
        };
        // As code, or a reader of the Markdown would take `<symbol>` for a tag.
        let channel = format!("`{}`", spec.channel);
        let row = [spec.id, spec.kinds, &channel, &levels, spec.loss];
        writeln!(table, "| {} |", row.join(" | ")).unwrap_or_default();
    }
    table
}
