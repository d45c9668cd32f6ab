//! The ids that a batch changed, in the form in which its manifest keeps them.

use kasparro_domain::ListingId;

use crate::{StoreError, StoreResult};

/// Writes ids, which must ascend, as the differences between neighbours in LEB128: about one byte for
/// each id of a batch, so that manifests can be kept for good.
#[must_use]
pub fn encode_changed(ascending: &[ListingId]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ascending.len() + 8);
    let mut previous = 0_i64;
    for id in ascending {
        let mut rest = id.0.wrapping_sub(previous).cast_unsigned();
        previous = id.0;
        while rest >= 0x80 {
            bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// Reads what [`encode_changed`] wrote.
///
/// # Errors
/// [`StoreError::Corrupt`] when the bytes end within a number or a number does not fit.
pub fn decode_changed(bytes: &[u8]) -> StoreResult<Vec<ListingId>> {
    let damaged =
        || StoreError::Corrupt("a manifest names its changed listings wrongly".to_owned());
    let mut ids = Vec::with_capacity(bytes.len());
    let (mut previous, mut number, mut shift) = (0_i64, 0_u64, 0_u32);
    for byte in bytes {
        let part = u64::from(byte & 0x7f);
        if shift > 63 || (shift == 63 && part > 1) {
            return Err(damaged());
        }
        number |= part << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            previous = previous.wrapping_add(number.cast_signed());
            ids.push(ListingId(previous));
            (number, shift) = (0, 0);
        }
    }
    if shift == 0 { Ok(ids) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_as_they_went_in() {
        for ids in [vec![], vec![1], vec![1, 2, 3, 500, 100_000], vec![0, i64::MAX], vec![-5, 7]] {
            let ids: Vec<ListingId> = ids.into_iter().map(ListingId).collect();
            assert_eq!(decode_changed(&encode_changed(&ids)), Ok(ids));
        }
    }

    #[test]
    fn neighbouring_ids_take_one_byte_each() {
        let ids: Vec<ListingId> = (1..=5000).map(ListingId).collect();
        assert_eq!(encode_changed(&ids).len(), 5000);
    }

    #[test]
    fn damaged_bytes_are_reported() {
        for bytes in [&[0x80_u8][..], &[0xff; 11]] {
            assert!(matches!(decode_changed(bytes), Err(StoreError::Corrupt(_))));
        }
    }
}
