//! Integers with a fixed number of decimals as text.

/// Writes `value` with all its `decimals`, as a venue does: 6514040 at 2 is `65140.40`.
pub(crate) fn wire(value: i64, decimals: u8, out: &mut String) {
    let (whole, fraction) = parts(value, decimals);
    push(whole, out);
    if decimals > 0 {
        out.push('.');
        let from = out.len();
        push(fraction, out);
        for _ in out.len() - from..usize::from(decimals) {
            out.insert(from, '0');
        }
    }
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

const fn parts(value: i64, decimals: u8) -> (u64, u64) {
    let unit = 10_u64.pow(if decimals > 18 { 18 } else { decimals as u32 });
    let value = value.unsigned_abs();
    (value / unit, value % unit)
}

fn push(value: u64, out: &mut String) {
    let mut buffer = [0_u8; 20];
    let (mut at, mut rest) = (buffer.len(), value);
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10).to_le_bytes()[0];
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.push_str(str::from_utf8(&buffer[at..]).unwrap_or_default());
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
