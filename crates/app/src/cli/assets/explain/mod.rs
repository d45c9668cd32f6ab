//! `assets explain`.

mod document;

use std::sync::Arc;

use kasparro_domain::ListingKey;

use super::decide::check_pair;
use super::known::Known;
use super::{Context, Standing, about, decisions};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, note, one_line};
use crate::wire;
use document::{Compared, Explained};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets explain coingecko:bitcoin                              what it is, and what else was looked at
  kasparro assets explain coingecko:weth coinpaprika:eth-ethereum        why these two are one asset or not
  kasparro assets explain coingecko:weth --json | jq .alternatives

Weights are in bits: 10 more make it a thousand times as likely that two listings are one asset; what is negative
speaks against it. A veto outweighs everything. Confidence is measured on pairs whose truth is known.
docs/IDENTITY.md tells of every feature. The evidence is looked at anew; nothing is changed.")]
pub(crate) struct Arguments {
    /// The listing, as source:id.
    #[arg(value_name = "LISTING")]
    listing: ListingKey,
    /// Another listing, to compare the two.
    #[arg(value_name = "LISTING")]
    other: Option<ListingKey>,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let Arguments { listing, other } = &arguments;
    if let Some(other) = other {
        check_pair(None, listing, other)?;
    }
    let clock = SystemClock::shared();
    let store = wire::open_to_read(config, &clock).await?;
    let known = Known::read(store.as_ref(), &config.database).await?;
    for asked in std::iter::once(listing).chain(other) {
        known.listing(asked)?;
    }
    let explanation =
        kasparro_engine::explain_identity(Arc::clone(&store), clock, listing, other.as_ref());
    let explanation =
        explanation.await.map_err(|error| Failure::engine(error, &config.database))?;
    let asked: Vec<_> = std::iter::once(listing).chain(other).collect();
    let decisions = about(decisions(&context, store.as_ref()).await?, &asked);
    let explained = Explained::new(explanation, &known, decisions);
    output.result(&explained, || text(&explained, output.colour))?;
    if !Standing::of(store.as_ref(), &config.database).await?.up_to_date {
        note("evidence has come since identity was resolved: this is what is decided next");
    }
    Ok(Exit::Done)
}

fn text(explained: &Explained, colour: bool) -> String {
    let mut parts = vec![explained.summary.clone()];
    let listings = explained.a.iter().chain(&explained.b);
    let facts = listings.map(|listing| one_line(&listing.words()));
    let facts: Vec<_> = facts.chain([format!("rules {}", explained.rules())]).collect();
    parts.push(facts.join("\n"));
    parts.extend(explained.pair.iter().map(|pair| features(pair, colour)));
    // Beside a comparison the others are told in short.
    let in_full = |other: &&Compared| other.verdict == "linked" && explained.pair.is_none();
    let (linked, others): (Vec<_>, Vec<_>) = explained.alternatives.iter().partition(in_full);
    for other in linked {
        let words = one_line(&other.words());
        parts.push(format!("one asset with {words}\n{}", features(other, colour)));
    }
    if !others.is_empty() {
        parts.push(format!("what else was looked at, best first\n{}", table(&others, colour)));
    }
    if !explained.decisions.is_empty() {
        let lines: Vec<_> = explained.decisions.iter().map(|it| one_line(&it.words())).collect();
        parts.push(format!("what people decided\n{}", lines.join("\n")));
    }
    parts.join("\n\n")
}

/// What speaks for and against two listings being one asset.
fn features(compared: &Compared, colour: bool) -> String {
    let mut table = Table::new(&["bits", "feature", "what was compared"], colour);
    for feature in &compared.features {
        table.row(vec![
            bits(feature.bits),
            Table::words(&feature.name),
            Table::words(&feature.detail),
        ]);
    }
    table.row(vec![bits(compared.bits), Table::words("together"), Table::words(&compared.why)]);
    table.text()
}

fn table(others: &[&Compared], colour: bool) -> String {
    let mut table = Table::new(&["bits", "listing", "verdict", "why", "features"], colour);
    for other in others {
        let features: Vec<_> = other
            .features
            .iter()
            .map(|feature| format!("{} {:.2}", feature.name, feature.bits))
            .collect();
        table.row(vec![
            bits(other.bits),
            Table::words(&other.words()),
            Table::words(other.verdict),
            Table::words(&other.why),
            Table::words(&features.join(", ")),
        ]);
    }
    table.text()
}

fn bits(bits: f64) -> comfy_table::Cell {
    Table::number(format!("{bits:.2}"))
}
