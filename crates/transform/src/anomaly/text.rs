//! Numbers in what people read about an anomaly.

use kasparro_domain::Decimal;

/// Four significant digits: enough to see what is unusual, few enough to stay the same where two
/// machines differ in the last bit of a logarithm.
pub(super) fn short(number: f64) -> String {
    canonical(&format!("{number:.3e}"))
}

/// The shortest text that reads back as this number.
pub(super) fn exact(number: f64) -> String {
    canonical(&format!("{number:e}"))
}

fn canonical(text: &str) -> String {
    // Out of a decimal's range, or no number: as the language prints it.
    Decimal::parse(text).map_or_else(|_| text.to_owned(), |decimal| decimal.to_string())
}

/// A factor such as 1.0513 as the change it makes: `5.1 %`.
pub(super) fn percent_of(factor: f64) -> String {
    format!("{:.1} %", (factor - 1.0) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_rest_of_the_product_writes_them() {
        assert_eq!(short(2_706_108_924.9), "2706000000");
        assert_eq!(short(8.895_747_791e-46), "8.896e-46");
        assert_eq!(short(0.0), "0");
        assert_eq!(short(f64::NAN), "NaN");
        assert_eq!(exact(3.84e-18), "3.84e-18");
        assert_eq!(exact(43_210.5), "43210.5");
        assert_eq!(percent_of(1.0513), "5.1 %");
    }
}
