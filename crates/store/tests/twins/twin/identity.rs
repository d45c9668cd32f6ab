//! Wrongs done to what is decided about listings.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kasparro_domain::{
    AssetId, Decision, DecisionId, EdgeTerms, Generation, IdentityState, ListingId, PageId,
    PageState, SourceName, Timestamp,
};
use kasparro_store::{
    Batch, IdentityDecision, IdentityInput, IdentityPosition, IdentityRecord, IdentityStore,
    IdentityTotals, LeaseStore, ListingRef, ListingRow, PageFilter, PageStore, Resolution,
    ResolutionRow, RowChange, Sighting, StoreError, StoreResult, StoredEdge,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Fault, Twin};

impl Twin {
    /// Spoils what readers see of the identity of a listing.
    pub(super) fn spoil_identity(&self, row: &mut ListingRow) {
        match self.fault {
            Fault::KeepsAssetsApart => row.asset_id = row.founded_asset_id,
            Fault::GivesFoundedAssetsAway => row.founded_asset_id = row.asset_id,
            Fault::ForgetsStates => row.identity = IdentityState::Unresolved,
            Fault::UnresolvesWhatIsPriced
                if self.note(|notes| notes.priced.contains(&row.listing_id)) =>
            {
                row.identity = IdentityState::Unresolved;
            }
            _ => {}
        }
    }

    /// Notes the listings that got a newer price.
    pub(super) fn note_prices(&self, batch: &Batch) {
        let priced = batch.rows.iter().filter_map(|row| match row.change {
            RowChange::Newer { listing: ListingRef::Stored(listing) } => Some(listing),
            _ => None,
        });
        self.note(|notes| notes.priced.extend(priced));
    }

    /// Spoils a decision about listings on its way out.
    pub(super) fn spoil_decision(&self, decision: &mut Decision) {
        match self.fault {
            Fault::ForgetsPairs => decision.pairs.clear(),
            Fault::ForgetsRelations => decision.relation = None,
            Fault::ForgetsTermsOfRelations => {
                if let Some(relation) = &mut decision.relation {
                    relation.terms = EdgeTerms::default();
                }
            }
            Fault::PutsDecisionsBeforePages => decision.after_page = PageId(0),
            _ => {}
        }
    }

    /// Spoils what speaks for a listing.
    fn spoil_input(&self, input: &mut IdentityInput) {
        match self.fault {
            Fault::ForgetsWhatReadersSaw => input.past.retain(|said| !said.endpoint.is_empty()),
            Fault::ForgetsWhatListsSaid => input.past.retain(|said| said.endpoint.is_empty()),
            Fault::ForgetsKinds => {
                input.statements.iter_mut().for_each(|said| said.evidence.kind = None);
            }
            Fault::ForgetsWhatIsTheSame => {
                input.statements.iter_mut().for_each(|said| said.evidence.same_as.clear());
            }
            Fault::ForgetsWhatWasTheSame => {
                input.past.iter_mut().for_each(|said| said.same_as.clear());
            }
            Fault::ForgetsPastContracts => {
                input.past.iter_mut().for_each(|said| said.contracts.clear());
            }
            Fault::DatesStatementsByListings => {
                let first = input.first_seen_at;
                input.statements.iter_mut().for_each(|said| said.first_seen_at = first);
            }
            Fault::ForgetsFounded => input.founded_asset_id = AssetId::default(),
            Fault::TakesAnyNameForThatOfAQuote => input.quoted = true,
            _ => {}
        }
    }

    /// Spoils a resolution on its way in.
    fn spoil_resolution(&self, resolution: &mut Resolution, now: &IdentityPosition) {
        let version = &mut resolution.evidence_version;
        match self.fault {
            Fault::ResolvesOldEvidence => *version = now.evidence_version.max(*version),
            Fault::ResolvesEvidenceAhead => *version = now.evidence_version.min(*version),
            Fault::ResolvesBehindAnother => {
                resolution.follows = now.resolved.as_ref().map(|row| row.generation);
            }
            Fault::ForgetsAlertsOfResolutions => resolution.alerts.clear(),
            _ => {}
        }
    }

