//! `assets split`.

use std::collections::BTreeSet;

use kasparro_domain::{DecisionKind, ListingKey};

use super::decide::{Pair, Record, decide};
use super::known::{Asset, Known};
use super::{AssetName, Context, read_asset};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets split 17 --listing coinpaprika:new-coin --why 'a fork, says the project'
  kasparro assets split 17 --listing csv:x coinpaprika:x-x --why 'another chain'

What leaves and what stays are different assets from now on. Listings that leave together are one asset where
evidence or a decision says so, and get back the ids that they had founded: a split after a merge gives what was
before the merge.")]
pub(crate) struct Arguments {
    /// The asset, by its id or by one of its listings.
    #[arg(value_name = "ASSET", value_parser = read_asset)]
    asset: AssetName,
    /// The listings that leave it.
    #[arg(long = "listing", value_name = "LISTING", required = true, num_args = 1..)]
    listings: Vec<ListingKey>,
    #[command(flatten)]
    record: Record,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    let pairs = {
        // Closed again before the store is opened to write: whoever closes it last tidies its files up.
        let store = wire::open_to_read(&context.config, &clock).await?;
        let known = Known::read(store.as_ref(), &context.config.database).await?;
        for listing in &arguments.listings {
            known.listing(listing)?;
        }
        pairs(&known.named(&arguments.asset)?, &arguments.listings)?
    };
    decide(&context, &clock, DecisionKind::Split, pairs, None, arguments.record).await
}

/// Every pair of a listing that leaves and one that stays.
///
/// # Errors
/// A [`Failure`] where a listing is not of the asset, and where none would stay.
fn pairs(asset: &Asset<'_>, leaving: &[ListingKey]) -> Result<Vec<Pair>, Failure> {
    let members = asset.keys();
    if let Some(stranger) = leaving.iter().find(|key| !members.contains(key)) {
        return Err(Failure::new(
            Exit::Failed,
            "not_a_member",
            format!("{stranger} is no listing of asset {}", asset.id.0),
            format!("its listings are {}", asset.words()),
        ));
    }
    let leaving: BTreeSet<_> = leaving.iter().collect();
    let staying: Vec<_> = members.iter().filter(|key| !leaving.contains(key)).collect();
    if staying.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "nothing_stays",
            format!("asset {} has no other listing: nothing would stay", asset.id.0),
            "name fewer listings",
        ));
    }
    let with_all = |gone: &ListingKey| -> Vec<Pair> {
        staying.iter().map(|stays| (gone.clone(), (*stays).clone())).collect()
    };
    Ok(leaving.into_iter().flat_map(with_all).collect())
}
