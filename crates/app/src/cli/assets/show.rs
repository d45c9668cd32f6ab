//! `assets show`.

use kasparro_domain::{AssetId, Contract, Timestamp};
use kasparro_store::{IdentityRecord, ListingRow, StoredEdge};
use serde::Serialize;

use super::known::{Asset, Known, key_of};
use super::list::AssetDocument;
use super::relation::TermsDocument;
use super::{AssetName, Context, DecisionDocument, about, decisions, read_asset};
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, note, one_line};
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets show 17                     its listings, how it relates to others, what was decided
  kasparro assets show coingecko:bitcoin      the asset of this listing
  kasparro assets show 17 --json

`1 unit gives 1000` of a relation counts units of what it leads to for one unit of what it starts from.
An id keeps leading to its asset: that of an asset that was found to be another one shows that one.")]
pub(crate) struct Arguments {
    /// The asset, by its id or by one of its listings as source:id.
    #[arg(value_name = "ASSET", value_parser = read_asset)]
    asset: AssetName,
}

/// The document of `assets show --json`.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    asset: AssetDocument<'a>,
    /// Ids that lead to it as well.
    former_ids: Vec<i64>,
    members: Vec<Member<'a>>,
    edges: Vec<Edge>,
    /// What people decided about one of its listings, oldest first.
    decisions: Vec<DecisionDocument>,
}

/// A listing of the asset.
#[derive(Debug, Serialize)]
struct Member<'a> {
    listing: String,
    listing_id: i64,
    symbol: Option<&'a str>,
    name: Option<&'a str>,
    class: &'static str,
    identity: &'static str,
    /// How likely the decision is right, from 0 to 1.
    confidence: Option<f64>,
    contracts: &'a [Contract],
    active: bool,
    first_seen_at: Timestamp,
    /// What it was called before, newest first.
    former_names: Vec<FormerName>,
}

#[derive(Debug, Serialize)]
struct FormerName {
    symbol: Option<String>,
    name: Option<String>,
    until_at: Timestamp,
}

/// How the asset relates to another one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Edge {
    kind: &'static str,
    /// `out`: this asset is it of the other one; `in`: the other one is it of this asset.
    direction: &'static str,
    asset_id: i64,
    listing: String,
    #[serde(flatten)]
    terms: TermsDocument,
    why: String,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let Context { config, output, .. } = &context;
    let store = wire::open_to_read(config, &SystemClock::shared()).await?;
    let known = Known::read(store.as_ref(), &config.database).await?;
    let asset = known.named(&arguments.asset)?;
    let mut ids: Vec<_> = asset.listings.iter().map(|row| row.listing_id).collect();
    ids.sort_unstable();
    let failed = |error| Failure::store(&error, &config.database);
    let records = store.identity_records(&ids).await.map_err(failed)?;
    let edges = store.asset_edges(&ids).await.map_err(failed)?;
    let keys = asset.keys();
    let keys: Vec<_> = keys.iter().collect();
    let shown = Shown {
        asset: AssetDocument::from(&asset),
        former_ids: founded(&asset).filter(|id| *id != asset.id).map(|id| id.0).collect(),
        members: asset.listings.iter().map(|row| member(row, &records)).collect(),
        edges: told(&edges, &asset, &known),
        decisions: about(decisions(&context, store.as_ref()).await?, &keys),
    };
    output.result(&shown, || text(&shown, &asset, output.colour))?;
    if let AssetName::Id(id) = arguments.asset
        && id != asset.id
    {
        note(&format!("asset {} was found to be asset {}", id.0, asset.id.0));
    }
    Ok(Exit::Done)
}

fn founded(asset: &Asset<'_>) -> impl Iterator<Item = AssetId> {
    asset.listings.iter().map(|row| row.founded_asset_id)
}

