//! `assets list`.

use kasparro_domain::IdentityState;
use serde::Serialize;

use super::Context;
use super::known::{Asset, Known, key_of};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, note};
use crate::wire;

/// Rows of the table where no limit is given.
const SHOWN_ROWS: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets list                               the first 20
  kasparro assets list --symbol wbtc                 every asset that a source calls WBTC
  kasparro assets list --ambiguous                   those of which it is open what they are
  kasparro assets list --json | jq '.[] | select(.listings | length > 2)'

Identity: `linked`, it has listings of several sources; `single`, no other source's listing is known to be the same;
`ambiguous`, others may be the same, but what speaks for it does not suffice, so they are kept apart; `unresolved`,
not looked at yet. `kasparro assets explain` tells why.")]
pub(crate) struct Arguments {
    /// Only assets that a source calls so now; upper and lower case are the same.
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// Only those of which it is open what they are.
    #[arg(long)]
    ambiguous: bool,
    /// At most so many, by ascending id; 20 unless told otherwise, and with --json all of them.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Leave out the first so many.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    offset: usize,
}

/// An asset as `assets list --json` gives it.
#[derive(Debug, Serialize)]
pub(super) struct AssetDocument<'a> {
    id: i64,
    symbol: Option<&'a str>,
    name: Option<&'a str>,
    class: &'static str,
    identity: &'static str,
    /// As `source:id`, the one that founded it first.
    listings: Vec<String>,
}

impl<'a> From<&Asset<'a>> for AssetDocument<'a> {
    fn from(asset: &Asset<'a>) -> Self {
        let first = asset.listings.first();
        Self {
            id: asset.id.0,
            symbol: first.and_then(|row| row.attributes.symbol.as_deref()),
            name: first.and_then(|row| row.attributes.name.as_deref()),
            class: asset.class().name(),
            identity: asset.state().name(),
            listings: asset.listings.iter().map(|row| key_of(row).to_string()).collect(),
        }
    }
}

pub(crate) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let known = Known::read(store.as_ref(), &config.database).await?;
    let wanted = arguments.symbol.map(|symbol| kasparro_view::fold(&symbol));
    let fits = |asset: &Asset<'_>| {
        let called = |wanted: &String| {
            let symbols = asset.listings.iter().filter_map(|row| row.attributes.symbol.as_ref());
            symbols.into_iter().any(|symbol| kasparro_view::fold(symbol) == *wanted)
        };
        (!arguments.ambiguous || asset.state() == IdentityState::Ambiguous)
            && wanted.as_ref().is_none_or(called)
    };
    let found: Vec<_> = known.assets().filter(fits).collect();
    let limit =
        arguments.limit.map_or(if output.json { usize::MAX } else { SHOWN_ROWS }, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
    let shown = found.iter().skip(arguments.offset).take(limit);
    let documents: Vec<AssetDocument<'_>> = shown.map(AssetDocument::from).collect();
    output.result(&documents, || text(&documents, output.colour))?;
    if found.len() > documents.len() {
        let (some, all) = (documents.len(), found.len());
        note(&format!("{some} of {all} assets; --limit and --offset show others"));
    }
    Ok(Exit::Done)
}

fn text(assets: &[AssetDocument<'_>], colour: bool) -> String {
    if assets.is_empty() {
        return "no assets".to_owned();
    }
    let mut table = Table::new(&["id", "symbol", "name", "class", "identity", "listings"], colour);
    for asset in assets {
        table.row(vec![
            Table::number(asset.id),
            Table::words(asset.symbol.unwrap_or("-")),
            Table::words(asset.name.unwrap_or("-")),
            Table::words(asset.class),
            Table::words(asset.identity),
            Table::words(&asset.listings.join(", ")),
        ]);
    }
    table.text()
}
