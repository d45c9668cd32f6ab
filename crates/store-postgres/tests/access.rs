//! Keys, limits and requests with one effect where several processes share a store, here as several handles.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::access::{key, once, run, usage};
use common::{HANDLES, LEASE, at, handles, new_store, run_id, source};
use kasparro_domain::{CommandKind, SourceName, Timestamp};
use kasparro_store::{
    AuditStore, CommandStore, KeyEnd, KeyStore, LeaseStore, NewKey, Once, StoreError, StoreResult,
    Submitted, UsageStore,
};
use kasparro_store_postgres::PostgresStore;
use kasparro_testkit::postgres::connect;

/// Does as much at once as `times` says, each with the next handle.
async fn at_once<T, F>(
    handles: &[Arc<PostgresStore>],
    times: usize,
    act: impl Fn(usize, Arc<PostgresStore>) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let acting = (0..times).map(|number| act(number, Arc::clone(&handles[number % HANDLES])));
    let acting: Vec<_> = acting.map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for one in acting {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn i11_of_what_eight_processes_count_at_once_nothing_is_lost() {
    const ROUNDS: u64 = 25;
    let (_database, handles) = handles().await;
    let clients: Vec<_> = (0..30).map(|number| format!("client {number}")).collect();
    let seen = at_once(&handles, HANDLES, |number, store| {
        let clients = clients.clone();
        async move {
            let mut least = BTreeMap::<_, u64>::new();
            for round in 0..ROUNDS {
                // In another order each time, and the same row twice.
                let slots =
                    clients.iter().flat_map(|client| [(client, 0), (client, 1), (client, 0)]);
                let mut used: Vec<_> =
                    slots.map(|(client, slot)| usage(client, slot, round % 3)).collect();
                let turn = (number * 7 + usize::try_from(round).unwrap() * 11) % used.len();
                used.rotate_left(turn);
                if number % 2 == 1 {
                    used.reverse();
                }
                let shared = store.share_usage(used, at(0)).await?;
                assert_eq!(shared.used.len(), 60);
                for one in shared.used {
                    // What is known never falls, and holds at least what was added by this handle.
                    let added = least.entry((one.client, one.slot_at)).or_default();
                    let twice = if one.slot_at == at(0) { 2 } else { 1 };
                    *added += round % 3 * twice;
                    assert!(one.requests >= *added, "{} < {added}", one.requests);
                    *added = one.requests;
                }
            }
            StoreResult::Ok(())
        }
    })
    .await;
    assert_eq!(seen, vec![Ok(()); HANDLES]);
    let each = (0..ROUNDS).map(|round| round % 3).sum::<u64>() * HANDLES as u64;
    let all = handles[0].share_usage(Vec::new(), at(0)).await.unwrap().used;
    assert_eq!(all.len(), 60);
    for one in all {
        let expected = if one.slot_at == at(0) { 2 * each } else { each };
        assert_eq!(one.requests, expected, "{}", one.client);
    }
}

#[tokio::test]
async fn i11_the_time_is_that_of_the_database() {
    let (database, store) = new_store().await;
    let clock = async || {
        let sql = "SELECT (extract(epoch FROM kasparro.store_now()) * 1000)::bigint::text";
        let row = database.sql(sql).await;
        Timestamp::from_millis(row[0][0].as_ref().unwrap().parse().unwrap()).unwrap()
    };
    for used in [Vec::new(), vec![usage("one", 0, 1)], vec![usage("one", 9, 1)]] {
        let before = clock().await;
        // Also where nothing was counted since then.
        let shared = store.share_usage(used, at(9)).await.unwrap();
        assert!(before <= shared.now && shared.now <= clock().await, "{before} {shared:?}");
    }
    let ahead = "CREATE OR REPLACE FUNCTION kasparro.store_now() RETURNS timestamptz
                 LANGUAGE sql VOLATILE AS $$ SELECT timestamptz '2100-01-01Z' $$";
    database.sql(ahead).await;
    let shared = store.share_usage(vec![usage("one", 9, 1)], at(0)).await.unwrap();
    assert_eq!(shared.now.to_string(), "2100-01-01T00:00:00Z");
}

/// Also in a table that the server has no statistics of yet.
#[tokio::test]
async fn i11_many_clients_are_counted_at_once() {
    let (_database, store) = new_store().await;
    let begun = Instant::now();
    for slot in 0..4 {
        let used: Vec<_> = (0..10_000).map(|n| usage(&format!("client {n}"), slot, 1)).collect();
        let shared = store.share_usage(used, at(0)).await.unwrap();
        assert_eq!(shared.used.len(), 10_000 * (usize::try_from(slot).unwrap() + 1));
    }
    store.forget_usage(at(3)).await.unwrap();
    assert_eq!(store.share_usage(Vec::new(), at(0)).await.unwrap().used.len(), 10_000);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_forgotten_while_others_count_and_nobody_waits() {
    let (database, handles) = handles().await;
    let counted = vec![usage("one", 0, 1), usage("two", 0, 1), usage("two", 5, 1)];
    handles[0].share_usage(counted, at(0)).await.unwrap();
    let mut other = connect(&database.url()).await.unwrap();
    let open = other.transaction().await.unwrap();
    let add = "UPDATE kasparro.request_usage SET requests = requests + 1 WHERE client = 'one'";
    open.batch_execute(add).await.unwrap();
    handles[1].forget_usage(at(1)).await.unwrap();
    let left = handles[1].share_usage(Vec::new(), at(0)).await.unwrap().used;
    assert_eq!(left.len(), 2, "what somebody is adding to is left: {left:?}");
    open.commit().await.unwrap();
    handles[1].forget_usage(at(1)).await.unwrap();
    let left = handles[1].share_usage(Vec::new(), at(0)).await.unwrap().used;
    assert_eq!(left, [usage("two", 5, 1)]);

    let outcomes = at_once(&handles, 64, |number, store| async move {
        let clients = (0..50).map(|client| usage(&format!("client {client}"), 0, 1));
        match number % 3 {
            0 => store.forget_usage(at(1)).await,
            1 => store.share_usage(clients.collect(), at(0)).await.map(|_| ()),
            _ => store.share_usage(clients.rev().collect(), at(0)).await.map(|_| ()),
        }
    })
    .await;
    assert_eq!(outcomes, vec![Ok(()); 64]);
}

fn kinds() -> Vec<CommandKind> {
    let gecko = SourceName::new("coingecko");
    vec![run(1), CommandKind::Run { source: gecko, run_id: run_id(2), lists: true }]
}

/// How often each came: new, the same as before, something else.
fn counted(outcomes: &[StoreResult<Submitted>]) -> [usize; 3] {
    let mut counts = [0; 3];
    for outcome in outcomes {
        counts[match outcome.as_ref().unwrap() {
            Submitted::New(_) => 0,
            Submitted::Before(..) => 1,
            Submitted::Other => 2,
        }] += 1;
    }
    counts
}

fn commands_of(outcomes: &[StoreResult<Submitted>]) -> BTreeSet<Vec<i64>> {
    let commands = outcomes.iter().filter_map(|outcome| match outcome.as_ref().unwrap() {
        Submitted::New(commands) => Some(commands),
        Submitted::Before(commands, answer) => {
            assert_eq!(answer["asked"], 1);
            Some(commands)
        }
        Submitted::Other => None,
    });
    commands.map(|commands| commands.iter().map(|command| command.0).collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn i17_of_a_hundred_who_send_the_same_at_once_one_is_new() {
    let (database, handles) = handles().await;
    let send = |minutes| {
        at_once(&handles, 100, move |_, store| async move {
            store.submit_once(once("a name", 1), kinds(), at(minutes), at(minutes - 60)).await
        })
    };
    let outcomes = send(0).await;
    assert_eq!(counted(&outcomes), [1, 99, 0]);
    let first = commands_of(&outcomes);
    assert_eq!((first.len(), first.first().unwrap().len()), (1, 2), "{first:?}");
    assert_eq!(counted(&send(60).await), [0, 100, 0]);
    // A minute later the name is forgotten, by all of them at once.
    let outcomes = send(61).await;
    assert_eq!(counted(&outcomes), [1, 99, 0]);
    assert!(commands_of(&outcomes).is_disjoint(&first));

    let kept = "SELECT count(*) FILTER (WHERE source_id IS NOT NULL), count(DISTINCT source_id)
                FROM kasparro.command";
    let kept: Vec<_> = database.sql(kept).await.into_iter().flatten().flatten().collect();
    assert_eq!(kept, ["4", "2"]);
    let epoch = handles[0].acquire(&source(), "test", LEASE).await.unwrap();
    assert_eq!(handles[0].claim_held(&[(source(), epoch)], &[]).await.unwrap().len(), 2);
    assert_eq!(handles[0].verify().await.unwrap().violations, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn i17_of_two_requests_under_one_name_one_has_an_effect() {
    let (_database, handles) = handles().await;
    let outcomes = at_once(&handles, 40, |number, store| async move {
        let asked = if number % 2 == 0 { 1 } else { 2 };
        let request = Once { answer: serde_json::json!({"asked": 1}), ..once("a name", asked) };
        store.submit_once(request, kinds(), at(0), at(-60)).await
    })
    .await;
    assert_eq!(counted(&outcomes), [1, 19, 20]);
    assert_eq!(handles[0].claim(false).await.unwrap().len(), 2);
}

/// Names that are forgotten belong to whoever takes them anew, or to nobody; none of those waits in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn i17_names_are_forgotten_while_others_take_them() {
    let (database, handles) = handles().await;
    for minutes in [0, 100, 200] {
        let outcomes = at_once(&handles, 60, |number, store| async move {
            let name = format!("name {}", number % 20);
            let mut kinds = kinds();
            if number % 2 == 0 {
                kinds.reverse();
            }
            store.submit_once(once(&name, 1), kinds, at(minutes), at(minutes - 60)).await
        })
        .await;
        assert_eq!(counted(&outcomes), [20, 40, 0]);
    }
    let last = handles[0].submit_once(once("the last", 1), Vec::new(), at(300), at(240)).await;
    assert_eq!(last, Ok(Submitted::New(Vec::new())));
    let left = database.sql("SELECT name FROM kasparro.once").await;
    assert_eq!(left, [[Some("the last".to_owned())]]);
    assert_eq!(handles[0].claim(false).await.unwrap().len(), 120);
}

#[tokio::test]
async fn i17_a_request_that_fails_is_not_remembered() {
    let (database, store) = new_store().await;
    let refuse =
        "ALTER TABLE kasparro.command ADD CONSTRAINT twin CHECK (kind::text NOT LIKE '%true%')";
    database.sql(refuse).await;
    let send = || store.submit_once(once("a name", 1), kinds(), at(0), at(-60));
    assert!(matches!(send().await, Err(StoreError::Conflict(_))));
    assert_eq!(store.claim(false).await.unwrap(), []);
    database.sql("ALTER TABLE kasparro.command DROP CONSTRAINT twin").await;
    assert!(matches!(send().await, Ok(Submitted::New(commands)) if commands.len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_make_the_first_key_at_once_one_does() {
    let (_database, handles) = handles().await;
    let made = at_once(&handles, 40, |number, store| async move {
        store.add_first_key(key(&format!("{number:08}"), 0)).await.unwrap()
    })
    .await;
    assert_eq!(made.iter().filter(|made| **made).count(), 1);
    let keys = handles[0].keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    let number: usize = keys[0].key_id.parse().unwrap();
    assert!(made[number], "who was told so made it");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_make_keys_with_one_id_at_once_one_does() {
    let (_database, handles) = handles().await;
    let made = at_once(&handles, HANDLES, |number, store| async move {
        let key = key("aaaaaaaa", i64::try_from(number).unwrap());
        store.add_key(NewKey { key, replaces: None }).await
    })
    .await;
    let taken = |outcome: &&StoreResult<()>| matches!(outcome, Err(StoreError::Conflict(why)) if why.contains("make another"));
    assert_eq!(made.iter().filter(taken).count(), HANDLES - 1, "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_that_are_noted_in_any_order_do_not_wait_in_a_circle() {
    let (_database, handles) = handles().await;
    let ids: Vec<_> = (0..40).map(|number| format!("{number:08}")).collect();
    for key_id in &ids {
        handles[0].add_key(NewKey { key: key(key_id, 0), replaces: None }).await.unwrap();
    }
    let outcomes = at_once(&handles, 200, |number, store| {
        let minutes = i64::try_from(number).unwrap() + 1;
        let mut uses: Vec<_> = ids.iter().map(|key_id| (key_id.clone(), at(minutes))).collect();
        uses.push((ids[7].clone(), at(0)));
        if number % 2 == 1 {
            uses.reverse();
        }
        async move { store.note_key_uses(uses).await }
    })
    .await;
    assert_eq!(outcomes, vec![Ok(()); 200]);
    let keys = handles[0].keys().await.unwrap();
    assert!(keys.iter().all(|key| key.last_used_at == Some(at(200))), "{keys:?}");
}

#[tokio::test]
async fn nothing_about_keys_and_requests_is_in_the_digest() {
    let (_database, store) = new_store().await;
    let before = store.verify().await.unwrap();
    store.add_first_key(key("aaaaaaaa", 0)).await.unwrap();
    store.end_key("aaaaaaaa", KeyEnd::Revoked(at(1))).await.unwrap();
    store.share_usage(vec![usage("one", 0, 1)], at(0)).await.unwrap();
    store.submit_once(once("a name", 1), Vec::new(), at(0), at(-60)).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), before);
}

#[tokio::test]
async fn a_name_that_no_store_may_hold_is_refused() {
    let (_database, store) = new_store().await;
    let nul = NewKey {
        key: kasparro_domain::ApiKey { name: "a\0b".into(), ..key("aaaaaaaa", 0) },
        replaces: None,
    };
    let refused = store.add_key(nul).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let large = kasparro_domain::ApiKey { requests: Some(u64::MAX), ..key("aaaaaaaa", 0) };
    let refused = store.add_first_key(large).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(store.keys().await.unwrap(), []);
}

#[tokio::test]
async fn keys_that_are_changed_by_hand_are_told_again() {
    let (database, store) = new_store().await;
    for (key_id, number) in [("aaaaaaaa", 0), ("bbbbbbbb", 1)] {
        let key = kasparro_domain::ApiKey { hmac: [number; 32], ..key(key_id, number.into()) };
        store.add_key(NewKey { key, replaces: None }).await.unwrap();
    }
    for change in [
        "scope = 'read'",
        "requests = 1",
        "name = key_id",
        // Two rows change values with each other.
        "hmac = (SELECT hmac FROM kasparro.api_key AS b WHERE b.key_id <> a.key_id)",
        "created_at = (SELECT created_at FROM kasparro.api_key AS b WHERE b.key_id <> a.key_id)",
        "expires_at = date_trunc('second', now())",
        "revoked_at = date_trunc('second', now())",
        "revoked_at = NULL",
    ] {
        let (mark, before) = store.keys_since(None).await.unwrap().unwrap();
        assert_eq!(store.keys_since(Some(mark.clone())).await, Ok(None), "{change}");
        database.sql(&format!("UPDATE kasparro.api_key AS a SET {change}")).await;
        let (_, after) = store.keys_since(Some(mark)).await.unwrap().unwrap();
        assert_ne!(after, before, "{change}");
    }
    let (mark, _) = store.keys_since(None).await.unwrap().unwrap();
    database.sql("DELETE FROM kasparro.api_key").await;
    assert_eq!(store.keys_since(Some(mark)).await.unwrap().unwrap().1, []);
}
