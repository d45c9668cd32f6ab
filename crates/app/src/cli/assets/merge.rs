//! `assets merge`.

use std::collections::BTreeMap;

use kasparro_domain::{DecisionKind, ListingKey};

use super::decide::{Pair, Record, decide};
use super::known::{Known, key_of};
use super::overrides::{Word, in_force};
use super::{AssetName, Context, read_asset};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets merge 17 4711 --why 'renamed in May, the contract is the same'
  kasparro assets merge coingecko:old coinpaprika:new-coin --why 'one project'

The asset whose first listing is the older one keeps its id, and the other id leads to it. History follows.
`kasparro assets split` undoes it: nothing is lost by a merge.")]
pub(crate) struct Arguments {
    /// One asset, by its id or by one of its listings.
    #[arg(value_name = "ASSET", value_parser = read_asset)]
    one: AssetName,
    /// The other asset.
    #[arg(value_name = "ASSET", value_parser = read_asset)]
    other: AssetName,
    #[command(flatten)]
    record: Record,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let clock = SystemClock::shared();
    let pairs = {
        // Closed again before the store is opened to write: whoever closes it last tidies its files up.
        let store = wire::open_to_read(&context.config, &clock).await?;
        let known = Known::read(store.as_ref(), &context.config.database).await?;
        let (one, other) = (known.named(&arguments.one)?, known.named(&arguments.other)?);
        if one.id == other.id {
            return Err(Failure::new(
                Exit::Failed,
                "one_asset",
                format!("both are asset {} already: {}", one.id.0, one.words()),
                "`kasparro assets list` shows the ids of assets",
            ));
        }
        let by_source: BTreeMap<_, _> =
            one.listings.iter().map(|row| (&row.source, *row)).collect();
        let twice = other.listings.iter().find_map(|row| Some((*by_source.get(&row.source)?, row)));
        if let Some((a, b)) = twice {
            return Err(Failure::new(
                Exit::Failed,
                "one_source",
                format!(
                    "asset {} has {} and asset {} has {}: two listings of {}, and a source lists an \
                     asset once",
                    one.id.0,
                    key_of(a),
                    other.id.0,
                    key_of(b),
                    a.source
                ),
                "split off the one that is something else, or link single listings with `assets link`",
            ));
        }
        let in_force = in_force(super::decisions(&context, store.as_ref()).await?);
        pairs(&one.keys(), &other.keys(), &in_force)
    };
    decide(&context, &clock, DecisionKind::Merge, pairs, None, arguments.record).await
}

/// The pair of the listings that founded the assets, and every pair between them that was said to be two: an
/// earlier split would leave its listing out.
fn pairs(one: &[ListingKey], other: &[ListingKey], in_force: &BTreeMap<Pair, Word>) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = one.iter().cloned().zip(other.iter().cloned()).take(1).collect();
    for a in one {
        for b in other {
            let pair = if a <= b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) };
            if in_force.get(&pair).is_some_and(Word::separates) {
                pairs.push(pair);
            }
        }
    }
    pairs
}
