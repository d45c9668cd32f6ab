//! A small world in which everything happened once.

use std::time::Duration;

use kasparro_domain::{
    ApiKey, AssetClass, AssetRelation, Clock as _, Decimal, DecisionKind, DriftSeverity, EdgeKind,
    EdgeTerms, IdentityState, ListingId, ListingKey, PageId, Quote, Rejection, RejectionReason,
    RunId, RunReason, Scope, SourceName, ValueAnomalyKind,
};
use kasparro_store::{
    EdgeRow, IdentityDecision, IdentityRow, IdentityStore as _, KeyStore as _, NewKey,
    QuarantinedRow, RowAnomaly, RunStore as _,
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::tests::findings::changed;
use crate::tests::keyed::pepper;
use crate::tests::resolved::{USDC, decided};
use crate::tests::world::{Brought, World, batch_row, known};

/// What happened, and what it can be asked by.
pub(in crate::tests) struct Story {
    pub(in crate::tests) world: World,
    pub(super) first_run: RunId,
    pub(super) second_run: RunId,
    pub(super) refused_page: PageId,
    /// The public ids of two keys, and the text of the first, which may read.
    pub(super) key_ids: [String; 2],
    pub(super) reader: String,
}

/// Id, symbol, name, then price, market capitalisation and volume in US dollars.
type Told<'a> = (&'a str, &'a str, &'a str, [&'a str; 3]);

/// Two sources and a file list Bitcoin, USD Coin and a namesake; everything that can be found was found once.
pub(in crate::tests) async fn story() -> Story {
    let mut world = World::new();
    let first_run = quotes(
        &mut world,
        "coinpaprika",
        &[
            ("btc-bitcoin", "BTC", "Bitcoin", ["46100.5", "903000000000", "21000000000"]),
            ("usdc-usd-coin", "USDC", "USD Coin", ["1.0001", "24500000000", "5100000000"]),
        ],
    )
    .await;
    quotes(
        &mut world,
        "coingecko",
        &[
            ("bitcoin", "btc", "Bitcoin", ["46098.25", "902900000000", "20900000000"]),
            ("usd-coin", "usdc", "USDC", ["0.9998", "24480000000", "5090000000"]),
            ("bitcoin-b", "btc", "Bitcoin B", ["0.0315", "310000", "1200"]),
        ],
    )
    .await;
    quotes(
        &mut world,
        "csv",
        &[
            ("own-1", "BTC", "Bitcoin", ["46090", "902000000000", "20000000"]),
            ("own-2", "ETH", "Ether", ["2280.15", "274000000000", "9000000"]),
        ],
    )
    .await;
    world.state("coinpaprika", "usdc-usd-coin", &[("eth-ethereum", &USDC.to_lowercase())]).await;
    world.state("coingecko", "usd-coin", &[("ethereum", USDC)]).await;
    identity(&world).await;

    world.clock.advance(Duration::from_secs(300));
    let second_run = quotes(
        &mut world,
        "coinpaprika",
        &[
            ("btc-bitcoin", "BTC", "Bitcoin", ["61250.75", "1200000000000", "48000000000"]),
            ("usdc-usd-coin", "USDC", "USD Coin", ["1.0002", "24510000000", "5200000000"]),
        ],
    )
    .await;
    world.short_run("coingecko").await;
    world.examine("coingecko", vec![changed("/current_price", DriftSeverity::Warning)]).await;
    let items = [
        ("1", "Bitcoin rises by a third", Some("2024-01-01T00:04:00Z")),
        ("2", "USD Coin on another chain", Some("2023-12-31T10:00:00Z")),
    ];
    world.news("news.example/rss", &items).await;
    let (_, refused_page) = world.refuse("coinpaprika").await;
    world.fail("csv").await;
    world.set_budgets("coinpaprika", vec![budget()]).await;
    world.set_state("csv", true).await;
    let (reader, first_key) = key(&world, "a dashboard", Scope::Read).await;
    let (_, second_key) = key(&world, "the night watch", Scope::Operate).await;
    // So that a request for one finds it, with the same id each time.
    let queued = RunId(uuid::Uuid::from_u128(0x018c_c251_f400_7000_8000_0000_0000_00ff));
    let csv = SourceName::new("csv");
    world.kept.queue_run(queued, &csv, RunReason::Manual, world.clock.now()).await.unwrap();
    world.refresh().await;
    Story { world, first_run, second_run, refused_page, key_ids: [first_key, second_key], reader }
}

/// A run that brings quotes; with a row that is not believed where it brings one, and a jump where a price is
/// far from the one before.
async fn quotes(world: &mut World, source: &str, told: &[Told<'_>]) -> RunId {
    world
        .bring(source, |memory, now| {
            let rows = told.iter().enumerate().map(|(ordinal, (id, symbol, name, numbers))| {
                let known = known(memory, id);
                let [price_usd, market_cap, volume_24h] =
                    numbers.map(|text| Decimal::parse(text).ok());
                let mut row = batch_row(ordinal, &(*id, *symbol, *name, None), known, now);
                let rank = Some(u32::try_from(ordinal + 1).unwrap());
                row.quote = Quote { price_usd, market_cap, volume_24h, rank, ..Quote::default() };
                if known.is_some() && ordinal == 0 {
                    row.anomalies = vec![RowAnomaly {
                        kind: ValueAnomalyKind::PriceJump,
                        value: numbers[0].to_owned(),
                        expected: "43795.48 to 48405.52".to_owned(),
                    }];
                }
                row
            });
            let rows: Vec<_> = rows.collect();
            let refused = ["n/a", "-"].iter().enumerate().map(|(place, text)| QuarantinedRow {
                ordinal: (rows.len() + place) as u64,
                rejection: Rejection::new(RejectionReason::BadNumber, "/price", text),
                rule: "csv/1",
            });
            let quarantined = if source == "csv" { refused.collect() } else { Vec::new() };
            Brought { rows, quarantined, ..Brought::default() }
        })
        .await
}

/// Bitcoin is one asset of two sources, USD Coin another one; of the namesake it stays open.
async fn identity(world: &World) {
    let feature = |name: &str, detail: &str, centibits: i32| json!({"name": name, "detail": detail, "centibits": centibits});
    let candidate = json!({
        "key": {"source": "coinpaprika", "external_id": "btc-bitcoin"}, "verdict": "review",
        "why": "the symbol is the same, the names differ", "centibits": 667,
        "features": [feature("symbol_equal", "btc and BTC", 1234), feature("name_differs", "Bitcoin B and Bitcoin", -567)],
    });
    let fork = forked(world).await;
    let linked = IdentityState::Linked;
    let rows = vec![
        decided(1, 1, AssetClass::Coin, linked),
        decided(2, 2, AssetClass::Stablecoin, linked),
        decided(3, 1, AssetClass::Coin, linked),
        decided(4, 2, AssetClass::Stablecoin, linked),
        IdentityRow {
            candidates: json!([candidate]),
            edges: vec![fork],
            ..decided(5, 5, AssetClass::Coin, IdentityState::Ambiguous)
        },
    ];
    world.resolve(rows).await;
}

/// Somebody said that the namesake began as a copy of Bitcoin.
async fn forked(world: &World) -> EdgeRow {
    let key = |id: &str| ListingKey::new("coingecko", id);
    let relation = AssetRelation {
        from: key("bitcoin-b"),
        kind: EdgeKind::ForkedFrom,
        to: key("bitcoin"),
        terms: EdgeTerms {
            ratio: EdgeTerms::read_ratio("1").ok(),
            effective_on: EdgeTerms::read_day("2017-08-01").ok(),
        },
    };
    let decision = IdentityDecision {
        kind: DecisionKind::Relate,
        source: SourceName::new("coingecko"),
        pairs: vec![relation.pair()],
        relation: Some(relation.clone()),
        who: "operator".to_owned(),
        why: "every holder was given one for one".to_owned(),
        decided_at: world.clock.now(),
    };
    let decision = world.kept.decide_identity(decision).await.unwrap();
    let why = format!("Decision {} says so.", decision.0).into();
    EdgeRow { kind: relation.kind, to: ListingId(3), why, terms: relation.terms }
}

fn budget() -> Value {
    json!({
        "name": "https://api.coinpaprika.com", "breaker": "closed", "not_before": null, "requests_total": 12,
        "retries_in_last_100": 0,
        "forecast": {"credits_left": 19_988, "lasts_until": null, "interval_affordable_seconds": 60},
        "windows": [{"window": "month", "limit": 20_000, "remaining": 19_988, "resets_at": "2024-02-01T00:00:00Z"}],
    })
}

/// Keeps a key; its text and its public id.
async fn key(world: &World, name: &str, scope: Scope) -> (String, String) {
    let made = pepper().key_of(name.as_bytes());
    let text = made.text.expose_secret().to_owned();
    let now = world.clock.now();
    let key = ApiKey {
        key_id: made.key_id.clone(),
        name: name.to_owned(),
        scope,
        hmac: pepper().hmac(&text),
        requests: None,
        created_at: now,
        expires_at: Some(now.plus(Duration::from_secs(90 * 86_400))),
        revoked_at: None,
        last_used_at: None,
    };
    world.kept.add_key(NewKey { key, replaces: None }).await.unwrap();
    (text, made.key_id)
}
