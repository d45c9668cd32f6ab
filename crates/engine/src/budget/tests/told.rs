//! Headers that speak of limits.

use proptest::prelude::*;

use super::*;

fn read(headers: &[(&str, &str)]) -> Vec<Quota> {
    Told::read(headers.iter().copied(), at(0)).quotas
}

fn quota(window: Option<u64>, limit: u32, remaining: Option<u32>, reset: Option<u64>) -> Quota {
    Quota {
        window: window.map(seconds),
        limit: Some(limit),
        remaining,
        used_weight: None,
        reset_after: reset.map(seconds),
    }
}

#[test]
fn n13_old_and_new_fields_are_read() {
    let reset_at = (START_MS / 1000 + 30).to_string();
    let reset_at_ms = (START_MS + 30_000).to_string();
    let stated = [quota(None, 100, Some(5), Some(30))];
    for (headers, expected) in [
        (
            vec![("RateLimit-Policy", r#""a";q=100;w=60"#), ("RateLimit", r#""a";r=5;t=30"#)],
            vec![quota(Some(60), 100, Some(5), Some(30))],
        ),
        (
            vec![
                ("ratelimit", r#""b,;";r=7, "a";r=5;t=30"#),
                ("ratelimit-policy", r#""a";q=100;w=60, "b,;";q=9;w=1"#),
            ],
            vec![quota(Some(1), 9, Some(7), None), quota(Some(60), 100, Some(5), Some(30))],
        ),
        (
            vec![
                ("RateLimit", "limit=100, remaining=5, reset=30"),
                ("RateLimit-Policy", "100;w=60"),
            ],
            vec![quota(Some(60), 100, Some(5), Some(30)), quota(Some(60), 100, None, None)],
        ),
        (
            vec![
                ("RateLimit-Limit", "100, 100;w=60, 5000;w=3600"),
                ("RateLimit-Remaining", "5"),
                ("RateLimit-Reset", "30"),
            ],
            vec![
                quota(Some(60), 100, Some(5), Some(30)),
                quota(Some(60), 100, None, None),
                quota(Some(3600), 5000, None, None),
            ],
        ),
        (
            vec![
                ("X-RateLimit-Limit", "100"),
                ("X-RateLimit-Remaining", "5"),
                ("X-RateLimit-Reset", "30"),
            ],
            stated.to_vec(),
        ),
        (
            vec![
                ("X-Rate-Limit-Limit", "100"),
                ("X-Rate-Limit-Remaining", "5"),
                ("X-Rate-Limit-Reset", &reset_at),
            ],
            stated.to_vec(),
        ),
        (
            vec![
                ("x-ratelimit-limit", "100"),
                ("x-ratelimit-remaining", "5"),
                ("x-ratelimit-reset", &reset_at_ms),
            ],
            stated.to_vec(),
        ),
        (
            vec![("X-RateLimit-Limit-Minute", "10"), ("X-RateLimit-Remaining-Minute", "0")],
            vec![quota(Some(60), 10, Some(0), None)],
        ),
        (
            vec![
                ("x-ratelimit-limit", "100000, 1;window=1;burst=50, 3;window=60;burst=2500"),
                ("x-ratelimit-remaining-all", "99999, 49;window=1, 2499;window=60"),
                ("x-ratelimit-reset-all", "2591999, 1;window=1, 59;window=60"),
            ],
            vec![
                quota(None, 100_000, Some(99_999), Some(2_591_999)),
                quota(Some(1), 50, Some(49), Some(1)),
                quota(Some(60), 2500, Some(2499), Some(59)),
            ],
        ),
    ] {
        assert_eq!(read(&headers), expected, "{headers:?}");
    }
    let weight = read(&[("X-MBX-USED-WEIGHT-1M", "80"), ("X-MBX-USED-WEIGHT", "80")]);
    let expected = Quota { window: Some(seconds(60)), used_weight: Some(80), ..Quota::default() };
    assert_eq!(weight, [expected]);
}

#[test]
fn n13_what_cannot_be_meant_or_contradicts_itself_is_ignored() {
    for headers in [
        vec![("RateLimit-Limit", "-5"), ("RateLimit-Remaining", "soon")],
        vec![("X-RateLimit-Limit", "0")],
        vec![("X-RateLimit-Limit", "10"), ("X-RateLimit-Remaining", "11")],
        vec![("X-RateLimit-Limit", "10"), ("X-RateLimit-Limit", "20")],
        vec![("X-RateLimit-Limit", "10"), ("RateLimit-Limit", "20")],
        vec![("RateLimit", r#""a"#)],
        vec![("RateLimit-Policy", r#""a";q=100;qu="content-bytes";w=60"#)],
        vec![("RateLimit-Reset", "30")],
        vec![("X-MBX-USED-WEIGHT-0M", "5")],
        vec![("X-RateLimit-Limit-Fortnight", "5")],
        vec![("X-RateLimit-Limit", "99999999999")],
    ] {
        assert_eq!(read(&headers), [], "{headers:?}");
    }
    let late = read(&[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "99999999")]);
    assert_eq!(late[0].reset_after, None);
}

proptest! {
    #[test]
    fn n13_no_header_does_more_than_be_read(
        name in "(x-)?rate-?limit(-limit|-remaining|-reset|-policy|-all|-minute)?|x-mbx-used-weight-.{0,4}",
        value in r#"[0-9a-z",;=\\ .é-]{0,40}"#,
    ) {
        for quota in read(&[(&name, &value), (&name, &value)]) {
            prop_assert!(quota.limit != Some(0));
        }
    }
}
