//! The precedence of the layers, and what each refuses.

use std::path::Path;

use kasparro_engine::Schedule;

use super::*;

mod access;
mod database;
mod upstreams;

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load_with(file, variables, Vec::new())
}

fn load_with(
    file: Option<&str>,
    variables: &[(&str, &str)],
    values: Vec<(&'static str, String, Origin)>,
) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kasparro.toml");
    std::fs::write(&path, file.unwrap_or_default()).unwrap();
    let flags = Flags { config: file.map(|_| path), defaults: Vec::new(), values };
    Config::load(&flags, &environment(variables))
}

fn refused(file: Option<&str>, variables: &[(&str, &str)]) -> String {
    load(file, variables).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_a_whole_configuration_and_every_key_is_read() {
    let config = load(None, &[]).unwrap();
    crate::wire::sources(&config).unwrap();
    assert_eq!(config.settings.unread(), Vec::<String>::new());
    assert_eq!(config.server.listen, "127.0.0.1:8000");
    assert_eq!(config.database.path(), Some(Path::new("./data/kasparro.db")));
    assert_eq!(config.data_dir(), Path::new("./data"));
    assert!(config.fetch.user_agent.starts_with("kasparro/"));
    let names: Vec<_> = config.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(names, kasparro_sources::names());
    let built = crate::wire::sources(&config).unwrap();
    let built: Vec<_> = built.iter().map(|source| source.source.spec().name).collect();
    let asks_somewhere = |name: &&str| reference::find(&format!("sources.{name}.urls")).is_none();
    let asking: Vec<_> = names.into_iter().filter(asks_somewhere).collect();
    assert_eq!(built, asking, "there is no address to ask");
    assert!(!asking.contains(&"feed"), "there is no feed to ask");
}

#[test]
fn every_option_of_every_source_stands_in_the_default_file() {
    for name in kasparro_sources::names() {
        for option in kasparro_sources::option_keys(name) {
            let key = format!("sources.{name}.{option}");
            assert!(reference::find(&key).is_some(), "{key} is missing");
        }
    }
}

#[test]
fn a_later_layer_replaces_an_earlier_one() {
    let file = "[server]\nlisten = \"127.0.0.1:1\"\n[labels]\nproject_name = \"file\"\n";
    let variables = [
        ("PORT", "2"),
        ("KASPARRO_SERVER__LISTEN", "127.0.0.1:3"),
        ("ENVIRONMENT", "production"),
        ("LOG_LEVEL", "WARNING"),
    ];
    let flag = ("server.listen", "127.0.0.1:4".to_owned(), Origin::Flag("--listen"));
    assert_eq!(load(Some(file), &[]).unwrap().server.listen, "127.0.0.1:1");
    assert_eq!(load(Some(file), &variables[..1]).unwrap().server.listen, "0.0.0.0:2");
    let config = load(Some(file), &variables).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:3");
    assert_eq!((config.project_name.as_str(), config.environment.as_str()), ("file", "production"));
    assert_eq!(config.log.level, "warn");
    let config = load_with(Some(file), &variables, vec![flag]).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:4");
    assert_eq!(config.settings.origin("server.listen"), Origin::Flag("--listen"));
}

#[test]
fn the_older_services_names_are_understood() {
    let config = load(
        None,
        &[
            ("DATABASE_URL", "sqlite:////var/lib/x.db"),
            ("COINGECKO_RATE_LIMIT", "12"),
            ("ETL_SCHEDULE_MINUTES", "30"),
            ("CSV_SOURCE_PATH", "/srv/coins.csv"),
            ("PROJECT_NAME", "mine"),
            ("COINPAPRIKA_API_KEY", ""),
        ],
    )
    .unwrap();
    assert_eq!(config.database.path(), Some(Path::new("/var/lib/x.db")));
    for source in &config.sources {
        assert_eq!(source.schedule.to_string(), "every 30m", "{}", source.name);
        let limit = (source.name == "coingecko").then_some(12);
        assert_eq!(source.requests_per_minute, limit, "{}", source.name);
    }
    let paths = &config.source_options("csv")["paths"];
    assert_eq!(paths, &serde_json::json!(["/srv/coins.csv"]));
    assert!(!config.source_options("coinpaprika").contains_key("api_key"));
}

#[test]
fn a_feed_is_asked_once_an_address_is_configured() {
    let unasked = load(None, &[]).unwrap();
    assert!(crate::wire::chosen(&unasked, &[]).unwrap().iter().all(|name| name.as_str() != "feed"));
    let refused = crate::wire::chosen(&unasked, &["feed".to_owned()]).unwrap_err().to_string();
    assert!(refused.contains("KASPARRO_SOURCES__FEED__URLS"), "{refused}");
    let urls = "https://a.example/rss.xml, https://b.example/feed.json";
    let config = load(None, &[("KASPARRO_SOURCES__FEED__URLS", urls)]).unwrap();
    let built = crate::wire::sources(&config).unwrap();
    let feed = built.iter().find(|source| source.source.spec().name == "feed").unwrap();
    assert_eq!(feed.options["urls"].as_array().unwrap().len(), 2);
    assert!(crate::wire::chosen(&config, &[]).unwrap().iter().any(|name| name.as_str() == "feed"));
}

#[test]
fn the_default_file_has_the_intervals_of_the_sources() {
    let config = load(None, &[]).unwrap();
    for (source, spec) in config.sources.iter().zip(kasparro_sources::specs()) {
        let printed = |interval: Option<std::time::Duration>| {
            interval.map_or(Schedule::Never, Schedule::Every).to_string()
        };
        let given = (source.name.as_str(), source.schedule.to_string(), source.lists.to_string());
        let interval = printed(Some(spec.default_interval));
        assert_eq!(given, (spec.name, interval, printed(spec.lists_interval)));
    }
}

#[test]
fn lists_have_a_schedule_of_their_own() {
    let lists = |config: &Config, name: &str| {
        let source = config.sources.iter().find(|source| source.name == name);
        source.map(|source| source.lists.to_string())
    };
    let unchanged = load(None, &[]).unwrap();
    let variables = [
        ("KASPARRO_SOURCES__COINGECKO__LISTS", "off"),
        ("KASPARRO_SOURCES__COINPAPRIKA__LISTS", "0 3 * * *"),
        ("ETL_SCHEDULE_MINUTES", "30"),
    ];
    let config = load(None, &variables).unwrap();
    for name in kasparro_sources::names() {
        let expected = match name {
            "coingecko" => Some("off".to_owned()),
            "coinpaprika" => Some("0 3 * * *".to_owned()),
            _ => lists(&unchanged, name),
        };
        assert_eq!(lists(&config, name), expected, "{name}");
    }
    assert!(!config.source_options("coingecko").contains_key("lists"));
    let error = refused(None, &[("KASPARRO_SOURCES__COINGECKO__LISTS", "daily")]);
    assert!(error.contains("sources.coingecko.lists") && error.contains("or off"), "{error}");
}

#[test]
fn entries_are_separated_by_commas_in_the_environment() {
    let config = load(None, &[("KASPARRO_SOURCES__CSV__PATHS", "a.csv, b/*.csv")]).unwrap();
    assert_eq!(config.source_options("csv")["paths"], serde_json::json!(["a.csv", "b/*.csv"]));
}

#[test]
fn i9_secrets_are_read_from_files_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "canary-from-file\n").unwrap();
    let path = path.display().to_string();
    for variable in ["COINGECKO_API_KEY_FILE", "KASPARRO_SOURCES__COINGECKO__API_KEY_FILE"] {
        let config = load(None, &[(variable, &path)]).unwrap();
        assert_eq!(config.source_options("coingecko")["api_key"], "canary-from-file");
        let shown = format!("{:?} {config:?}", config.shown());
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains(settings::MASK));
    }
    for variable in ["KASPARRO_SECRET_FILE", "KASPARRO_API__SECRET_FILE"] {
        let config = load(None, &[(variable, &path)]).unwrap();
        assert_eq!(config.secret.unwrap().expose_secret(), "canary-from-file");
    }
    let error = refused(Some("[sources.coingecko]\napi_key = 771177\n"), &[]);
    assert!(!error.contains("771177"), "{error}");
    let error = refused(None, &[("COINGECKO_API_KEY_FILE", "/no/such/file")]);
    assert!(error.contains("COINGECKO_API_KEY_FILE = /no/such/file"), "{error}");
}

