//! The `Retry-After` header: how long a refused client is asked to wait (RFC 9110, section 10.2.3).

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the numbers are bounded where they are read"
)]

use hyper::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The wait in seconds that an answer asks for, `None` when it names none that can be understood.
///
/// A date is counted from the answer's own `Date`, so that the clocks of the two machines need not
/// agree.
pub(super) fn seconds(headers: &HeaderMap) -> Option<u64> {
    let value = text(headers, RETRY_AFTER)?;
    if let Ok(seconds) = value.parse() {
        return Some(seconds);
    }
    let now = unix_seconds(text(headers, DATE)?)?;
    Some(unix_seconds(value)?.saturating_sub(now))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Reads the one date form that HTTP allows to be written, `Sun, 06 Nov 1994 08:49:37 GMT`.
fn unix_seconds(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut parts = date.split_once(", ")?.1.strip_suffix(" GMT")?.split(' ');
    let day: u64 = parts
        .next()?
        .parse()
        .ok()
        .filter(|day| (1..=31).contains(day))?;
    let month = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64;
    let year: u64 = parts
        .next()?
        .parse()
        .ok()
        .filter(|year| (1970..=9999).contains(year))?;
    let mut clock = parts
        .next()?
        .split(':')
        .map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if hour > 23 || minute > 59 || second > 60 || clock.next().is_some() || parts.next().is_some() {
        return None;
    }
    Some(((days(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to the first of a month, which counts from zero.
fn days(year: u64, month: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let past = year - 1;
    let leap_days = (past / 4 - past / 100 + past / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let this_year = BEFORE[month as usize] + u64::from(leap && month >= 2);
    (year - 1970) * 365 + leap_days + this_year
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        seconds(&headers)
    }

    #[test]
    fn known_dates_are_read() {
        assert_eq!(unix_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(
            unix_seconds("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777)
        );
        assert_eq!(
            unix_seconds("Tue, 29 Feb 2000 00:00:00 GMT"),
            Some(951_782_400)
        );
        assert_eq!(
            unix_seconds("Fri, 01 Mar 2024 12:00:00 GMT"),
            Some(1_709_294_400)
        );
    }

    #[test]
    fn both_forms_count_seconds() {
        assert_eq!(asked("120", None), Some(120));
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:00 GMT", Some(now)), Some(23));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT", Some(now)), Some(0));
    }

    #[test]
    fn what_cannot_be_understood_is_none() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for value in [
            "",
            "-1",
            "soon",
            "Sun, 32 Nov 1994 08:50:00 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 0001 08:50:00 GMT",
        ] {
            assert_eq!(asked(value, now), None, "{value}");
        }
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:00 GMT", None), None);
    }
}
