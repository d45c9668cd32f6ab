//! Every threshold, each with its reason.

use std::time::Duration;

/// Rows with which a page takes part in comparing by id; more would not make a median surer.
pub(super) const PAGE_ANCHORS: usize = 128;
/// Rows by id that are remembered of one endpoint: about ten for each page of one of 40 pages.
pub(super) const KEPT_ANCHORS: usize = 400;
/// A row by id that was not seen for so long is forgotten: coins vanish.
pub(super) const ANCHOR_DAYS: i64 = 60;
/// Members whose values are remembered row by row: those of a ticker.
pub(super) const TRACKED: usize = 10;
/// Mapped members of which it is remembered row by row whether they had a value: bits of a mask.
pub(super) const MASKED: usize = 32;
/// Members on one page that are looked at: the largest answer known has 250.
pub(super) const PAGE_MEMBERS: usize = 600;
/// Members that are remembered of one endpoint.
pub(super) const KEPT_MEMBERS: usize = 220;
/// Levels that are walked into; deeper ones hold nothing that is read.
pub(super) const DEPTH: usize = 8;
/// Elements of one array that are looked at: the first say what the others are.
pub(super) const ELEMENTS: usize = 8;
/// A profile as JSON is never longer.
pub(super) const PROFILE_BYTES: usize = 60_000;

/// An object with so many keys at once, all of one kind, is a map: 62 currencies, 40 chains.
pub(super) const MAP_KEYS_AT_ONCE: usize = 25;
/// An object with so many different keys over its rows may be a map ...
pub(super) const MAP_KEYS: usize = 9;
/// ... and is one when a row has fewer than this share of them.
pub(super) const MAP_COVERAGE: f64 = 0.5;
/// Keys of one object that are told apart while a page is read.
pub(super) const OBJECT_KEYS: usize = 160;

/// Rows by which a profile remembers: 8 pages of 250. A change that is believed is the new normal
/// after one page, since it then holds for one row in eight.
pub(super) const MEMORY_ROWS: f64 = 2000.0;
/// Rows before anything is said about what is usual: with fewer, one odd row is five percent.
pub(super) const LEARNED_ROWS: f64 = 20.0;
/// Pages and days after which a member that is gone is forgotten: more pages than a run has.
pub(super) const FORGET_PAGES: u64 = 60;
/// See [`FORGET_PAGES`].
pub(super) const FORGET_DAYS: i64 = 7;
/// By how much the range of what was seen comes back to the page per page: slow, so that the range
/// over the 40 pages of a walk is kept.
pub(super) const RELAX: f32 = 0.002;

/// A member is always there when so many rows had it.
pub(super) const ALWAYS: f64 = 0.95;
/// A member that is gone by chance: not said when likelier than this.
pub(super) const CHANCE: f64 = 0.005;
/// A kind of value is the usual one when so many known values were of it.
pub(super) const USUAL_KIND: f64 = 0.95;
/// An instant so near the fetch is one of an observation, not of a birth or a record: two days.
pub(super) const FRESH: Duration = Duration::from_secs(2 * 86_400);
/// Rows that must have another kind, of 20 and more: fewer are single bad rows, quarantined one by one.
pub(super) const OTHER_KIND: f64 = 0.2;
/// Rows that must have another kind, of fewer than 20.
pub(super) const OTHER_KIND_FEW: f64 = 0.5;
/// Rows that a page must have for its shares to mean something.
pub(super) const ROWS: usize = 20;

