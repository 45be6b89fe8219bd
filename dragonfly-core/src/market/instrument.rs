//! Unified symbols: `BTC-USDT`, `BTC-USDT-PERP`, `BTC-USD-20261225`, and the compact `btcusdt`.

use std::{fmt, str::FromStr};

use super::{Name, Symbol};

/// The code of an asset, such as `BTC`; upper case, at most 15 bytes.
type Asset = Name<15>;

/// Quote assets recognised at the end of a compact symbol, longest first.
const QUOTES: [&str; 25] = [
    "FDUSD", "RLUSD", "USDT", "USDC", "TUSD", "BUSD", "GUSD", "PYUSD", "USDP", "USD", "EUR", "GBP",
    "JPY", "CHF", "AUD", "CAD", "BRL", "TRY", "KRW", "SGD", "BTC", "ETH", "BNB", "DAI", "SOL",
];

/// What kind of contract an instrument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The asset itself.
    Spot,
    /// A perpetual swap.
    Perpetual,
    /// A future that expires on the day `yyyymmdd`.
    Future(u32),
}

/// What is traded: a base asset priced in a quote asset.
///
/// ```
/// use dragonfly_core::market::Instrument;
///
/// let eth: Instrument = "ethbtc".parse()?;
/// assert_eq!(eth.to_string(), "ETH-BTC");
/// assert_eq!("BTC-USDT-PERP".parse::<Instrument>()?.base(), "BTC");
/// # Ok::<(), dragonfly_core::market::InstrumentError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instrument {
    base: Asset,
    quote: Asset,
    kind: Kind,
}

/// Why a text names no instrument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstrumentError {
    /// The text has none of the known forms.
    #[error(
        "unknown instrument {0:?}: write BASE-QUOTE (ETH-BTC), BASE-QUOTE-PERP, \
         BASE-QUOTE-YYYYMMDD, or the compact form of a known quote asset (ethbtc)"
    )]
    Unknown(String),
}

impl Instrument {
    /// A spot instrument of two asset codes.
    ///
    /// # Errors
    /// [`InstrumentError::Unknown`] when a code is empty, too long, or not of letters and digits.
    pub fn spot(base: &str, quote: &str) -> Result<Self, InstrumentError> {
        Self::new(base, quote, Kind::Spot)
    }

    /// An instrument of any kind.
    ///
    /// # Errors
    /// [`InstrumentError::Unknown`] when a code is empty, too long, or not of letters and digits,
    /// or when the whole does not fit a [`Symbol`].
    pub fn new(base: &str, quote: &str, kind: Kind) -> Result<Self, InstrumentError> {
        let unknown = || InstrumentError::Unknown(format!("{base}-{quote}"));
        let asset = |code: &str| {
            let valid = !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric());
            let code = code.to_ascii_uppercase();
            valid
                .then(|| Asset::new(&code).ok())
                .flatten()
                .ok_or_else(unknown)
        };
        let instrument = Self {
            base: asset(base)?,
            quote: asset(quote)?,
            kind,
        };
        // Every instrument has a symbol, so its text must fit one.
        let fits = Symbol::new(&instrument.to_string()).is_ok();
        fits.then_some(instrument).ok_or_else(unknown)
    }

    /// The asset that is bought and sold, upper case.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The asset prices are given in, upper case.
    pub fn quote(&self) -> &str {
        &self.quote
    }

    /// The kind of contract.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The unified symbol.
    pub fn symbol(&self) -> Symbol {
        Symbol::new(&self.to_string()).unwrap_or_default()
    }

    /// Splits a compact pair such as `ethbtc` at the end of a known quote asset.
    pub fn from_compact(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let quote = QUOTES
            .iter()
            .find(|q| upper.len() > q.len() && upper.ends_with(**q))?;
        Self::spot(upper.strip_suffix(quote)?, quote).ok()
    }
}

impl FromStr for Instrument {
    type Err = InstrumentError;
    fn from_str(text: &str) -> Result<Self, InstrumentError> {
        let unknown = || InstrumentError::Unknown(text.chars().take(60).collect());
        let parts: Vec<&str> = text.split(['-', '/', '_']).collect();
        let parsed = match parts[..] {
            [compact] => Self::from_compact(compact),
            [base, quote] => Self::spot(base, quote).ok(),
            [base, quote, kind] => parse_kind(kind).and_then(|k| Self::new(base, quote, k).ok()),
            _ => None,
        };
        parsed.ok_or_else(unknown)
    }
}

fn parse_kind(text: &str) -> Option<Kind> {
    if text.eq_ignore_ascii_case("PERP") {
        return Some(Kind::Perpetual);
    }
    let day: u32 = text.parse().ok().filter(|_| text.len() == 8)?;
    let (month, date) = (day / 100 % 100, day % 100);
    ((1..=12).contains(&month) && (1..=31).contains(&date)).then_some(Kind::Future(day))
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.base, self.quote)?;
        match self.kind {
            Kind::Spot => Ok(()),
            Kind::Perpetual => f.write_str("-PERP"),
            Kind::Future(day) => write!(f, "-{day:08}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_names_the_same_instrument() {
        for (text, unified) in [
            ("ethbtc", "ETH-BTC"),
            ("ETH/BTC", "ETH-BTC"),
            ("eth_btc", "ETH-BTC"),
            ("btcusdt", "BTC-USDT"),
            ("1000PEPEUSDT", "1000PEPE-USDT"),
            ("BTC-USDT-perp", "BTC-USDT-PERP"),
            ("btc-usd-20261225", "BTC-USD-20261225"),
        ] {
            assert_eq!(text.parse::<Instrument>().unwrap().to_string(), unified);
        }
    }

    #[test]
    fn an_instrument_whose_symbol_would_not_fit_is_refused_and_not_left_without_one() {
        let (base, quote) = ("ABCDEFGHIJKLMNO", "PQRSTUVWXYZABCD");
        let perpetual = Instrument::new(base, quote, Kind::Perpetual).unwrap();
        assert_eq!(perpetual.symbol().len(), 36);
        let future = format!("{base}-{quote}-20261225").parse::<Instrument>();
        assert!(future.is_err(), "{future:?}");
    }

    #[test]
    fn nonsense_is_refused_with_what_would_be_right() {
        for text in [
            "",
            "btc",
            "usdt",
            "a-b-c-d",
            "BTC-USD-20261325",
            "b!c-usd",
            "foo",
        ] {
            let error = text.parse::<Instrument>().unwrap_err().to_string();
            assert!(
                error.contains(&format!("{text:?}")) && error.contains("BASE-QUOTE"),
                "{error}"
            );
        }
    }
}
