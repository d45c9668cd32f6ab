//! Values at the edge of what the store takes, and behind it.

mod rows;

use kasparro_domain::{
    Attributes, Contract, Decimal, DriftEvent, DriftId, Evidence, Generation, ListingId,
    Membership, NewsItem, QuoteField, Rejection, RejectionReason, RunError, ValueAnomalyKind,
};
use kasparro_store::{
    Batch, BatchRow, BatchStore, DriftStore, EvidenceChange, EvidenceRow, NewsRow, PageStore,
    QuarantineStore, QuarantinedRow, Reopening, Retry, RowAnomaly, StoreError,
};
use kasparro_testkit::postgres::{Relay, connect};
use rows::{at, database, landed, new_row, new_store, store_at, whole};

/// Every kind of row, with a text in each place where one can stand.
fn full_of(text: &str, page: &kasparro_domain::RawPage, epoch: u64) -> Vec<(&'static str, Batch)> {
    let empty = || whole(page, epoch, 0, Vec::new());
    let row = |change: &dyn Fn(&mut BatchRow)| {
        let mut row = new_row(0, "coin");
        change(&mut row);
        whole(page, epoch, 0, vec![row])
    };
    let statement = |change: &dyn Fn(&mut EvidenceRow)| {
        let evidence = Evidence {
            external_id: "coin".into(),
            part: "".into(),
            attributes: Attributes::default(),
            contracts: vec![Contract { platform: "chain".into(), address: "0x1".into() }],
            active: None,
            kind: None,
            same_as: Vec::new(),
        };
        let mut row = EvidenceRow {
            ordinal: 0,
            change: EvidenceChange::New { membership: Membership::Founds },
            endpoint: "coins".into(),
            evidence,
            content_hash: 0,
        };
        change(&mut row);
        Batch { evidence: vec![row], ..empty() }
    };
    let news = |change: &dyn Fn(&mut NewsRow)| {
        let item = NewsItem {
            item_id: "1".into(),
            title: "a headline".to_owned(),
            link: None,
            summary: None,
            author: None,
            published_at: None,
        };
        let feed = "feed.example/rss".into();
        let mut row = NewsRow { ordinal: 0, known: false, feed, item, content_hash: 0 };
        change(&mut row);
        Batch { news: vec![row], ..empty() }
    };
    let bad = |change: &dyn Fn(&mut Rejection)| {
        let mut rejection = Rejection::new(RejectionReason::BadNumber, "/price", "1e400");
        change(&mut rejection);
        let row = QuarantinedRow { ordinal: 0, rejection, rule: "domain/1" };
        Batch { quarantined: vec![row], ..empty() }
    };
    let retry = |who: &str, why: &str| {
        let retry = Retry { who: who.to_owned(), why: why.to_owned(), ordinals: Vec::new() };
        Batch { retry: Some(retry), position: None, ..empty() }
    };
    let unusual = |value: &str, expected: &str| {
        let (value, expected) = (value.to_owned(), expected.to_owned());
        let anomaly = RowAnomaly { kind: ValueAnomalyKind::PriceJump, value, expected };
        row(&|row| row.anomalies = vec![anomaly.clone()])
    };
    let changed = |change: &dyn Fn(&mut DriftEvent)| {
        let mut event = rows::findings::change("/price");
        change(&mut event);
        let examined = Some(rows::findings::examined(vec![event]));
        Batch { page_done: true, examined, ..empty() }
    };
    vec![
        ("unusual value", unusual(text, "")),
        ("expected value", unusual("", text)),
        ("changed endpoint", changed(&|event| event.key.endpoint = text.to_owned())),
        ("changed member", changed(&|event| event.key.pointer = text.to_owned())),
        ("before", changed(&|event| event.key.before = text.to_owned())),
        ("after", changed(&|event| event.key.after = text.to_owned())),
        ("suggestion", changed(&|event| event.suggestion = text.to_owned())),
        ("what breaks", changed(&|event| event.breaks = vec![text.to_owned()])),
        ("external id", row(&|row| row.external_id = text.into())),
        ("symbol", row(&|row| row.attributes.symbol = Some(text.into()))),
        ("name", row(&|row| row.attributes.name = Some(text.into()))),
        ("listed id", statement(&|row| row.evidence.external_id = text.into())),
        ("endpoint", statement(&|row| row.endpoint = text.into())),
        ("part", statement(&|row| row.evidence.part = text.into())),
        ("listed symbol", statement(&|row| row.evidence.attributes.symbol = Some(text.into()))),
        ("listed name", statement(&|row| row.evidence.attributes.name = Some(text.into()))),
        ("platform", statement(&|row| row.evidence.contracts[0].platform = text.into())),
        ("address", statement(&|row| row.evidence.contracts[0].address = text.into())),
        ("feed", news(&|row| row.feed = text.into())),
        ("item", news(&|row| row.item.item_id = text.into())),
        ("title", news(&|row| row.item.title = text.to_owned())),
        ("link", news(&|row| row.item.link = Some(text.to_owned()))),
        ("summary", news(&|row| row.item.summary = Some(text.to_owned()))),
        ("author", news(&|row| row.item.author = Some(text.to_owned()))),
        ("field", bad(&|rejection| rejection.field = text.to_owned())),
        ("value", bad(&|rejection| rejection.value = text.to_owned())),
        ("quarantined id", bad(&|rejection| rejection.external_id = Some(text.to_owned()))),
        ("who", retry(text, "why")),
        ("why", retry("who", text)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_nul_is_refused_before_anything_is_sent() {
    let database = database();
    let relay = Relay::start(&database.address());
    let store = store_at(&database.url_at(&relay.address), "s").await;
    let (epoch, page) = landed(&store).await;
    // From here on every statement would fail as unavailable.
    relay.cut();
    for (place, batch) in full_of("a\0b", &page, epoch) {
        let refused = store.commit(batch).await.unwrap_err();
        assert!(matches!(refused, StoreError::Conflict(_)), "{place}: {refused}");
        assert!(refused.to_string().contains("U+0000"), "{place}: {refused}");
    }
    let refused = store.discard(vec![1], "a\0b", "why", at(0)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let refused = store.accept_drift(vec![DriftId(1)], "who", "a\0b", at(0)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let error = RunError { code: "a".into(), message: "b".into(), hint: "c".into() };
    let examined = rows::findings::examined(vec![rows::findings::change("a\0b")]);
    let refused = store.refuse(page.page_id, epoch, error, Some(examined)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let reopening = Reopening {
        who: "a\0b".to_owned(),
        why: "why".to_owned(),
        forced: false,
        run_id: rows::run_id(1),
        decided_at: at(0),
    };
    let refused = store.reopen(page.page_id, epoch, reopening).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    for (place, batch) in full_of("text", &page, epoch) {
        let unsent = store.commit(batch).await;
        assert!(matches!(unsent, Err(StoreError::Unavailable(_))), "{place}: {unsent:?}");
    }
}

#[tokio::test]
async fn d2_every_decimal_comes_back_from_the_server_as_it_was_sent() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    let ends = ["0", "1e80", "1e-60", "9.9999999999999999999999999999999999999e79"];
    let mut texts: Vec<String> = ends.map(str::to_owned).to_vec();
    // Every place of the first digit against every count of digits, modulo the groups of four.
    let digits = "98765432101234567890000000000123456789";
    for adjusted in -60_i32..80 {
        let count = 1 + usize::try_from(adjusted + 60).unwrap() * 7 % digits.len();
        let exponent = adjusted + 1 - i32::try_from(count).unwrap();
        texts
            .push(Decimal::parse(&format!("{}e{exponent}", &digits[..count])).unwrap().to_string());
    }
    let rows = texts.iter().enumerate().map(|(place, text)| {
        let mut row = new_row(place as u64, &format!("coin-{place:03}"));
        row.quote.price_usd = Some(Decimal::parse(text).unwrap());
        row.quote.price_change_24h = Some(Decimal::parse(&format!("-{text}")).unwrap());
        row
    });
    store.commit(whole(&page, epoch, 0, rows.collect())).await.unwrap();

    let memory = store.memory(&rows::source()).await.unwrap();
    assert_eq!(memory.listings.len(), texts.len());
    let sql = "SELECT price_usd::text, (-price_change_24h)::text FROM s.quote ORDER BY listing_id";
    for ((listing, stored), sent) in memory.listings.iter().zip(database.sql(sql).await).zip(&texts)
    {
        let quote = &listing.quote.as_ref().unwrap().values;
        assert_eq!(quote.price_usd.as_ref().unwrap().as_str(), sent);
        let change = quote.price_change_24h.as_ref().unwrap().as_str();
        assert_eq!(change.trim_start_matches('-'), sent);
        for text in stored {
            // What the server prints is that number to another library too.
            let read = |text: &str| text.parse::<bigdecimal::BigDecimal>().unwrap();
            assert_eq!(read(&text.unwrap()), read(sent));
        }
    }
}

#[tokio::test]
async fn a_number_that_is_none_of_ours_is_damage() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    store.commit(whole(&page, epoch, 0, vec![new_row(0, "coin")])).await.unwrap();
    database.sql("ALTER TABLE s.quote DROP CONSTRAINT quote_price_usd_check").await;
    for value in ["NaN", "Infinity", "-Infinity", "1e90", "1e-70"] {
        database.sql(&format!("UPDATE s.quote SET price_usd = '{value}'")).await;
        let damaged = store.memory(&rows::source()).await.unwrap_err();
        assert!(matches!(damaged, StoreError::Corrupt(_)), "{value}: {damaged}");
        assert!(damaged.to_string().contains("price_usd"), "{value}: {damaged}");
    }
    database.sql("UPDATE s.quote SET price_usd = 1.500").await;
    let memory = store.memory(&rows::source()).await.unwrap();
    let quote = memory.listings[0].quote.as_ref().unwrap();
    assert_eq!(quote.values.price_usd.as_ref().unwrap().as_str(), "1.5");
}

#[tokio::test]
async fn the_schema_is_the_last_net() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    let client = connect(&database.url()).await.unwrap();
    client.batch_execute("SET search_path = s").await.unwrap();
    client.batch_execute("SELECT ensure_history_partition(472222)").await.unwrap();
    let quote = |column: &str, value: &str| {
        format!(
            "INSERT INTO quote (listing_id, observed_at, source_timed, fetched_at, raw_hash, page_id,
                                ordinal, {column})
             VALUES (1, now(), true, now(), 0, 1, 0, {value})"
        )
    };
    let point = |value: &str| {
        format!(
            "INSERT INTO history (hour, listing_id, observed_at, revision, source_timed, price_usd)
             VALUES (472222, 1, to_timestamp(472222::float8 * 3600), 0, true, {value})"
        )
    };
    let mut statements = Vec::new();
    for field in QuoteField::ALL {
        let column = field.name();
        for value in ["'NaN'", "'Infinity'", "'-Infinity'", "1e81", "-1e81"] {
            statements.push(quote(column, value));
        }
        if !field.signed() {
            statements.push(quote(column, "-1e-60"));
        }
    }
    statements.push(quote("rank", "0"));
    for value in ["'NaN'", "'Infinity'", "'-Infinity'", "-1"] {
        statements.push(point(value));
    }
    for statement in statements {
        let refused = client.batch_execute(&statement).await;
        let code = refused.as_ref().err().and_then(tokio_postgres::Error::code);
        assert_eq!(code.map(|code| code.code()), Some("23514"), "{statement}: {refused:?}");
    }
    client.batch_execute(&quote("price_usd", "1")).await.unwrap();
    client.batch_execute(&point("1")).await.unwrap();
    client.batch_execute("DELETE FROM quote; DELETE FROM history").await.unwrap();

    // A commit that meets such a rule leaves nothing behind: not even a gap in the numbers.
    client.batch_execute("ALTER TABLE quote ADD CHECK (circulating_supply <> 7)").await.unwrap();
    let mut row = new_row(0, "coin");
    row.quote.circulating_supply = Some(Decimal::parse("7").unwrap());
    let refused = store.commit(whole(&page, epoch, 0, vec![row])).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let committed = store.commit(whole(&page, epoch, 0, vec![new_row(0, "coin")])).await.unwrap();
    assert_eq!(committed.new_listings, [ListingId(1)]);
    assert_eq!(committed.generation, Generation(1));
}

#[tokio::test]
async fn a_listing_that_is_there_is_refused_in_the_middle_of_thousands() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, mut page) = landed(&store).await;
    let batch = whole(&page, epoch, 0, vec![new_row(0, "coin-1000")]);
    page.rows_done = batch.rows_done;
    store.commit(batch).await.unwrap();
    let rows = |from: u64, to: u64| (from..to).map(|n| new_row(n, &format!("coin-{n}"))).collect();
    let refused = store.commit(whole(&page, epoch, 1, rows(0, 4000))).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let committed = store.commit(whole(&page, epoch, 1, rows(1001, 4000))).await.unwrap();
    assert_eq!(committed.new_listings.first(), Some(&ListingId(2)));
    assert_eq!(committed.new_listings.len(), 2999);
}