/// Rows found again by id that a judgement of values needs: 5 of 8 by chance is no longer likely.
pub(super) const PAIRS: usize = 8;
/// Share of the rows found again that must agree: no market moves 60 % of coins alike by 100.
pub(super) const AGREE: f64 = 0.6;
/// The powers of ten by which units differ: percent, thousand, million, satoshi, gwei, billion, wei.
pub(super) const POWERS: [i64; 7] = [2, 3, 6, 8, 9, 12, 18];
/// How far the median may be from the power of ten, in thousandths of a decade, at most: 10^0.15 = 1.4,
/// what a market does in a month.
pub(super) const POWER_MEDIAN_MOST: i64 = 150;
/// The same between pages that follow each other as usual: 10 %.
pub(super) const POWER_MEDIAN_LEAST: i64 = 40;
/// How far a single row may be from it: a factor of two.
pub(super) const POWER_ROW: i64 = 300;
/// A factor all rows share that is no power of ten: at least 3.2 ...
pub(super) const FACTOR: i64 = 500;
/// ... and agreed upon within 25 %.
pub(super) const FACTOR_ROW: i64 = 100;
/// A price is far from one, and so from one over itself, beyond a factor of two.
pub(super) const FAR_FROM_ONE: i64 = 300;
/// How exactly the price must be one over what it was: 40 %.
pub(super) const INVERTED_ROW: i64 = 150;
/// A value that moved at random: by a factor of 5 ...
pub(super) const SCATTERED: i64 = 700;
/// ... or of 30 for amounts, when the pages lie far apart or the values are used to moving.
pub(super) const SCATTERED_FAR: i64 = 1500;
/// A percent became a fraction or the reverse: the page's median is beyond everything seen by 20 ...
pub(super) const PERCENT_BEYOND: f32 = 1.3;
/// ... and within a factor of five of a hundred times the middle of it. 24 h of a wild market are 5.
pub(super) const PERCENT_NEAR: f32 = 0.7;
/// The median of a member is beyond everything seen by a factor of 100.
pub(super) const SHIFT: f32 = 2.0;
/// Values for a median of a page to be compared without ids.
pub(super) const SHIFT_VALUES: usize = 50;

/// More of the known values lost than this would wipe what is known.
pub(super) const LOST: f64 = 0.5;
/// More than this is worth a word.
pub(super) const LOST_SOME: f64 = 0.2;
/// Rows found again that had a value, for [`LOST_SOME`].
pub(super) const LOST_SOME_PAIRS: usize = 20;
/// Without ids: a page that is empty to this share ...
pub(super) const EMPTY: f64 = 0.9;
/// ... where never more than this was.
pub(super) const EMPTY_BEFORE: f32 = 0.2;
/// Pages that must have been seen for rules without ids.
pub(super) const PAGES: u64 = 3;

/// Different values of a member that has few: chains, types, currencies.
pub(super) const FEW_VALUES: usize = 20;
/// Rows with a value before a new one is news.
pub(super) const FEW_VALUES_ROWS: f64 = 200.0;
/// Longer texts are no names of a state.
pub(super) const VALUE_CHARS: usize = 40;

/// Digits that a price must have lost ...
pub(super) const DIGITS_LOST: u8 = 3;
/// ... to at most so many.
pub(super) const DIGITS_LEFT: u8 = 4;

/// Share of instants in the future or before Bitcoin that would lose the true ones.
pub(super) const BAD_INSTANTS: f64 = 0.2;
/// Share that is worth a word.
pub(super) const BAD_INSTANTS_SOME: f64 = 0.05;

/// Times that values must have come again unchanged.
pub(super) const FROZEN_FETCHES: u32 = 3;
/// Seconds over which nothing moved, at least: 3 h ...
pub(super) const FROZEN_S: i64 = 3 * 3600;
/// ... and so many times the usual time between two moves.
pub(super) const FROZEN_GAPS: i64 = 6;
/// Moves that must have been seen before a standstill is news.
pub(super) const MOVES: usize = 3;

/// A new member is the old one under another name from this score.
pub(super) const RENAMED: f64 = 0.6;
/// The same where no values can be compared.
pub(super) const RENAMED_BLIND: f64 = 0.7;
/// Names must be alike by this where no values can be compared.
pub(super) const NAME_BLIND: f64 = 0.5;