    /// What this twin takes although the store refuses it, in words of the refusal.
    const fn takes(&self) -> Option<&'static str> {
        Some(match self.fault {
            Fault::LetsFoundersLeave => "would stand without its founder",
            Fault::LetsListingsOfASourceShare => "would have two listings of",
            Fault::RelatesListingsToNobody => "listing 99 is not known",
            Fault::RelatesListingsToThemselves => "relates to itself",
            Fault::ResolvesInAnyOrder => "is out of order",
            Fault::ResolvesTheUnknown => "founder 99 is not known",
            Fault::TakesDecisionsAboutNobody => "there is no listing",
            Fault::TakesDecisionsAboutRows => "not about what listings are",
            Fault::TakesNoPairs => "the pairs are none",
            Fault::TakesPairsInAnyOrder => "a pair is out of order",
            Fault::TakesRelationsOfOthers => "the relation is of other listings",
            Fault::TakesRelationsWithoutTheirKind => "a relation is there exactly where",
            Fault::TakesSharesAboveOne => "is more than certain",
            _ => return None,
        })
    }

    fn takes_refused<T>(&self, outcome: &StoreResult<T>) -> bool {
        let refused = outcome.as_ref().err().zip(self.takes());
        refused.is_some_and(
            |(error, taken)| matches!(error, StoreError::Conflict(what) if what.contains(taken)),
        )
    }

    /// A resolution of nothing, to raise the generation.
    async fn resolve_nothing(&self) -> StoreResult<Generation> {
        let now = self.inner.identity_position().await?;
        let nothing = Resolution {
            evidence_version: now.evidence_version,
            follows: now.resolved.map(|row| row.generation),
            rule_version: "none".to_owned(),
            resolved_at: Timestamp::EPOCH,
            rows: Vec::new(),
            totals: IdentityTotals::default(),
            pending: false,
            alerts: Vec::new(),
            send_alerts: false,
        };
        self.inner.commit_resolution(nothing).await
    }

    /// Pages of a source as sightings, in the order of their numbers.
    async fn sight(
        &self,
        source: &SourceName,
        since: Timestamp,
        state: Option<PageState>,
    ) -> StoreResult<Vec<Sighting>> {
        let sources = vec![source.clone()];
        let filter = PageFilter { sources, state, ..PageFilter::default() };
        let pages = self.inner.pages(filter).await?.into_iter().map(|record| record.page);
        let sighting = |page: kasparro_domain::RawPage| Sighting {
            fetched_at: page.fetched_at,
            endpoint: page.request["endpoint"].as_str().unwrap_or_default().into(),
        };
        Ok(pages.filter(|page| page.fetched_at >= since).map(sighting).collect())
    }
}

#[async_trait]
impl IdentityStore for Twin {
    async fn identity_position(&self) -> StoreResult<IdentityPosition> {
        let mut position = self.inner.identity_position().await?;
        match self.fault {
            Fault::CountsPricesAsEvidence => position.evidence_version = position.generation.0,
            Fault::CountsEvidenceOnce => {
                position.evidence_version = position.evidence_version.min(1);
            }
            Fault::CountsNoDecisions => {
                position.evidence_version -= self.note(|notes| notes.decided);
            }
            Fault::ForgetsItsResolutions => position.resolved = None,
            _ => {}
        }
        Ok(position)
    }

    async fn identity_input(
        &self,
        since: Generation,
        pieces: mpsc::Sender<Vec<IdentityInput>>,
    ) -> StoreResult<IdentityPosition> {
        let since = if self.fault == Fault::SendsEveryInput { Generation(0) } else { since };
        let (sender, mut receiver) = mpsc::channel::<Vec<IdentityInput>>(1);
        let hand_on = async {
            while let Some(mut piece) = receiver.recv().await {
                piece.iter_mut().for_each(|input| self.spoil_input(input));
                pieces.send(piece).await.unwrap();
            }
        };
        let (position, ()) = tokio::join!(self.inner.identity_input(since, sender), hand_on);
        match self.fault {
            Fault::ForgetsWhereItRead => Ok(IdentityPosition::default()),
            _ => position,
        }
    }

