//! `assets overrides`: what people decided, as a file.

mod export;
mod file;
mod import;
mod related;

use std::collections::BTreeMap;

use kasparro_domain::{AssetRelation, Decision, OverrideVerdict, Timestamp};

use super::Context;
use super::decide::Pair;
use crate::failure::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Write what is in force as TOML, to stdout or into a file.
    Export(export::Arguments),
    /// Decide what a file says and is not in force yet; beside a server, the server does it.
    Import(import::Arguments),
}

pub(super) async fn execute(context: Context, action: Action) -> Result<Exit, Failure> {
    match action {
        Action::Export(arguments) => export::execute(context, arguments).await,
        Action::Import(arguments) => import::execute(context, arguments).await,
    }
}

/// The newest word about a pair of listings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    verdict: OverrideVerdict,
    /// How one relates to the other, where that is said.
    relation: Option<AssetRelation>,
    who: String,
    why: String,
    at: Timestamp,
}

impl Word {
    /// True where the two are said to be two assets.
    pub(super) fn separates(&self) -> bool {
        self.verdict.separates()
    }
}

/// What counts of decisions that are given oldest first: the newest about each pair, unless it takes back.
pub(super) fn in_force(decisions: Vec<Decision>) -> BTreeMap<Pair, Word> {
    let mut newest = BTreeMap::new();
    for Decision { kind, pairs, relation, who, why, decided_at: at, .. } in decisions {
        let Some(verdict) = kind.identity_verdict() else { continue };
        for pair in pairs {
            let (relation, who, why) = (relation.clone(), who.clone(), why.clone());
            newest.insert(pair, Word { verdict, relation, who, why, at });
        }
    }
    newest.retain(|_, word| word.verdict != OverrideVerdict::Withdraw);
    newest
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{DecisionId, DecisionKind, ListingKey, PageId, SourceName};

    use super::*;

    fn decision(id: i64, kind: DecisionKind, pairs: &[(&str, &str)]) -> Decision {
        let pair = |(a, b): &(&str, &str)| (ListingKey::new("a", a), ListingKey::new("b", b));
        Decision {
            decision_id: DecisionId(id),
            kind,
            source: SourceName::new("a"),
            rows: Vec::new(),
            drift: Vec::new(),
            pairs: pairs.iter().map(pair).collect(),
            relation: None,
            forced: false,
            who: "ada".to_owned(),
            why: id.to_string(),
            decided_at: Timestamp::EPOCH,
            after_page: PageId(0),
            run_id: None,
        }
    }

    #[test]
    fn the_newest_word_about_a_pair_counts_and_what_was_taken_back_does_not() {
        let decisions = vec![
            decision(1, DecisionKind::Link, &[("x", "x")]),
            decision(2, DecisionKind::Split, &[("x", "x"), ("y", "y")]),
            decision(3, DecisionKind::Withdraw, &[("y", "y")]),
            decision(4, DecisionKind::Discard, &[]),
        ];
        let in_force = in_force(decisions);
        let said: Vec<_> = in_force
            .iter()
            .map(|(pair, word)| (pair.0.to_string(), word.verdict, &*word.why))
            .collect();
        assert_eq!(said, [("a:x".to_owned(), OverrideVerdict::Separate, "2")]);
    }
}