fn member<'a>(row: &'a ListingRow, records: &[IdentityRecord]) -> Member<'a> {
    let record = records.iter().find(|record| record.listing_id == row.listing_id);
    let past = record.into_iter().flat_map(|record| &record.past);
    let former = past.map(|past| FormerName {
        symbol: past.attributes.symbol.as_ref().map(ToString::to_string),
        name: past.attributes.name.as_ref().map(ToString::to_string),
        until_at: past.until_at,
    });
    Member {
        listing: key_of(row).to_string(),
        listing_id: row.listing_id.0,
        symbol: row.attributes.symbol.as_deref(),
        name: row.attributes.name.as_deref(),
        class: row.class.name(),
        identity: row.identity.name(),
        confidence: record
            .and_then(|record| record.confidence)
            .map(|share| f64::from(share) / 10_000.0),
        contracts: &row.contracts,
        active: row.active,
        first_seen_at: row.first_seen_at,
        former_names: former.collect(),
    }
}

fn told(edges: &[StoredEdge], asset: &Asset<'_>, known: &Known) -> Vec<Edge> {
    let own = |id| asset.listings.iter().any(|row| row.listing_id == id);
    let told = |edge: &StoredEdge| {
        let (direction, other) = match (own(edge.from), own(edge.to)) {
            (true, false) => ("out", edge.to),
            (false, true) => ("in", edge.from),
            // Between two listings of one asset there is nothing to tell.
            _ => return None,
        };
        let other = known.by_id(other)?;
        Some(Edge {
            kind: edge.kind.name(),
            direction,
            asset_id: other.asset_id.0,
            listing: key_of(other).to_string(),
            terms: edge.terms.clone().into(),
            why: edge.why.to_string(),
        })
    };
    let mut edges: Vec<_> = edges.iter().filter_map(told).collect();
    edges.sort();
    edges.dedup();
    edges
}

fn text(shown: &Shown<'_>, asset: &Asset<'_>, colour: bool) -> String {
    let first = asset.listings.first();
    let name = first.and_then(|row| row.attributes.name.as_deref()).unwrap_or("-");
    let former: Vec<_> = shown.former_ids.iter().map(ToString::to_string).collect();
    let former = if former.is_empty() { "-".to_owned() } else { former.join(", ") };
    let facts = [
        ("asset", asset.id.0.to_string()),
        ("name", name.to_owned()),
        ("class", asset.class().name().to_owned()),
        ("identity", asset.state().name().to_owned()),
        ("former ids", former),
    ];
    let mut lines: Vec<_> =
        facts.iter().map(|(name, fact)| format!("{name:12}{}", one_line(fact))).collect();
    lines.push(String::new());
    lines.push(members(&shown.members, colour));
    for edge in &shown.edges {
        let Edge { kind, direction, asset_id, listing, terms, why } = edge;
        let relation = match *direction {
            "out" => format!("{kind} asset {asset_id} ({listing})"),
            _ => format!("asset {asset_id} ({listing}) is {kind} this one"),
        };
        let words = format!("{relation}{}: {why}", terms.words());
        lines.push(one_line(&words));
    }
    for member in &shown.members {
        for former in &member.former_names {
            let called: Vec<_> = former.symbol.iter().chain(&former.name).cloned().collect();
            let (listing, until) = (&member.listing, former.until_at);
            lines.push(one_line(&format!(
                "{listing} was called {} until {until}",
                called.join(", ")
            )));
        }
    }
    lines.extend(shown.decisions.iter().map(|it| one_line(&format!("decision {}", it.words()))));
    lines.join("\n")
}

fn members(members: &[Member<'_>], colour: bool) -> String {
    let headings = ["listing", "symbol", "name", "identity", "sure", "contracts", "first seen"];
    let mut table = Table::new(&headings, colour);
    for member in members {
        let sure = member
            .confidence
            .map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", share * 100.0));
        let contracts = member.contracts.iter();
        let contracts: Vec<_> =
            contracts.map(|it| format!("{} {}", it.platform, it.address)).collect();
        table.row(vec![
            Table::words(&member.listing),
            Table::words(member.symbol.unwrap_or("-")),
            Table::words(member.name.unwrap_or("-")),
            Table::words(member.identity),
            Table::words(&sure),
            Table::words(&if contracts.is_empty() { "-".to_owned() } else { contracts.join(", ") }),
            Table::words(&member.first_seen_at.to_string()),
        ]);
    }
    table.text()
}
