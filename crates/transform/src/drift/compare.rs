//! Compares a page with what was learned, rule by rule.

use std::collections::BTreeSet;

use kasparro_domain::DriftEvent;

use super::anchor::{self, Pair, Places};
use super::event::Finding;
use super::page::{PageSample, within};
use super::profile::Profile;
use super::{empties, frozen, instants, precision, structure, units, values};

/// What every rule looks at.
#[derive(Debug)]
pub(super) struct Facing<'a> {
    pub(super) profile: &'a Profile,
    pub(super) page: &'a PageSample,
    pub(super) pairs: Vec<Pair<'a>>,
    pub(super) places: Places,
    pub(super) far_apart: bool,
    /// Members about which a stronger rule has spoken; those inside them, too.
    explained: BTreeSet<String>,
    findings: Vec<Finding>,
}

impl Facing<'_> {
    pub(super) fn say(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Says it, and keeps weaker rules silent about the member.
    pub(super) fn settle(&mut self, finding: Finding) {
        self.explained.insert(finding.pointer.clone());
        self.findings.push(finding);
    }

    pub(super) fn explain(&mut self, pointer: &str) {
        self.explained.insert(pointer.to_owned());
    }

    pub(super) fn explained(&self, pointer: &str) -> bool {
        self.explained.iter().any(|outer| within(pointer, outer))
    }

    /// True when one of the objects around a member has keys that are data.
    pub(super) fn in_map(&self, pointer: &str) -> bool {
        let mut outer = pointer;
        while let Some(next) = super::page::parent(outer) {
            outer = next;
            let map = self.page.member(outer).is_some_and(|member| member.map)
                || self.profile.members.get(outer).is_some_and(|member| member.map);
            if map {
                return true;
            }
        }
        false
    }
}

pub(super) fn compare(profile: &Profile, page: &PageSample) -> Vec<DriftEvent> {
    if profile.pages == 0 || page.rows == 0 {
        return Vec::new();
    }
    let pairs = anchor::pairs(profile, page);
    let mut facing = Facing {
        profile,
        page,
        far_apart: anchor::far_apart(profile, page, &pairs),
        pairs,
        places: Places::of(profile, page),
        explained: BTreeSet::new(),
        findings: Vec::new(),
    };
    structure::changes(&mut facing);
    empties::changes(&mut facing);
    units::changes(&mut facing);
    precision::changes(&mut facing);
    instants::changes(&mut facing);
    frozen::changes(&mut facing);
    values::changes(&mut facing);
    let mut events: Vec<DriftEvent> =
        facing.findings.into_iter().map(|finding| finding.event(&profile.endpoint, page)).collect();
    // The worst first; the key makes the order the same every time.
    events.sort_by(|one, other| {
        other.severity.cmp(&one.severity).then_with(|| one.key.cmp(&other.key))
    });
    events
}
