//! Walks the members of rows, and finds the objects whose keys are data.

use std::collections::BTreeMap;

use compact_str::CompactString;
use kasparro_domain::{FieldRole, FieldUse, Timestamp};
use serde_json::Value;

use super::kind::{self, Kind, Scalar};
use super::limits::{
    DEPTH, ELEMENTS, MAP_COVERAGE, MAP_KEYS, MAP_KEYS_AT_ONCE, OBJECT_KEYS, PAGE_MEMBERS,
};
use super::member::Member;

/// The members of a page as a tree; node 0 is the row.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// True when there were too many members to look at all of them.
    pub(super) cut: bool,
    mapped: &'static [FieldUse],
    fetched_at: Timestamp,
}

/// One member with those inside it.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub(super) pointer: CompactString,
    role: Option<FieldRole>,
    digits: bool,
    /// True when one of its own members is mapped by name, so that its keys are not data.
    named: bool,
    pub(super) member: Member,
    children: BTreeMap<CompactString, usize>,
}

/// The values of one row, by node.
pub(super) type Values = Vec<(usize, Scalar)>;

impl Tree {
    pub(super) fn new(fetched_at: Timestamp, mapped: &'static [FieldUse]) -> Self {
        let mut tree = Self { nodes: Vec::new(), cut: false, mapped, fetched_at };
        let root = tree.node(CompactString::default());
        tree.nodes.push(Node { named: true, ..root });
        tree
    }

    fn node(&self, pointer: CompactString) -> Node {
        let role = self.mapped.iter().find(|field| field.pointer == pointer).map(|use_| use_.role);
        let below = |field: &&FieldUse| {
            field.pointer.strip_prefix(pointer.as_str()).and_then(|rest| rest.strip_prefix('/'))
        };
        let mut named = false;
        let mut starred = false;
        for rest in self.mapped.iter().filter_map(|field| below(&field)) {
            let star = rest == "*" || rest.starts_with("*/");
            starred |= star;
            named |= !star;
        }
        let member = Member { map: starred && !named, ..Member::default() };
        let digits = role == Some(FieldRole::Price);
        Node { pointer, role, digits, named, member, children: BTreeMap::new() }
    }

    fn child(&mut self, parent: usize, key: &str) -> Option<usize> {
        if let Some(child) = self.nodes[parent].children.get(key) {
            return Some(*child);
        }
        let mut pointer = self.nodes[parent].pointer.clone();
        pointer.push('/');
        if key.contains(['~', '/']) {
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        } else {
            pointer.push_str(key);
        }
        let node = self.node(pointer);
        // What is read is always looked at, wherever it stands.
        if self.nodes.len() >= PAGE_MEMBERS && node.role.is_none() && !node.named {
            self.cut = true;
            return None;
        }
        let place = self.nodes.len();
        self.nodes.push(node);
        self.nodes[parent].children.insert(CompactString::from(key), place);
        Some(place)
    }

    /// Counts a value and what is inside it; notes into `values` those that stand by themselves.
    pub(super) fn walk(
        &mut self,
        place: usize,
        value: &Value,
        depth: usize,
        mut values: Option<&mut Values>,
    ) {
        let node = &mut self.nodes[place];
        let reading = kind::read(value, node.role);
        node.member.count(value, &reading, node.role, self.fetched_at);
        if let Some(values) = values.as_deref_mut() {
            values.push((place, kind::scalar(value, &reading, node.digits)));
        }
        if depth >= DEPTH {
            return;
        }
        match value {
            Value::Object(members) => {
                if !self.nodes[place].named && many_alike(members) {
                    self.nodes[place].member.map = true;
                }
                for (key, value) in members {
                    let map = self.nodes[place].member.map
                        || self.nodes[place].children.len() >= OBJECT_KEYS
                            && !self.nodes[place].named;
                    let child = self.child(place, if map { "*" } else { key });
                    if let Some(child) = child {
                        let values = if map { None } else { values.as_deref_mut() };
                        self.walk(child, value, depth + 1, values);
                    }
                }
            }
            Value::Array(items) => {
                for item in items.iter().take(ELEMENTS) {
                    if let Some(child) = self.child(place, "*") {
                        self.walk(child, item, depth + 1, None);
                    }
                }
            }
            _ => {}
        }
    }

