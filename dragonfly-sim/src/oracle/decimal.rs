//! Decimal text, compared and added digit by digit.

use std::cmp::Ordering;

/// The digits before and after the point, without zeros that mean nothing.
fn parts(text: &str) -> (&str, &str) {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    )
}

/// Which of two numbers is greater. A minus sign makes a number smaller than any without.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    match (a.strip_prefix('-'), b.strip_prefix('-')) {
        (Some(a), Some(b)) => by_digits(b.as_bytes(), a.as_bytes()),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => by_digits(a.as_bytes(), b.as_bytes()),
    }
}

/// Which of two numbers without a sign is greater: the one with more digits before the point, or
/// else the one with the greater first digit that differs.
fn by_digits(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b) = (without_zeros(a), without_zeros(b));
    let (point_a, point_b) = (point(a), point(b));
    let fraction = |digits: &'_ [u8], point: usize| digits.len().min(point + 1);
    point_a
        .cmp(&point_b)
        .then_with(|| a[..point_a].cmp(&b[..point_b]))
        .then_with(|| by_fraction(&a[fraction(a, point_a)..], &b[fraction(b, point_b)..]))
}

fn by_fraction(a: &[u8], b: &[u8]) -> Ordering {
    let both = a.len().min(b.len());
    let is_more = |rest: &[u8]| rest.iter().any(|digit| *digit != b'0');
    a[..both]
        .cmp(&b[..both])
        .then_with(|| is_more(&a[both..]).cmp(&is_more(&b[both..])))
}

/// The digits from the first that is not zero on.
fn without_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

/// Where the point is, or would be.
fn point(digits: &[u8]) -> usize {
    let found = digits.iter().position(|byte| *byte == b'.');
    found.unwrap_or(digits.len())
}

/// Whether two texts are one number.
pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || compare(a, b) == Ordering::Equal
}

/// The sum of two numbers that are not negative.
pub(super) fn add(a: &str, b: &str) -> String {
    let ((whole_a, fraction_a), (whole_b, fraction_b)) = (parts(a), parts(b));
    let decimals = fraction_a.len().max(fraction_b.len());
    let digits = |whole: &str, fraction: &str| -> Vec<u8> {
        let padded = format!("{whole}{fraction:0<decimals$}");
        padded
            .bytes()
            .rev()
            .map(|digit| digit.wrapping_sub(b'0'))
            .collect()
    };
    let (a, b) = (digits(whole_a, fraction_a), digits(whole_b, fraction_b));
    let (mut sum, mut carry) = (Vec::new(), 0);
    for at in 0..a.len().max(b.len()) {
        let digit = a.get(at).unwrap_or(&0) + b.get(at).unwrap_or(&0) + carry;
        sum.push(digit % 10 + b'0');
        carry = digit / 10;
    }
    if carry > 0 {
        sum.push(b'1');
    }
    while sum.len() <= decimals {
        sum.push(b'0');
    }
    let mut text: String = sum.iter().rev().map(|digit| char::from(*digit)).collect();
    if decimals > 0 {
        text.insert(text.len() - decimals, '.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value_and_not_by_spelling() {
        let ascending = [
            "-2",
            "-1.5",
            "0",
            "0.00000001",
            "0.05",
            "0.5",
            "9.5",
            "10.0",
            "10.01",
            "100",
        ];
        for (at, a) in ascending.iter().enumerate() {
            for (other, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
        for (a, b) in [
            ("1", "1.000"),
            ("007.10", "7.1"),
            ("0", "0.0"),
            (".5", "0.50"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn sums_are_exact() {
        for (a, b, sum) in [
            ("1.5", "2.25", "3.75"),
            ("0.9", "0.1", "1"),
            ("99", "1", "100"),
            (
                "0.00000001",
                "123456789012345678.9",
                "123456789012345678.90000001",
            ),
            ("0", "0", "0"),
        ] {
            assert!(same(&add(a, b), sum), "{a} + {b} = {}", add(a, b));
        }
    }
}
