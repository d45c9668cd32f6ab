//! `assets relate`: what one asset is of another that it is not.

use jiff::civil::Date;
use kasparro_domain::{
    AssetRelation, Decimal, DecisionKind, EdgeKind, EdgeTerms, ListingKey, NotADay, NotARatio,
};

use super::Context;
use super::decide::{Record, check_pair, decide};
use super::known::Known;
use super::relation::read_kind;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets relate csv:old csv:new --as migrated_to --why 'they say so'
  kasparro assets relate csv:old csv:new --as migrated_to --ratio 1000 --date 2024-10-01 --why 'they say so'
  kasparro assets relate csv:wx coingecko:x --as wrapped_of --ratio 0.001 --why 'the contract says so'

Read it as a sentence: FROM is KIND TO.
  wrapped_of      FROM stands for TO, which is locked up
  bridged_of      FROM represents TO on another chain
  pegged_to       FROM is meant to be worth as much as TO
  migrated_to     FROM was replaced by TO
  forked_from     FROM began as a copy of TO
The ratio is how many units of TO one unit of FROM gives: 1000 where each old coin gave a thousand new ones, 0.001
where it took a thousand old coins to get a new one. The date is the day from which it holds. Leave out what is not
known; every digit of a ratio is kept.

The two are different assets from now on, whatever speaks for one, and listings of one source may relate as well. The
newest decision about two listings counts, so say it anew to correct it. `kasparro assets show` shows how an asset
relates to others, `kasparro assets unrelate` says that two do not relate, and `kasparro assets withdraw` takes it
back.")]
pub(crate) struct Arguments {
    /// A listing of the asset that this is about, as source:id.
    #[arg(value_name = "FROM")]
    from: ListingKey,
    /// A listing of the asset that it relates to.
    #[arg(value_name = "TO")]
    to: ListingKey,
    /// How FROM relates to TO: `wrapped_of`, `bridged_of`, `pegged_to`, `migrated_to` or `forked_from`.
    #[arg(long = "as", value_name = "KIND", value_parser = read_kind)]
    kind: EdgeKind,
    /// Units of TO that one unit of FROM gives, above zero.
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = read_ratio)]
    ratio: Option<Decimal>,
    /// The day (UTC) from which it holds, as YYYY-MM-DD.
    #[arg(long = "date", value_name = "DAY", value_parser = read_day)]
    effective_on: Option<Date>,
    #[command(flatten)]
    record: Record,
}

fn read_ratio(text: &str) -> Result<Decimal, NotARatio> {
    EdgeTerms::read_ratio(text)
}

fn read_day(text: &str) -> Result<Date, NotADay> {
    EdgeTerms::read_day(text)
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { from, to, kind, ratio, effective_on, record } = arguments;
    check_pair(DecisionKind::Relate.identity_verdict(), &from, &to)?;
    let clock = SystemClock::shared();
    {
        // Closed again before the store is opened to write: whoever closes it last tidies its files up.
        let store = wire::open_to_read(&context.config, &clock).await?;
        let known = Known::read(store.as_ref(), &context.config.database).await?;
        known.listing(&from)?;
        known.listing(&to)?;
    }
    let pairs = vec![(from.clone(), to.clone())];
    let terms = EdgeTerms { ratio, effective_on };
    let relation = Some(AssetRelation { from, kind, to, terms });
    decide(&context, &clock, DecisionKind::Relate, pairs, relation, record).await
}
