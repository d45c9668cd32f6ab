//! `assets link`, `assets unlink`, `assets unrelate` and `assets withdraw`: what two listings are to each other.

use kasparro_domain::{DecisionKind, ListingKey, OverrideVerdict};

use super::Context;
use super::decide::{Record, check_pair, decide};
use super::known::Known;
use super::overrides::in_force;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::wire;

pub(super) const LINK_EXPLAINED: &str = "\
Examples:
  kasparro assets link coingecko:wrapped-x coinpaprika:wx-wrapped-x --why 'both sites show one contract'

What people decide wins over all evidence, and the newest decision about two listings counts. Listings that evidence
put in between are cut off where a source would have two listings in one asset. Where new evidence speaks against
the decision, an alert says so. `kasparro assets withdraw` takes it back.";

pub(super) const UNLINK_EXPLAINED: &str = "\
Examples:
  kasparro assets unlink coingecko:gas coinpaprika:gas-gas --why 'one is a token of another chain'

The two are different assets from now on, whatever speaks for one. The listing that came later gets the asset back
that it had founded, and its history is kept. How they relate is left open: `kasparro assets relate` says that one
came from the other, `kasparro assets unrelate` that neither did. `kasparro assets withdraw` takes the decision back.";

pub(super) const UNRELATE_EXPLAINED: &str = "\
Examples:
  kasparro assets unrelate csv:old-x coingecko:x --why 'a copy that only has the name'

The two are different assets from now on, and neither is wrapped, bridged, pegged, migrated or forked from the other,
whatever their names suggest and whatever `kasparro assets relate` said before. `kasparro assets withdraw` takes the
decision back.";

pub(super) const WITHDRAW_EXPLAINED: &str = "\
Examples:
  kasparro assets withdraw coingecko:gas coinpaprika:gas-gas --why 'the contract was corrected'

Evidence decides about the two again. Earlier decisions stay on record.";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One listing, as source:id.
    #[arg(value_name = "LISTING")]
    a: ListingKey,
    /// The other listing.
    #[arg(value_name = "LISTING")]
    b: ListingKey,
    #[command(flatten)]
    record: Record,
}

pub(super) async fn execute(
    context: Context,
    kind: DecisionKind,
    arguments: Arguments,
) -> Result<Exit, Failure> {
    let Arguments { a, b, record } = arguments;
    let verdict = kind.identity_verdict();
    check_pair(verdict, &a, &b)?;
    let clock = SystemClock::shared();
    {
        // Closed again before the store is opened to write: whoever closes it last tidies its files up.
        let store = wire::open_to_read(&context.config, &clock).await?;
        let known = Known::read(store.as_ref(), &context.config.database).await?;
        known.listing(&a)?;
        known.listing(&b)?;
        if verdict == Some(OverrideVerdict::Withdraw) {
            let decided = in_force(super::decisions(&context, store.as_ref()).await?);
            let pair = if a <= b { (&a, &b) } else { (&b, &a) };
            if !decided.contains_key(&(pair.0.clone(), pair.1.clone())) {
                return Err(Failure::new(
                    Exit::Failed,
                    "not_decided",
                    format!("nothing that was decided about {a} and {b} is in force"),
                    "`kasparro assets overrides export` shows what is",
                ));
            }
        }
    }
    decide(&context, &clock, kind, vec![(a, b)], None, record).await
}
