//! Stories about what other processes ask.

use kasparro_domain::{
    AssetRelation, Command, CommandId, CommandKind, CommandState, DecisionKind, DriftId, EdgeKind,
    ListingKey, PageId, SourceName,
};
use serde_json::json;

use super::fixture::{Subject, at, gecko, paprika, run_id};
use super::identity::terms;
use super::{Told, ensure, expect_conflict, expect_eq};

fn run_of(source: kasparro_domain::SourceName) -> CommandKind {
    CommandKind::Run { source, run_id: run_id(1), lists: false }
}

fn listing(source: SourceName, external_id: &str) -> ListingKey {
    ListingKey { source, external_id: external_id.into() }
}

fn ids(commands: &[Command]) -> Vec<CommandId> {
    commands.iter().map(|command| command.command_id).collect()
}

pub(super) async fn a_command_is_claimed_once_and_again_after_a_crash(store: Subject) -> Told {
    let first = store.submit(run_of(paprika()), at(0)).await?;
    let second = store.submit(run_of(gecko()), at(1)).await?;
    ensure(first < second, "commands are numbered in order")?;
    let pending = store.command(first).await?.map(|command| command.state);
    expect_eq("at first", pending, Some(CommandState::Pending))?;
    let claimed = store.claim(false).await?;
    expect_eq("claimed", ids(&claimed), vec![first, second])?;
    ensure(claimed.iter().all(|one| one.state == CommandState::Claimed), "they say so")?;
    expect_eq("once", store.claim(false).await?, Vec::new())?;
    let third = store.submit(run_of(paprika()), at(2)).await?;
    store.complete(first, 0, json!({"ok": true})).await?;
    expect_eq("after a crash", ids(&store.claim(true).await?), vec![second, third])
}

pub(super) async fn a_command_has_one_outcome(store: Subject) -> Told {
    let id = store.submit(run_of(paprika()), at(0)).await?;
    expect_conflict("not claimed", store.complete(id, 0, json!(1)).await)?;
    store.claim(false).await?;
    store.complete(id, 0, json!({"runs": []})).await?;
    let expected = Command {
        command_id: id,
        kind: run_of(paprika()),
        state: CommandState::Done,
        epoch: 0,
        created_at: at(0),
        result: Some(json!({"runs": []})),
    };
    expect_eq("done", store.command(id).await?, Some(expected))?;
    expect_conflict("done already", store.complete(id, 0, json!(2)).await)?;
    expect_eq("not claimed again", store.claim(true).await?, Vec::new())?;
    expect_eq("unknown", store.command(CommandId(id.0 + 1)).await?, None)?;
    expect_conflict("unknown", store.complete(CommandId(id.0 + 1), 0, json!(2)).await)
}

pub(super) async fn every_kind_of_command_comes_back(store: Subject) -> Told {
    let (who, why) = ("a person".to_owned(), "the rule was wrong".to_owned());
    let relation = AssetRelation {
        from: listing(paprika(), "btc-bitcoin"),
        kind: EdgeKind::MigratedTo,
        to: listing(gecko(), "bitcoin"),
        terms: terms(),
    };
    let kinds = [
        CommandKind::Run { source: paprika(), run_id: run_id(1), lists: true },
        CommandKind::Retry {
            source: paprika(),
            rows: vec![3, 1],
            who: who.clone(),
            why: why.clone(),
        },
        CommandKind::Discard {
            source: gecko(),
            rows: vec![i64::MAX],
            who: who.clone(),
            why: why.clone(),
        },
        CommandKind::RetryPage {
            source: gecko(),
            page_id: PageId(7),
            forced: true,
            who: who.clone(),
            why: why.clone(),
        },
        CommandKind::AcceptDrift {
            source: paprika(),
            drift: vec![DriftId(2), DriftId(1)],
            who: who.clone(),
            why: why.clone(),
        },
        CommandKind::DecideIdentity {
            source: gecko(),
            decision: DecisionKind::Link,
            pairs: vec![(listing(gecko(), "bitcoin"), listing(paprika(), "btc-bitcoin"))],
            relation: None,
            who: who.clone(),
            why: why.clone(),
        },
        CommandKind::DecideIdentity {
            source: gecko(),
            decision: DecisionKind::Relate,
            pairs: vec![relation.pair()],
            relation: Some(relation),
            who,
            why,
        },
    ];
    for kind in &kinds {
        store.submit(kind.clone(), at(0)).await?;
    }
    let claimed = store.claim(false).await?;
    let claimed: Vec<_> = claimed.into_iter().map(|command| command.kind).collect();
    expect_eq("kinds", claimed, kinds.to_vec())
}