/// A file, an environment, and what the refusal must say.
type Case =
    (Option<&'static str>, &'static [(&'static str, &'static str)], &'static [&'static str]);

#[test]
fn what_is_refused_names_key_value_origin_and_remedy() {
    let cases: [Case; 22] = [
        (Some("[server]\nlisen = \"x\"\n"), &[], &["server.lisen", "server.listen?"]),
        (Some("[sevrer]\nlisten = \"x\"\n"), &[], &["sevrer", "not a known key"]),
        (Some("server = 3\n"), &[], &["server", "not a known key"]),
        (Some("[server]\nlisten = 80\n"), &[], &["server.listen = 80", "a text in quotes"]),
        (Some("[server\n"), &[], &["kasparro.toml", "line 1"]),
        (None, &[("KASPARRO_SERVER_LISTEN", "x")], &["KASPARRO_SERVER__LISTEN?"]),
        (None, &[("KASPARRO_SERVER__LISTEM", "x")], &["KASPARRO_SERVER__LISTEN?"]),
        (
            None,
            &[("PORT", "http")],
            &["server.listen = \"0.0.0.0:http\" (from PORT)", "127.0.0.1:8000"],
        ),
        (None, &[("COINGECKO_RATE_LIMIT", "many")], &["COINGECKO_RATE_LIMIT", "many", "digits"]),
        (
            None,
            &[("KASPARRO_SOURCES__CSV__ENABLED", "yes")],
            &["sources.csv.enabled = yes", "true or false"],
        ),
        (None, &[("KASPARRO_SERVER__IDLE_TIMEOUT", "0s")], &["server.idle_timeout", "30s, 15m"]),
        (None, &[("ETL_SCHEDULE_MINUTES", "0")], &["schedule = \"0m\"", "a cron expression"]),
        (
            None,
            &[("DATABASE_URL", "postgresql+asyncpg://u:canary@db")],
            &["postgresql+asyncpg://…", "no database", "postgres://USER@HOST/DATABASE"],
        ),
        (
            None,
            &[("POSTGRES_HOST", "db"), ("POSTGRES_PORT", "x"), ("POSTGRES_PASSWORD", "canary")],
            &["POSTGRES_PORT = x is not a port", "from 1 to 65535"],
        ),
        (None, &[("DATABASE_URL_FILE", "/no/such/file")], &["DATABASE_URL_FILE = /no/such/file"]),
        (None, &[("KASPARRO_STORE__POOL_SIZE", "1")], &["store.pool_size = 1", "from 2 to 500"]),
        (None, &[("KASPARRO_STORE__POOL_SIZE", "501")], &["store.pool_size = 501", "to 500"]),
        (
            None,
            &[("KASPARRO_STORE__LOCK_TIMEOUT", "1ms")],
            &["store.lock_timeout", "from 100ms to 1h"],
        ),
        (None, &[("KASPARRO_LEASE__TTL", "1s")], &["lease.ttl", "from 2s to 10m"]),
        (
            None,
            &[("KASPARRO_LEASE__TTL", "20s")],
            &["lease.renew_every = \"10s\"", "less than half of lease.ttl"],
        ),
        (
            None,
            &[("KASPARRO_SECRET", "canary")],
            &["api.secret", "KASPARRO_SECRET", "at least 16 characters"],
        ),
        (
            None,
            &[("KASPARRO_FETCH__UPSTREAM", "http://h/path")],
            &["fetch.upstream", "scheme, host and port"],
        ),
    ];
    for (file, variables, expected) in cases {
        let error = refused(file, variables);
        assert!(!error.contains('\n'), "{error}");
        assert!(!error.contains("canary"), "{error}");
        for part in expected {
            assert!(error.contains(part), "{part:?} is missing in {error:?}");
        }
    }
}

