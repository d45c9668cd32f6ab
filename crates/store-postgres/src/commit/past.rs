//! What was said of listings until a batch said something else.

use deadpool_postgres::Transaction;

use super::applied::Applied;
use super::evidence::list_text;
use crate::error::Queried;
use crate::queries::{Instant, execute};

/// Of several that end at one instant the first is what was said before it, so it stays.
const KEEP: &str = "INSERT INTO evidence_past (listing_id, endpoint, part, symbol, name, contracts,
        kind, same_as, until_at)
    SELECT said.*, $9
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::json[],
                $7::text[], $8::json[]) AS said
    ON CONFLICT (listing_id, endpoint, part, until_at) DO NOTHING";

/// Writes what was said, in the order of its keys. Most batches have none and ask nothing of the database.
pub(super) async fn write(transaction: &Transaction<'_>, applied: &Applied<'_>) -> Queried<()> {
    let count = applied.past.len();
    if count == 0 {
        return Ok(());
    }
    let mut listings = Vec::with_capacity(count);
    let (mut endpoints, mut parts) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut symbols, mut names) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut contracts, mut kinds) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut same_as = Vec::with_capacity(count);
    for ((listing_id, endpoint, part), said) in &applied.past {
        listings.push(listing_id.0);
        endpoints.push(*endpoint);
        parts.push(*part);
        symbols.push(said.attributes.symbol.as_deref());
        names.push(said.attributes.name.as_deref());
        contracts.push(list_text(&said.contracts)?);
        kinds.push(said.kind.as_deref());
        same_as.push(list_text(&said.same_as)?);
    }
    let until_at = Instant(applied.batch.fetched_at);
    execute(
        transaction,
        KEEP,
        &[&listings, &endpoints, &parts, &symbols, &names, &contracts, &kinds, &same_as, &until_at],
    )
    .await?;
    Ok(())
}
