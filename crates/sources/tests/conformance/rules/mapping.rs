//! The rule that the table of what is read tells the truth.

use std::collections::BTreeSet;

use kasparro_domain::{FieldRole, FieldUse, Statement};
use kasparro_extract::frame::RowCutter;
use kasparro_extract::{Framing, PageMeta, RowReader};
use serde_json::Value;

use super::{leaves, survey};
use crate::fixtures::{Fixture, Page, now};

/// Every field that a member can be read into, as the API names it, and its role.
const FIELDS: [(&str, FieldRole); 17] = [
    ("external_id", FieldRole::Id),
    ("symbol", FieldRole::Text),
    ("name", FieldRole::Text),
    ("price_usd", FieldRole::Price),
    ("market_cap", FieldRole::Amount),
    ("volume_24h", FieldRole::Amount),
    ("price_change_24h", FieldRole::Percent),
    ("circulating_supply", FieldRole::Amount),
    ("total_supply", FieldRole::Amount),
    ("max_supply", FieldRole::Amount),
    ("fully_diluted_valuation", FieldRole::Amount),
    ("rank", FieldRole::Rank),
    ("observed_at", FieldRole::Instant),
    ("contracts", FieldRole::Other),
    ("active", FieldRole::Other),
    ("kind", FieldRole::Other),
    ("same_as", FieldRole::Other),
];

/// What the rows of an endpoint show.
#[derive(Default)]
struct Shown {
    /// Rows about listings were read.
    listings: bool,
    /// Rows were followed.
    followed: bool,
    /// Members without which a row reads otherwise.
    needed: BTreeSet<String>,
}

/// Taking a member of the table out of a row changes what is read, taking any other one does not, and
/// each has the field and role that it should.
pub(super) fn what_is_mapped_is_what_is_read(fixture: &Fixture) -> Result<(), String> {
    let endpoints: BTreeSet<&str> =
        fixture.pages.iter().map(|page| page.request.endpoint).collect();
    endpoints.into_iter().try_for_each(|endpoint| {
        let uses = fixture.source.mapped(endpoint);
        let mut shown = Shown::default();
        for page in fixture.pages.iter().filter(|page| page.request.endpoint == endpoint) {
            look(fixture, page, uses, &mut shown)?;
        }
        truthful(uses, &shown).map_err(|fault| format!("{endpoint}: {fault}"))
    })
}

fn truthful(uses: &[FieldUse], shown: &Shown) -> Result<(), String> {
    for one in uses {
        if !FIELDS.contains(&(one.field, one.role)) {
            return Err(format!("{} is no {:?}, or no field", one.field, one.role));
        }
        if !shown.needed.contains(one.pointer) {
            return Err(format!(
                "{} is mapped, and no row reads otherwise without it",
                one.pointer
            ));
        }
    }
    let pointers: BTreeSet<&str> = uses.iter().map(|one| one.pointer).collect();
    let ids = uses.iter().filter(|one| one.role == FieldRole::Id).count();
    if pointers.len() != uses.len() || ids != usize::from(shown.listings) {
        return Err(format!("{ids} ids among {} of {} members", pointers.len(), uses.len()));
    }
    if shown.followed == uses.is_empty() {
        return Err(format!("{} members are mapped; followed: {}", uses.len(), shown.followed));
    }
    let inside = |pointer: &String| {
        uses.iter().any(|one| {
            pointer
                .strip_prefix(one.pointer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let missing = shown.needed.iter().find(|pointer| !inside(pointer));
    missing.map_or(Ok(()), |pointer| Err(format!("{pointer} is read and not mapped")))
}

/// Takes every member out of every good row of a page.
fn look(
    fixture: &Fixture,
    page: &Page,
    uses: &[FieldUse],
    shown: &mut Shown,
) -> Result<(), String> {
    let source = fixture.source.as_ref();
    let context = survey(source, page)?;
    let described = page.request.describe();
    let meta = PageMeta { request: &described, context: &context, fetched_at: now() };
    let mut reader = source.reader(meta).map_err(|error| error.to_string())?;
    let framing = source.framing(&page.request, &context);
    let mut rows = RowCutter::new(&framing, &context, page.body.as_slice());
    while let Some(cut) = rows.next_row().map_err(|error| error.to_string())? {
        let Ok(row) = cut.row else { continue };
        let Ok(before) = reader.read(row) else { continue };
        shown.listings |= matches!(before, Statement::Observation(_) | Statement::Evidence(_));
        let Some(members) = reader.members(row) else { continue };
        shown.followed = true;
        let without = match framing {
            Framing::JsonArray { .. } => json_without(&members, uses),
            _ => record_without(row, &members, &context, reader.as_mut()),
        };
        // A round trip may write numbers differently.
        let text = members.to_string();
        let before = match framing {
            Framing::JsonArray { .. } => reader.read(text.as_bytes()),
            _ => Ok(before),
        };
        for (pointer, row) in without {
            if reader.read(&row) != before {
                shown.needed.insert(pointer);
            }
        }
    }
    Ok(())
}

/// The rows that are left of `row` when one of its members, or one that is mapped, is taken out.
fn json_without(row: &Value, uses: &[FieldUse]) -> Vec<(String, Vec<u8>)> {
    let mut pointers = Vec::new();
    leaves(row, String::new(), &mut pointers);
    pointers.extend(uses.iter().map(|one| one.pointer.to_owned()));
    let without = |pointer: String| {
        let mut row = row.clone();
        let (parent, name) = pointer.rsplit_once('/')?;
        let name = name.replace("~1", "/").replace("~0", "~");
        row.pointer_mut(parent)?.as_object_mut()?.remove(&name)?;
        Some((pointer, row.to_string().into_bytes()))
    };
    pointers.into_iter().filter_map(without).collect()
}

/// The records that are left of `row` when one of its fields is empty, by the member that is then null.
fn record_without(
    row: &[u8],
    members: &Value,
    context: &Value,
    reader: &mut dyn RowReader,
) -> Vec<(String, Vec<u8>)> {
    let Some(row) = std::str::from_utf8(row).ok().filter(|row| !row.contains('"')) else {
        return Vec::new();
    };
    let delimiter = context["delimiter"].as_str().unwrap_or(",");
    let fields: Vec<&str> = row.split(delimiter).collect();
    let without = |place: usize| {
        let mut fields = fields.clone();
        fields[place] = "";
        let record = fields.join(delimiter).into_bytes();
        let left = reader.members(&record)?;
        let names = members.as_object()?.keys();
        let gone = names.into_iter().find(|name| left[*name] != members[*name])?;
        Some((format!("/{gone}"), record))
    };
    (0..fields.len()).filter_map(without).collect()
}
