//! What a store in PostgreSQL is opened with.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// What opening a store does about its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrateMode {
    /// Brings it up to date, and makes it where there is none.
    Run,
    /// Refuses one that is not up to date.
    Check,
}

/// How far the server has to show who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// Not asked for.
    Disable,
    /// Used where the server offers it; nothing is verified.
    Prefer,
    /// Used or refused; nothing is verified, unless a root certificate is named.
    Require,
    /// As `Require`, and an authority that is trusted must have signed the certificate.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be that of the host.
    VerifyFull,
}

impl Tls {
    const NAMES: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, mode)| mode)
    }
}

/// What a store in PostgreSQL is opened with. Made by [`PostgresSettings::from_url`]; the rest has defaults.
#[derive(Clone)]
pub struct PostgresSettings {
    url: SecretString,
    pub(crate) tls: Tls,
    pub(crate) root_cert: Option<PathBuf>,
    /// The schema that holds the store: lower-case letters, digits and `_`, at most 40 characters.
    schema: String,
    /// At most so many connections, the one that listens left aside.
    pub pool_size: usize,
    /// A statement that takes longer is cancelled by the server. Whole reads are not limited by it.
    pub statement_timeout: Duration,
    /// A statement that waits longer for a lock fails.
    pub lock_timeout: Duration,
    /// A transaction in which nothing happens for longer is ended by the server.
    pub idle_in_transaction_timeout: Duration,
    /// How often the server looks during a statement whether we are still there.
    pub client_connection_check_interval: Duration,
    /// How long making a connection may take, and waiting for one of the pool.
    pub connect_timeout: Duration,
    /// By what name the server's operator sees us.
    pub application_name: String,
    /// What opening does about the schema.
    pub migrate: MigrateMode,
}

impl fmt::Debug for PostgresSettings {
    // The URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("place", &self.place())
            .field("schema", &self.schema)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// The schema where a URL names none.
const SCHEMA: &str = "kasparro";

/// Longest name of a schema: with the name of its channel it fits into 63 bytes.
const SCHEMA_CHARS: usize = 40;

impl PostgresSettings {
    /// Reads `postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE?sslmode=...&sslrootcert=FILE&schema=NAME`, with
    /// the parameters of tokio-postgres beside these. `postgresql://` and `postgresql+DRIVER://` are the
    /// same.
    ///
    /// # Errors
    /// What is wrong with it and what to write instead; never a part of the URL that may be a secret.
    pub fn from_url(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("the URL must begin with postgres://")?;
        let driver = scheme.split_once('+').map_or(scheme, |(name, _)| name);
        if !matches!(driver, "postgres" | "postgresql") {
            return Err("the URL must begin with postgres://".to_owned());
        }
        // As tokio-postgres reads it: what stands before an @ is the user, whatever it is made of.
        let (user, rest) = rest.split_once('@').unwrap_or(("", rest));
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        if address.contains('@') {
            return Err(
                "an @ in a user or password of the URL must be percent-encoded: %40".to_owned()
            );
        }
        let (mut tls, mut root_cert, mut schema) = (Tls::Prefer, None, SCHEMA.to_owned());
        let mut others = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = || {
                let decoded = percent_encoding::percent_decode_str(value).decode_utf8();
                decoded.map_err(|_| format!("{key} of the URL is not UTF-8"))
            };
            match key {
                "sslmode" => {
                    tls = Tls::from_name(&value()?).ok_or(
                        "sslmode of the URL must be disable, prefer, require, verify-ca or verify-full",
                    )?;
                }
                "sslrootcert" => root_cert = Some(PathBuf::from(value()?.as_ref())),
                "schema" => schema = value()?.into_owned(),
                _ => others.push(parameter),
            }
        }
        check_schema(&schema)?;
        let at = if user.is_empty() { "" } else { "@" };
        let plain = format!("postgresql://{user}{at}{address}?{}", others.join("&"));
        let settings = Self {
            url: SecretString::from(plain),
            tls,
            root_cert,
            schema,
            pool_size: 8,
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(3),
            idle_in_transaction_timeout: Duration::from_secs(10),
            client_connection_check_interval: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            application_name: "kasparro".to_owned(),
            migrate: MigrateMode::Run,
        };
        let config = settings.parse()?;
        // Asked of the text, since without a name tokio-postgres takes that of the process's user.
        let named = !user.is_empty() && !user.starts_with(':');
        if !named && !others.iter().any(|parameter| parameter.starts_with("user=")) {
            return Err("the URL names no user: postgres://USER@HOST/DATABASE".to_owned());
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err("the URL names no database: postgres://USER@HOST/DATABASE".to_owned());
        }
        if config.get_hosts().is_empty() {
            return Err("the URL names no host: postgres://USER@HOST/DATABASE".to_owned());
        }
        if config.get_options().is_some() {
            return Err("options of the URL are not taken: the program sets its own".to_owned());
        }
        Ok(settings)
    }

