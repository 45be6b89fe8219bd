//! Integers with a fixed number of decimals as text.

/// The longest number: twenty digits, or zeros up to eighteen decimals, and a point.
const LONGEST: usize = 24;

/// Writes `value` with all its `decimals`, as a venue does: 6514040 at 2 is `65140.40`.
pub(crate) fn wire(value: i64, decimals: u8, out: &mut String) {
    let mut buffer = [b'0'; LONGEST];
    let (decimals, mut at, mut rest) = (usize::from(decimals), LONGEST, value.unsigned_abs());
    let least = if decimals > 0 { decimals + 2 } else { 1 };
    while rest > 0 || LONGEST - at < least {
        if decimals > 0 && LONGEST - at == decimals {
            at -= 1;
            buffer[at] = b'.';
        }
        at -= 1;
        buffer[at] = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
    }
    out.push_str(str::from_utf8(&buffer[at..]).unwrap_or_default());
}

/// Writes `value` without zeros nobody needs: 6514040 at 2 is `65140.4`.
pub(crate) fn plain(value: i64, decimals: u8, out: &mut String) {
    let from = out.len();
    wire(value, decimals, out);
    if decimals > 0 {
        let kept = out[from..].trim_end_matches('0').trim_end_matches('.');
        out.truncate(from + kept.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_their_decimals_and_without_needless_zeros() {
        for (value, decimals, sent, short) in [
            (6_514_040, 2, "65140.40", "65140.4"),
            (5, 8, "0.00000005", "0.00000005"),
            (0, 3, "0.000", "0"),
            (1_200, 0, "1200", "1200"),
            (12_000, 3, "12.000", "12"),
            (i64::MAX, 18, "9.223372036854775807", "9.223372036854775807"),
        ] {
            let (mut long, mut brief) = (String::from("x"), String::from("x"));
            wire(value, decimals, &mut long);
            plain(value, decimals, &mut brief);
            assert_eq!((&long[1..], &brief[1..]), (sent, short));
        }
    }
}
