//! How upstreams are treated, and where operators hear of them.

use kasparro_domain::DriftMode;
use kasparro_engine::PageRules;

use super::*;

fn of<'a>(config: &'a Config, name: &str) -> &'a SourceConfig {
    config.sources.iter().find(|source| source.name == name).unwrap()
}

#[test]
fn credits_and_drift_are_configured_for_each_source() {
    let config = load(None, &[]).unwrap();
    for source in &config.sources {
        let untouched = (source.credits_per_month, source.page_rules);
        assert_eq!(untouched, (None, PageRules::default()), "{}", source.name);
    }
    let variables = [
        ("KASPARRO_SOURCES__COINGECKO__CREDITS_PER_MONTH", "500000"),
        ("KASPARRO_SOURCES__CSV__DRIFT", "evolve"),
        ("KASPARRO_SOURCES__CSV__MAX_BAD_PERCENT", "100"),
        ("KASPARRO_SOURCES__CSV__MIN_ROWS_PERCENT", "0"),
        ("KASPARRO_SOURCES__FEED__DRIFT", "freeze"),
        ("KASPARRO_SOURCES__FEED__URLS", "https://a.example/rss.xml"),
    ];
    let config = load(None, &variables).unwrap();
    assert_eq!(of(&config, "coingecko").credits_per_month, Some(500_000));
    assert_eq!(of(&config, "coinpaprika").credits_per_month, None);
    let evolving =
        PageRules { drift: DriftMode::Evolve, max_bad_percent: 100, min_rows_percent: 0 };
    assert_eq!(of(&config, "csv").page_rules, evolving);
    assert_eq!(of(&config, "feed").page_rules.drift, DriftMode::Freeze);
    for name in kasparro_sources::names() {
        let options = config.source_options(name);
        for key in ["credits_per_month", "drift", "max_bad_percent", "min_rows_percent"] {
            assert!(!options.contains_key(key), "{name}.{key} is no option of the source");
        }
    }
    let built = crate::wire::sources(&config).unwrap();
    let built = |name: &str| built.iter().find(|it| it.source.spec().name == name).unwrap();
    assert_eq!(built("coingecko").credits_per_month, Some(500_000));
    assert_eq!(built("feed").page_rules.drift, DriftMode::Freeze);
    assert_eq!(built("csv").page_rules, evolving);
}

#[test]
fn a_contact_is_a_page_or_an_address_and_goes_to_the_engine_by_itself() {
    let config = load(None, &[]).unwrap();
    assert_eq!(config.fetch.contact, None);
    let key = "KASPARRO_FETCH__CONTACT";
    for contact in ["https://example.org/us", "ops@example.org"] {
        let fetch = load(None, &[(key, contact)]).unwrap().fetch;
        assert_eq!(fetch.contact.as_deref(), Some(contact));
        assert!(!fetch.user_agent.contains(contact), "the engine appends it");
    }
    for contact in ["call me", "http://example.org", "ops@", "a(b)@example.org"] {
        let error = refused(None, &[(key, contact)]);
        let remedy = error.contains("write one of them") || error.contains("leave it out");
        assert!(error.starts_with("fetch.contact = ") && remedy, "{error}");
    }
}

#[test]
fn i9_a_webhook_is_a_secret_with_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "https://hooks.example.org/canary\n").unwrap();
    let path = path.display().to_string();
    let variables = [
        ("KASPARRO_ALERTS__WEBHOOK_URL_FILE", path.as_str()),
        ("KASPARRO_ALERTS__WEBHOOK_SECRET", "canary-of-16-or-more"),
    ];
    let config = load(None, &variables).unwrap();
    let webhook = config.webhook.as_ref().unwrap();
    assert_eq!(webhook.url.expose_secret(), "https://hooks.example.org/canary");
    let secret = webhook.secret.as_ref().unwrap();
    assert_eq!(secret.expose_secret(), "canary-of-16-or-more");
    let shown = format!("{:?} {config:?}", config.shown());
    assert!(!shown.contains("canary") && shown.contains(settings::MASK), "{shown}");
    assert!(load(None, &[]).unwrap().webhook.is_none());
    let alone = load(None, &variables[1..]).unwrap();
    assert!(alone.webhook.is_none());
    assert!(alone.warnings.iter().any(|it| it.contains("alerts.webhook_url")), "{alone:?}");
}

#[test]
fn what_is_refused_of_them_names_key_and_remedy_and_shows_no_secret() {
    for (name, value, parts) in [
        ("ALERTS__WEBHOOK_URL", "ftp://canary", ["alerts.webhook_url", "write for example https"]),
        ("ALERTS__WEBHOOK_URL", "https://", ["alerts.webhook_url", "is not a web address"]),
        ("ALERTS__WEBHOOK_URL", "https://h/a canary", ["alerts.webhook_url", "a web address"]),
        ("ALERTS__WEBHOOK_SECRET", "canary", ["alerts.webhook_secret", "at least 16 characters"]),
        ("SOURCES__CSV__DRIFT", "strict", ["sources.csv.drift", "evolve, quarantine, freeze"]),
        ("SOURCES__CSV__MAX_BAD_PERCENT", "101", ["sources.csv.max_bad_percent", "from 0 to 100"]),
        ("SOURCES__CSV__MIN_ROWS_PERCENT", "-1", ["sources.csv.min_rows_percent", "from 0 to 100"]),
        ("SOURCES__COINGECKO__CREDITS_PER_MONTH", "-1", ["credits_per_month", "from 0 up"]),
    ] {
        let error = refused(None, &[(&format!("KASPARRO_{name}"), value)]);
        assert!(!error.contains("canary"), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part:?} is missing in {error:?}");
        }
    }
}
