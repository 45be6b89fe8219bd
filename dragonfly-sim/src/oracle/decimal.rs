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
        (Some(a), Some(b)) => compare(b, a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => {
            let ((whole_a, fraction_a), (whole_b, fraction_b)) = (parts(a), parts(b));
            let by_length = whole_a.len().cmp(&whole_b.len());
            by_length
                .then_with(|| whole_a.cmp(whole_b))
                .then_with(|| fraction_a.cmp(fraction_b))
        }
    }
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
