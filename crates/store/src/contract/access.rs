//! Stories about keys, limits and requests with one effect.

use kasparro_domain::{ApiKey, CommandKind, CommandState, Scope, Timestamp};
use serde_json::json;

use super::fixture::{Subject, at, gecko, paprika, run_id};
use super::{Broken, Told, ensure, expect_conflict, expect_eq};
use crate::{KeyEnd, KeysMark, NewKey, Once, Submitted, Usage};

fn key(key_id: &str, created_at: Timestamp) -> ApiKey {
    ApiKey {
        key_id: key_id.to_owned(),
        name: format!("the key {key_id}"),
        scope: Scope::Operate,
        hmac: [7; 32],
        requests: Some(5_000),
        created_at,
        expires_at: Some(at(100)),
        revoked_at: None,
        last_used_at: None,
    }
}

const fn new(key: ApiKey) -> NewKey {
    NewKey { key, replaces: None }
}

pub(super) async fn a_key_comes_back_as_it_was_made(store: Subject) -> Told {
    expect_eq("at first", store.keys().await?, Vec::new())?;
    let later = key("aaaaaaaa", at(2));
    let plain = ApiKey {
        scope: Scope::Read,
        requests: None,
        expires_at: None,
        hmac: [255; 32],
        ..key("zzzzzzzz", at(1))
    };
    let admin = ApiKey { scope: Scope::Admin, hmac: [0; 32], ..key("bbbbbbbb", at(2)) };
    for one in [&later, &plain, &admin] {
        store.add_key(new(one.clone())).await?;
    }
    let taken = ApiKey { name: "another".to_owned(), ..later.clone() };
    expect_conflict("a public id that is taken", store.add_key(new(taken)).await)?;
    expect_eq("by instant and id", store.keys().await?, vec![plain, later, admin])
}

pub(super) async fn only_the_first_key_is_made_as_the_first(store: Subject) -> Told {
    let first = key("aaaaaaaa", at(0));
    ensure(store.add_first_key(first.clone()).await?, "the first is made")?;
    ensure(!store.add_first_key(key("bbbbbbbb", at(1))).await?, "a second is not")?;
    store.end_key("aaaaaaaa", KeyEnd::Revoked(at(2))).await?;
    ensure(!store.add_first_key(key("cccccccc", at(3))).await?, "nor once that one has ended")?;
    expect_eq("kept", store.keys().await?, vec![ApiKey { revoked_at: Some(at(2)), ..first }])
}

pub(super) async fn a_key_ends_once_and_no_later_than_was_said(store: Subject) -> Told {
    store.add_key(new(key("aaaaaaaa", at(0)))).await?;
    ensure(!store.end_key("bbbbbbbb", KeyEnd::Revoked(at(1))).await?, "an unknown key")?;
    for (end, expires_at, revoked_at) in [
        (KeyEnd::Expires(at(200)), at(100), None),
        (KeyEnd::Expires(at(50)), at(50), None),
        (KeyEnd::Revoked(at(3)), at(50), Some(at(3))),
        (KeyEnd::Revoked(at(4)), at(50), Some(at(3))),
    ] {
        ensure(store.end_key("aaaaaaaa", end).await?, "it is known")?;
        let expected =
            ApiKey { expires_at: Some(expires_at), revoked_at, ..key("aaaaaaaa", at(0)) };
        expect_eq("ended", store.keys().await?, vec![expected])?;
    }
    let endless = ApiKey { expires_at: None, ..key("cccccccc", at(5)) };
    store.add_key(new(endless.clone())).await?;
    store.end_key("cccccccc", KeyEnd::Expires(at(9))).await?;
    let ended = ApiKey { expires_at: Some(at(9)), ..endless };
    expect_eq("the first end", store.keys().await?.pop(), Some(ended))
}

pub(super) async fn a_key_is_replaced_with_an_overlap(store: Subject) -> Told {
    let old = key("aaaaaaaa", at(0));
    store.add_key(new(old.clone())).await?;
    let next = key("bbbbbbbb", at(10));
    let replacing = |key: ApiKey, id: &str| NewKey { key, replaces: Some((id.to_owned(), at(20))) };
    store.add_key(replacing(next.clone(), "aaaaaaaa")).await?;
    let ended = ApiKey { expires_at: Some(at(20)), ..old };
    expect_eq("both", store.keys().await?, vec![ended.clone(), next.clone()])?;
    let late = key("cccccccc", at(20));
    expect_conflict("one that has ended", store.add_key(replacing(late, "aaaaaaaa")).await)?;
    let stray = key("dddddddd", at(11));
    expect_conflict("one never made", store.add_key(replacing(stray, "eeeeeeee")).await)?;
    expect_eq("neither was written", store.keys().await?, vec![ended, next])
}

pub(super) async fn the_last_use_of_a_key_never_goes_back(store: Subject) -> Told {
    store.add_key(new(key("aaaaaaaa", at(0)))).await?;
    store.add_key(new(key("bbbbbbbb", at(1)))).await?;
    let used = |id: &str, minutes| (id.to_owned(), at(minutes));
    store.note_key_uses(vec![used("aaaaaaaa", 5), used("unknown0", 5)]).await?;
    store.note_key_uses(vec![used("aaaaaaaa", 4), used("bbbbbbbb", 6)]).await?;
    store.note_key_uses(Vec::new()).await?;
    let uses: Vec<_> = store.keys().await?.into_iter().map(|key| key.last_used_at).collect();
    expect_eq("uses", uses, vec![Some(at(5)), Some(at(6))])
}

