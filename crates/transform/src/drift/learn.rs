//! Takes in what a believed page shows.

use std::collections::{BTreeMap, BTreeSet};

use compact_str::CompactString;
use kasparro_domain::FieldRole;

use super::anchor::{self, Kept, Pair, Places};
use super::kind::Kind;
use super::learned::Range;
use super::limits::{
    ANCHOR_DAYS, FORGET_DAYS, FORGET_PAGES, KEPT_ANCHORS, KEPT_MEMBERS, PAIRS, PROFILE_BYTES, ROWS,
};
use super::member::Member;
use super::page::{PageSample, parent};
use super::profile::Profile;
use super::walk::data_keys;

/// Moves of a tracked member that are remembered.
const MOVES: usize = 8;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

impl Profile {
    /// Learns from a page that was believed.
    pub fn learn(&mut self, page: &PageSample) {
        if page.rows == 0 {
            return;
        }
        self.pages += 1;
        self.rows += page.rows as u64;
        self.follow(page);
        let pairs = anchor::pairs(self, page);
        let moves = moves(self, page, &pairs);
        let lost = lost(self, page, &pairs);
        let moved = moved(page, &pairs);
        self.note_moves(&moves);
        match moved {
            Some(true) => self.cadence.moved(page.fetched_at),
            Some(false) => self.cadence.still(page.fetched_at),
            // The first page is where the clock starts.
            None if self.pages == 1 => self.cadence.moved(page.fetched_at),
            None => {}
        }
        self.cut |= page.cut;
        self.learn_members(page);
        for (pointer, share) in lost {
            if let Some(learned) = self.members.get_mut(pointer) {
                Range::learn(&mut learned.lost, share);
            }
        }
        self.find_maps();
        self.keep_anchors(page);
        self.forget(page);
    }

    /// Begins the row memory anew when what is read has changed, as after an upgrade of ours.
    fn follow(&mut self, page: &PageSample) {
        let tracked = anchor::tracked(page);
        let masked = anchor::masked(page);
        if self.tracked != tracked || self.masked != masked {
            self.tracked = tracked.into_iter().map(CompactString::from).collect();
            self.masked = masked.into_iter().map(CompactString::from).collect();
            self.moves = vec![Vec::new(); self.tracked.len()];
            self.anchors.clear();
        }
        let instant = page.mapped.iter().find(|field| field.role == FieldRole::Instant);
        self.cadence.timed = instant
            .and_then(|field| page.member(field.pointer))
            .is_some_and(|member| member.known() > 0);
        self.cadence.pointer = instant.map_or_else(String::new, |field| field.pointer.to_owned());
    }

    fn note_moves(&mut self, moves: &[(usize, i64)]) {
        for (tracked, size) in moves {
            if let Some(ring) = self.moves.get_mut(*tracked) {
                ring.push(*size);
                if ring.len() > MOVES {
                    ring.remove(0);
                }
            }
        }
    }

    fn learn_members(&mut self, page: &PageSample) {
        let at = (self.pages, page.fetched_at.as_millis() / DAY_MS);
        let folded: Vec<(String, &Member)> =
            page.iter().map(|(pointer, member)| (self.folded(pointer), member)).collect();
        for (pointer, member) in &folded {
            let learned = self.members.entry(CompactString::from(pointer)).or_default();
            learned.learn(Some(member), member.of, at);
            if page.rows >= ROWS
                && let Some(median) = member.median(ROWS)
            {
                Range::learn(&mut learned.medians, median);
            }
            if let Some(field) = page.field(pointer).filter(|_| page.rows >= ROWS) {
                let share = |count: usize, of: usize| {
                    #[expect(clippy::cast_possible_truncation, reason = "a share")]
                    let share = (count as f64 / of.max(1) as f64) as f32;
                    share
                };
                Range::learn(
                    &mut learned.empty,
                    share(page.rows - member.known().min(page.rows), page.rows),
                );
                if field.role == FieldRole::Instant {
                    let known = member.known();
                    Range::learn(&mut learned.bad, share(member.ahead + member.ancient, known));
                }
            }
        }
        let seen: BTreeSet<&str> = folded.iter().map(|(pointer, _)| pointer.as_str()).collect();
        for (pointer, learned) in &mut self.members {
            if page.cut || seen.contains(pointer.as_str()) {
                continue;
            }
            let objects = parent(pointer)
                .and_then(|parent| page.member(parent))
                .map_or(0, |member| member.kind(Kind::Object));
            if objects > 0 && !pointer.ends_with("/*") {
                learned.learn(None, objects, at);
            }
        }
    }

    /// A page's pointer with `*` in place of the keys of maps that are known as such.
    pub(super) fn folded(&self, pointer: &str) -> String {
        let mut folded = String::with_capacity(pointer.len());
        for key in pointer.split('/').skip(1) {
            let map = self.members.get(folded.as_str()).is_some_and(|member| member.map);
            folded.push('/');
            folded.push_str(if map { "*" } else { key });
        }
        folded
    }

