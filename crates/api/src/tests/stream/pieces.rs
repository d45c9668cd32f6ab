//! One swap, written once for everybody.

use std::sync::Arc;

use bytes::Bytes;
use kasparro_domain::{Generation, ListingId};
use kasparro_view::{Row, Swap};

use crate::stream::{Batch, Filter, PIECE_BYTES, Piece, Place};
use crate::tests::world::{Coin, World};

/// So many rows of generation 1, with symbols that repeat after seven.
async fn rows(count: usize) -> Vec<Arc<Row>> {
    let ids: Vec<_> = (0..count).map(|at| (at.to_string(), format!("S{}", at % 7))).collect();
    let coins: Vec<Coin<'_>> =
        ids.iter().map(|(id, symbol)| (id.as_str(), symbol.as_str(), "x", Some("1"))).collect();
    let world = World::with("csv", &coins).await;
    let snapshot = world.view.snapshot();
    (1..=count as i64).map(|id| snapshot.listing(ListingId(id)).unwrap()).collect()
}

fn swap(from: u64, to: u64, rows: Vec<Arc<Row>>) -> Swap {
    Swap { from: Generation(from), to: Generation(to), rows }
}

fn read(batch: &Batch, filter: &Filter) -> Vec<Piece> {
    let mut place = Place::default();
    std::iter::from_fn(|| batch.next(&mut place, filter)).collect()
}

#[tokio::test]
async fn all_clients_read_the_same_memory() {
    let batch = Batch::write(&swap(3, 4, rows(500).await), 0);
    let (all, some) = (Filter::default(), Filter::of_symbols(&["s3"]));
    let [first, second] = [read(&batch, &all), read(&batch, &all)];
    assert!(first.len() > 2, "in pieces");
    for (one, other) in first.iter().zip(&second) {
        assert_eq!(one.text.as_ptr(), other.text.as_ptr());
        assert!(one.text.len() < 2 * PIECE_BYTES);
    }
    let within = |piece: &Piece| {
        first.iter().any(|whole| whole.text.as_ptr_range().contains(&piece.text.as_ptr()))
    };
    let filtered = read(&batch, &some);
    assert!(filtered.iter().all(within));
    let quotes = |pieces: &[Piece]| pieces.iter().map(|piece| piece.quotes).sum::<u64>();
    assert_eq!((quotes(&first), quotes(&filtered), batch.quotes()), (500, 71, 500));
    for piece in &filtered {
        let quotes = piece.text.windows(12).filter(|part| part == b"event: quote").count();
        assert_eq!(quotes as u64, piece.quotes);
    }
    assert_eq!(filtered.last().unwrap().text, "id: 4-0\n\n");
}

#[tokio::test]
async fn rows_that_only_grew_too_old_go_on_counting_and_end_nothing() {
    let batch = Batch::write(&swap(3, 3, rows(2).await), 5);
    let text = read(&batch, &Filter::default()).remove(0).text;
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains("id: 3-6\n") && text.contains("id: 3-7\n"), "{text}");
    assert!(!text.contains("id: 3-0"), "{text}");
    assert!(read(&batch, &Filter::of_symbols(&["none"])).is_empty());
}

#[test]
fn a_swap_that_changes_nothing_moves_the_place() {
    let batch = Batch::write(&swap(3, 4, Vec::new()), 0);
    for filter in [Filter::default(), Filter::of_symbols(&["none"])] {
        let pieces = read(&batch, &filter);
        assert_eq!(pieces, [Piece { text: Bytes::from_static(b"id: 4-0\n\n"), quotes: 0 }]);
    }
}
