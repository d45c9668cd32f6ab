//! Stories about which listings are one asset.

use kasparro_domain::{
    AssetClass, AssetRelation, Decision, DecisionId, DecisionKind, EdgeKind, EdgeTerms, Generation,
    IdentityState, ListingId, ListingKey, NewAlert, Timestamp,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::fixture::{
    NEW, Subject, about, at, changes, correction, gecko, hold, listing, newer, page_now, paprika,
    row, run_id, start,
};
use super::stated::{FOUND, contract, named, stated, stated_late, statement};
use super::{Broken, Told, ensure, expect_conflict, expect_eq};
use crate::{
    EdgeRow, IdentityDecision, IdentityInput, IdentityPosition, IdentityRecord, IdentityRow,
    IdentityTotals, NewPage, PastStatement, Resolution, ResolutionRow, Sighting, StoreResult,
    StoredEdge, evidence_hash,
};

/// What speaks for the listings that changed after a generation, and the position that was read.
async fn inputs(
    store: &Subject,
    since: Generation,
) -> StoreResult<(IdentityPosition, Vec<IdentityInput>)> {
    let (sender, mut receiver) = mpsc::channel(1);
    let receive = async {
        let mut inputs = Vec::new();
        while let Some(piece) = receiver.recv().await {
            inputs.extend(piece);
        }
        inputs
    };
    let (position, inputs) = tokio::join!(store.identity_input(since, sender), receive);
    Ok((position?, inputs))
}

async fn version(store: &Subject) -> StoreResult<u64> {
    Ok(store.identity_position().await?.evidence_version)
}

/// The listing `bitcoin` of another source.
async fn bitcoin(store: &Subject) -> Result<ListingId, Broken> {
    let held = hold(store, gecko(), 7).await?;
    let page = held.land(store, 0, b"other page").await?;
    let committed = store.commit(held.batch(&page, 0, vec![row(0, NEW, "bitcoin", at(10), "100")]));
    let ids = committed.await?.new_listings;
    ids.first().copied().ok_or_else(|| Broken("no listing came".to_owned()))
}

/// That a listing stands alone.
fn alone(listing_id: ListingId) -> IdentityRow {
    IdentityRow {
        listing_id,
        founder: listing_id,
        class: AssetClass::Coin,
        state: IdentityState::Single,
        confidence: None,
        candidates: json!([]),
        edges: Vec::new(),
    }
}

/// That a listing belongs to the asset that another one founded.
fn linked(listing_id: ListingId, founder: ListingId) -> IdentityRow {
    let (state, confidence) = (IdentityState::Linked, Some(9_987));
    IdentityRow { founder, state, confidence, ..alone(listing_id) }
}

/// A resolution of everything that is known now.
async fn resolution(store: &Subject, rows: Vec<IdentityRow>) -> StoreResult<Resolution> {
    let position = store.identity_position().await?;
    Ok(Resolution {
        evidence_version: position.evidence_version,
        follows: position.resolved.map(|row| row.generation),
        rule_version: "identity/1".to_owned(),
        resolved_at: at(30),
        rows,
        totals: IdentityTotals { listings: 4, assets: 3, linked: 2, ambiguous: 0 },
        pending: false,
        alerts: Vec::new(),
        send_alerts: false,
    })
}

async fn resolve(store: &Subject, rows: Vec<IdentityRow>) -> StoreResult<Generation> {
    store.commit_resolution(resolution(store, rows).await?).await
}

fn key(source: &str, id: &str) -> ListingKey {
    ListingKey::new(source, id)
}

pub(super) async fn evidence_counts_its_changes_and_keeps_what_was_said(store: Subject) -> Told {
    expect_eq("an empty store", store.identity_position().await?, IdentityPosition::default())?;
    let begun = start(&store).await?;
    expect_eq("three listings in a commit", version(&store).await?, 1)?;
    let page = begun.held.land_at(&store, 1, 11).await?;
    let [btc, eth, _] = begun.ids;
    let same = vec![row(0, newer(btc), "btc", at(11), "101")];
    store.commit(begun.held.batch(&page, 1, same)).await?;
    expect_eq("a price is no evidence", version(&store).await?, 1)?;

    let page = begun.held.land_at(&store, 2, 12).await?;
    let mut renamed = row(0, correction(btc), "btc", at(11), "101");
    renamed.attributes = named(Some("BTC"), Some("Bitcoin"));
    let also = row(1, newer(eth), "eth", at(12), "7");
    store.commit(begun.held.batch(&page, 2, vec![renamed, also])).await?;
    expect_eq("another name is", version(&store).await?, 2)?;
    let (position, found) = inputs(&store, Generation(0)).await?;
    expect_eq("position", &position, &store.identity_position().await?)?;
    let before = PastStatement {
        endpoint: "".into(),
        part: "".into(),
        until_at: at(12),
        attributes: about("btc"),
        contracts: Vec::new(),
        kind: None,
        same_as: Vec::new(),
    };
    expect_eq("what was said", &found[0].past, &vec![before])?;
    expect_eq("what is said", &found[0].attributes, &named(Some("BTC"), Some("Bitcoin")))?;
    expect_eq("nothing was said of others", found[1].past.len(), 0)
}

pub(super) async fn what_speaks_for_a_listing_comes_whole(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let first = contract("ethereum", "0x01");
    let mut token = statement(0, stated(btc), "btc", std::slice::from_ref(&first));
    token.evidence.kind = Some("coin".into());
    token.content_hash = evidence_hash(&token.evidence);
    let mut dai = statement(1, FOUND, "dai", &[]);
    dai.evidence.attributes = named(Some("DAI"), None);
    dai.content_hash = evidence_hash(&dai.evidence);
    let committed = begun.held.state(&store, 1, 20, vec![token.clone(), dai]).await?;
    let dai = committed.new_listings[0];
    expect_eq("one commit", version(&store).await?, 2)?;
    let late = statement(0, stated_late(btc), "btc", &[]);
    begun.held.state(&store, 2, 21, vec![late]).await?;
    expect_eq("what comes too late is no evidence", version(&store).await?, 2)?;

    let mut again = statement(0, stated(btc), "btc", &[]);
    again.evidence.kind = Some("token".into());
    again.content_hash = evidence_hash(&again.evidence);
    let mut named_dai = statement(1, stated(dai), "dai", &[]);
    named_dai.evidence.attributes = named(None, Some("Dai"));
    named_dai.content_hash = evidence_hash(&named_dai.evidence);
    begun.held.state(&store, 3, 22, vec![again.clone(), named_dai]).await?;
    expect_eq("a new statement is", version(&store).await?, 3)?;

    let (_, found) = inputs(&store, committed.generation).await?;
    let ids: Vec<_> = found.iter().map(|input| (input.listing_id, input.quoted)).collect();
    expect_eq("changed since", ids, vec![(btc, true), (dai, false)])?;
    let input = &found[0];
    expect_eq("key", &input.key, &key("coinpaprika", "btc"))?;
    expect_eq("first seen", input.first_seen_at, at(0))?;
    let founded = listing(&store, btc).await?.founded_asset_id;
    expect_eq("founded", input.founded_asset_id, founded)?;
    let stands: Vec<_> = input.statements.iter().map(|said| said.evidence.clone()).collect();
    expect_eq("what stands", stands, vec![again.evidence])?;
    let since: Vec<_> = input.statements.iter().map(|said| said.first_seen_at).collect();
    expect_eq("since", since, vec![at(20)])?;
    let before = PastStatement {
        endpoint: "coins_list".into(),
        part: "".into(),
        until_at: at(22),
        attributes: token.evidence.attributes,
        contracts: vec![first],
        kind: Some("coin".into()),
        same_as: Vec::new(),
    };
    expect_eq("what stood", &input.past, &vec![before])?;
    let names: Vec<_> = found[1]
        .past
        .iter()
        .map(|said| (said.endpoint.as_str(), said.attributes.clone()))
        .collect();
    let first = named(Some("DAI"), None);
    expect_eq("both are kept", names, vec![("", first.clone()), ("coins_list", first)])
}

pub(super) async fn what_a_list_holds_for_the_same_is_evidence_and_kept(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, _] = begun.ids;
    let says = |ordinal, change, id: &str, others: &[&str]| {
        let mut row = statement(ordinal, change, id, &[]);
        row.endpoint = "mappings".into();
        row.evidence.same_as = others.iter().map(|id| key("coingecko", id)).collect();
        row
    };
    let said = |input: &IdentityInput| -> Vec<Vec<ListingKey>> {
        input.statements.iter().map(|one| one.evidence.same_as.clone()).collect()
    };
    let rows = vec![
        says(0, stated(btc), "btc", &["bitcoin", "a:\"colon\" 'and' quotes"]),
        says(1, stated(eth), "eth", &[]),
        says(2, FOUND, "dai", &["dai"]),
    ];
    let known: Vec<u64> = rows.iter().map(|row| evidence_hash(&row.evidence)).collect();
    let committed = begun.held.state(&store, 1, 20, rows).await?;
    let begin = version(&store).await?;
    let memory = store.memory(&paprika()).await?;
    let hashes: Vec<u64> = memory.evidence.iter().map(|known| known.content_hash).collect();
    expect_eq("hashes", hashes, known)?;
    let (_, found) = inputs(&store, Generation(0)).await?;
    let both = [key("coingecko", "bitcoin"), key("coingecko", "a:\"colon\" 'and' quotes")].to_vec();
    expect_eq("in the order in which they were said", said(&found[0]), vec![both.clone()])?;
    expect_eq("none", said(&found[1]), vec![Vec::new()])?;
    expect_eq("of a new one", said(&found[3]), vec![vec![key("coingecko", "dai")]])?;

    let late = says(0, stated_late(btc), "btc", &["late"]);
    begun.held.state(&store, 2, 19, vec![late]).await?;
    expect_eq("what comes too late is no evidence", version(&store).await?, begin)?;
    let other = says(0, stated(btc), "btc", &["wrapped-bitcoin"]);
    begun.held.state(&store, 3, 22, vec![other]).await?;
    expect_eq("another listing is", version(&store).await?, begin + 1)?;
    begun.held.state(&store, 4, 23, vec![says(0, stated(btc), "btc", &[])]).await?;
    expect_eq("so is none", version(&store).await?, begin + 2)?;
    let (_, found) = inputs(&store, committed.generation).await?;
    expect_eq("changed since", found.iter().map(|one| one.listing_id).collect(), vec![btc])?;
    expect_eq("what stands", said(&found[0]), vec![Vec::new()])?;
    let past: Vec<_> =
        found[0].past.iter().map(|said| (said.until_at, said.same_as.clone())).collect();
    let wrapped = vec![key("coingecko", "wrapped-bitcoin")];
    expect_eq("what stood", past, vec![(at(22), both), (at(23), wrapped)])
}

