//! Which pairs of listings a decision is about, by the rules of the command line.

use std::sync::Arc;

use kasparro_domain::{DecisionKind, ListingKey, OverrideVerdict};
use kasparro_view::{Row, Snapshot};

use crate::problem::{Code, Problem};
use crate::{Shared, data};

/// Two listings.
pub(super) type Pair = (ListingKey, ListingKey);

/// A pair as it is kept, the same whichever of the two was named first.
pub(super) fn sorted((a, b): Pair) -> Pair {
    if a <= b { (a, b) } else { (b, a) }
}

fn loaded(shared: &Shared) -> Result<Arc<Snapshot>, Problem> {
    if shared.view.loaded() { Ok(shared.view.snapshot()) } else { Err(data::not_loaded()) }
}

fn known(snapshot: &Snapshot, key: &ListingKey) -> Result<Arc<Row>, Problem> {
    snapshot.named(key).ok_or_else(|| {
        Problem::new(Code::UnknownListing, format!("there is no listing {key}"))
            .at_generation(snapshot.generation())
    })
}

/// The pairs of listings that a decision about two listings says something about.
///
/// # Errors
/// 404 for a listing that is not known, 409 for what the listings do not allow.
pub(super) async fn pairs(
    shared: &Shared,
    kind: DecisionKind,
    a: &ListingKey,
    b: &ListingKey,
) -> Result<Vec<Pair>, Problem> {
    let snapshot = loaded(shared)?;
    let (one, two) = (known(&snapshot, a)?, known(&snapshot, b)?);
    match kind {
        DecisionKind::Link if a.source == b.source => Err(one_source(a, b)),
        DecisionKind::Withdraw => {
            let pair = sorted((a.clone(), b.clone()));
            match in_force(shared, std::slice::from_ref(&pair)).await?.is_empty() {
                false => Ok(vec![pair]),
                true => {
                    let detail = format!("nothing that was decided about {a} and {b} is in force");
                    Err(Problem::new(Code::NotDecided, detail))
                }
            }
        }
        DecisionKind::Merge => {
            let [one, two] = [one, two].map(|row| members(&snapshot, &row));
            if let (Some(first), true) = (one.first(), one == two) {
                let detail = format!("{a} and {b} are one asset already, that of {first}");
                return Err(Problem::new(Code::ListingsConflict, detail));
            }
            let both = |x: &ListingKey| two.iter().find(|y| x.source == y.source).cloned();
            if let Some((x, y)) = one.iter().find_map(|x| Some((x, both(x)?))) {
                return Err(one_source(x, &y));
            }
            // An earlier split would leave its listing out.
            let all: Vec<Pair> = one
                .iter()
                .flat_map(|x| two.iter().map(|y| sorted((x.clone(), y.clone()))))
                .collect();
            let mut pairs: Vec<Pair> = one.into_iter().zip(two).take(1).collect();
            let in_force = in_force(shared, &all).await?.into_iter();
            let apart = in_force.filter(|(_, verdict)| verdict.separates());
            pairs.extend(apart.map(|(pair, _)| pair));
            Ok(pairs)
        }
        _ => Ok(vec![(a.clone(), b.clone())]),
    }
}

/// The listings of the asset of a listing, the one that founded it first.
fn members(snapshot: &Snapshot, row: &Row) -> Vec<ListingKey> {
    let mut rows = snapshot.asset(row.asset_id());
    rows.sort_by_key(|row| (row.founded_asset_id() != row.asset_id(), row.listing_id()));
    rows.iter().map(|row| ListingKey::new(row.source().as_str(), row.external_id())).collect()
}

fn one_source(a: &ListingKey, b: &ListingKey) -> Problem {
    let detail =
        format!("{a} and {b} are two listings of {}, and a source lists an asset once", a.source);
    Problem::new(Code::ListingsConflict, detail)
}

/// Every pair of a listing that leaves and one that stays.
///
/// # Errors
/// 404 for a listing that is not known, 409 where they are not of one asset or nothing would stay.
pub(super) fn leaving_pairs(shared: &Shared, leaving: &[ListingKey]) -> Result<Vec<Pair>, Problem> {
    let snapshot = loaded(shared)?;
    let rows = leaving.iter().map(|key| known(&snapshot, key)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = rows.first() else {
        return Err(Problem::new(Code::InvalidBody, "listings: holds no listing"));
    };
    let members = members(&snapshot, first);
    if let Some(stranger) = leaving.iter().find(|key| !members.contains(key)) {
        let detail =
            format!("{stranger} is no listing of asset {}, as the first is", first.asset_id());
        return Err(Problem::new(Code::ListingsConflict, detail));
    }
    let staying: Vec<_> = members.iter().filter(|key| !leaving.contains(key)).collect();
    if staying.is_empty() {
        let id = first.asset_id();
        let detail = format!("asset {id} has no other listing: nothing would stay");
        return Err(Problem::new(Code::ListingsConflict, detail));
    }
    let with_all = |gone: &ListingKey| -> Vec<Pair> {
        staying.iter().map(|stays| (gone.clone(), (*stays).clone())).collect()
    };
    Ok(leaving.iter().flat_map(with_all).collect())
}

/// What people decided about these pairs, each sorted, and did not take back.
async fn in_force(
    shared: &Shared,
    about: &[Pair],
) -> Result<Vec<(Pair, OverrideVerdict)>, Problem> {
    let decisions = shared.ask(shared.store.decisions()).await?;
    let verdict = |pair: &Pair| {
        // The newest word about a pair counts.
        decisions.iter().rev().find_map(|decision| {
            let verdict = decision.kind.identity_verdict()?;
            decision.pairs.contains(pair).then_some(verdict)
        })
    };
    let said = about.iter().filter_map(|pair| Some((pair.clone(), verdict(pair)?)));
    Ok(said.filter(|(_, verdict)| *verdict != OverrideVerdict::Withdraw).collect())
}
