//! CRC-32 bit by bit, over levels as digits.

use super::wire;

/// The checksum over the best levels, asks first.
pub(super) fn checksum(
    asks: &[(i128, i128)],
    bids: &[(i128, i128)],
    levels: usize,
    decimals: (u8, u8),
) -> u32 {
    let mut crc = u32::MAX;
    for (price, qty) in asks.iter().take(levels).chain(bids.iter().take(levels)) {
        digits(&mut crc, price / wire::unit(decimals.0));
        digits(&mut crc, qty / wire::unit(decimals.1));
    }
    !crc
}

fn digits(crc: &mut u32, number: i128) {
    let mut text = [0_u8; 40];
    let (mut at, mut rest) = (text.len(), number);
    while rest > 0 {
        at -= 1;
        // A remainder by ten is a digit.
        text[at] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    for byte in &text[at..] {
        *crc ^= u32::from(*byte);
        for _ in 0..8 {
            let is_odd = *crc & 1 == 1;
            *crc >>= 1;
            if is_odd {
                *crc ^= 0xedb8_8320;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_algorithm() {
        // CRC-32/ISO-HDLC of "123456789" is its published check value.
        let price = 1_234 * wire::unit(0);
        let qty = 56_789 * wire::unit(0);
        assert_eq!(checksum(&[(price, qty)], &[], 5, (0, 0)), 0xcbf4_3926);
        assert_eq!(checksum(&[], &[(price, qty)], 5, (0, 0)), 0xcbf4_3926);
    }
}