#[test]
fn variables_of_others_are_left_alone() {
    load(
        None,
        &[
            ("KASPARRO_SERVICE_HOST", "10.0.0.1"),
            ("KASPARRO_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("KASPARRO_REAL_DATA", "/somewhere"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
}

#[test]
fn an_option_that_a_source_refuses_is_named_with_its_section() {
    let config = load(Some("[sources.coingecko]\npages = -1\n"), &[]).unwrap();
    let error = crate::wire::sources(&config).unwrap_err().to_string();
    assert!(error.starts_with("sources.coingecko.pages = "), "{error}");
}

#[test]
fn i9_no_refusal_shows_user_info_or_query_of_an_address() {
    for url in ["mysql://u:canary@h/d", "MYSQL:u:canary@h", "sqlite://u:canary@h/x", "u:canary@h/d"]
    {
        let error = refused(None, &[("DATABASE_URL", url)]);
        assert!(!error.contains("canary") && error.contains('…'), "{error}");
    }
    for url in ["http://u:canary@h", "https://h/?key=canary", "ftp://u:canary@h"] {
        for key in ["FETCH__UPSTREAM", "SERVER__LISTEN", "SOURCES__COINGECKO__REQUESTS_PER_MINUTE"]
        {
            let error = refused(None, &[(&format!("KASPARRO_{key}"), url)]);
            assert!(!error.contains("canary") && error.contains('…'), "{error}");
        }
    }
    for path in ["https://u:canary@h/x.csv", "https://h/x.csv?key=canary"] {
        let config = load(None, &[("CSV_SOURCE_PATH", path)]).unwrap();
        let shown = format!("{:?}", config.shown());
        assert!(!shown.contains("canary") && shown.contains('…'), "{shown}");
    }
    // The source itself refuses this one.
    let config = load(None, &[("CSV_SOURCE_PATH", "ftp://u:canary@h/x.csv")]).unwrap();
    let error = crate::wire::sources(&config).unwrap_err().to_string();
    assert!(error.starts_with("sources.csv.paths = [\"ftp://…\"]"), "{error}");
    let error = refused(None, &[("CSV_SOURCE_PATH", "[{ path = \"ftp://u:canary@h/x\" ]")]);
    assert!(!error.contains("canary"), "{error}");
}

#[test]
fn the_mask_of_a_secret_is_no_secret() {
    let file = "[sources.coingecko]\napi_key = \"********\"\n";
    for error in [refused(Some(file), &[]), refused(None, &[("COINGECKO_API_KEY", "********")])] {
        assert!(error.starts_with("sources.coingecko.api_key"), "{error}");
        assert!(error.contains("write the secret itself"), "{error}");
    }
}

#[test]
fn only_levels_and_directives_are_levels() {
    for level in ["off", "WARN", "info", "trace", "info,kasparro_engine=debug", "hyper=off"] {
        assert_eq!(load(None, &[("LOG_LEVEL", level)]).unwrap().log.level.len(), level.len());
    }
    for level in ["loud", "info,loud", "kasparro=loud", "3"] {
        let error = refused(None, &[("LOG_LEVEL", level)]);
        let named = format!("log.level = \"{level}\" (from LOG_LEVEL)");
        assert!(error.contains(&named) && error.contains("debug or trace"), "{error}");
    }
}

#[test]
fn all_pages_of_coingecko_are_a_word_or_zero() {
    for file in ["pages = \"all\"", "pages = 0", "pages = 1000"] {
        let config = load(Some(&format!("[sources.coingecko]\n{file}\n")), &[]).unwrap();
        crate::wire::sources(&config).unwrap();
    }
    const VARIABLE: &str = "KASPARRO_SOURCES__COINGECKO__PAGES";
    let config = load(None, &[(VARIABLE, "all")]).unwrap();
    assert_eq!(config.source_options("coingecko")["pages"], "all");
    assert!(refused(None, &[(VARIABLE, "many")]).contains("or \"all\""));
    assert!(refused(Some("[server]\nmax_connections = \"all\"\n"), &[]).contains("a whole number"));
}