/// Everything is told to whoever knows the mark `known`, and it is what there is; its mark.
async fn told_again(
    store: &Subject,
    known: Option<KeysMark>,
    what: &str,
) -> Result<KeysMark, Broken> {
    let Some((mark, keys)) = store.keys_since(known).await? else {
        return Err(Broken(format!("{what} is not told")));
    };
    expect_eq(what, keys, store.keys().await?)?;
    expect_eq("nothing new", store.keys_since(Some(mark.clone())).await?, None)?;
    Ok(mark)
}

pub(super) async fn keys_are_told_again_once_they_change_and_not_when_they_are_used(
    store: Subject,
) -> Told {
    let mut known = told_again(&store, None, "no key").await?;
    store.add_first_key(key("aaaaaaaa", at(0))).await?;
    known = told_again(&store, Some(known), "the first").await?;
    let endless = ApiKey { expires_at: None, ..key("bbbbbbbb", at(1)) };
    store.add_key(new(endless)).await?;
    known = told_again(&store, Some(known), "a second").await?;
    let next =
        NewKey { replaces: Some(("aaaaaaaa".to_owned(), at(90))), ..new(key("cccccccc", at(2))) };
    store.add_key(next).await?;
    known = told_again(&store, Some(known), "one in place of another").await?;
    for (key_id, end) in [
        ("bbbbbbbb", KeyEnd::Expires(at(50))),
        ("bbbbbbbb", KeyEnd::Expires(at(40))),
        ("bbbbbbbb", KeyEnd::Revoked(at(3))),
        ("cccccccc", KeyEnd::Revoked(at(3))),
    ] {
        store.end_key(key_id, end).await?;
        known = told_again(&store, Some(known), "an end").await?;
    }
    store.add_key(new(key("dddddddd", at(4)))).await?;
    known = told_again(&store, Some(known), "another").await?;
    store.end_key("bbbbbbbb", KeyEnd::Revoked(at(9))).await?;
    store.end_key("dddddddd", KeyEnd::Expires(at(200))).await?;
    store.end_key("zzzzzzzz", KeyEnd::Revoked(at(9))).await?;
    store.note_key_uses(vec![("dddddddd".to_owned(), at(5))]).await?;
    expect_eq("no change, and a use", store.keys_since(Some(known)).await?, None)
}

fn usage(client: &str, minutes: i64, requests: u64) -> Usage {
    Usage { client: client.to_owned(), slot_at: at(minutes), requests }
}

pub(super) async fn i11_what_clients_used_is_counted_by_all_together(store: Subject) -> Told {
    let sorted = |mut used: Vec<Usage>| {
        used.sort_by(|a, b| (a.slot_at, &a.client).cmp(&(b.slot_at, &b.client)));
        used
    };
    let first = vec![usage("one", 0, 3), usage("two", 0, 1), usage("one", 1, 2)];
    let shared = store.share_usage(first.clone(), at(0)).await?;
    expect_eq("the first", sorted(shared.used), sorted(first))?;
    let shared = store.share_usage(vec![usage("one", 1, 4)], at(0)).await?;
    let expected = vec![usage("one", 0, 3), usage("one", 1, 6)];
    expect_eq("only whom it is about", sorted(shared.used), expected)?;
    let shared = store.share_usage(vec![usage("one", 2, 0)], at(1)).await?;
    let expected = vec![usage("one", 1, 6), usage("one", 2, 0)];
    expect_eq("only since then", sorted(shared.used), expected)?;
    let everything = store.share_usage(Vec::new(), at(0)).await?;
    expect_eq("everybody", everything.used.iter().map(|one| one.requests).sum::<u64>(), 10)?;
    store.forget_usage(at(1)).await?;
    let left = sorted(store.share_usage(Vec::new(), at(-10)).await?.used);
    expect_eq("what is left", left, vec![usage("one", 1, 6), usage("one", 2, 0)])
}

fn once(name: &str, asked: u8) -> Once {
    Once {
        caller: "aaaaaaaa".to_owned(),
        name: name.to_owned(),
        asked: [asked; 32],
        answer: json!({"asked": asked}),
    }
}

pub(super) async fn i17_a_request_that_is_sent_again_has_one_effect(store: Subject) -> Told {
    let run = |source, number| CommandKind::Run { source, run_id: run_id(number), lists: false };
    let kinds = vec![run(paprika(), 1), run(gecko(), 2)];
    let submit = |request: Once, kinds: Vec<CommandKind>, minutes: i64| {
        let store = &store;
        async move { store.submit_once(request, kinds, at(minutes), at(minutes - 60)).await }
    };
    let Submitted::New(ids) = submit(once("first", 1), kinds.clone(), 0).await? else {
        return ensure(false, "the first is new");
    };
    expect_eq("commands", ids.len(), 2)?;
    let before = Submitted::Before(ids.clone(), json!({"asked": 1}));
    expect_eq("again", submit(once("first", 1), kinds.clone(), 5).await?, before)?;
    expect_eq("another", submit(once("first", 2), kinds.clone(), 5).await?, Submitted::Other)?;
    let nobody = Once { caller: "bbbbbbbb".to_owned(), ..once("first", 1) };
    expect_eq("of another caller", submit(nobody, Vec::new(), 6).await?, Submitted::New(vec![]))?;
    let claimed = store.claim(false).await?;
    let kinds_claimed: Vec<_> = claimed.iter().map(|one| one.kind.clone()).collect();
    expect_eq("claimed", kinds_claimed, kinds.clone())?;
    let numbers: Vec<_> = claimed.iter().map(|one| one.command_id).collect();
    expect_eq("in this order", numbers, ids.clone())?;
    ensure(claimed.iter().all(|one| one.state == CommandState::Claimed), "as any other")?;
    // An hour later the name is forgotten, and the same request is a new one.
    let later = submit(once("first", 1), kinds, 61).await?;
    ensure(matches!(later, Submitted::New(fresh) if fresh.len() == 2 && fresh != ids), "forgotten")
}
