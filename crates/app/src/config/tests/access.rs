//! Who may ask, and how often.

use std::net::IpAddr;

use kasparro_api::{Area, LimitSettings, MAX_KEY_BYTES};

use super::*;

#[test]
fn limits_are_numbers_or_off() {
    let config = load(None, &[]).unwrap();
    assert_eq!(config.request_limits, LimitSettings::default(), "the documented ones");
    let file = "[limits]\nanonymous = \"off\"\nkeyed = 7\nwindow = \"1m\"\nfailed_auth = 3\n";
    let limits = load(Some(file), &[]).unwrap().request_limits;
    assert_eq!((limits.anonymous, limits.keyed, limits.failed_auth), (None, Some(7), 3));
    assert_eq!(limits.window, Duration::from_secs(60));
    let variables = [("KASPARRO_LIMITS__ANONYMOUS", "5"), ("KASPARRO_LIMITS__KEYED", " off ")];
    let limits = load(Some(file), &variables).unwrap().request_limits;
    assert_eq!((limits.anonymous, limits.keyed), (Some(5), None));
    for wrong in ["0", "-1", "none", "1.5", ""] {
        let read = load(None, &[("KASPARRO_LIMITS__ANONYMOUS", wrong)]);
        assert_eq!(read.is_ok(), wrong.is_empty(), "{wrong:?}");
    }
    assert!(refused(Some("[limits]\nkeyed = \"many\"\n"), &[]).contains("or \"off\""));
    assert!(refused(Some("[limits]\nkeyed = 0\n"), &[]).contains("\"off\" for none"));
    assert!(refused(Some("[limits]\nwindow = \"1s\"\n"), &[]).contains("from 15s to 24h"));
}

#[test]
fn areas_are_closed_by_their_names() {
    assert_eq!(load(None, &[]).unwrap().access.closed, []);
    let config = load(None, &[("KASPARRO_ACCESS__CLOSED", "data, rss-feed")]).unwrap();
    assert_eq!(config.access.closed, [Area::Data, Area::RssFeed]);
    let comment = &reference::find("access.closed").unwrap().comment;
    for area in Area::ALL {
        assert!(comment.contains(area.name()), "{} is not explained", area.name());
    }
    let error = refused(None, &[("KASPARRO_ACCESS__CLOSED", "dta")]);
    assert!(error.contains("names no area") && error.contains("welcome, data"), "{error}");
}

#[test]
fn i9_an_admin_key_is_long_enough_and_can_be_sent_and_is_never_shown() {
    const KEY: &str = "canary-of-16-chars";
    let config = load(None, &[("ADMIN_API_KEY", KEY)]).unwrap();
    assert_eq!(config.access.admin_key.as_ref().unwrap().expose_secret(), KEY);
    let shown = format!("{:?} {config:?}", config.shown());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(load(None, &[("ADMIN_API_KEY", "")]).unwrap().access.admin_key.is_none());
    for wrong in [
        "canary",
        "canäryöüßéèç",
        " canary-with-a-blank-before-it",
        "canary-with-a-blank-behind-it ",
        "canary-with-another-blank\u{a0}",
        "canary-with\ta-tab-within",
        "canary-of-two\nlines-of-text",
        "canary-with-\u{85}-in-it",
    ] {
        let error = refused(None, &[("ADMIN_API_KEY", wrong)]);
        assert!(error.starts_with("access.admin_key"), "{error}");
        assert!(error.contains("ADMIN_API_KEY"), "{error}");
        assert!(!error.contains("canary") && !error.contains("canä"), "{error}");
    }
}

#[test]
fn an_admin_key_is_any_text_of_sixteen_characters_and_no_longer_than_is_looked_at() {
    let longest = "k".repeat(MAX_KEY_BYTES);
    let of_letters = "ü".repeat(MAX_KEY_BYTES / 2);
    for fine in ["correct horse battery staple", "sechzehn Zeichen ü", &longest, &of_letters] {
        let config = load(None, &[("ADMIN_API_KEY", fine)]).unwrap();
        assert_eq!(config.access.admin_key.unwrap().expose_secret(), fine);
    }
    for long in [format!("{longest}k"), format!("{of_letters}k")] {
        let error = refused(None, &[("ADMIN_API_KEY", &long)]);
        assert!(error.contains("has 513 bytes") && error.contains("at most 512"), "{error}");
        assert!(error.len() < 200, "{error}");
    }
    let comment = &reference::find("access.admin_key").unwrap().comment;
    assert!(comment.contains("512"), "{comment}");
}

#[test]
fn proxies_are_addresses_or_networks() {
    let variable = ("KASPARRO_SERVER__TRUSTED_PROXIES", "10.0.0.7, fd00::/8");
    let proxies = load(None, &[variable]).unwrap().server.trusted_proxies;
    let trusted = |address: &str| {
        let address: IpAddr = address.parse().unwrap();
        proxies.iter().any(|proxy| proxy.contains(address))
    };
    assert!(trusted("10.0.0.7") && trusted("fd12::1") && !trusted("10.0.0.8"));
    let error = refused(None, &[("KASPARRO_SERVER__TRUSTED_PROXIES", "proxy.example.org")]);
    assert!(error.contains("proxy.example.org") && error.contains("10.0.0.0/8"), "{error}");
}

#[test]
fn origins_are_what_browsers_send() {
    for fine in ["*", "https://a.example", "http://localhost:3000", "https://[::1]:8443"] {
        let config = load(None, &[("KASPARRO_CORS__ORIGINS", fine)]).unwrap();
        assert_eq!(config.origins, [fine]);
    }
    for wrong in ["a.example", "https://a.example/", "https://A.example", "ftp://a", "https://"] {
        let error = refused(None, &[("KASPARRO_CORS__ORIGINS", wrong)]);
        assert!(error.contains("cors.origins") && error.contains("no origin"), "{error}");
    }
}

#[test]
fn an_answer_may_be_kept_for_no_time_at_all() {
    assert_eq!(load(None, &[]).unwrap().max_age, Duration::ZERO);
    let config = load(None, &[("KASPARRO_API__MAX_AGE", "90s")]).unwrap();
    assert_eq!(config.max_age, Duration::from_secs(90));
    assert!(refused(None, &[("KASPARRO_API__MAX_AGE", "-1s")]).contains("api.max_age"));
}