pub(super) async fn a_resolution_moves_listings_and_readers_follow(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, xrp] = begun.ids;
    let other = bitcoin(&store).await?;
    let before = store.generation().await?;
    let own = listing(&store, other).await?.asset_id;
    let rows = vec![linked(btc, btc), alone(eth), linked(other, btc)];
    let generation = resolve(&store, rows).await?;
    expect_eq("generation", generation, Generation(before.0 + 1))?;
    expect_eq("announced", *store.watch().borrow(), generation)?;
    let (_, rows) = changes(&store, before).await?;
    let seen: Vec<_> =
        rows.iter().map(|row| (row.listing_id, row.asset_id, row.identity, row.class)).collect();
    let bitcoins = listing(&store, btc).await?.founded_asset_id;
    let ether = listing(&store, eth).await?.founded_asset_id;
    let (linked_now, coin) = (IdentityState::Linked, AssetClass::Coin);
    let expected = vec![
        (btc, bitcoins, linked_now, coin),
        (eth, ether, IdentityState::Single, coin),
        (other, bitcoins, linked_now, coin),
    ];
    expect_eq("what readers see", seen, expected)?;
    expect_eq("its own number stays", listing(&store, other).await?.founded_asset_id, own)?;
    let untouched = listing(&store, xrp).await?;
    expect_eq("not looked at", untouched.identity, IdentityState::Unresolved)?;
    let position = store.identity_position().await?;
    let resolved = position.resolved.map(|row| (row.generation, row.evidence_version));
    expect_eq("position", resolved, Some((generation, position.evidence_version)))?;

    let page = page_now(&store, &begun.page).await?;
    store.commit(begun.held.batch(&page, 1, vec![row(3, newer(btc), "btc", at(31), "5")])).await?;
    expect_eq("a price moves nobody", listing(&store, btc).await?.identity, linked_now)?;
    let generation = store.generation().await?;
    resolve(&store, vec![alone(btc), alone(other)]).await?;
    let (_, rows) = changes(&store, generation).await?;
    let assets: Vec<_> = rows.iter().map(|row| row.asset_id).collect();
    expect_eq("taken apart", assets, vec![bitcoins, own])?;
    let all = store.resolutions(1).await?;
    expect_eq("newest", all.len(), 1)?;
    let all: Vec<ResolutionRow> = store.resolutions(9).await?;
    ensure(all.len() == 2 && all[0].generation > all[1].generation, "newest first")?;
    expect_eq("totals", all[1].totals.linked, 2)
}

