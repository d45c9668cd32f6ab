//! How alike two names of members are.

/// The parts of a name, lower case: `marketCap_24h` is market, cap, 24h.
fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut lower_before = false;
    for letter in name.chars() {
        let border = !letter.is_alphanumeric() || letter.is_uppercase() && lower_before;
        if border && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(part) = parts.last_mut()
        {
            part.extend(letter.to_lowercase());
        }
        lower_before = letter.is_lowercase() || letter.is_ascii_digit();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// True when `short` can stand for `long`: the same first letter, and its letters in this order.
fn abbreviates(short: &str, long: &str) -> bool {
    let mut rest = long.chars();
    short.len() >= 2
        && short.len() < long.len()
        && short.chars().next() == long.chars().next()
        && short.chars().all(|letter| rest.any(|other| other == letter))
}

/// How alike the names of two members are, 0 to 1. Case and separators do not count; a part may be
/// missing or abbreviated.
pub(super) fn alike(one: &str, other: &str) -> f64 {
    let (one, other) = (parts(one), parts(other));
    let (whole, whole_other) = (one.concat(), other.concat());
    if whole.is_empty() || whole_other.is_empty() {
        return 0.0;
    }
    if whole == whole_other {
        return 1.0;
    }
    let (few, many) = if one.len() <= other.len() { (&one, &other) } else { (&other, &one) };
    let best = |part: &String| {
        let score = |candidate: &String| {
            if part == candidate {
                1.0
            } else if abbreviates(part, candidate) || abbreviates(candidate, part) {
                0.8
            } else {
                0.0
            }
        };
        many.iter().map(score).fold(0.0, f64::max)
    };
    let covered: f64 = few.iter().map(best).sum::<f64>() / few.len() as f64;
    let by_parts = covered * (0.7 + 0.3 * few.len() as f64 / many.len() as f64);
    let short = abbreviates(&whole, &whole_other) || abbreviates(&whole_other, &whole);
    let by_letters = strsim::jaro_winkler(&whole, &whole_other);
    let by_letters = if by_letters >= 0.85 { by_letters * 0.95 } else { by_letters * 0.5 };
    by_parts.max(if short { 0.7 } else { 0.0 }).max(by_letters)
}

/// The last key of a pointer.
pub(super) fn leaf(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_prefixes_and_abbreviations_of_a_name_are_alike() {
        for (one, other) in [
            ("market_cap", "marketCap"),
            ("market_cap", "usd_market_cap"),
            ("market_cap", "mcap"),
            ("total_volume", "vol"),
            ("current_price", "price"),
            ("last_updated", "updated_at"),
            ("circulating_supply", "circ_supply"),
            ("symbol", "symbl"),
        ] {
            assert!(alike(one, other) >= 0.5, "{one} {other}: {}", alike(one, other));
            assert!((alike(one, other) - alike(other, one)).abs() < 1e-9, "{one} {other}");
        }
    }

    #[test]
    fn other_names_are_not_alike() {
        for (one, other) in [("price", "rank"), ("symbol", "name"), ("market_cap", "ath_date")] {
            assert!(alike(one, other) < 0.5, "{one} {other}: {}", alike(one, other));
        }
    }
}