    /// Finds objects that turn out to be maps only over several pages, and gathers their members.
    fn find_maps(&mut self) {
        let mut inside: BTreeMap<CompactString, Vec<CompactString>> = BTreeMap::new();
        for pointer in self.members.keys().filter(|pointer| !pointer.ends_with("/*")) {
            if let Some(outer) = parent(pointer).filter(|outer| !outer.is_empty()) {
                inside.entry(CompactString::from(outer)).or_default().push(pointer.clone());
            }
        }
        for (outer, children) in inside {
            let Some(learned) = self.members.get(&outer) else { continue };
            let named = self.masked.iter().any(|mapped| {
                mapped.strip_prefix(outer.as_str()).is_some_and(|rest| {
                    rest.starts_with('/') && rest != "/*" && !rest.starts_with("/*/")
                })
            });
            let objects = learned.kind(Kind::Object);
            if named || objects == 0.0 {
                continue;
            }
            let mut kinds = [0.0; super::kind::KINDS];
            let mut present = 0.0;
            for child in children.iter().filter_map(|child| self.members.get(child)) {
                present += child.present;
                kinds.iter_mut().zip(child.kinds()).for_each(|(sum, count)| *sum += count);
            }
            if learned.map || data_keys(children.len(), objects, present, &kinds) {
                self.gather(&outer, &children);
            }
        }
    }

    fn gather(&mut self, outer: &str, children: &[CompactString]) {
        if let Some(learned) = self.members.get_mut(outer) {
            learned.map = true;
        }
        for child in children {
            let inner = format!("{child}/");
            let below: Vec<CompactString> = self
                .members
                .range(child.clone()..)
                .take_while(|(pointer, _)| pointer.starts_with(child.as_str()))
                .map(|(pointer, _)| pointer.clone())
                .filter(|pointer| pointer == child || pointer.starts_with(&inner))
                .collect();
            for pointer in below {
                let rest = pointer.get(child.len()..).unwrap_or_default();
                let star = CompactString::from(format!("{outer}/*{rest}"));
                if let Some(learned) = self.members.remove(&pointer) {
                    self.members.entry(star).or_default().absorb(learned);
                }
            }
        }
    }

    fn keep_anchors(&mut self, page: &PageSample) {
        let places = Places::of(self, page);
        for (id, anchor) in &page.anchors {
            self.anchors.insert(*id, Kept::of(page, anchor, &places));
        }
        let oldest = page.fetched_at.as_millis() / 60_000 - ANCHOR_DAYS * 24 * 60;
        self.anchors.retain(|_, kept| kept.0 >= oldest);
        while self.anchors.len() > KEPT_ANCHORS {
            self.anchors.pop_last();
        }
    }

    /// Drops what is long gone, and what does not fit.
    fn forget(&mut self, page: &PageSample) {
        let pages = self.pages.saturating_sub(FORGET_PAGES);
        let day = page.fetched_at.as_millis() / DAY_MS - FORGET_DAYS;
        self.members.retain(|_, learned| learned.seen.0 >= pages || learned.seen.1 >= day);
        while self.members.len() > KEPT_MEMBERS {
            // The deepest and last: what is read lies near the surface.
            let mapped = |pointer: &str| !page.breaks(pointer).is_empty();
            let least = self
                .members
                .keys()
                .filter(|pointer| !mapped(pointer))
                .max_by_key(|pointer| (pointer.matches('/').count(), pointer.to_owned()))
                .cloned();
            let Some(least) = least else { break };
            self.members.remove(&least);
            self.cut = true;
        }
        // Writing it is the only way to know its length; one that is surely short is not written.
        let most = self.anchors.len() * (60 + 8 * self.tracked.len()) + self.members.len() * 400;
        while most > PROFILE_BYTES && self.anchors.len() > 8 && self.json_bytes() > PROFILE_BYTES {
            for _ in 0..self.anchors.len() / 8 {
                self.anchors.pop_last();
            }
        }
    }
}

/// The median size of the moves of each tracked number.
fn moves(profile: &Profile, page: &PageSample, pairs: &[Pair<'_>]) -> Vec<(usize, i64)> {
    let places = Places::of(profile, page);
    let mut moves = Vec::new();
    for (tracked, place) in places.tracked.iter().enumerate() {
        let Some(place) = place else { continue };
        let both = anchor::magnitudes(pairs, tracked, *place);
        if both.len() >= PAIRS {
            let sizes = both.iter().map(|(before, now)| (now - before).abs()).collect();
            moves.push((tracked, anchor::median(sizes)));
        }
    }
    moves
}

/// The shares of the rows found again that lost a value they had.
fn lost<'a>(profile: &Profile, page: &'a PageSample, pairs: &[Pair<'_>]) -> Vec<(&'a str, f32)> {
    let places = Places::of(profile, page);
    let mut shares = Vec::new();
    for (bit, field) in page.mapped.iter().enumerate().take(super::limits::MASKED) {
        let had = pairs.iter().filter(|pair| pair.before.1 >> bit & 1 == 1);
        let (had, lost) = had.fold((0_u16, 0_u16), |(had, lost), pair| {
            (had + 1, lost + u16::from(places.mask(pair.now) >> bit & 1 == 0))
        });
        if usize::from(had) >= PAIRS {
            shares.push((field.pointer, f32::from(lost) / f32::from(had)));
        }
    }
    shares
}

/// True when the rows found again have moved, false when none has, `None` when it cannot be said.
pub(super) fn moved(page: &PageSample, pairs: &[Pair<'_>]) -> Option<bool> {
    let enough = pairs.len() >= 3 || !pairs.is_empty() && pairs.len() == page.rows;
    let same = pairs.iter().filter(|pair| pair.before.3 == pair.now.hash).count();
    match same as f64 / pairs.len().max(1) as f64 {
        _ if !enough => None,
        share if share <= 0.5 => Some(true),
        share if share >= 0.95 => Some(false),
        _ => None,
    }
}
