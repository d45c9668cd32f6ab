//! Why an asset that was looked for stands where it stands, in words.

use std::cmp::Reverse;
use std::sync::Arc;

use kasparro_domain::Decimal;
use kasparro_view::{AssetQuery, Filter, Row, Snapshot, WantedContract, fold};

/// What an asset was looked for by, and how many others share it.
#[derive(Debug)]
pub(super) struct Lookup<'a>(Vec<Wanted<'a>>);

/// One thing that was looked for.
#[derive(Debug)]
struct Wanted<'a> {
    by: By<'a>,
    /// Assets that have it, whatever else was asked for.
    assets: u64,
}

#[derive(Debug, Clone, Copy)]
enum By<'a> {
    Symbol(&'a str),
    Contract(&'a WantedContract),
    Name,
}

impl<'a> Lookup<'a> {
    /// What a query looks for; `None` where it only lists.
    pub(super) fn of(query: &'a AssetQuery, snapshot: &Snapshot) -> Option<Self> {
        let wanted = |by, alone: AssetQuery| Wanted { by, assets: snapshot.assets(&alone).total };
        let filtered = |filter| AssetQuery { filter, ..AssetQuery::default() };
        if let Some(contract) = &query.contract {
            let alone = AssetQuery { contract: Some(contract.clone()), ..AssetQuery::default() };
            return Some(Self(vec![wanted(By::Contract(contract), alone)]));
        }
        if !query.filter.symbols.is_empty() {
            let of_symbol = |symbol: &'a String| {
                let alone = Filter { symbols: vec![symbol.clone()], ..Filter::default() };
                wanted(By::Symbol(symbol), filtered(alone))
            };
            return Some(Self(query.filter.symbols.iter().map(of_symbol).collect()));
        }
        let alone = Filter { name: Some(query.filter.name.clone()?), ..Filter::default() };
        Some(Self(vec![wanted(By::Name, filtered(alone))]))
    }

    /// True where several assets have one of the things that were looked for; `found` fulfil all that was
    /// asked.
    pub(super) fn ambiguous(&self, found: u64) -> bool {
        found > 1 && (self.0.len() == 1 || self.0.iter().any(|wanted| wanted.assets > 1))
    }

    /// The reason for an asset with these listings.
    pub(super) fn reason(&self, rows: &[Arc<Row>]) -> String {
        let fitting = self.0.iter().find(|wanted| wanted.fits(rows)).or(self.0.first());
        let shared = fitting.map(|wanted| wanted.shared(rows)).unwrap_or_default();
        format!("{}; {shared}", size(rows))
    }
}

impl Wanted<'_> {
    /// True where it is what an asset with these listings was found by.
    fn fits(&self, rows: &[Arc<Row>]) -> bool {
        match self.by {
            By::Symbol(symbol) => {
                rows.iter().any(|row| row.symbol().map(fold).as_deref() == Some(symbol))
            }
            By::Contract(_) | By::Name => true,
        }
    }

    /// How many share what was looked for.
    fn shared(&self, rows: &[Arc<Row>]) -> String {
        let others = match self.assets.saturating_sub(1) {
            0 => "no other asset".to_owned(),
            1 => "1 other asset".to_owned(),
            others => format!("{others} other assets"),
        };
        let one = self.assets <= 2;
        match self.by {
            By::Symbol(symbol) => {
                let verb = if one { "uses" } else { "use" };
                let own = |row: &&Arc<Row>| row.symbol().map(fold).as_deref() == Some(symbol);
                format!("{others} {verb} this symbol{}", said_by(rows, own))
            }
            By::Contract(contract) => {
                let verb = if one { "has" } else { "have" };
                let own = |row: &&Arc<Row>| contract.stated_for(row);
                format!("{others} {verb} this contract{}", said_by(rows, own))
            }
            By::Name => {
                let verb = if one { "has" } else { "have" };
                format!("{others} {verb} this in a name")
            }
        }
    }
}

/// Who says it of an asset, where not all of its sources do.
fn said_by(rows: &[Arc<Row>], own: impl Fn(&&Arc<Row>) -> bool) -> String {
    let saying: Vec<&str> = rows.iter().filter(&own).map(|row| row.source().as_str()).collect();
    if saying.len() == rows.len() {
        return String::new();
    }
    format!(", which only {} gives to this one", saying.join(" and "))
}

/// What makes an asset come before or after others.
fn size(rows: &[Arc<Row>]) -> String {
    let listed = || rows.iter().filter(|row| row.active() && row.priced());
    let ranked = listed().filter_map(|row| Some((row.rank()?, row.listing_id(), row)));
    if let Some((rank, _, row)) = ranked.min_by_key(|(rank, id, _)| (*rank, *id)) {
        return format!("rank {rank} at {}", row.source());
    }
    let sized = listed().filter_map(|row| {
        let cap = Decimal::from_canonical(row.market_cap()?).ok()?;
        Some((cap, Reverse(row.listing_id()), row))
    });
    if let Some((cap, _, row)) =
        sized.max_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)))
    {
        return format!("market cap {cap} at {}", row.source());
    }
    if listed().next().is_some() {
        return "no source gives a rank or a market cap".to_owned();
    }
    if rows.iter().any(|row| row.priced()) {
        return "its sources do not list it any more".to_owned();
    }
    "known from lists only".to_owned()
}