pub(super) async fn a_stale_resolution_is_refused(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, ..] = begun.ids;
    let early = resolution(&store, vec![alone(btc)]).await?;
    let other = bitcoin(&store).await?;
    let before = store.dump().await?;
    expect_conflict("newer evidence", store.commit_resolution(early).await)?;
    let one = resolution(&store, vec![linked(btc, btc), linked(other, btc)]).await?;
    let two = resolution(&store, vec![alone(btc)]).await?;
    ensure(store.dump().await? == before, "nothing was written")?;
    store.commit_resolution(one.clone()).await?;
    let before = store.dump().await?;
    expect_conflict("another came first", store.commit_resolution(two).await)?;
    expect_conflict("the same again", store.commit_resolution(one).await)?;
    let mut ahead = resolution(&store, Vec::new()).await?;
    ahead.evidence_version += 1;
    expect_conflict("evidence that nobody has", store.commit_resolution(ahead).await)?;
    ensure(store.dump().await? == before, "nothing was written later")
}

pub(super) async fn an_asset_has_its_founder_and_one_listing_of_a_source(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, _] = begun.ids;
    let other = bitcoin(&store).await?;
    let before = store.dump().await?;
    let wrong = [
        ("two of a source", vec![linked(btc, btc), linked(eth, btc)]),
        ("a founder elsewhere", vec![linked(btc, other), linked(other, btc)]),
        ("an unknown founder", vec![linked(btc, ListingId(99))]),
        ("an unknown listing", vec![alone(ListingId(99))]),
        ("out of order", vec![alone(eth), alone(btc)]),
        ("twice", vec![alone(eth), alone(eth)]),
        ("too sure", vec![IdentityRow { confidence: Some(10_001), ..alone(btc) }]),
    ];
    for (what, rows) in wrong {
        expect_conflict(what, resolve(&store, rows).await)?;
        ensure(store.dump().await? == before, what)?;
    }
    resolve(&store, vec![linked(btc, btc), linked(other, btc)]).await?;
    expect_conflict(
        "a founder leaves",
        resolve(&store, vec![alone(other), linked(btc, eth)]).await,
    )?;
    let moved = vec![alone(btc), linked(eth, eth), linked(other, eth)];
    resolve(&store, moved).await?;
    let asset = listing(&store, other).await?.asset_id;
    expect_eq("moved on", asset, listing(&store, eth).await?.founded_asset_id)
}

