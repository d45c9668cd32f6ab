//! `demo`: `serve` on simulated upstreams, offline.

use std::time::Duration;

use kasparro_sim::{SimSettings, Simulator};

use super::serve::{self, Arguments, Role, bind, local_url, serve};
use super::{Context, shutdown};
use crate::clock::SystemClock;
use crate::config::{Flags, Origin, known_keys};
use crate::failure::{Exit, Failure};

/// Where the demo keeps its data, apart from real ones.
const DATABASE: &str = "sqlite:./data/demo/kasparro.db";

/// How often simulated values move.
const STEP_EVERY: Duration = Duration::from_secs(5);

/// The feeds of the simulator; their host is replaced by the simulator's own.
const FEEDS: &str = "https://news.example/feed/rss.xml, https://news.example/feed/atom.xml, \
                     https://news.example/feed/feed.json";

const ORIGIN: Origin = Origin::Command("demo");

/// Settings that only simulated upstreams allow, and a data folder that real data never share: a
/// database of the configuration is not taken, one of `--database` is. Nor is any option of a source,
/// since keys, addresses and what goes with them are meant for real upstreams.
pub(super) fn lay(arguments: &Arguments, flags: &mut Flags) {
    arguments.listening.lay(flags);
    lay_simulated(flags);
}

fn lay_simulated(flags: &mut Flags) {
    let mut forced = vec![("store.database", DATABASE.to_owned(), ORIGIN)];
    // Nobody is to be woken because of what is simulated.
    forced.extend(
        ["alerts.webhook_url", "alerts.webhook_secret"].map(|key| (key, String::new(), ORIGIN)),
    );
    // Whoever looks around is alone on this machine.
    for (key, text) in [("limits.anonymous", "10000"), ("access.loopback_reads", "true")] {
        flags.defaults.push((key.to_owned(), text.to_owned(), ORIGIN));
    }
    for name in kasparro_sources::names() {
        let section = format!("sources.{name}");
        for known in known_keys().iter().filter(|known| known.section() == section) {
            let default = |text: &str| (known.key.clone(), text.to_owned(), ORIGIN);
            match known.name() {
                "schedule" => flags.defaults.push(default("10s")),
                "requests_per_minute" => flags.defaults.push(default("6000")),
                "credits_per_month" => flags.defaults.push(default("1000000000")),
                "urls" if name == "feed" => forced.push((&known.key, FEEDS.to_owned(), ORIGIN)),
                option if kasparro_sources::option_keys(name).contains(&option) => {
                    let text = known.default.as_str().map(ToOwned::to_owned);
                    let text = text.unwrap_or_else(|| known.default.to_string());
                    forced.push((&known.key, text, ORIGIN));
                }
                _ => {}
            }
        }
    }
    // What the command line says comes after them and replaces them.
    flags.values.splice(..0, forced);
}

pub(crate) async fn execute(mut context: Context) -> Result<Exit, Failure> {
    let shutdown = shutdown::token();
    let listener = bind("127.0.0.1:0").await?;
    let upstream = local_url(&listener)?;
    let simulator = Simulator::new(SimSettings {
        step_every: Some(STEP_EVERY),
        // Simulated time keeps pace with real time, or instants would come from the future.
        step_span: STEP_EVERY,
        base_at: SystemClock::shared().now(),
        ..SimSettings::default()
    });
    let stopping = shutdown.clone();
    let simulated = tokio::spawn(async move { simulator.serve(listener, stopping).await });
    tracing::info!(%upstream, "simulated upstreams are served there");
    context.config.fetch.upstream = Some(upstream);
    let outcome = serve(&context, Role::Both, shutdown.clone()).await;
    shutdown.cancel();
    let _ = tokio::time::timeout(serve::GRACE, simulated).await;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    #[test]
    fn whoever_looks_around_is_not_held_up() {
        let mut flags = Flags::default();
        lay_simulated(&mut flags);
        let demo = Config::load(&flags, &Environment::new()).unwrap();
        assert_eq!(demo.request_limits.anonymous, Some(10_000));
        assert!(demo.access.loopback_reads);
        let chosen =
            [("KASPARRO_LIMITS__ANONYMOUS", "5"), ("KASPARRO_ACCESS__LOOPBACK_READS", "false")];
        let chosen = chosen.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let demo = Config::load(&flags, &Environment::from(chosen)).unwrap();
        assert_eq!((demo.request_limits.anonymous, demo.access.loopback_reads), (Some(5), false));
    }

    #[test]
    fn i9_no_option_of_any_source_is_taken_from_the_configuration() {
        let mut flags = Flags::default();
        lay_simulated(&mut flags);
        let untouched = Config::load(&flags, &Environment::new()).unwrap();
        let mut configured = 0;
        for name in kasparro_sources::names() {
            for known in known_keys().iter().filter(|known| known.default.is_str()) {
                let own = kasparro_sources::option_keys(name).contains(&known.name());
                if !own || known.section() != format!("sources.{name}") {
                    continue;
                }
                let variable = known.key.replace('.', "__").to_ascii_uppercase();
                let canary = (format!("KASPARRO_{variable}"), "canary".to_owned());
                let environment = Environment::from([canary]);
                let real = Config::load(&Flags::default(), &environment).unwrap();
                assert_eq!(real.source_options(name)[known.name()], "canary", "{}", known.key);
                let demo = Config::load(&flags, &environment).unwrap();
                assert_eq!(demo.source_options(name), untouched.source_options(name));
                configured += 1;
            }
            let secrets = kasparro_sources::specs().into_iter().find(|spec| spec.name == name);
            for secret in secrets.unwrap().secret_options {
                let known = kasparro_sources::option_keys(name).contains(secret);
                assert!(known, "{name}.{secret} is a secret and no option");
                assert!(!untouched.source_options(name).contains_key(*secret));
            }
        }
        assert!(configured > 0);
        let webhook = ("KASPARRO_ALERTS__WEBHOOK_URL", "https://hooks.example.org/canary");
        let environment = Environment::from([(webhook.0.to_owned(), webhook.1.to_owned())]);
        assert!(Config::load(&Flags::default(), &environment).unwrap().webhook.is_some());
        assert!(Config::load(&flags, &environment).unwrap().webhook.is_none());
        let addressed = "https://example.com/coins.csv?key=canary".to_owned();
        let environment =
            Environment::from([("KASPARRO_SOURCES__CSV__PATHS".to_owned(), addressed)]);
        let demo = Config::load(&flags, &environment).unwrap();
        assert_eq!(demo.source_options("csv"), untouched.source_options("csv"));
        assert_eq!(untouched.source_options("feed")["urls"].as_array().unwrap().len(), 3);
        crate::wire::sources(&demo).unwrap();
    }
}
