//! Thousands of clients that send or read as slowly as they can, and good ones beside them.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::bare::Bare;
use crate::good::{Felt, Good};
use crate::idle;
use crate::process::{Held, Watcher};
use crate::served::{Served, Store};
use crate::{tell, tools, write};

/// Slow connections at once.
const CONNECTIONS: usize = 5_000;

/// So many of them at least the server holds at some time, where it holds them at all. What good clients feel is
/// also told for the while.
const HELD: usize = 4_000;

/// The most that p99 of good clients may grow.
const MOST_TIMES: f64 = 2.0;

/// How long good clients are measured alone.
const ALONE: Duration = Duration::from_secs(15);

/// How often an attack is made: a server that gives slow clients up does not hold them for long.
const TIMES: u32 = 2;

/// An attack as slowhttptest calls it.
struct Attack {
    name: &'static str,
    flags: &'static [&'static str],
    path: &'static str,
    /// True where the server holds what is slow until its time is over; false where it refuses to hold so much
    /// for one client, and what good clients feel counts all the while.
    held: bool,
}

const ATTACKS: [Attack; 3] = [
    Attack { name: "headers", flags: &["-H", "-i", "5"], path: "/data", held: true },
    Attack {
        name: "body",
        flags: &["-B", "-i", "5", "-s", "8192", "-t", "POST"],
        path: "/compare-runs",
        held: false,
    },
    Attack {
        name: "read",
        flags: &["-X", "-w", "512", "-y", "1024", "-n", "5", "-z", "32", "-k", "3"],
        path: "/data?limit=500",
        held: true,
    },
];

fn address(served: &Served) -> String {
    served.server.url.trim_start_matches("http://").to_owned()
}

impl Attack {
    /// Attacks `server` [`TIMES`] times. A real attacker takes no time from the machine of the server: this one has
    /// what it leaves.
    fn make(&self, server: &str, tool: &Path, folder: &Path) {
        let url = format!("{server}{}", self.path);
        let connections = CONNECTIONS.to_string();
        let tool = tool.display().to_string();
        let mut arguments = vec!["-n", "19", &tool];
        arguments.extend(self.flags);
        arguments.extend(["-c", &connections, "-r", "1000", "-l", "25", "-p", "5", "-u", &url]);
        for _ in 0..TIMES {
            let log = folder.join(format!("slow-{}.log", self.name));
            let attacker = tools::start(Path::new("nice"), &arguments, &[], folder, &log);
            tools::wait(attacker, &log, Duration::from_secs(90));
        }
    }
}

/// What good clients feel while the attack is made on somebody else: what it costs to have the attacker on the
/// same machine.
fn beside(served: &Served, tool: &Path, attack: &Attack) -> Felt {
    let bare = Bare::start();
    let good = Good::start(&address(served));
    attack.make(&bare.url, tool, served.folder.path());
    Felt::of(good.finish())
}

/// Makes an attack while good clients ask.
fn under(served: &Served, tool: &Path, attack: &Attack) -> (Felt, Value) {
    let watcher = Watcher::start(served.server.id());
    let good = Good::start(&address(served));
    attack.make(&served.server.url, tool, served.folder.path());
    let (answered, held) = (good.finish(), watcher.finish());
    let most = held.iter().map(|held| held.files).max().unwrap_or(0);
    let holds = most > HELD;
    assert_eq!(holds, attack.held, "{}: {most} files were open at most", attack.name);
    // From a look that saw enough slow ones to the next, if that did too.
    let enough = |held: &&Held| held.files >= HELD;
    let spans: Vec<_> = held
        .windows(2)
        .filter(|pair| pair.iter().filter(enough).count() == 2)
        .map(|pair| pair[0].at..pair[1].at)
        .collect();
    let meanwhile =
        answered.iter().filter(|answer| spans.iter().any(|span| span.contains(&answer.at)));
    let meanwhile = Felt::of(meanwhile.copied());
    let felt = Felt::of(answered);
    assert!(felt.requests > 10_000, "{} requests", felt.requests);
    let rss = held.iter().map(|held| held.rss_kilobytes).max();
    let figures = json!({
        "open_files_at_most": most,
        "rss_kilobytes_at_most": rss,
        "good_clients": felt.figures(),
        "good_clients_while_so_many_were_held": attack.held.then(|| meanwhile.figures()),
    });
    (felt, figures)
}

pub(crate) fn slow_clients(program: &Path) {
    let tool = tools::find("slowhttptest").unwrap();
    let settings = [
        ("KASPARRO_SERVER__MAX_CONNECTIONS", "12000"),
        // All of them come from one address.
        ("KASPARRO_SERVER__MAX_CONNECTIONS_PER_CLIENT", "0"),
        // slowhttptest cannot send a key, without which bodies are refused before they come.
        ("KASPARRO_ACCESS__LOOPBACK_READS", "true"),
    ];
    let served = Served::start(program, Store::Sqlite, false, &settings);
    let good = Good::start(&address(&served));
    std::thread::park_timeout(ALONE);
    let alone = Felt::of(good.finish());
    tell(&format!("alone: {}", alone.figures()));
    let mut attacks = Map::new();
    let mut fine = true;
    for attack in &ATTACKS {
        let (felt, mut figures) = under(&served, &tool, attack);
        let times = felt.p99_ms / alone.p99_ms;
        figures["p99_times_that_alone"] = json!(times);
        let beside = beside(&served, &tool, attack);
        figures["good_clients_while_a_bare_listener_is_attacked"] = beside.figures();
        figures["p99_times_that_beside_a_bare_listener"] = json!(felt.p99_ms / beside.p99_ms);
        tell(&format!("{}: {figures}", attack.name));
        fine &= times <= MOST_TIMES;
        attacks.insert(attack.name.to_owned(), figures);
    }
    served.stop();
    let (idle_fine, idle) = idle::hold(program);
    tell(&format!("idle: {idle}"));
    let figures = json!({
        "settings": {
            "server.max_connections": 12_000,
            "server.max_connections_per_client": 0,
            "access.loopback_reads": true,
        },
        "slow_connections_asked_for": CONNECTIONS,
        "held_at_least": HELD,
        "attackers": "slowhttptest, nice 19",
        "good_clients_alone": alone.figures(),
        "attacks": attacks,
        "idle": idle,
    });
    write("slow-clients", &Value::Null, figures);
    assert!(
        fine && idle_fine,
        "p99 more than doubled, or idle connections hold too much: see the evidence"
    );
}
