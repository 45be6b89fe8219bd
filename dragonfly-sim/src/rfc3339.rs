//! Times as text, the way Coinbase and Kraken write them.

use dragonfly_core::clock::UtcNanos;

/// `2026-08-09T21:05:48.228568Z`: UTC with microseconds.
pub(crate) fn micros(at: UtcNanos) -> String {
    text(at.0)
}

/// The same of a count of nanoseconds since 1970.
pub(crate) fn text(at: u64) -> String {
    let (seconds, nanos) = (at / 1_000_000_000, at % 1_000_000_000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let micros = nanos / 1_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a count of days since 1970-01-01: years of 400-year cycles that start
/// in March, so that the leap day is the last day of a year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (cycle, of_cycle) = (shifted / 146_097, shifted % 146_097);
    let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (cycle * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(micros(UtcNanos(0)), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            micros(UtcNanos(1_786_309_548_228_568_804)),
            "2026-08-09T21:05:48.228568Z"
        );
        assert_eq!(
            micros(UtcNanos(951_782_399_999_999_999)),
            "2000-02-28T23:59:59.999999Z"
        );
        assert_eq!(
            micros(UtcNanos(951_782_400_000_000_000)),
            "2000-02-29T00:00:00.000000Z"
        );
        assert_eq!(
            micros(UtcNanos(1_735_689_599_000_000_000)),
            "2024-12-31T23:59:59.000000Z"
        );
    }
}
