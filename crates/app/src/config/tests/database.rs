//! How a database is named, and what of that is shown.

use super::*;

#[test]
fn a_flag_names_a_database_by_its_path_too() {
    let config = load(None, &[("KASPARRO_STORE__POOL_SIZE", "3")]).unwrap();
    for text in ["x.db", "sqlite:x.db", "sqlite:///x.db"] {
        let named = config.named_database("--from", text).unwrap();
        assert_eq!(named.path(), Some(Path::new("x.db")));
    }
    match config.named_database("--from", "postgres://u:canary@h/d").unwrap() {
        Database::Postgres(settings) => assert_eq!(settings.pool_size, 3),
        Database::Sqlite(path) => panic!("{path:?}"),
    }
    for text in ["", "data/", "mysql://u:canary@h/d", "postgres://u:canary@h", "sqlite:"] {
        let error = config.named_database("--from", text).unwrap_err().to_string();
        assert!(error.contains("--from") && error.contains("sqlite:./data"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn databases_are_named_by_sqlite_and_a_path() {
    for (url, path) in [
        ("sqlite:x.db", "x.db"),
        ("sqlite:/abs/x.db", "/abs/x.db"),
        ("sqlite:///rel/x.db", "rel/x.db"),
    ] {
        let config = load(None, &[("DATABASE_URL", url)]).unwrap();
        assert_eq!(config.database.path(), Some(Path::new(path)));
    }
    for url in [
        "x.db",
        "sqlite:",
        "sqlite::memory:",
        "sqlite://host/x.db",
        "sqlite:x.db?mode=ro",
        "mysql://h",
    ] {
        let error = refused(None, &[("DATABASE_URL", url)]);
        assert!(error.contains("sqlite:./data/kasparro.db"), "{error}");
    }
}

/// Where a configuration says that its PostgreSQL is, its schema, and the folder beside it.
fn place(variables: &[(&str, &str)]) -> (String, String, PathBuf) {
    let config = load(None, variables).unwrap();
    let Database::Postgres(settings) = &config.database else {
        panic!("{:?}", config.database);
    };
    (config.database.to_string(), settings.schema().to_owned(), config.data_dir())
}

#[test]
fn i9_a_postgres_database_is_named_by_a_url_and_shown_without_its_password() {
    for url in [
        "postgres://u:canary@db:6000/market?schema=second&sslmode=disable",
        "postgresql+asyncpg://u:canary@db:6000/market?schema=second",
    ] {
        let expected = ("db:6000/market".to_owned(), "second".to_owned(), PathBuf::from("./data"));
        assert_eq!(place(&[("DATABASE_URL", url)]), expected);
        let config = load(None, &[("KASPARRO_STORE__DATABASE", url)]).unwrap();
        let shown = format!("{:?} {config:?} {}", config.shown(), config.database);
        assert!(!shown.contains("canary") && shown.contains("://…"), "{shown}");
    }
    let elsewhere = [("POSTGRES_HOST", "db"), ("KASPARRO_STORE__DATA_DIR", "/srv/x")];
    assert_eq!(place(&elsewhere).2, Path::new("/srv/x"));
}

#[test]
fn i9_a_database_is_also_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://u:canary@db/market\n").unwrap();
    let file = path.to_str().unwrap();
    for variable in ["DATABASE_URL_FILE", "KASPARRO_STORE__DATABASE_FILE"] {
        // The host of the other names counts only where there is no URL.
        assert_eq!(place(&[(variable, file), ("POSTGRES_HOST", "x")]).0, "db:5432/market");
    }
    std::fs::write(&path, "canary").unwrap();
    let error = refused(None, &[("DATABASE_URL_FILE", file)]);
    assert!(error.contains("DATABASE_URL_FILE") && !error.contains("canary"), "{error}");
}

#[test]
fn the_names_of_the_postgres_image_make_a_url() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "p@/?#:%\n").unwrap();
    let password = path.to_str().unwrap();
    for (variables, expected) in [
        (&[("POSTGRES_HOST", "db")][..], "db:5432/postgres"),
        (&[("POSTGRES_SERVER", "db"), ("POSTGRES_PORT", "6000")], "db:6000/postgres"),
        (&[("POSTGRES_HOST", "db"), ("POSTGRES_USER", "me")], "db:5432/me"),
        (&[("POSTGRES_HOST", "::1"), ("POSTGRES_DB", "a b")], "::1:5432/a b"),
        (&[("POSTGRES_HOST", "db"), ("POSTGRES_PASSWORD", "p@/?#:%")], "db:5432/postgres"),
        (&[("POSTGRES_HOST", "/run/a b"), ("POSTGRES_PORT", "6000")], "/run/a b:6000/postgres"),
        (&[("POSTGRES_HOST", "db"), ("POSTGRES_PASSWORD_FILE", password)], "db:5432/postgres"),
    ] {
        assert_eq!(place(variables).0, expected, "{variables:?}");
    }
}

#[test]
fn i9_what_may_be_a_password_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    let file = path.to_str().unwrap();
    let config = load(None, &[]).unwrap();
    for text in [
        "host=h password=canary",
        "host=h user=u PASSWORD = canary",
        "canary",
        "me:canary",
        "postgrescanary:x",
        "postgres:canary",
        "mysql://h/d?x password=canary",
        "canary/with/slashes",
        "canary with blanks.db",
    ] {
        for name in ["DATABASE_URL", "KASPARRO_STORE__DATABASE"] {
            let error = refused(None, &[(name, text)]);
            assert!(error.contains('…') && error.contains(name), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        std::fs::write(&path, text).unwrap();
        for name in ["DATABASE_URL_FILE", "KASPARRO_STORE__DATABASE_FILE"] {
            let error = refused(None, &[(name, file)]);
            assert!(error.contains(&format!("store.database = … (from {name})")), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        let error = config.database_in_file("--to", text).unwrap_err().to_string();
        assert!(error.starts_with("--to = … ") && !error.contains("canary"), "{error}");
    }
    for text in ["host=h password=canary", "password=canary"] {
        let error = config.named_database("--to", text).unwrap_err().to_string();
        assert!(error.starts_with("--to = … ") && !error.contains("canary"), "{error}");
    }
    // What plainly holds none is shown, so that it can be mended.
    for text in ["x.db", "mysql://h", "sqlite:x.db/", "sqlite://host/x"] {
        let error = refused(None, &[("DATABASE_URL", text)]);
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn a_file_behind_a_flag_says_what_it_names() {
    let config = load(None, &[]).unwrap();
    let named = |text| config.database_in_file("--to", text).map(|database| database.to_string());
    assert_eq!(named(" sqlite:x.db\r").unwrap(), "x.db");
    assert_eq!(named("postgres://u:p@h/d").unwrap(), "h:5432/d");
    assert!(named("x.db").is_err(), "a path alone may be a password");
}

#[test]
fn blanks_around_an_address_and_the_case_of_its_scheme_do_not_matter() {
    for url in [" postgres://u@db/market\n", "Postgres://u@db/market", "POSTGRESQL+X://u@db/market"]
    {
        assert_eq!(place(&[("DATABASE_URL", url)]).0, "db:5432/market");
    }
    for url in [" sqlite:x.db ", "SQLite:x.db", "SQLITE:///x.db"] {
        let config = load(None, &[("DATABASE_URL", url)]).unwrap();
        assert_eq!(config.database.path(), Some(Path::new("x.db")), "{url}");
    }
}

#[test]
fn a_database_without_its_host_is_warned_of() {
    let warnings = |variables: &[(&str, &str)]| load(None, variables).unwrap().warnings;
    for name in ["POSTGRES_DB", "POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_PORT"] {
        let warned = warnings(&[(name, "canary")]);
        let words = "is set but POSTGRES_HOST is not: the store is SQLite at ./data/kasparro.db";
        assert_eq!(warned, [format!("{name} {words}")]);
    }
    for variables in [
        &[][..],
        &[("POSTGRES_DB", " ")],
        &[("POSTGRES_DB", "x"), ("POSTGRES_HOST", "h")],
        &[("POSTGRES_DB", "x"), ("POSTGRES_SERVER", "h")],
        &[("POSTGRES_DB", "x"), ("DATABASE_URL", "postgres://u@h/d")],
        &[("POSTGRES_DB", "x"), ("KASPARRO_STORE__DATABASE", "sqlite:x.db")],
    ] {
        assert_eq!(warnings(variables), Vec::<String>::new(), "{variables:?}");
    }
}

#[test]
fn i9_a_password_on_the_command_line_is_warned_of_and_not_told() {
    let flag = |url: &str| {
        let values = vec![("store.database", url.to_owned(), Origin::Flag("--database"))];
        load_with(None, &[], values).unwrap().warnings
    };
    for url in [
        "postgres://u:canary@h/d",
        "postgresql+asyncpg://u:canary@h/d?sslmode=disable",
        "postgres://u@h/d?sslmode=disable&password=canary",
    ] {
        let warned = flag(url);
        assert_eq!(warned.len(), 1, "{url}: {warned:?}");
        let told = &warned[0];
        assert!(told.starts_with("--database") && !told.contains("canary"), "{told}");
        for remedy in ["DATABASE_URL_FILE", "POSTGRES_PASSWORD_FILE"] {
            assert!(told.contains(remedy), "{told}");
        }
        let elsewhere = load(None, &[("DATABASE_URL", url)]).unwrap().warnings;
        assert_eq!(elsewhere, Vec::<String>::new(), "it is in no list of processes");
    }
    for url in ["postgres://u@h/d", "postgres://u:@h/d", "postgres://u@h:1/d", "sqlite:u:c@h.db"] {
        assert_eq!(flag(url), Vec::<String>::new(), "{url}");
    }
}
