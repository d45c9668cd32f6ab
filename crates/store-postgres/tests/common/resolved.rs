//! What a store decides about its listings.

use kasparro_domain::{
    AssetClass, AssetRelation, Attributes, DecisionKind, EdgeKind, EdgeTerms, Evidence,
    IdentityState, ListingId, ListingKey, NewAlert, RunReason, SourceName,
};
use kasparro_store::{
    BatchStore, EdgeRow, EvidenceChange, EvidenceRow, IdentityDecision, IdentityRow, IdentityStore,
    IdentityTotals, LeaseStore, ListingRef, NewPage, PageStore, Resolution, RowChange, RunStore,
    evidence_hash,
};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::Database;
use serde_json::json;

use super::findings::watched_store;
use super::whole::later_row;
use super::{LEASE, at, batch, body, new_page, new_row, run_id, source};

/// Another source.
pub(crate) fn gecko() -> SourceName {
    SourceName::new("coingecko")
}

/// The row of a listing that stands alone.
pub(crate) fn alone(listing_id: ListingId) -> IdentityRow {
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

/// A resolution of all evidence that there is now.
pub(crate) async fn resolution(store: &PostgresStore, rows: Vec<IdentityRow>) -> Resolution {
    let position = store.identity_position().await.unwrap();
    Resolution {
        evidence_version: position.evidence_version,
        follows: position.resolved.map(|row| row.generation),
        rule_version: "identity/1".to_owned(),
        resolved_at: at(70),
        totals: IdentityTotals { listings: rows.len() as u64, ..IdentityTotals::default() },
        rows,
        pending: true,
        alerts: Vec::new(),
        send_alerts: false,
    }
}

/// A watched store whose listings were looked at.
pub(crate) async fn resolved_store() -> (Database, PostgresStore) {
    let (database, store) = watched_store().await;
    resolve(&store).await;
    (database, store)
}

/// Adds to a watched store: another name and another statement, a listing of another source that is linked to
/// the first one, an edge, an alert, and what a person says of it.
pub(crate) async fn resolve(store: &PostgresStore) {
    let epoch = store.acquire(&source(), "test", LEASE).await.unwrap();
    let page = NewPage { epoch, fetched_at: at(60), ..new_page() };
    let page = store.land(page, body(b"a page with news")).await.unwrap();
    let btc = ListingRef::Stored(ListingId(1));
    let mut row = later_row(0, "btc", 60, RowChange::Newer { listing: btc });
    row.attributes = Attributes { symbol: Some("BTC".into()), name: Some("Bitcoin".into()) };
    let mut next = batch(&page, epoch, store.next_sequence(&source()).await.unwrap(), vec![row]);
    next.fetched_at = at(60);
    let evidence = Evidence {
        external_id: "xrp".into(),
        part: "".into(),
        attributes: Attributes { symbol: Some("XRP".into()), name: None },
        contracts: Vec::new(),
        active: None,
        kind: Some("coin".into()),
        same_as: Vec::new(),
    };
    next.evidence = vec![EvidenceRow {
        ordinal: 1,
        change: EvidenceChange::Stated { listing: ListingRef::Stored(ListingId(3)) },
        endpoint: "coins_list".into(),
        content_hash: evidence_hash(&evidence),
        evidence,
    }];
    (next.rows_done, next.page_done, next.position) = (2, true, None);
    store.commit(next).await.unwrap();

    let bitcoin = bitcoin(store).await;
    let linked = |listing_id| IdentityRow {
        founder: ListingId(1),
        state: IdentityState::Linked,
        confidence: Some(9_990),
        ..alone(listing_id)
    };
    let mut eth = alone(ListingId(2));
    eth.candidates = json!([{"key": {"source": "coingecko", "external_id": "bitcoin"}}]);
    eth.edges = vec![pegged()];
    let mut resolution = resolution(store, vec![linked(ListingId(1)), eth, linked(bitcoin)]).await;
    let alert = NewAlert { code: "link".into(), message: "m".into(), hint: "h".into() };
    resolution.alerts = vec![(source(), run_id(1), alert)];
    store.commit_resolution(resolution).await.unwrap();

    let (a, b) =
        (ListingKey::new("coingecko", "bitcoin"), ListingKey::new(source().as_str(), "btc"));
    let decision = IdentityDecision {
        kind: DecisionKind::Link,
        source: gecko(),
        pairs: vec![(a, b)],
        relation: None,
        who: "a person".to_owned(),
        why: "the same genesis".to_owned(),
        decided_at: at(71),
    };
    store.decide_identity(decision).await.unwrap();
}

/// What the name of the second listing says: that it follows the first one.
fn pegged() -> EdgeRow {
    let (why, terms) = ("it says so".into(), EdgeTerms::default());
    EdgeRow { kind: EdgeKind::PeggedTo, to: ListingId(1), why, terms }
}

/// Adds to a resolved store that the second listing became the one of the other source, as a person states it,
/// and what a resolution makes of that.
pub(crate) async fn relate(store: &PostgresStore) {
    let relation = AssetRelation {
        from: ListingKey::new(source().as_str(), "eth"),
        kind: EdgeKind::MigratedTo,
        to: ListingKey::new("coingecko", "bitcoin"),
        terms: EdgeTerms {
            ratio: EdgeTerms::read_ratio("0.0000000012345678901234567890123456789").ok(),
            effective_on: EdgeTerms::read_day("2024-02-29").ok(),
        },
    };
    let decision = IdentityDecision {
        kind: DecisionKind::Relate,
        source: source(),
        pairs: vec![relation.pair()],
        relation: Some(relation.clone()),
        who: "a person".to_owned(),
        why: "it moved to another chain".to_owned(),
        decided_at: at(72),
    };
    store.decide_identity(decision).await.unwrap();
    let (kind, to, terms) = (relation.kind, ListingId(4), relation.terms);
    let why = "a person says so".into();
    let mut eth = alone(ListingId(2));
    eth.edges = vec![pegged(), EdgeRow { kind, to, why, terms }];
    store.commit_resolution(resolution(store, vec![eth]).await).await.unwrap();
}

/// The listing `bitcoin` of the other source.
pub(crate) async fn bitcoin(store: &PostgresStore) -> ListingId {
    let epoch = store.acquire(&gecko(), "test", LEASE).await.unwrap();
    store.queue_run(run_id(2), &gecko(), RunReason::Manual, at(0)).await.unwrap();
    let page = NewPage { epoch, source: gecko(), run_id: run_id(2), ..new_page() };
    let page = store.land(page, body(b"a page of another")).await.unwrap();
    let mut first = batch(&page, epoch, 0, vec![new_row(0, "bitcoin")]);
    (first.source, first.run_id) = (gecko(), run_id(2));
    (first.rows_done, first.page_done) = (1, true);
    store.commit(first).await.unwrap().new_listings[0]
}