pub(super) async fn reasons_and_edges_come_back(store: Subject) -> Told {
    let begun = start(&store).await?;
    let [btc, eth, xrp] = begun.ids;
    let edge = |kind, to| EdgeRow {
        kind,
        to,
        why: "its name says so \u{1f980}".into(),
        terms: if kind == EdgeKind::PeggedTo { terms() } else { EdgeTerms::default() },
    };
    let candidates = json!([{"key": {"source": "x", "external_id": "\u{e9}"}, "centibits": -12}]);
    let (wrapped, pegged) = (EdgeKind::WrappedOf, EdgeKind::PeggedTo);
    let mut row = alone(eth);
    row.candidates = candidates.clone();
    row.edges = vec![edge(wrapped, btc), edge(pegged, xrp)];
    row.confidence = Some(0);
    let mut of_xrp = alone(xrp);
    of_xrp.edges = vec![edge(wrapped, btc)];
    let mut whole = resolution(&store, vec![row.clone(), of_xrp]).await?;
    let alert = NewAlert { code: "x".into(), message: "m".into(), hint: "h".into() };
    whole.alerts = vec![(paprika(), run_id(1), alert)];
    store.commit_resolution(whole).await?;
    let records = store.identity_records(&[xrp, eth, btc, eth]).await?;
    let expected = IdentityRecord {
        listing_id: eth,
        key: key("coinpaprika", "eth"),
        asset_id: listing(&store, eth).await?.asset_id,
        class: AssetClass::Coin,
        state: IdentityState::Single,
        confidence: Some(0),
        candidates,
        past: Vec::new(),
    };
    expect_eq("records", records.len(), 2)?;
    expect_eq("reasons", &records[0], &expected)?;
    let stored = |from, kind, to| {
        let EdgeRow { why, terms, .. } = edge(kind, to);
        StoredEdge { from, kind, to, why, terms }
    };
    let all = vec![stored(eth, pegged, xrp), stored(eth, wrapped, btc), stored(xrp, wrapped, btc)];
    expect_eq("edges of one", store.asset_edges(&[eth]).await?, all[..2].to_vec())?;
    expect_eq("edges to one", store.asset_edges(&[btc]).await?, all[1..].to_vec())?;
    expect_eq("edges of both ends", store.asset_edges(&[eth, xrp, btc]).await?, all)?;
    expect_eq("no edges", store.asset_edges(&[]).await?, Vec::new())?;
    expect_eq("alerts", store.alerts(5).await?.len(), 1)?;

    let mut alone_now = alone(eth);
    alone_now.edges = vec![edge(wrapped, btc)];
    resolve(&store, vec![alone_now]).await?;
    expect_eq("replaced", store.asset_edges(&[eth]).await?, vec![stored(eth, wrapped, btc)])?;
    let mut to_itself = alone(btc);
    to_itself.edges = vec![edge(wrapped, btc)];
    expect_conflict("to itself", resolve(&store, vec![to_itself]).await)?;
    let mut nowhere = alone(btc);
    nowhere.edges = vec![edge(wrapped, ListingId(99))];
    expect_conflict("to nobody", resolve(&store, vec![nowhere]).await)
}

