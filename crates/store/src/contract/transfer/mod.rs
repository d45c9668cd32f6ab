//! Stories about a whole store that comes into another one. Each wants a fresh store.

mod sample;
mod schema;

pub use schema::{Schema, differences};

use tokio::sync::mpsc;

use super::{Broken, Told, Violation, ensure, expect_eq};
use crate::{Audit, Cell, Piece, StoreError, StoreResult, TransferStore};

/// A table as it travelled: name, largest number that was given out, and rows.
type Table = (&'static str, Option<i64>, Vec<Vec<Cell>>);

/// Every value arrives as it was sent, whatever is special about it, and leaves again so.
///
/// # Errors
/// What did not.
pub async fn every_value_travels(store: &dyn TransferStore) -> Result<(), Violation> {
    told("every_value_travels", values(store).await)
}

/// A copy whose sender goes away at any point leaves the store empty, and the next one succeeds.
///
/// # Errors
/// What did not hold.
pub async fn a_broken_copy_leaves_nothing(store: &dyn TransferStore) -> Result<(), Violation> {
    told("a_broken_copy_leaves_nothing", broken(store).await)
}

/// Nothing is added to a store that holds anything.
///
/// # Errors
/// What did not hold.
pub async fn a_store_that_holds_anything_takes_no_copy(
    store: &dyn TransferStore,
) -> Result<(), Violation> {
    told("a_store_that_holds_anything_takes_no_copy", full(store).await)
}

fn told(case: &'static str, told: Told) -> Result<(), Violation> {
    told.map_err(|Broken(detail)| Violation { case, detail })
}

async fn values(store: &dyn TransferStore) -> Told {
    ensure(store.is_empty().await?, "a fresh store is empty")?;
    import(store, sample::pieces()).await?;
    ensure(!store.is_empty().await?, "a store with rows is not empty")?;
    let (sent, came) = (sample::tables(), export(store).await?);
    expect_eq("tables", came.len(), sent.len())?;
    for ((name, minted, rows), (_, minted_now, rows_now)) in sent.into_iter().zip(came) {
        expect_eq(name, rows_now, rows)?;
        // A store that only looks at its rows has no gap behind them.
        let of_rows = matches!(name, "source" | "raw_body" | "asset" | "listing");
        ensure(minted_now == minted || (of_rows && minted_now <= minted), "no number comes again")?;
    }
    Ok(())
}

async fn broken(store: &dyn TransferStore) -> Told {
    let whole = sample::pieces().len();
    for sent in 0..whole {
        let outcome = import(store, sample::pieces().into_iter().take(sent).collect()).await;
        match outcome {
            Err(StoreError::Unavailable(_)) => {}
            other => return Err(Broken(format!("{sent} pieces of {whole}: {other:?}"))),
        }
        ensure(store.is_empty().await?, "nothing is left of a broken copy")?;
    }
    for left_out in 0..whole - 1 {
        let mut pieces = sample::pieces();
        pieces.remove(left_out);
        let outcome = import(store, pieces).await;
        ensure(outcome.is_err(), "a copy without one of its pieces is refused")?;
        ensure(store.is_empty().await?, "nothing is left of a copy that was refused")?;
    }
    Ok(import(store, sample::pieces()).await?)
}

async fn full(store: &dyn TransferStore) -> Told {
    import(store, sample::pieces()).await?;
    let before = export(store).await?;
    match import(store, sample::pieces()).await {
        Err(StoreError::Conflict(why)) => ensure(why.contains("must be empty"), "it says why")?,
        other => return Err(Broken(format!("a second copy: {other:?}"))),
    }
    expect_eq("what it held", export(store).await?, before)
}

async fn import(store: &dyn TransferStore, pieces: Vec<Piece>) -> StoreResult<()> {
    let (out, arriving) = mpsc::channel(1);
    let send = async move {
        for piece in pieces {
            if out.send(piece).await.is_err() {
                break;
            }
        }
    };
    let ((), imported) = tokio::join!(send, store.import(arriving));
    imported
}

async fn export(store: &dyn TransferStore) -> Result<Vec<Table>, Broken> {
    let (out, mut arriving) = mpsc::channel(1);
    let collect = async {
        let (mut tables, mut ended) = (Vec::<Table>::new(), false);
        while let Some(piece) = arriving.recv().await {
            match piece {
                Piece::Table { table, minted, .. } => tables.push((table.name, minted, Vec::new())),
                Piece::Rows(rows) => {
                    if let Some((.., kept)) = tables.last_mut() {
                        kept.extend(rows.iter().map(<[Cell]>::to_vec));
                    }
                }
                Piece::End => ended = true,
            }
        }
        (tables, ended)
    };
    // The rows of the sample are values of every kind, and not a story: an audit may refuse them.
    let (audited, (tables, ended)) = tokio::join!(store.export(out, Audit::digest()), collect);
    if ended { Ok(tables) } else { Err(Broken(format!("the export did not end: {audited:?}"))) }
}