    async fn sightings(&self, source: &SourceName, since: Timestamp) -> StoreResult<Vec<Sighting>> {
        let loaded = Some(PageState::Loaded);
        let mut sightings = match self.fault {
            Fault::SightsLandedPages => self.sight(source, since, None).await?,
            Fault::SightsInTheOrderOfLanding => {
                return self.sight(source, since, loaded).await;
            }
            Fault::SightsFromTheStart => self.sight(source, Timestamp::EPOCH, loaded).await?,
            Fault::SightsWhatOthersLoaded => {
                let mut of_all = Vec::new();
                for lease in self.inner.leases().await? {
                    of_all.extend(self.sight(&lease.source, since, loaded).await?);
                }
                of_all
            }
            _ => self.inner.sightings(source, since).await?,
        };
        if self.fault == Fault::SightsBehindAnInstant {
            sightings.retain(|seen| seen.fetched_at > since);
        }
        sightings.sort_unstable();
        Ok(sightings)
    }

    async fn commit_resolution(&self, mut resolution: Resolution) -> StoreResult<Generation> {
        let now = self.inner.identity_position().await?;
        self.spoil_resolution(&mut resolution, &now);
        let outcome = self.inner.commit_resolution(resolution.clone()).await;
        if self.takes_refused(&outcome) {
            return Ok(now.generation);
        }
        if outcome.is_err() && self.fault == Fault::NotesRefusedResolutions {
            self.resolve_nothing().await?;
        }
        outcome.inspect(|_| {
            let edges = resolution.rows.iter().flat_map(|row| {
                row.edges.iter().map(|edge| StoredEdge {
                    from: row.listing_id,
                    kind: edge.kind,
                    to: edge.to,
                    why: edge.why.clone(),
                    terms: edge.terms.clone(),
                })
            });
            self.note(|notes| notes.edges.extend(edges));
        })
    }

    async fn identity_records(&self, listings: &[ListingId]) -> StoreResult<Vec<IdentityRecord>> {
        let mut records = Vec::new();
        match self.fault {
            Fault::AnswersEachListing => {
                for listing in listings {
                    records.extend(self.inner.identity_records(&[*listing]).await?);
                }
            }
            _ => records = self.inner.identity_records(listings).await?,
        }
        for record in &mut records {
            match self.fault {
                Fault::ForgetsAssets => record.asset_id = AssetId::default(),
                Fault::ForgetsReasons => record.candidates = json!([]),
                Fault::TakesNoShareForNone => {
                    record.confidence = record.confidence.filter(|share| *share > 0);
                }
                _ => {}
            }
        }
        Ok(records)
    }

    async fn asset_edges(&self, listings: &[ListingId]) -> StoreResult<Vec<StoredEdge>> {
        let mut edges = self.inner.asset_edges(listings).await?;
        match self.fault {
            Fault::FindsEdgesFromTheirStart => edges.retain(|edge| listings.contains(&edge.from)),
            Fault::FindsEdgesFromTheirEnd => edges.retain(|edge| listings.contains(&edge.to)),
            Fault::FindsEdgesAtEachEnd => {
                edges.clear();
                for listing in listings.iter().collect::<BTreeSet<_>>() {
                    edges.extend(self.inner.asset_edges(&[*listing]).await?);
                }
            }
            Fault::KeepsOldEdges => {
                let old = self.note(|notes| notes.edges.clone()).into_iter();
                edges = old
                    .filter(|edge| listings.contains(&edge.from) || listings.contains(&edge.to))
                    .collect();
                edges.sort_by_key(|edge| (edge.from, edge.kind.name(), edge.to));
                edges.dedup();
            }
            Fault::OrdersEdgesByTheOrderOfKinds => edges.sort(),
            Fault::ForgetsTermsOfEdges => {
                edges.iter_mut().for_each(|edge| edge.terms = EdgeTerms::default());
            }
            _ => {}
        }
        Ok(edges)
    }

    async fn resolutions(&self, limit: u32) -> StoreResult<Vec<ResolutionRow>> {
        let limit = if self.fault == Fault::IgnoresResolutionLimit { u32::MAX } else { limit };
        let mut rows = self.inner.resolutions(limit).await?;
        if self.fault == Fault::ListsResolutionsOldestFirst {
            rows.reverse();
        }
        Ok(rows)
    }

    async fn decide_identity(&self, decision: IdentityDecision) -> StoreResult<DecisionId> {
        let outcome = self.inner.decide_identity(decision).await;
        if self.takes_refused(&outcome) {
            return Ok(DecisionId(0));
        }
        let decision_id = outcome?;
        self.note(|notes| notes.decided += 1);
        if self.fault == Fault::MovesReadersByDecisions {
            self.resolve_nothing().await?;
        }
        Ok(decision_id)
    }
}
