//! Which capture answers a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Capture;
use crate::answer::Ask;
use crate::secrets::secret;

/// Parameters that decorate a row and select none, so that captures with and without them are the same
/// page.
const COSMETIC: [&str; 13] = [
    "community_data",
    "developer_data",
    "include_24hr_change",
    "include_24hr_vol",
    "include_last_updated_at",
    "include_market_cap",
    "include_platform",
    "locale",
    "localization",
    "precision",
    "price_change_percentage",
    "quotes",
    "sparkline",
];

/// What the vendor does where a parameter is left out.
const DEFAULTS: [(&str, &str); 3] =
    [("page", "1"), ("order", "market_cap_desc"), ("vs_currency", "usd")];

/// How a list is cut and ordered; every other parameter that both state narrows what is in it.
const PAGING: [&str; 4] = ["page", "per_page", "order", "vs_currency"];

/// The capture for a request at its step; the last one stays.
pub(super) fn select<'a>(captures: &'a [Arc<Capture>], ask: &Ask) -> Option<&'a Arc<Capture>> {
    let mut fitting: Vec<(&Arc<Capture>, usize)> =
        captures.iter().filter_map(|capture| Some((capture, agreement(capture, ask)?))).collect();
    // A page of one category is not followed by one that was captured without any.
    let most = fitting.iter().map(|(_, narrowing)| *narrowing).max()?;
    fitting.retain(|(_, narrowing)| *narrowing == most);
    if ask.parameter("per_page").is_none() {
        keep_usual_size(&mut fitting);
    }
    let step = usize::try_from(ask.step).unwrap_or(usize::MAX);
    fitting.get(step.min(fitting.len().checked_sub(1)?)).map(|(capture, _)| *capture)
}

/// In how many narrowing parameters the two agree; `None` where they contradict each other.
fn agreement(capture: &Capture, ask: &Ask) -> Option<usize> {
    let mut narrowing = 0;
    for (name, captured) in &capture.parameters {
        if COSMETIC.contains(&name.as_str()) || secret(name) {
            continue;
        }
        match ask.parameter(name).or_else(|| default(name)) {
            Some(asked) if !asked.eq_ignore_ascii_case(captured) => return None,
            Some(_) => narrowing += usize::from(!PAGING.contains(&name.as_str())),
            None if name == "per_page" => {}
            None => return None,
        }
    }
    // A capture that names no page is the first one, which the vendor also gives as page 0.
    let first = ask.parameter("page").is_none_or(|page| matches!(page, "" | "0" | "1"));
    let states_page = capture.parameters.iter().any(|(name, _)| name == "page");
    (states_page || first).then_some(narrowing)
}

fn default(name: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// For a request without a page size: the size captured most often, so that steps do not change it.
fn keep_usual_size(fitting: &mut Vec<(&Arc<Capture>, usize)>) {
    fn size(capture: &Capture) -> Option<u64> {
        let (_, size) = capture.parameters.iter().find(|(name, _)| name == "per_page")?;
        size.parse().ok()
    }
    let mut counts = BTreeMap::<Option<u64>, usize>::new();
    for (capture, _) in fitting.iter() {
        *counts.entry(size(capture)).or_default() += 1;
    }
    let usual = counts.into_iter().max_by_key(|(size, count)| (*count, *size));
    if let Some((usual, _)) = usual.filter(|(usual, _)| usual.is_some()) {
        fitting.retain(|(capture, _)| size(capture).is_none_or(|size| Some(size) == usual));
    }
}
