//! What the stage reads of a store.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kasparro_domain::{Generation, IdentityOverride, NewAlert, RunId, SourceName, Timestamp};
use kasparro_identity::Contradiction;
use kasparro_store::{IdentityInput, IdentityPosition, RunFilter, Sighting, Store, StoreError};
use tokio::sync::mpsc;

use super::settle::{BEYOND_DOUBT, in_doubt, newest};

/// Pieces of input on their way at a time.
const PIECES_AHEAD: usize = 2;

/// Alerts among which one that was raised already is looked for.
const ALERTS_LOOKED_AT: u32 = 1_000;

/// What speaks for every listing that changed after a generation.
pub(super) async fn read_inputs(
    store: &Arc<dyn Store>,
    since: Generation,
) -> Result<(IdentityPosition, Vec<IdentityInput>), StoreError> {
    let (sender, mut pieces) = mpsc::channel(PIECES_AHEAD);
    let receive = async {
        let mut inputs = Vec::new();
        while let Some(piece) = pieces.recv().await {
            inputs.extend(piece);
        }
        inputs
    };
    let (position, inputs) = tokio::join!(store.identity_input(since, sender), receive);
    Ok((position?, inputs))
}

/// The loaded pages that settling these listings needs, by source.
pub(super) async fn sightings(
    store: &dyn Store,
    now: Timestamp,
    inputs: &[IdentityInput],
) -> Result<HashMap<SourceName, Vec<Sighting>>, StoreError> {
    let mut oldest: BTreeMap<&SourceName, Timestamp> = BTreeMap::new();
    for input in inputs.iter().filter(|input| in_doubt(input)) {
        let first = oldest.entry(&input.key.source).or_insert(input.first_seen_at);
        *first = (*first).min(input.first_seen_at);
    }
    let recently = now.minus(BEYOND_DOUBT);
    let mut seen = HashMap::new();
    for (source, first) in oldest {
        let mut sightings = store.sightings(source, recently).await?;
        let from = match newest(&sightings) {
            Some(newest) => newest.minus(BEYOND_DOUBT),
            // Nothing was asked for a week: whatever is the newest tells.
            None => first,
        };
        if from < recently {
            sightings = store.sightings(source, from).await?;
        }
        seen.insert(source.clone(), sightings);
    }
    Ok(seen)
}

/// What people decided about listings, oldest first.
pub(super) async fn overrides(store: &dyn Store) -> Result<Vec<IdentityOverride>, StoreError> {
    let mut overrides = Vec::new();
    for decision in store.decisions().await? {
        let Some(verdict) = decision.kind.identity_verdict() else { continue };
        let decision_id = decision.decision_id;
        for (a, b) in decision.pairs {
            let relation = decision.relation.clone();
            overrides.push(IdentityOverride { a, b, verdict, relation, decision_id });
        }
    }
    Ok(overrides)
}

/// Alerts about decisions that evidence speaks against, each once.
pub(super) async fn alerts(
    store: &dyn Store,
    contradictions: Vec<Contradiction>,
) -> Result<Vec<(SourceName, RunId, NewAlert)>, StoreError> {
    if contradictions.is_empty() {
        return Ok(Vec::new());
    }
    let raised = store.alerts(ALERTS_LOOKED_AT).await?;
    let mut alerts = Vec::new();
    for Contradiction { decided, why, followed } in contradictions {
        let number = decided.decision_id.0;
        let outcome = if followed { "it stands" } else { "it could not be followed" };
        let message = format!(
            "decision {number} ({} {} and {}) is contradicted, {outcome}: {why}",
            decided.verdict, decided.a, decided.b
        );
        let alert = NewAlert {
            code: "identity_contradicted".to_owned(),
            message,
            hint: "look with `kasparro assets explain` and decide anew".to_owned(),
        };
        if raised.iter().any(|before| before.alert == alert) {
            continue;
        }
        let source = decided.a.source;
        // An alert is kept with a run; what speaks against the decision came with one of this source.
        let newest = RunFilter { sources: vec![source.clone()], limit: 1, ..RunFilter::default() };
        let Some(run) = store.runs(newest).await?.into_iter().next() else { continue };
        alerts.push((source, run.run_id, alert));
    }
    Ok(alerts)
}