/// A ratio with many digits and a day.
pub(super) fn terms() -> EdgeTerms {
    let ratio = EdgeTerms::read_ratio("1000.000000000000000000000000000001").ok();
    EdgeTerms { ratio, effective_on: EdgeTerms::read_day("2024-02-29").ok() }
}

fn decision(kind: DecisionKind, pairs: Vec<(ListingKey, ListingKey)>) -> IdentityDecision {
    IdentityDecision {
        kind,
        source: paprika(),
        pairs,
        relation: None,
        who: "ada".to_owned(),
        why: "the same genesis".to_owned(),
        decided_at: at(40),
    }
}

pub(super) async fn what_people_say_of_listings_is_kept_and_counts_as_evidence(
    store: Subject,
) -> Told {
    let begun = start(&store).await?;
    bitcoin(&store).await?;
    let [bitcoin, btc] = [key("coingecko", "bitcoin"), key("coinpaprika", "btc")];
    let (before, generation) = (version(&store).await?, store.generation().await?);
    let pair = (bitcoin.clone(), btc.clone());
    let kinds = [
        DecisionKind::Link,
        DecisionKind::Unlink,
        DecisionKind::Merge,
        DecisionKind::Split,
        DecisionKind::Unrelate,
        DecisionKind::Withdraw,
    ];
    for kind in kinds {
        store.decide_identity(decision(kind, vec![pair.clone()])).await?;
    }
    expect_eq("evidence", version(&store).await?, before + 6)?;
    expect_eq("nobody moved yet", store.generation().await?, generation)?;
    let decided = store.decisions().await?;
    expect_eq("kinds", decided.iter().map(|one| one.kind).collect(), kinds.to_vec())?;
    let first = Decision {
        decision_id: DecisionId(1),
        kind: DecisionKind::Link,
        source: paprika(),
        rows: Vec::new(),
        drift: Vec::new(),
        pairs: vec![pair.clone()],
        relation: None,
        forced: false,
        who: "ada".to_owned(),
        why: "the same genesis".to_owned(),
        decided_at: at(40),
        after_page: decided[0].after_page,
        run_id: None,
    };
    expect_eq("the first", &decided[0], &first)?;
    ensure(decided[0].after_page > begun.page.page_id, "it stands behind the newest page")?;
    let relation = AssetRelation {
        from: btc.clone(),
        kind: EdgeKind::MigratedTo,
        to: bitcoin.clone(),
        terms: terms(),
    };
    let related = IdentityDecision {
        relation: Some(relation.clone()),
        ..decision(DecisionKind::Relate, vec![pair.clone()])
    };
    store.decide_identity(related.clone()).await?;
    let bare = AssetRelation {
        kind: EdgeKind::ForkedFrom,
        terms: EdgeTerms::default(),
        ..relation.clone()
    };
    store
        .decide_identity(IdentityDecision { relation: Some(bare.clone()), ..related.clone() })
        .await?;
    let relations: Vec<_> = store.decisions().await?.into_iter().map(|one| one.relation).collect();
    expect_eq("relations", relations[6..].to_vec(), vec![Some(relation.clone()), Some(bare)])?;
    ensure(relations[..6].iter().all(Option::is_none), "the others relate nothing")?;
    let elsewhere = AssetRelation { from: key("coinpaprika", "eth"), ..relation };
    let unknown = (bitcoin.clone(), key("coinpaprika", "nobody"));
    let wrong = [
        ("an unknown listing", decision(DecisionKind::Link, vec![unknown])),
        ("a kind about rows", decision(DecisionKind::Retry, vec![pair.clone()])),
        (
            "a relation without its kind",
            IdentityDecision { kind: DecisionKind::Unlink, ..related.clone() },
        ),
        ("its kind without a relation", decision(DecisionKind::Relate, vec![pair.clone()])),
        ("a relation of others", IdentityDecision { relation: Some(elsewhere), ..related }),
        ("no pair", decision(DecisionKind::Link, Vec::new())),
        ("out of order", decision(DecisionKind::Link, vec![(btc.clone(), bitcoin)])),
        ("one listing", decision(DecisionKind::Link, vec![(btc.clone(), btc)])),
    ];
    let before = store.dump().await?;
    for (what, decision) in wrong {
        expect_conflict(what, store.decide_identity(decision).await)?;
        ensure(store.dump().await? == before, what)?;
    }
    Ok(())
}

