//! Thirty healthy days: nothing is to be said.

use super::super::Profile;
use super::market::Market;
use super::shapes::{SHAPES, Shape, sample};

/// Events over `hours` hourly fetches of `pages` pages of 250 rows.
fn events(shape: Shape, seed: u64, hours: usize, pages: usize, coins: usize) -> Vec<String> {
    let mut profile = Profile::new("healthy");
    let mut market = Market::new(seed, coins);
    let mut said = Vec::new();
    for hour in 0..hours {
        for page in 0..pages {
            let rows = shape.rows(&market, page * 250, 250);
            let page = sample(shape, &rows, market.at_s + page as i64 * 2);
            for event in profile.compare(&page) {
                said.push(format!("{shape:?} seed {seed} hour {hour}: {event:?}"));
            }
            profile.learn(&page);
        }
        assert!(profile.json_bytes() <= 64 * 1024);
        market.pass(3600);
    }
    said
}

#[test]
fn d9_thirty_days_of_one_page_bring_no_event() {
    assert_eq!(events(Shape::Markets, 11, 720, 1, 260), Vec::<String>::new());
}

#[test]
fn d9_thirty_days_of_the_other_layouts_bring_no_event() {
    for shape in SHAPES.into_iter().filter(|shape| *shape != Shape::Markets) {
        // Fewer coins than a page holds: each page is a whole, short list.
        assert_eq!(events(shape, 12, 720, 1, 80), Vec::<String>::new());
    }
}

#[test]
fn d9_other_seeds_bring_no_event_either() {
    for seed in 13..18 {
        assert_eq!(events(Shape::Markets, seed, 100, 1, 260), Vec::<String>::new());
    }
}

#[test]
fn d9_a_walk_of_several_pages_that_differ_with_depth_brings_no_event() {
    for shape in [Shape::Markets, Shape::Tickers, Shape::List] {
        // The last page has a single row.
        assert_eq!(events(shape, 21, 30, 7, 1501), Vec::<String>::new());
    }
}

#[test]
fn d9_a_month_between_two_pages_brings_no_event() {
    for seed in 31..36 {
        let (mut profile, mut market) = (Profile::new("markets"), Market::new(seed, 260));
        for _ in 0..6 {
            let page = sample(Shape::Markets, &Shape::Markets.rows(&market, 0, 250), market.at_s);
            profile.learn(&page);
            for _ in 0..30 {
                market.pass(24 * 3600);
            }
            let page = sample(Shape::Markets, &Shape::Markets.rows(&market, 0, 250), market.at_s);
            assert_eq!(profile.compare(&page), Vec::new(), "seed {seed}");
        }
    }
}

#[test]
fn d9_tiny_pages_bring_no_event() {
    for (shape, rows) in [(Shape::Markets, 1), (Shape::Tickers, 3), (Shape::Table, 5)] {
        let (mut profile, mut market) = (Profile::new("tiny"), Market::new(41, 260));
        for hour in 0..200 {
            let page = sample(shape, &shape.rows(&market, hour % 200, rows), market.at_s);
            assert_eq!(profile.compare(&page), Vec::new(), "{shape:?} {hour}");
            profile.learn(&page);
            market.pass(3600);
        }
    }
}