#[tokio::test]
async fn a_month_that_was_taken_out_meanwhile_is_made_anew() {
    let database = database();
    let store = store_at(&database.url(), "months").await;
    let (epoch, page) = landed(&store).await;
    store.commit(whole(&page, epoch, 0, vec![new_row(0, "coin")])).await.unwrap();
    let client = connect(&database.url()).await.unwrap();
    let months =
        "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
                  JOIN pg_class AS parent ON parent.oid = inhparent WHERE parent.relname = 'history'
                  ORDER BY 1";
    let first: Vec<String> =
        client.query(months, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(!first.is_empty());
    for month in &first {
        client.batch_execute(&format!("DROP TABLE months.{month}")).await.unwrap();
    }
    store.commit(whole(&page, epoch, 1, vec![new_row(1, "other")])).await.unwrap();
    let again: Vec<String> =
        client.query(months, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(again, first);
}

#[tokio::test]
async fn names_of_any_length_that_an_upstream_gives_its_members_are_kept_and_told_apart() {
    let database = database();
    let store = new_store(&database, "s").await;
    let (epoch, page) = landed(&store).await;
    // Random letters, so that they are long in an index too.
    let mut letter = 1_u32;
    let mut name: String = (0..20_000)
        .map(|_| {
            letter = letter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from(letter >> 24).unwrap() % 26)
        })
        .collect();
    let one = rows::findings::change(&format!("/{name}"));
    name.push('x');
    let other = rows::findings::change(&format!("/{name}"));
    let error = RunError { code: "a".into(), message: "b".into(), hint: "c".into() };
    let examined = rows::findings::examined(vec![one.clone(), other.clone()]);
    store.refuse(page.page_id, epoch, error, Some(examined)).await.unwrap();
    let reopening = Reopening {
        who: "me".to_owned(),
        why: "why".to_owned(),
        forced: true,
        run_id: rows::run_id(1),
        decided_at: at(0),
    };
    let page = store.reopen(page.page_id, epoch, reopening).await.unwrap();
    let examined = Some(rows::findings::examined(vec![other.clone(), one.clone()]));
    let batch = Batch { page_done: true, examined, ..whole(&page, epoch, 0, Vec::new()) };
    store.commit(batch).await.unwrap();
    let kept = store.drift(kasparro_store::DriftFilter::default()).await.unwrap();
    let told: Vec<_> = kept.into_iter().map(|row| (row.event, row.pages_seen)).collect();
    assert_eq!(told, [(one, 2), (other, 2)]);

    let copied = "INSERT INTO s.drift (source_id, endpoint, kind, pointer, before_value, after_value,
                      severity, rows_affected, rows_examined, confidence_percent, suggestion, breaks,
                      page_id, refused, first_seen_at, last_seen_at, pages_seen)
                  SELECT source_id, endpoint, kind, pointer, before_value, after_value, severity,
                      rows_affected, rows_examined, confidence_percent, suggestion, breaks, page_id,
                      refused, first_seen_at, last_seen_at, pages_seen FROM s.drift";
    let twice = kasparro_testkit::postgres::execute(&database.url(), copied).await.unwrap_err();
    assert_eq!(twice.code().map(|code| code.code()), Some("23P01"), "{twice:?}");
}