    /// True when the keys of a node's objects are data: many at once of one kind, or many over the
    /// rows of which each row has few.
    fn keys_are_data(&self, place: usize) -> bool {
        let node = &self.nodes[place];
        let objects = node.member.kind(Kind::Object);
        if node.member.map {
            return true;
        }
        if node.named || objects == 0 || node.children.contains_key("*") {
            return node.children.contains_key("*") && node.children.len() > 1;
        }
        let mut kinds = [0; kind::KINDS];
        let mut present = 0;
        for child in node.children.values() {
            let member = &self.nodes[*child].member;
            present += member.present;
            for (sum, count) in kinds.iter_mut().zip(member.kinds) {
                *sum += count;
            }
        }
        data_keys(node.children.len(), objects as f64, present as f64, &kinds.map(|n| n as f64))
    }

    /// Gathers the members of maps under `*`; the members and where each node has gone.
    pub(super) fn members(mut self) -> (BTreeMap<CompactString, Member>, Vec<Option<usize>>) {
        // Outer nodes come before inner ones, so a pointer is rewritten once its parent's is final.
        let mut rewritten: Vec<CompactString> = vec![CompactString::default(); self.nodes.len()];
        let mut plain = vec![true; self.nodes.len()];
        for place in 0..self.nodes.len() {
            let map = self.keys_are_data(place);
            self.nodes[place].member.map = map;
            let parent = rewritten[place].clone();
            let array = self.nodes[place].member.kind(Kind::Array) > 0;
            let children: Vec<(usize, usize)> = self.nodes[place]
                .children
                .values()
                .map(|at| (*at, self.nodes[place].pointer.len()))
                .collect();
            for (child, own) in children {
                let rest = self.nodes[child].pointer.get(own..).unwrap_or_default();
                let mut pointer = parent.clone();
                pointer.push_str(if map { "/*" } else { rest });
                rewritten[child] = pointer;
                plain[child] = plain[place] && !map && !array;
            }
            let objects = self.nodes[place].member.kind(Kind::Object);
            for child in self.nodes[place].children.clone().into_values() {
                self.nodes[child].member.of =
                    if map || array { self.nodes[child].member.present } else { objects };
            }
        }
        let mut members: BTreeMap<CompactString, Member> = BTreeMap::new();
        for (node, pointer) in self.nodes.into_iter().zip(&rewritten) {
            members.entry(pointer.clone()).or_default().absorb(node.member);
        }
        if let Some(root) = members.get_mut("") {
            root.of = root.present;
        }
        let places: BTreeMap<&CompactString, usize> =
            members.keys().enumerate().map(|(place, pointer)| (pointer, place)).collect();
        let moved = rewritten
            .iter()
            .zip(plain)
            .map(|(pointer, plain)| places.get(pointer).copied().filter(|_| plain))
            .collect();
        (members, moved)
    }
}

/// True for an object with so many keys to values of one type that they are no names: known at the
/// first sight, they do not fill the page's list of members.
fn many_alike(members: &serde_json::Map<String, Value>) -> bool {
    let Some(first) = members.values().find(|value| !value.is_null()) else { return false };
    let like = |value: &Value| {
        value.is_null() || std::mem::discriminant(value) == std::mem::discriminant(first)
    };
    members.len() >= MAP_KEYS_AT_ONCE && members.values().all(like)
}

/// See [`Tree::keys_are_data`]; `present` counts the members of all `objects` together.
pub(super) fn data_keys(
    keys: usize,
    objects: f64,
    present: f64,
    kinds: &[f64; kind::KINDS],
) -> bool {
    let known: f64 =
        Kind::ALL.iter().filter(|kind| kind.known()).map(|kind| kinds[*kind as usize]).sum();
    let most = Kind::ALL
        .iter()
        .filter(|kind| kind.known())
        .map(|kind| kinds[*kind as usize])
        .fold(0.0, f64::max);
    if known == 0.0 || most < known * 0.95 {
        return false;
    }
    keys >= MAP_KEYS_AT_ONCE || keys >= MAP_KEYS && present < MAP_COVERAGE * objects * keys as f64
}
