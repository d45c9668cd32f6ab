//! Having a decision about listings carried out, and telling what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kasparro_domain::{
    AssetRelation, Clock, CommandKind, DecisionKind, ListingKey, OverrideVerdict,
};
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::known::{Asset, Known};
use super::list::AssetDocument;
use crate::cli::decision::{carry_out, decider, read_words};
use crate::cli::request::Request;
use crate::failure::{Exit, Failure};
use crate::output::note;
use crate::wire;

/// Who decides and why.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// Why, for the record.
    #[arg(long, value_name = "TEXT", value_parser = read_words)]
    why: String,
    /// Who decides, for the record; the user of this process unless told otherwise.
    #[arg(long, value_name = "NAME", value_parser = read_words)]
    who: Option<String>,
}

pub(super) type Pair = (ListingKey, ListingKey);

/// What a decision document says.
#[derive(Debug, Serialize)]
struct Decided<'a> {
    decision_id: Option<i64>,
    /// False where the listings are not what was decided: newer decisions forbid it, or an asset would hold
    /// two listings of one source.
    followed: bool,
    /// The assets of the listings it is about, as they are now.
    assets: Vec<AssetDocument<'a>>,
}

/// The request to decide so about pairs of listings. The relation is there exactly where the kind is
/// [`DecisionKind::Relate`], and is of the only pair.
pub(super) fn request(
    kind: DecisionKind,
    pairs: impl IntoIterator<Item = Pair>,
    relation: Option<AssetRelation>,
    who: &str,
    why: &str,
) -> Option<Request> {
    let mut pairs: Vec<Pair> =
        pairs.into_iter().map(|(a, b)| if a <= b { (a, b) } else { (b, a) }).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let source = pairs.first()?.0.source.clone();
    Some(Request::new(CommandKind::DecideIdentity {
        source,
        decision: kind,
        pairs,
        relation,
        who: who.to_owned(),
        why: why.to_owned(),
    }))
}

/// Decides about pairs of listings that are known, here or by the holder of the store, and tells what
/// they are now. The relation is as for [`request`].
///
/// # Errors
/// A [`Failure`] where the store cannot be used or the holder refuses.
pub(super) async fn decide(
    context: &Context,
    clock: &Arc<dyn Clock>,
    kind: DecisionKind,
    pairs: Vec<Pair>,
    relation: Option<AssetRelation>,
    record: Record,
) -> Result<Exit, Failure> {
    let who = decider(record.who, context);
    let request = request(kind, pairs.iter().cloned(), relation, &who, &record.why);
    let answers = carry_out(context, clock, request.into_iter().collect()).await?;
    let store = wire::open_to_read(&context.config, clock).await?;
    let known = Known::read(store.as_ref(), &context.config.database).await?;
    let mut assets: BTreeMap<i64, Asset<'_>> = BTreeMap::new();
    let mut broken = None;
    for (a, b) in &pairs {
        let (one, two) = (known.asset_of(a)?, known.asset_of(b)?);
        let together = one.id == two.id;
        let followed = match kind.identity_verdict() {
            Some(OverrideVerdict::Link) => together,
            Some(verdict) if verdict.separates() => !together,
            _ => true,
        };
        if !followed {
            broken = broken.or(Some((a, b)));
        }
        assets.insert(one.id.0, one);
        assets.insert(two.id.0, two);
    }
    let number =
        answers.first().and_then(|answer| answer.get("decision_id")).and_then(Value::as_i64);
    let decided = Decided {
        decision_id: number,
        followed: broken.is_none(),
        assets: assets.values().map(AssetDocument::from).collect(),
    };
    context.output.result(&decided, || {
        let kept = number.map_or_else(String::new, |number| format!("decision {number} is kept\n"));
        let assets = assets.values();
        let lines: Vec<_> =
            assets.map(|asset| format!("asset {}: {}", asset.id.0, asset.words())).collect();
        format!("{kept}{}", lines.join("\n"))
    })?;
    if let Some((a, b)) = broken {
        note(&format!(
            "it could not be followed so far; `kasparro assets explain {a} {b}` tells what stands against it"
        ));
    }
    Ok(Exit::Done)
}

/// Refuses a pair that no decision can be about.
///
/// # Errors
/// A [`Failure`] with exit code 2 for one listing twice, and for two listings of one source that shall be
/// one asset.
pub(super) fn check_pair(
    verdict: Option<OverrideVerdict>,
    a: &ListingKey,
    b: &ListingKey,
) -> Result<(), Failure> {
    if a == b {
        return Err(Failure::new(
            Exit::Usage,
            "one_listing",
            format!("both listings are {a}"),
            "name two different ones, each as source:id",
        ));
    }
    if verdict == Some(OverrideVerdict::Link) && a.source == b.source {
        return Err(Failure::new(
            Exit::Usage,
            "one_source",
            format!(
                "{a} and {b} are two listings of {}, and a source lists an asset once",
                a.source
            ),
            "link the right one of them with a listing of another source, and unlink the other",
        ));
    }
    Ok(())
}