pub(super) async fn loaded_pages_are_sightings(store: Subject) -> Told {
    let held = hold(&store, paprika(), 1).await?;
    let land = async |sequence: u64, minute, endpoint: &str| {
        let request = json!({"endpoint": endpoint, "path": "/v1"});
        let page = NewPage { request, fetched_at: at(minute), ..held.new_page(sequence) };
        let bytes = format!("page {sequence}");
        store.land(page, super::fixture::body(bytes.as_bytes())).await
    };
    let load = async |page: &kasparro_domain::RawPage, sequence| {
        let mut batch = held.batch(page, sequence, Vec::new());
        batch.page_done = true;
        store.commit(batch).await
    };
    let first = land(0, 10, "coins").await?;
    let second = land(1, 20, "tickers").await?;
    let third = land(2, 20, "coins").await?;
    land(3, 30, "coins").await?;
    for (sequence, page) in [&third, &second, &first].into_iter().enumerate() {
        load(page, sequence as u64).await?;
    }
    let seen =
        |minute, endpoint: &str| Sighting { fetched_at: at(minute), endpoint: endpoint.into() };
    let expected = vec![seen(10, "coins"), seen(20, "coins"), seen(20, "tickers")];
    let all = store.sightings(&paprika(), Timestamp::EPOCH).await?;
    expect_eq("loaded", &all, &expected)?;
    let later = store.sightings(&paprika(), at(20)).await?;
    expect_eq("from an instant on", &later, &expected[1..].to_vec())?;
    expect_eq("of its source", store.sightings(&gecko(), at(0)).await?, Vec::new())
}
