//! Time stamps written as text.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the numbers are bounded where they are read"
)]

use dragonfly_core::clock::UtcNanos;

/// The moment an RFC 3339 text names, such as `2026-08-09T21:05:48.228568804Z`; digits beyond the
/// ninth are dropped. `None` for anything else, and for moments before 1970 or after 2554.
#[inline]
pub fn rfc3339(text: &[u8]) -> Option<UtcNanos> {
    let [date, clock] = [text.get(..10)?, text.get(10..19)?];
    let separated = date[4] == b'-' && date[7] == b'-' && clock[3] == b':' && clock[6] == b':';
    if !separated || !matches!(clock[0], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (
        number(&date[..4])?,
        number(&date[5..7])?,
        number(&date[8..])?,
    );
    let [hour, minute, second] = [
        number(&clock[1..3])?,
        number(&clock[4..6])?,
        number(&clock[7..])?,
    ];
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day);
    // A leap second is written as the sixtieth.
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = fraction(&text[19..])?;
    let seconds =
        days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    let total = u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?;
    total.checked_add(nanos).map(UtcNanos)
}

#[inline]
fn number(digits: &[u8]) -> Option<i64> {
    let digit = |n: Option<i64>, b: &u8| {
        let digit = i64::from(b.wrapping_sub(b'0'));
        n.filter(|_| digit <= 9).map(|n| n * 10 + digit)
    };
    digits.iter().fold(Some(0), digit)
}

/// The nanoseconds behind the point, if there is one, and what follows them.
#[inline]
fn fraction(text: &[u8]) -> Option<(u64, &[u8])> {
    let Some(text) = text.strip_prefix(b".") else {
        return Some((0, text));
    };
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, zone) = text.split_at(len);
    let mut nanos = 0;
    for place in 0..9 {
        let digit = digits.get(place).map_or(0, |b| b - b'0');
        nanos = nanos * 10 + u64::from(digit);
    }
    (len > 0).then_some((nanos, zone))
}

/// Seconds by which the zone is ahead of UTC.
#[inline]
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = number(&[*h1, *h2])? * 3_600 + number(&[*m1, *m2])? * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, after H. Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms".
const fn days(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            (
                "2026-08-09T21:05:48.228568804Z",
                Some(1_786_309_548_228_568_804),
            ),
            (
                "2026-08-09T23:05:48.228568804+02:00",
                Some(1_786_309_548_228_568_804),
            ),
            ("2000-02-29T12:00:00.5Z", Some(951_825_600_500_000_000)),
            (
                "2023-10-06T17:35:55.440295Z",
                Some(1_696_613_755_440_295_000),
            ),
            (
                "2023-10-06T17:35:55.4402951234Z",
                Some(1_696_613_755_440_295_123),
            ),
            ("0001-01-01T00:00:00Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("2023-13-06T17:35:55Z", None),
            ("2023-10-06T17:35:55", None),
            ("2023-10-06T17:35:55.Z", None),
            ("2026-08-09T21:06:1 .7Z", None),
            ("2023-10-06", None),
            ("", None),
        ] {
            assert_eq!(rfc3339(text.as_bytes()), nanos.map(UtcNanos), "{text}");
        }
    }
}
