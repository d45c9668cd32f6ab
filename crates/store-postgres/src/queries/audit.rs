//! Everything that is stored, handed to an audit row by row.

use deadpool_postgres::{GenericClient, Transaction};
use kasparro_domain::{Attributes, BodyHash, Evidence, ListingId, PageId};
use kasparro_store::{
    Audit, EvidenceRecord, IdentityPosition, NamedBudget, StoreError, StoreResult, decode_changed,
};
use tokio::sync::{mpsc, oneshot};
use tokio_postgres::Row;

use super::listings::{read_listing, read_missed, read_origin, select_listing};
use super::pages::body_hash;
use super::summaries::checkpoint;
use super::{
    Sources, alerts, anomalies, bodies, budgets, commands, counts, drift, each, get, history,
    identity, instant, json, maybe_json, maybe_string, news, pages, quarantine, run_id, runs,
    source_states, string, text, uint, walk,
};
use crate::commit::decisions;
use crate::error::Queried;

/// Hands everything to `audit`. The transaction is one snapshot.
pub(crate) async fn audit(transaction: &Transaction<'_>, mut audit: Audit) -> Queried<Audit> {
    let sources = Sources::read(transaction).await?;
    read_model(transaction, &sources, &mut audit).await?;
    pages::every_page(transaction, &sources, |page| audit.page(page)).await?;
    audit = every_body(transaction, audit).await?;
    of_every_source(transaction, &sources, quarantine::OF_SOURCE, |row| {
        audit.quarantined(&quarantine::read_record(row, &sources)?);
        Ok(())
    })
    .await?;
    decisions::all(transaction).await?.iter().for_each(|decision| audit.decision(decision));
    of_every_source(transaction, &sources, drift::OF_SOURCE, |row| {
        audit.drift(&drift::read_drift(row, &sources)?);
        Ok(())
    })
    .await?;
    of_every_source(transaction, &sources, drift::PROFILES, |row| {
        audit.profile(sources.name(get(row, 0)?)?, text(row, 1)?, &json(row, 2)?);
        Ok(())
    })
    .await?;
    for (source_id, source) in sources.by_name() {
        if let Some(checkpoint) = checkpoint(transaction, source_id).await? {
            audit.checkpoint(source, &checkpoint);
        }
    }
    let swept = "SELECT source_id, swept_at FROM sweep WHERE source_id = $1";
    of_every_source(transaction, &sources, swept, |row| {
        audit.sweep(sources.name(get(row, 0)?)?, instant(row, 1)?);
        Ok(())
    })
    .await?;
    identity::every_resolution(transaction, &mut audit).await?;
    manifests(transaction, &sources, &mut audit).await?;
    let leases = "SELECT source_id, holder, epoch FROM lease WHERE source_id = $1";
    of_every_source(transaction, &sources, leases, |row| {
        audit.lease(sources.name(get(row, 0)?)?, text(row, 1)?, uint(row, 2)?);
        Ok(())
    })
    .await?;
    runs::every_run(transaction, &sources, |run, options| audit.run(run, options)).await?;
    commands::all(transaction).await?.iter().for_each(|command| audit.command(command));
    source_states::all(transaction).await?.iter().for_each(|state| audit.source_state(state));
    for NamedBudget { source, name, budget } in &budgets::all(transaction).await? {
        audit.budget(source, name, budget.version, &budget.state);
    }
    alerts::every_alert(transaction, &sources, |alert| audit.alert(alert)).await?;
    let IdentityPosition { generation, evidence_version, .. } =
        identity::position(transaction).await?;
    audit.generation(generation.0, evidence_version);
    Ok(audit)
}

/// Source by source, so that the index over external ids gives the order.
const LISTINGS: &str = select_listing!("WHERE l.source_id = $1 ORDER BY l.external_id");

/// Statements about the listings of a source, by external id, endpoint and part.
const EVIDENCE: &str = "
    SELECT l.source_id, e.listing_id, e.endpoint, l.external_id, e.part, e.symbol, e.name,
           e.contracts, e.active, e.first_seen_at, e.fetched_at, e.content_hash, e.ordinal, e.kind,
           e.same_as
    FROM listing AS l JOIN evidence AS e USING (listing_id)
    WHERE l.source_id = $1 ORDER BY l.external_id, e.endpoint, e.part";

fn read_statement(row: &Row, sources: &Sources) -> Queried<EvidenceRecord> {
    Ok(EvidenceRecord {
        source: sources.name(get(row, 0)?)?.clone(),
        listing_id: ListingId(get(row, 1)?),
        endpoint: string(row, 2)?,
        evidence: Evidence {
            external_id: string(row, 3)?,
            part: string(row, 4)?,
            attributes: Attributes { symbol: maybe_string(row, 5)?, name: maybe_string(row, 6)? },
            contracts: maybe_json(row, 7)?.unwrap_or_default(),
            active: get(row, 8)?,
            kind: maybe_string(row, 13)?,
            same_as: maybe_json(row, 14)?.unwrap_or_default(),
        },
        first_seen_at: instant(row, 9)?,
        fetched_at: instant(row, 10)?,
        content_hash: get::<i64>(row, 11)?.cast_unsigned(),
        ordinal: uint(row, 12)?,
    })
}

