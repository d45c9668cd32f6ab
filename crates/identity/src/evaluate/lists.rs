//! The two lists with their contracts, and the truth about them.

use std::collections::{BTreeMap, BTreeSet};

use kasparro_domain::{Attributes, Contract, ListingKey, Timestamp};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::read::{Listing, Pair, Universe, contracts, pairs, universe};
use super::report::ListCount;
use super::{InputError, InputFile, Inputs, Options};
use crate::ListingEvidence;

/// What was read.
pub(super) struct Lists {
    pub(super) a: Universe,
    pub(super) b: Universe,
    /// Of listings of A that the truth names: what each is in B, whether B lists that or not.
    pub(super) truth: BTreeMap<String, BTreeSet<String>>,
    /// Pairs that are not one asset.
    pub(super) negatives: Vec<Pair>,
    /// How many of each.
    pub(super) counts: BTreeMap<&'static str, ListCount>,
    /// Pairs of the truth, and those of them that name a listing which is in neither list.
    pub(super) truth_pairs: usize,
    pub(super) truth_pairs_unknown: usize,
}

impl Lists {
    pub(super) fn read(inputs: &Inputs<'_>, options: &Options) -> Result<Self, InputError> {
        let mut counts = BTreeMap::new();
        let mut list = |name, files: &[InputFile<'_>], stated: &[InputFile<'_>]| {
            let (list, count) = with_contracts(files, stated)?;
            if list.listings.is_empty() {
                let file = files.first().map_or(name, |file| file.name);
                let remedy = "give a list with the header id,symbol,name, or a vendor's JSON";
                return Err(InputError::file(file, "the list names no listing", remedy));
            }
            counts.insert(name, count);
            Ok(list)
        };
        let a = list("a", &inputs.universe_a, &inputs.contracts_a)?;
        let b = list("b", &inputs.universe_b, &inputs.contracts_b)?;
        let all = pairs(&inputs.truth)?;
        let known =
            |pair: &&Pair| a.listings.contains_key(&pair.a) && b.listings.contains_key(&pair.b);
        let together = all.iter().filter(known).count();
        if together == 0 {
            let file = inputs.truth.first().map_or("truth", |file| file.name);
            let problem = format!(
                "none of its {} pairs has both ids in the lists of {} and {}",
                all.len(),
                options.source_a,
                options.source_b
            );
            let remedy = "check that id_a is an id of universe A, and id_b one of universe B";
            return Err(InputError::file(file, problem, remedy));
        }
        let mut truth: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for pair in &all {
            if a.listings.contains_key(&pair.a) {
                truth.entry(pair.a.clone()).or_default().insert(pair.b.clone());
            }
        }
        let (truth_pairs, truth_pairs_unknown) = (all.len(), all.len() - together);
        let negatives = pairs(&inputs.negatives)?;
        Ok(Self { a, b, truth, negatives, counts, truth_pairs, truth_pairs_unknown })
    }

    /// The listings of B that are taken away: that share of those which the truth names, by the order of a
    /// hash of seed and id.
    pub(super) fn dropped(&self, share: f64, seed: u64) -> BTreeSet<String> {
        let named: BTreeSet<&String> = self.truth.values().flatten().collect();
        let mut named: Vec<&String> =
            named.into_iter().filter(|id| self.b.listings.contains_key(*id)).collect();
        named.sort_by_key(|id| (xxh3_64_with_seed(id.as_bytes(), seed), *id));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a number of listings, between none and all of them"
        )]
        let taken = (named.len() as f64 * share).round() as usize;
        named.into_iter().take(taken).cloned().collect()
    }

    /// What the resolver is told: both lists without those of B that were dropped.
    pub(super) fn evidence(
        &self,
        dropped: &BTreeSet<String>,
        options: &Options,
    ) -> Vec<ListingEvidence> {
        let of_a = self.a.listings.iter().map(|(id, one)| evidence(&options.source_a, id, one));
        let left = self.b.listings.iter().filter(|(id, _)| !dropped.contains(*id));
        of_a.chain(left.map(|(id, one)| evidence(&options.source_b, id, one))).collect()
    }
}

fn with_contracts(
    files: &[InputFile<'_>],
    stated: &[InputFile<'_>],
) -> Result<(Universe, ListCount), InputError> {
    let mut list = universe(files)?;
    let mut strangers = 0;
    for (id, contract) in contracts(stated)? {
        match list.listings.get_mut(&id) {
            Some(listing) => listing.contracts.push(contract),
            None => strangers += 1,
        }
    }
    for listing in list.listings.values_mut() {
        let contracts: BTreeSet<Contract> = listing.contracts.drain(..).collect();
        listing.contracts = contracts.into_iter().collect();
    }
    let count = ListCount {
        listings: list.listings.len(),
        with_contract: list.listings.values().filter(|one| !one.contracts.is_empty()).count(),
        rows_without_id: list.without_id,
        contracts_of_unknown_ids: strangers,
    };
    Ok((list, count))
}

fn evidence(source: &str, id: &str, listing: &Listing) -> ListingEvidence {
    ListingEvidence {
        key: ListingKey::new(source, id),
        first_seen_at: Timestamp::EPOCH,
        attributes: Attributes {
            symbol: listing.symbol.as_deref().map(Into::into),
            name: listing.name.as_deref().map(Into::into),
        },
        former: Vec::new(),
        contracts: listing.contracts.clone(),
        kind: listing.kind.as_deref().map(Into::into),
        rank: listing.rank,
        // What a vendor says of pairs would answer what is asked here.
        same_as: Vec::new(),
    }
}