    /// The schema that holds the store.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The same in another schema.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn with_schema(mut self, schema: &str) -> Result<Self, String> {
        check_schema(schema)?;
        schema.clone_into(&mut self.schema);
        Ok(self)
    }

    /// Where the database is, without the user: `HOST:PORT/DATABASE`, all hosts where there are several.
    #[must_use]
    pub fn place(&self) -> String {
        let Ok(config) = self.parse() else { return "the database".to_owned() };
        let ports = config.get_ports();
        let hosts = config.get_hosts().iter().enumerate().map(|(place, host)| {
            let port = ports.get(place).or(ports.first()).copied().unwrap_or(5432);
            match host {
                Host::Tcp(host) => format!("{host}:{port}"),
                #[cfg(unix)]
                Host::Unix(folder) => format!("{}:{port}", folder.display()),
            }
        });
        let hosts: Vec<String> = hosts.collect();
        format!("{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
    }

    /// The channel on which generations are announced.
    pub(crate) fn channel(&self) -> String {
        format!("kasparro_generation_{}", self.schema)
    }

    /// The URL without our own parameters, which tokio-postgres does not know.
    fn parse(&self) -> Result<Config, String> {
        self.url.expose_secret().parse().map_err(|error: tokio_postgres::Error| {
            // Its cause may quote a part of a password that was not percent-encoded.
            format!(
                "{error}: write postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE with the characters \
                 %, /, ?, # and @ of a password percent-encoded, and no parameter that is not known"
            )
        })
    }

    /// How a connection is made, with the settings of its session.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let mut config = self.parse()?;
        let ms = |duration: Duration| duration.as_millis();
        config.ssl_mode(match self.tls {
            Tls::Disable => SslMode::Disable,
            Tls::Prefer => SslMode::Prefer,
            Tls::Require | Tls::VerifyCa | Tls::VerifyFull => SslMode::Require,
        });
        // pg_temp last: without it temporary tables would be found before those of the store.
        config.options(format!(
            "-c search_path={},pg_temp -c statement_timeout={} -c lock_timeout={} \
             -c idle_in_transaction_session_timeout={} -c client_connection_check_interval={} \
             -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3 \
             -c TimeZone=UTC -c DateStyle=ISO -c default_transaction_isolation=read\\ committed",
            self.schema,
            ms(self.statement_timeout),
            ms(self.lock_timeout),
            ms(self.idle_in_transaction_timeout),
            ms(self.client_connection_check_interval),
        ));
        if config.get_application_name().is_none() {
            config.application_name(&self.application_name);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.connect_timeout);
        }
        config.keepalives(true);
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(20));
        Ok(config)
    }
}

fn check_schema(schema: &str) -> Result<(), String> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = schema.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if begins
        && schema.chars().all(letters)
        && schema.len() <= SCHEMA_CHARS
        && !schema.starts_with("pg_")
    {
        Ok(())
    } else {
        Err(format!(
            "the name of the schema must be lower-case letters, digits and _, not begin with a digit or \
             pg_, and have at most {SCHEMA_CHARS} characters"
        ))
    }
}

#[cfg(test)]
mod tests;
