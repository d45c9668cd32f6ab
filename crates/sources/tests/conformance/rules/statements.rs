//! Rules about what rows say.

use std::collections::BTreeSet;

use kasparro_domain::Statement;

use super::pages;
use crate::fixtures::{Fixture, read_page};

fn statements(fixture: &Fixture) -> Result<Vec<Statement>, String> {
    let mut statements = Vec::new();
    for page in &fixture.pages {
        let rows = read_page(fixture.source.as_ref(), &page.request, &page.body);
        statements.extend(rows.map_err(|error| error.to_string())?.into_iter().flatten());
    }
    Ok(statements)
}

/// What a list states is about the listings that have values; only what it says to be inactive may
/// have none.
pub(super) fn name_the_same_listings(fixture: &Fixture) -> Result<(), String> {
    let statements = statements(fixture)?;
    let mut quoted = BTreeSet::new();
    let mut inactive = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for statement in &statements {
        match statement {
            Statement::Observation(seen) => quoted.insert(&seen.external_id),
            Statement::Evidence(one) if one.active == Some(false) => {
                inactive.insert(&one.external_id)
            }
            Statement::Evidence(one) => listed.insert(&one.external_id),
            Statement::News(_) => continue,
        };
    }
    if let Some(id) = listed.iter().find(|id| !quoted.contains(*id) && !inactive.contains(*id)) {
        return Err(format!("{id} is listed and has no values"));
    }
    let parts: Vec<_> = statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::Evidence(one) if !one.part.is_empty() => Some(one),
            _ => None,
        })
        .collect();
    let odd = parts.iter().find(|one| {
        one.contracts
            .iter()
            .all(|contract| one.part != format!("{}:{}", contract.platform, contract.address))
    });
    odd.map_or(Ok(()), |one| Err(format!("{} is no contract of {}", one.part, one.external_id)))
}

/// Texts of news are single lines without markup, within their caps; links lead to the web. A headline
/// may speak of a tag: in most formats it is no markup at all.
pub(super) fn news_is_plain_text(fixture: &Fixture) -> Result<(), String> {
    pages(fixture, |page| {
        let rows = read_page(fixture.source.as_ref(), &page.request, &page.body);
        for row in rows.map_err(|error| error.to_string())?.into_iter().flatten() {
            let Statement::News(news) = row else { continue };
            let texts = [
                (Some(&news.title), 500, true),
                (news.summary.as_ref(), 2_000, false),
                (news.author.as_ref(), 200, false),
            ];
            for (text, max_chars, headline) in texts {
                let Some(text) = text else { continue };
                let told = |what: &str| Err(format!("{what} in {text:?}"));
                if text.is_empty() || text.chars().count() > max_chars {
                    return told("nothing or too much");
                }
                let blank = |c: char| c.is_whitespace() && c != ' ';
                if text.contains("  ") || text.trim() != text || text.contains(blank) {
                    return told("blanks");
                }
                if text.contains(char::is_control) || text.contains("<![CDATA[") {
                    return told("a control character or CDATA");
                }
                let mut after = text.split('<').skip(1);
                let tag = |after: &str| {
                    after.starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c))
                };
                if !headline && after.any(tag) {
                    return told("a tag");
                }
            }
            let web = |link: &String| link.starts_with("http://") || link.starts_with("https://");
            if news.link.as_ref().is_some_and(|link| !web(link) || link.len() > 8_000) {
                return Err(format!("{:?} leads elsewhere", news.link));
            }
            if news.item_id.trim().is_empty() || news.item_id.chars().count() > 500 {
                return Err(format!("{:?} is no id", news.item_id));
            }
        }
        Ok(())
    })
}
