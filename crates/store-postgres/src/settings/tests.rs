//! URLs, and what is said of those that are wrong.

use super::*;

fn refusal(url: &str) -> String {
    PostgresSettings::from_url(url).unwrap_err()
}

#[test]
fn a_url_says_where_how_and_in_which_schema() {
    let url = "postgresql+psycopg://u:p%40ss@db.example.com:6000/market?sslmode=verify-full\
               &sslrootcert=%2Fetc%2Fca.pem&schema=second&connect_timeout=2";
    let settings = PostgresSettings::from_url(url).unwrap();
    assert_eq!(settings.place(), "db.example.com:6000/market");
    assert_eq!(settings.schema(), "second");
    assert_eq!(settings.channel(), "kasparro_generation_second");
    assert_eq!(settings.tls, Tls::VerifyFull);
    assert_eq!(settings.root_cert, Some(PathBuf::from("/etc/ca.pem")));
    let config = settings.config().unwrap();
    assert_eq!(config.get_password(), Some(b"p@ss".as_slice()));
    assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(2)));
}

#[test]
fn a_password_may_hold_what_else_begins_the_parameters() {
    let url = "postgres://u:a?b=c&d@h/d?schema=second";
    let settings = PostgresSettings::from_url(url).unwrap();
    assert_eq!((settings.place().as_str(), settings.schema()), ("h:5432/d", "second"));
    assert_eq!(settings.config().unwrap().get_password(), Some(b"a?b=c&d".as_slice()));
}

#[test]
fn what_a_url_leaves_out_has_defaults() {
    let settings = PostgresSettings::from_url("postgres://u@h/d").unwrap();
    assert_eq!(settings.place(), "h:5432/d");
    assert_eq!((settings.schema(), settings.tls), ("kasparro", Tls::Prefer));
    assert_eq!((settings.pool_size, settings.migrate), (8, MigrateMode::Run));
}

#[test]
fn what_is_wrong_with_a_url_is_told_without_its_secret() {
    for (url, part) in [
        ("mysql://u:hidden@h/d", "begin with postgres://"),
        ("u:hidden@h/d", "begin with postgres://"),
        ("postgres://u:hidden@h/d?sslmode=allow", "sslmode"),
        ("postgres://u:hidden@h/d?schema=Public", "schema"),
        ("postgres://u:hidden@h/d?schema=pg_mine", "schema"),
        ("postgres://u:hidden@h/d?options=-c", "options"),
        ("postgres://u:hidden@h/d?den=1", "percent-encoded"),
        ("postgres://u:hid@den@h/d", "percent-encoded"),
        ("postgres://u:hidden@h:port/d", "percent-encoded"),
        ("postgres://u:hidden@h", "no database"),
        ("postgres://h/d", "no user"),
    ] {
        let told = refusal(url);
        assert!(told.contains(part), "{url}: {told}");
        assert!(!told.contains("hid") && !told.contains("den="), "{url}: {told}");
    }
}

#[test]
fn the_password_is_not_in_the_debug_text() {
    let settings = PostgresSettings::from_url("postgres://u:hidden@h/d").unwrap();
    assert!(!format!("{settings:?}").contains("hidden"));
}