/// Listings with what hangs on them, and news; each by business key.
async fn read_model(
    transaction: &Transaction<'_>,
    sources: &Sources,
    audit: &mut Audit,
) -> Queried<()> {
    of_every_source(transaction, sources, LISTINGS, |row| {
        audit.listing(&read_listing(row, sources)?, read_missed(row)?, read_origin(row)?);
        Ok(())
    })
    .await?;
    of_every_source(transaction, sources, EVIDENCE, |row| {
        audit.evidence(&read_statement(row, sources)?);
        Ok(())
    })
    .await?;
    identity::every_row(transaction, sources, audit).await?;
    history::every_point(transaction, |point| audit.point(point)).await?;
    of_every_source(transaction, sources, news::OF_SOURCE, |row| {
        audit.news(&news::read_news(row, sources)?, news::read_content_hash(row)?);
        Ok(())
    })
    .await?;
    unusual(transaction, sources, audit).await
}

/// What is unusual about values by business key, and behind that what is unusual about runs.
async fn unusual(
    transaction: &Transaction<'_>,
    sources: &Sources,
    audit: &mut Audit,
) -> Queried<()> {
    of_every_source(transaction, sources, anomalies::OF_SOURCE, |row| {
        let source_timed = anomalies::read_source_timed(row)?;
        audit.anomaly(&anomalies::read_anomaly(row, sources)?, source_timed);
        Ok(())
    })
    .await?;
    walk(transaction, anomalies::OF_RUNS, &[], |row| {
        audit.anomaly(&anomalies::read_anomaly(row, sources)?, false);
        Ok(())
    })
    .await
}

/// Hands the rows of every source to `see`, sources by name.
pub(super) async fn of_every_source(
    client: &impl GenericClient,
    sources: &Sources,
    sql: &str,
    mut see: impl FnMut(&Row) -> Queried<()>,
) -> Queried<()> {
    for (source_id, _) in sources.by_name() {
        walk(client, sql, &[&source_id], &mut see).await?;
    }
    Ok(())
}

async fn manifests(
    transaction: &Transaction<'_>,
    sources: &Sources,
    audit: &mut Audit,
) -> Queried<()> {
    let sql = "SELECT source_id, sequence, run_id, changed, received, inserted, updated, unchanged,
                      stale, duplicate, quarantined, generation, page_id, retry
               FROM batch ORDER BY generation";
    walk(transaction, sql, &[], |row| {
        audit.batch(
            uint(row, 11)?,
            sources.name(get(row, 0)?)?,
            uint(row, 1)?,
            run_id(row, 2)?,
            PageId(get(row, 12)?),
            &counts(row, 4)?,
            &decode_changed(get(row, 3)?)?,
            get(row, 13)?,
        );
        Ok(())
    })
    .await
}

/// Asks for a chunk of the body that is looked at, by its place.
type Asking = (u32, oneshot::Sender<StoreResult<Option<Vec<u8>>>>);

/// Hands every body to `audit`, by hash. It reads chunks as it unpacks them and is not asynchronous, so it
/// has a thread of its own, to which the chunks are passed as it asks.
async fn every_body(transaction: &Transaction<'_>, mut audit: Audit) -> Queried<Audit> {
    let mut last: Option<BodyHash> = None;
    loop {
        let after: &[u8] = last.as_ref().map_or(&[], |hash| &hash.0);
        let sql = "SELECT body_hash, body_bytes, body_id FROM raw_body WHERE body_hash > $1
                   ORDER BY body_hash LIMIT 1000";
        let bodies = each(transaction, sql, &[&after], |row| {
            Ok((body_hash(row, 0)?, uint(row, 1)?, get::<i64>(row, 2)?))
        })
        .await?;
        let Some((hash, ..)) = bodies.last() else {
            return Ok(audit);
        };
        last = Some(*hash);
        for body in bodies {
            audit = one_body(transaction, audit, body).await?;
        }
    }
}

async fn one_body(
    transaction: &Transaction<'_>,
    mut audit: Audit,
    (hash, body_bytes, body_id): (BodyHash, u64, i64),
) -> Queried<Audit> {
    let (ask, mut asked) = mpsc::channel::<Asking>(1);
    let looking = tokio::task::spawn_blocking(move || {
        let mut chunks = |index: u32| {
            let (answer, answered) = oneshot::channel();
            ask.blocking_send((index, answer)).map_err(|_| gone())?;
            answered.blocking_recv().map_err(|_| gone())?
        };
        audit.body(hash, body_bytes, &mut chunks).map(|()| audit)
    });
    while let Some((index, answer)) = asked.recv().await {
        let chunk = bodies::chunk_of(transaction, body_id, index).await.map_err(StoreError::from);
        // Its receiver waits for it.
        let _ = answer.send(chunk);
    }
    Ok(looking.await.map_err(|_| gone())??)
}

fn gone() -> StoreError {
    StoreError::Unavailable("the program is shutting down".to_owned())
}
