//! Which listings are one asset: decided beside the loads, from dated evidence, and undone without a trace.

use std::sync::Arc;
use std::time::Duration;

use kasparro_domain::{
    AssetClass, AssetId, AssetRelation, Clock, DecisionKind, EdgeKind, EdgeTerms, Generation,
    IdentityState, ListingKey, RunReason, SourceName,
};
use kasparro_engine::{Engine, EngineError, Holding, LeaseTimes, Lists, Schedule};
use kasparro_store::{ListingRow, MemoryStore, Store};
use serde_json::json;

use crate::paprika::Paprika;
use crate::rows::page;
use crate::world::World;

const TOKEN: &str = "0x5a98fcbea516cf06857215779fd812ca3bef1b32";

/// A row of CoinGecko's coin list, after the vendor's description.
fn listed(id: &str, symbol: &str, name: &str, contract: Option<&str>) -> String {
    let platforms = contract.map_or(String::new(), |address| format!(r#""ethereum":"{address}""#));
    format!(r#"{{"id":"{id}","symbol":"{symbol}","name":"{name}","platforms":{{{platforms}}}}}"#)
}

/// A row of CoinPaprika's list of coins, after the vendor's description.
fn coin(id: &str, symbol: &str, name: &str, kind: &str) -> String {
    format!(
        r#"{{"id":"{id}","name":"{name}","symbol":"{symbol}","rank":1,"is_new":false,"is_active":true,"type":"{kind}"}}"#
    )
}

fn contract(id: &str) -> String {
    format!(r#"{{"address":"{TOKEN}","type":"ERC20","id":"{id}","active":true}}"#)
}

/// Two vendors that know a token by its contract, and a coin each that the other one does not have.
fn vendors() -> (Paprika, World) {
    let upstream = Paprika::new();
    upstream.say("/api/v3/coins/markets", "[]");
    let gecko = [
        listed("lido-dao", "ldo", "Lido DAO", Some(TOKEN)),
        listed("zed-chain", "zed", "Zed Chain", None),
    ];
    upstream.say("/api/v3/coins/list", page(&gecko));
    upstream.say("/v1/tickers", "[]");
    let paprika = [
        coin("ldo-lido-dao", "LDO", "Lido DAO Token", "token"),
        coin("qux-qux", "QUX", "Qux", "coin"),
    ];
    upstream.say("/v1/coins", page(&paprika));
    upstream.say("/v1/contracts", r#"["eth-ethereum"]"#);
    upstream.say("/v1/contracts/eth-ethereum", page(&[contract("ldo-lido-dao")]));
    let sources = vec![("coingecko", json!({"pages": 1})), ("coinpaprika", json!({}))];
    let mut world = World::new(Some(upstream.upstream.url.clone()), sources);
    world.lists = Schedule::parse("1d").unwrap();
    (upstream, world)
}

/// The engine of a process that holds no source.
async fn another(world: &mut World) -> Arc<Engine> {
    let second = Duration::from_secs(1);
    let times = LeaseTimes { ttl: 30 * second, renew_every: 10 * second, look_every: second };
    world.holding = Holding::Leased(times);
    world.engine().await
}

async fn run_both(engine: &Arc<Engine>) {
    let sources = ["coingecko", "coinpaprika"].map(SourceName::new);
    engine.run_now(&sources, RunReason::Manual, Lists::All).await.unwrap();
}

async fn rows(store: &Arc<dyn Store>) -> Vec<ListingRow> {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(100);
    store.changes(Generation(0), sender).await.unwrap();
    let mut rows = Vec::new();
    while let Some(piece) = receiver.recv().await {
        rows.extend(piece);
    }
    rows
}

async fn row(store: &Arc<dyn Store>, id: &str) -> ListingRow {
    rows(store).await.into_iter().find(|row| row.external_id == id).unwrap()
}

/// The assets of listings, by external id.
async fn assets<const N: usize>(world: &World, ids: [&str; N]) -> [AssetId; N] {
    let rows = rows(&world.store).await;
    ids.map(|id| rows.iter().find(|row| row.external_id == id).unwrap().asset_id)
}

fn key(source: &str, id: &str) -> ListingKey {
    ListingKey::new(source, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_two_vendors_with_one_contract_are_one_asset_and_others_stay_apart() {
    let (_upstream, world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    // Loading waits for no decision: each listing is an asset of its own until then.
    let before = rows(&world.store).await;
    assert!(before.iter().all(|row| row.asset_id == row.founded_asset_id));
    assert!(before.iter().all(|row| row.identity == IdentityState::Unresolved));
    let resolved = engine.resolve_identity().await.unwrap().unwrap();
    assert_eq!((resolved.totals.listings, resolved.totals.assets), (4, 3));
    assert_eq!((resolved.totals.linked, resolved.pending), (2, false));
    let [ldo, same, zed, qux] =
        assets(&world, ["lido-dao", "ldo-lido-dao", "zed-chain", "qux-qux"]).await;
    assert_eq!(ldo, same);
    assert!(zed != qux && zed != ldo && qux != ldo);
    // CoinGecko ran first, so its listing founded the asset.
    let founder = row(&world.store, "lido-dao").await;
    assert_eq!((founder.asset_id, founder.class), (founder.founded_asset_id, AssetClass::Token));
    assert_eq!(row(&world.store, "qux-qux").await.identity, IdentityState::Single);
    assert_eq!(engine.resolve_identity().await.unwrap(), None, "nothing has come since");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_resolves_and_however_often_the_outcome_is_the_same() {
    let (upstream, mut world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    let more = [
        coin("ldo-lido-dao", "LDO", "Lido DAO Token", "token"),
        coin("qux-qux", "QUX", "Qux", "coin"),
        coin("zed-zed-chain", "ZED", "Zed Chain", "coin"),
    ];
    upstream.say("/v1/coins", page(&more));
    world.clock.advance(Duration::from_secs(86_400));
    run_both(&engine).await;
    // One process goes on from what it knows, another one reads everything.
    let stage = engine.resolve_identity().await.unwrap().unwrap();
    let incremental = world.kept().await;
    let other = another(&mut world).await;
    assert_eq!(other.resolve_identity().await.unwrap(), None);
    let more = coin("new-new", "NEW", "New", "coin");
    upstream.say("/v1/coins", page(&[more]));
    world.clock.advance(Duration::from_secs(86_400));
    run_both(&engine).await;
    let written = other.resolve_identity().await.unwrap().unwrap();
    assert!(written.generation > stage.generation);
    assert!(world.kept().await.len() > incremental.len());
    let position = world.store.identity_position().await.unwrap();
    assert_eq!(written.evidence_version, position.evidence_version);
    // The first one follows what the other wrote.
    let again = coin("new2-new2", "NEW2", "New2", "coin");
    upstream.say("/v1/coins", page(&[again]));
    world.clock.advance(Duration::from_secs(86_400));
    run_both(&engine).await;
    assert!(engine.resolve_identity().await.unwrap().is_some());
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_errs_for_five_minutes_rewires_nothing() {
    let (upstream, world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    let before = world.kept().await;
    let partition = assets(&world, ["lido-dao", "ldo-lido-dao", "qux-qux"]).await;
    let wrong =
        [coin("ldo-lido-dao", "BTC", "Bitcoin", "coin"), coin("qux-qux", "QUX", "Qux", "token")];
    upstream.say("/v1/coins", page(&wrong));
    world.clock.advance(Duration::from_secs(300));
    run_both(&engine).await;
    let resolved = engine.resolve_identity().await.unwrap().unwrap();
    assert!(resolved.pending, "what was said waits");
    assert_eq!(assets(&world, ["lido-dao", "ldo-lido-dao", "qux-qux"]).await, partition);
    assert_eq!(row(&world.store, "qux-qux").await.class, AssetClass::Coin);
    let right = [
        coin("ldo-lido-dao", "LDO", "Lido DAO Token", "token"),
        coin("qux-qux", "QUX", "Qux", "coin"),
    ];
    upstream.say("/v1/coins", page(&right));
    world.clock.advance(Duration::from_secs(300));
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    let after = world.kept().await;
    let partition = |kept: &std::collections::BTreeSet<String>| {
        kept.iter().filter(|row| row.starts_with("partition ")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(partition(&after), partition(&before));
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vendor_keeps_saying_counts_after_a_day() {
    let (upstream, world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    assert_eq!(row(&world.store, "qux-qux").await.class, AssetClass::Coin);
    upstream.say("/v1/coins", page(&[coin("qux-qux", "QUX", "Qux", "token")]));
    let mut waited = Vec::new();
    for _ in 0..4 {
        world.clock.advance(Duration::from_secs(10 * 3600));
        run_both(&engine).await;
        let resolved = engine.resolve_identity().await.unwrap().unwrap();
        waited.push(resolved.pending);
    }
    // First said at hour 10; the third sighting a day later is that of hour 40.
    assert_eq!(waited, [true, true, true, false]);
    assert_ne!(row(&world.store, "qux-qux").await.class, AssetClass::Coin);
    assert_eq!(engine.resolve_identity().await.unwrap(), None);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_after_a_merge_leaves_no_trace_but_the_two_decisions() {
    let (_upstream, world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    let partition = async || {
        let kept = world.kept().await;
        kept.into_iter().filter(|row| row.starts_with("partition ")).collect::<Vec<_>>()
    };
    let before = partition().await;
    let apart = assets(&world, ["zed-chain", "qux-qux"]).await;
    let pair = || vec![(key("coinpaprika", "qux-qux"), key("coingecko", "zed-chain"))];
    engine.decide_identity(DecisionKind::Merge, pair(), None, "ada", "one genesis").await.unwrap();
    let [zed, qux] = assets(&world, ["zed-chain", "qux-qux"]).await;
    assert_eq!((zed, qux), (apart[0], apart[0]), "the asset keeps the id of its founding listing");
    assert_ne!(partition().await, before);
    assert_eq!(row(&world.store, "qux-qux").await.identity, IdentityState::Linked);
    engine.decide_identity(DecisionKind::Split, pair(), None, "ada", "a mistake").await.unwrap();
    assert_eq!(partition().await, before);
    assert_eq!(assets(&world, ["zed-chain", "qux-qux"]).await, apart, "ids come back");
    // What evidence links, a person takes apart, and withdraws that.
    let linked = || vec![(key("coingecko", "lido-dao"), key("coinpaprika", "ldo-lido-dao"))];
    engine
        .decide_identity(DecisionKind::Unlink, linked(), None, "bob", "not the same")
        .await
        .unwrap();
    let [one, other] = assets(&world, ["lido-dao", "ldo-lido-dao"]).await;
    assert_ne!(one, other);
    let alerts = world.store.alerts(10).await.unwrap();
    let contradicted: Vec<_> =
        alerts.iter().filter(|alert| alert.alert.code == "identity_contradicted").collect();
    assert_eq!(contradicted.len(), 1, "an equal contract speaks against it: {alerts:?}");
    engine.decide_identity(DecisionKind::Withdraw, linked(), None, "bob", "it is").await.unwrap();
    assert_eq!(partition().await, before);
    assert_eq!(world.store.decisions().await.unwrap().len(), 4);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_say_of_how_assets_relate_keeps_its_ratio_and_day_until_it_is_withdrawn() {
    let (_upstream, world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    let partition = async || {
        let kept = world.kept().await;
        kept.into_iter().filter(|row| row.starts_with("partition ")).collect::<Vec<_>>()
    };
    let before = partition().await;
    let relation = AssetRelation {
        from: key("coinpaprika", "qux-qux"),
        kind: EdgeKind::MigratedTo,
        to: key("coingecko", "zed-chain"),
        terms: EdgeTerms {
            ratio: EdgeTerms::read_ratio("1000.0000000000000000000001").ok(),
            effective_on: EdgeTerms::read_day("2024-10-01").ok(),
        },
    };
    let pair = || vec![(key("coinpaprika", "qux-qux"), key("coingecko", "zed-chain"))];
    let decide = |kind, relation| engine.decide_identity(kind, pair(), relation, "ada", "they say");
    decide(DecisionKind::Relate, Some(relation.clone())).await.unwrap();
    let [qux, zed] = [row(&world.store, "qux-qux").await, row(&world.store, "zed-chain").await];
    assert_ne!(qux.asset_id, zed.asset_id);
    let edges = async || world.store.asset_edges(&[zed.listing_id]).await.unwrap();
    let found = edges().await;
    let [edge] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((edge.from, edge.kind, edge.to), (qux.listing_id, relation.kind, zed.listing_id));
    assert_eq!((&edge.terms, edge.why.as_str()), (&relation.terms, "Decision 1 says so."));
    assert_ne!(partition().await, before);
    // The newest word counts: a fork now, then nothing, then a fork that is taken back.
    let fork = AssetRelation {
        kind: EdgeKind::ForkedFrom,
        terms: EdgeTerms::default(),
        ..relation.clone()
    };
    decide(DecisionKind::Relate, Some(fork.clone())).await.unwrap();
    assert_eq!(edges().await.iter().map(|edge| edge.kind).collect::<Vec<_>>(), [fork.kind]);
    decide(DecisionKind::Unrelate, None).await.unwrap();
    assert_eq!(edges().await, []);
    decide(DecisionKind::Relate, Some(fork)).await.unwrap();
    assert_eq!(edges().await.len(), 1);
    decide(DecisionKind::Withdraw, None).await.unwrap();
    assert_eq!(partition().await, before);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_cannot_be_is_refused_with_the_reason() {
    let (_upstream, world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    let qux = || key("coinpaprika", "qux-qux");
    let cases = [
        (vec![(qux(), key("coinpaprika", "ldo-lido-dao"))], "two listings of coinpaprika"),
        (vec![(qux(), qux())], "is one listing"),
        (vec![(qux(), key("coingecko", "nobody"))], "there is no listing coingecko:nobody"),
        (Vec::new(), "name two listings"),
    ];
    for (pairs, expected) in cases {
        let refused = engine.decide_identity(DecisionKind::Link, pairs, None, "ada", "so").await;
        let Err(EngineError::Decision(why)) = refused else { panic!("{refused:?}") };
        assert!(why.contains(expected), "{why}");
    }
    assert_eq!(world.store.decisions().await.unwrap(), []);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_comes_while_identity_is_resolved_makes_it_resolve_again() {
    let (upstream, mut world) = vendors();
    let one = world.engine().await;
    let other = another(&mut world).await;
    run_both(&one).await;
    let (first, second) = tokio::join!(one.resolve_identity(), other.resolve_identity());
    let written = [first.unwrap(), second.unwrap()];
    assert!(written.iter().flatten().count() >= 1, "{written:?}");
    upstream.say("/v1/coins", page(&[coin("new-new", "NEW", "New", "coin")]));
    world.clock.advance(Duration::from_secs(86_400));
    // A load and both resolvers at once: whoever is late decides anew.
    let (_, first, second) =
        tokio::join!(run_both(&one), one.resolve_identity(), other.resolve_identity());
    first.unwrap();
    second.unwrap();
    one.resolve_identity().await.unwrap();
    let position = world.store.identity_position().await.unwrap();
    assert_eq!(position.resolved.unwrap().evidence_version, position.evidence_version);
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_is_explained_with_what_speaks_for_it() {
    let (_upstream, world) = vendors();
    let engine = world.engine().await;
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    let (store, clock) = (Arc::clone(&world.store), Arc::clone(&world.clock) as Arc<dyn Clock>);
    let (lido, zed) = (key("coingecko", "lido-dao"), key("coingecko", "zed-chain"));
    let other = key("coinpaprika", "ldo-lido-dao");
    let explain = async |a: &ListingKey, b: &ListingKey| {
        kasparro_engine::explain_identity(Arc::clone(&store), Arc::clone(&clock), a, Some(b)).await
    };
    let same = explain(&lido, &other).await.unwrap().pair.unwrap();
    assert_eq!(same.verdict, kasparro_identity::Verdict::Linked);
    assert!(same.features.iter().any(|feature| feature.name.contains("contract")), "{same:?}");
    let apart = explain(&zed, &other).await.unwrap().pair.unwrap();
    assert_eq!(apart.verdict, kasparro_identity::Verdict::Rejected);
    let nobody = explain(&key("csv", "nobody"), &other).await.unwrap();
    assert_eq!((nobody.a, nobody.pair), (None, None));
    let empty: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = Arc::clone(&clock);
    assert_eq!(kasparro_engine::resolve_identity(empty, clock).await.unwrap(), None);
    world.prove().await;
}

/// A row of CoinPaprika's table of what its coins are elsewhere, after the vendor's documentation.
fn mapping(id: &str, gecko: &str) -> String {
    format!(
        r#"{{"coinpaprika":"{id}","coinmarketcap":"1","coingecko":"{gecko}","cryptocompare":"","isin":"","dti":"","updated_at":"2025-11-03T09:12:44Z"}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vendor_says_is_the_same_counts_and_where_it_changes_only_after_a_day() {
    let (upstream, mut world) = vendors();
    let gecko = ["beam", "beam-2"].map(|id| listed(id, "beam", "Beam", None));
    upstream.say("/api/v3/coins/list", page(&gecko));
    upstream.say("/v1/coins", page(&[coin("77", "BEAM", "Beam", "coin")]));
    upstream.say("/v1/contracts/eth-ethereum", "[]");
    upstream.say("/v1/coins/mappings", page(&[mapping("77", "beam-2")]));
    let asked = json!({"api_key": "k1", "mappings": true});
    world.sources = vec![("coingecko", json!({"pages": 1})), ("coinpaprika", asked)];
    let engine = world.engine().await;
    run_both(&engine).await;
    engine.resolve_identity().await.unwrap();
    let [one, two, same] = assets(&world, ["beam", "beam-2", "77"]).await;
    assert!(same == two && same != one, "{one} {two} {same}");
    let (store, clock) = (Arc::clone(&world.store), Arc::clone(&world.clock) as Arc<dyn Clock>);
    let (a, b) = (key("coinpaprika", "77"), key("coingecko", "beam-2"));
    let told = kasparro_engine::explain_identity(store, clock, &a, Some(&b)).await.unwrap();
    let pair = told.pair.unwrap();
    assert_eq!(pair.why, "coinpaprika says that they are the same.");
    assert!(pair.features.iter().any(|feature| feature.name == "said_same"), "{pair:?}");

    upstream.say("/v1/coins/mappings", page(&[mapping("77", "beam")]));
    let mut waited = Vec::new();
    for wait_ms in [300_000, 36_000_000, 36_000_000, 36_000_000] {
        world.clock.advance(Duration::from_millis(wait_ms));
        run_both(&engine).await;
        let resolved = engine.resolve_identity().await.unwrap().unwrap();
        let [one, two, same] = assets(&world, ["beam", "beam-2", "77"]).await;
        assert!(if resolved.pending { same == two } else { same == one && same != two });
        waited.push(resolved.pending);
    }
    assert_eq!(waited, [true, true, true, false]);
    world.prove().await;
}
