//! A small store with every kind of value that is special somewhere.

use kasparro_domain::{Decimal, Timestamp};

use super::Table;
use crate::{CHUNK_BYTES, Cell, Piece, Rows, TABLES};

const NULL: Cell = Cell::Null;
const YES: Cell = Cell::Flag(true);
const NO: Cell = Cell::Flag(false);
const RUN: &str = "0191f6a0-0000-7000-8000-000000000001";
const FAILED: &str = "0191f6a0-0000-7000-8000-000000000002";
const OPEN: &str = "ffffffff-ffff-4fff-bfff-ffffffffffff";
/// 2026-01-09 and 2026-11-18, in months of their own.
const JANUARY: i64 = 1_768_000_000_000;
const NOVEMBER: i64 = 1_795_000_000_123;
const HOUR_MS: i64 = 3_600_000;

fn n(number: i64) -> Cell {
    Cell::Integer(number)
}

fn t(text: &str) -> Cell {
    Cell::Text(text.into())
}

fn d(text: &str) -> Cell {
    // What is no decimal would be a text in a column of numbers, which no store takes.
    Decimal::parse(text).map_or_else(|_| t(text), Cell::Decimal)
}

fn at(millis: i64) -> Cell {
    Timestamp::from_millis(millis).map_or(n(millis), Cell::Instant)
}

fn b(bytes: &[u8]) -> Cell {
    Cell::Bytes(bytes.to_vec())
}

/// So many counters that are zero.
fn zeros<const N: usize>() -> [Cell; N] {
    [const { Cell::Integer(0) }; N]
}

fn runs() -> Vec<Vec<Cell>> {
    let success =
        [t(RUN), n(1), t("success"), t("schedule"), n(3), n(2), n(0), n(0), n(0), n(0), n(1)];
    let success =
        success.into_iter().chain([n(1), n(2), at(0), at(5), at(10), NULL, t("{\"a\" : 1}")]);
    let failed = [t(FAILED), n(1), t("failed"), t("manual")].into_iter().chain(zeros::<9>());
    let failed = failed.chain([at(20), NULL, at(30), t("{\"why\":\"\u{1f980}\"}"), NULL]);
    let open = [t(OPEN), n(3), t("running"), t("retry")].into_iter().chain(zeros::<9>());
    let open = open.chain([at(20), at(21), NULL, NULL, NULL]);
    vec![success.collect(), failed.collect(), open.collect()]
}

fn pages() -> Vec<Vec<Cell>> {
    let loaded =
        [n(2), n(1), t(RUN), n(0), t("{\"path\": \"/v1\"}"), n(-1), t("{}"), n(200), t("[]")];
    let loaded = loaded.into_iter().chain([at(7), n(1), t("loaded"), n(3), NULL]);
    let refused =
        [n(9), n(3), t(OPEN), n(1 << 32), t("\u{e9}"), n(i64::MIN), t("{\"x\":\"\\u0000\"}")];
    let refused = refused.into_iter().chain([NULL, t("{}"), at(22), n(4), t("refused"), n(0)]);
    vec![loaded.collect(), refused.chain([t("{\"why\":\"\u{e9}\"}")]).collect()]
}

fn quotes() -> Vec<Vec<Cell>> {
    let first =
        [n(1), at(1000), YES, at(1001), d("1e-60"), d("12345678901234567890123456789012345678")];
    let first = first.into_iter().chain([
        d("1e80"),
        d("-99.5"),
        d("0"),
        d("0.000001"),
        d("1e21"),
        d("1.5"),
    ]);
    let first = first.chain([n(4_294_967_295), n(-1), n(2), n(0), YES]);
    let second = [n(7), at(0), NO, at(0)].into_iter().chain([const { Cell::Null }; 9]);
    vec![first.collect(), second.chain([n(i64::MIN), n(2), n(5), NO]).collect()]
}

fn history() -> Vec<Vec<Cell>> {
    let point = |listing, millis: i64, revision, timed, price: Cell| {
        let hour = n(millis.div_euclid(HOUR_MS));
        vec![hour, n(listing), at(millis), n(revision), timed, price, NULL, d("0")]
    };
    vec![
        point(1, 1000, 0, YES, d("12345678901234567890123456789012345678e-60")),
        point(1, 1000, 1, YES, d("1")),
        point(7, JANUARY, 2, NO, NULL),
        point(7, NOVEMBER, 0, NO, d("1e80")),
    ]
}

fn listings() -> Vec<Vec<Cell>> {
    let missing = [
        n(7),
        n(3),
        t("\u{1f980}"),
        n(2),
        NULL,
        t(""),
        t("[]"),
        NO,
        at(0),
        n(3),
        at(253_402_300_799_999),
    ];
    let first =
        [n(1), n(1), t("btc-bitcoin"), n(1), t("BTC"), t("Bitcoin"), NULL, YES, at(0), n(0), NULL];
    vec![first.to_vec(), missing.to_vec()]
}

fn quarantine() -> Vec<Vec<Cell>> {
    let open = [n(3), n(1), n(1), n(2), n(2), t(RUN), NULL, t("bad_number"), t("price"), t("")];
    let open = open.into_iter().chain([t("rule/1"), t("open"), at(8)]);
    let gone = [n(4), n(3), n(4), n(0), n(9), t(OPEN), t("x"), t("bad"), t("f"), t("v")];
    vec![open.collect(), gone.into_iter().chain([t("r"), t("discarded"), at(23)]).collect()]
}

fn batches() -> Vec<Vec<Cell>> {
    let first = [n(1), n(1), n(0), t(RUN), n(2), n(1), n(3), n(2), n(0), n(0), n(0), n(0), n(1)];
    let first = first.into_iter().chain([n(1), b(&[1]), at(9), NO, n(1)]);
    let retry = [n(2), n(3), n(7), t(OPEN), n(9), n(0)].into_iter().chain(zeros::<7>());
    vec![first.collect(), retry.chain([NULL, b(&[]), at(24), YES, n(0)]).collect()]
}

fn evidence() -> Vec<Vec<Cell>> {
    let whole = [n(1), t("coins"), t(""), t("B"), NULL, t("[{\"a\":1}]"), YES, n(-1), n(2), n(0)];
    let bare = [n(7), t("coins"), t("part"), NULL, NULL, NULL, NULL, n(5), n(2), n(1)];
    let seen = |row: [Cell; 10], first, last, kind, same_as| {
        row.into_iter().chain([at(first), at(last), kind, same_as]).collect()
    };
    let same_as = t("[{\"source\": \"b\",\"external_id\":\"\u{e9}\"}]");
    vec![seen(whole, 0, 8, NULL, same_as), seen(bare, 1, 2, t("coin"), NULL)]
}

fn decisions() -> Vec<Vec<Cell>> {
    let discard = [n(1), t("discard"), n(3), t("[]"), t("ada"), t(""), at(25), n(9), NULL];
    let retry = [n(2), t("retry"), n(1), t("[[2,2]]"), t("bob"), t("why"), at(26), n(0), t(RUN)];
    let accept = [n(3), t("accept_drift"), n(1), t("[]"), t("ada"), t(""), at(27), n(9), NULL];
    let reopen = [n(5), t("reopen"), n(3), t("[[9,0]]"), t("bob"), t(""), at(28), n(9), t(OPEN)];
    let with = |row: [Cell; 9], drift, forced| {
        row.into_iter().chain([t(drift), forced, t("[]"), NULL]).collect()
    };
    let link =
        [n(6), t("link"), n(1), t("[]"), t("ada"), t("same"), at(29), n(9), NULL, t("[]"), NO];
    let relate =
        [n(8), t("relate"), n(1), t("[]"), t("ada"), t("new"), at(30), n(9), NULL, t("[]"), NO];
    let relation = "{\"kind\": \"migrated_to\",\"ratio\":\"1000.0\"}";
    let pairs = "[[{\"source\":\"a\",\"external_id\":\"\u{e9}\"},{}]]";
    vec![
        with(discard, "[]", NO),
        with(retry, "[]", NO),
        with(accept, "[{\"pointer\" : \"/\u{e9}\"}]", NO),
        with(reopen, "[]", YES),
        link.into_iter().chain([t(pairs), NULL]).collect(),
        relate.into_iter().chain([t(pairs), t(relation)]).collect(),
    ]
}

fn drift() -> Vec<Vec<Cell>> {
    let open = [n(2), n(1), t("tickers"), t("nested"), t("/quotes/*"), t("number"), t("")];
    let open = open.into_iter().chain([t("breaking"), n(i64::MAX), n(i64::MAX), n(100), t("")]);
    let open = open.chain([t("[\"rank\"]"), n(2), NO, at(0), at(7), n(1), t("open")]);
    let accepted = [n(6), n(3), t("\u{1f980}"), t("error_page"), t(""), t(""), t("\u{e9}")];
    let accepted = accepted.into_iter().chain([t("info"), n(0), n(0), n(0), t("look \"there\"")]);
    let accepted = accepted.chain([t("[]"), n(9), YES, at(22), at(22), n(1 << 40), t("accepted")]);
    vec![open.collect(), accepted.collect()]
}

fn anomalies() -> Vec<Vec<Cell>> {
    let timed = [n(1), n(1), t("price_jump"), n(1), at(1000), YES, NULL, t("1e80"), t("")];
    let untimed = [n(2), n(3), t("price_jump"), n(7), at(0), NO, NULL, t(""), t("\u{e9}")];
    let run = [n(4), n(1), t("few_rows"), NULL, NULL, NULL, t(RUN), t("3 rows"), t("more")];
    let found = |row: [Cell; 9], millis| row.into_iter().chain([at(millis)]).collect();
    vec![found(timed, 1001), found(untimed, 0), found(run, NOVEMBER)]
}

fn alerts() -> Vec<Vec<Cell>> {
    let due =
        [n(1), n(1), t(FAILED), t("drift"), t("\u{1f980}"), t(""), at(30), n(0), at(31), NULL];
    let sent = [n(2), n(1), t(FAILED), t("x"), t(""), t("h"), at(30), n(9), NULL, at(32)];
    let kept = [n(5), n(3), t(OPEN), t("x"), t(""), t(""), at(0), n(4_294_967_295), NULL, NULL];
    vec![due.to_vec(), sent.to_vec(), kept.to_vec()]
}

fn news() -> Vec<Vec<Cell>> {
    let item =
        [n(2), n(3), t("feed"), t("item"), t("title"), NULL, t(""), t("\u{e9}"), at(0), n(-1)];
    vec![item.into_iter().chain([n(9), n(0), at(1), at(2)]).collect()]
}

fn keys() -> Vec<Vec<Cell>> {
    let plain = [t("0000ZZZZ"), t("\u{1f980}"), t("read"), b(&[0; 32]), NULL, at(0), NULL];
    let ended = [t("zzzz0000"), t("a"), t("admin"), b(&[255; 32]), n(i64::MAX), at(40), at(60)];
    let used = |key: [Cell; 7], revoked, used| key.into_iter().chain([revoked, used]).collect();
    vec![used(plain, NULL, NULL), used(ended, at(50), at(NOVEMBER))]
}

/// The rows of a table, and the largest number that was given out.
fn rows_of(table: &str) -> (Option<i64>, Vec<Vec<Cell>>) {
    match table {
        "source" => (Some(5), vec![vec![n(1), t("coinpaprika")], vec![n(3), t("csv \u{1f980}")]]),
        "generation" => (None, vec![vec![n(1), n(3), n(i64::MAX)]]),
        "run" => (None, runs()),
        "raw_body" => {
            (Some(7), vec![vec![n(1), b(&[255; 32]), n(10)], vec![n(4), b(&[0; 32]), n(0)]])
        }
        "raw_chunk" => {
            let whole = Cell::Bytes([0, 39, 92, 255].repeat(CHUNK_BYTES / 4));
            let second = vec![n(1), n(1), b(&[])];
            (None, vec![vec![n(1), n(0), whole], second, vec![n(4), n(0), b(&[0])]])
        }
        "page" => (Some(12), pages()),
        "asset" => (Some(9), vec![vec![n(1)], vec![n(2)]]),
        "listing" => (Some(8), listings()),
        "quote" => (None, quotes()),
        "history" => (None, history()),
        "quarantine" => (Some(4), quarantine()),
        "batch" => (None, batches()),
        "checkpoint" => (None, vec![vec![n(1), t("{\"at\" :1}"), at(9)]]),
        "lease" => (None, vec![vec![n(1), t("host:1"), n(4), at(99_999)]]),
        "command" => {
            let done = vec![n(1), t("{\"run\":1}"), t("done"), at(5), t("{}"), n(1), n(0)];
            (Some(6), vec![done, vec![n(6), t("{}"), t("pending"), at(6), NULL, NULL, n(0)]])
        }
        "source_state" => (None, vec![vec![n(3), t("{\"state\": \"x\"}")]]),
        "evidence" => (None, evidence()),
        "sweep" => (None, vec![vec![n(1), at(9)]]),
        "news" => (Some(2), news()),
        "decision" => (Some(40), decisions()),
        "drift_profile" => {
            let first = vec![n(1), t("tickers"), t("{\"rows\" : 1e-7}")];
            (None, vec![first, vec![n(3), t("\u{1f980}"), t("null")]])
        }
        "drift" => (Some(6), drift()),
        "anomaly" => (Some(9), anomalies()),
        "budget" => {
            let first = vec![n(1), t(""), n(1), t("{}")];
            (None, vec![first, vec![n(1), t("\u{e9}"), n(i64::MAX), t("[\"\\u0001\" ]")]])
        }
        "alert" => (Some(5), alerts()),
        "evidence_past" => {
            let named = vec![n(1), t(""), t(""), at(0), t("LUNA"), NULL, NULL, NULL, NULL];
            let stated = [n(7), t("coins"), t("\u{e9}"), at(9), NULL, t(""), t("[{}]"), t("coin")];
            (None, vec![named, stated.into_iter().chain([t("[ {}]")]).collect()])
        }
        "identity" => {
            let linked = [n(1), n(1), t("coin"), t("linked"), n(10_000), t("[{\"a\": 1}]")];
            let open = [n(7), n(2), t("other"), t("ambiguous"), NULL, t("[]")];
            (None, vec![linked.to_vec(), open.to_vec()])
        }
        "asset_edge" => {
            let edge = |kind| vec![n(7), t(kind), n(1), t("\u{1f980}")];
            let with = |kind, terms: [Cell; 2]| edge(kind).into_iter().chain(terms).collect();
            let known = with("migrated_to", [d("0.0000000012"), t("2024-02-29")]);
            (None, vec![known, with("wrapped_of", [NULL, NULL])])
        }
        "api_key" => (None, keys()),
        "resolution" => {
            let first = [n(3), n(i64::MAX), t("identity/1"), at(30), n(2), n(2), n(0), n(1)];
            (None, vec![first.into_iter().chain([YES, b(&[1, 6])]).collect()])
        }
        _ => (None, Vec::new()),
    }
}

/// The sample as it is sent: every row in a piece of its own.
pub(super) fn pieces() -> Vec<Piece> {
    let mut pieces = Vec::new();
    for table in TABLES {
        let (minted, all) = rows_of(table.name);
        let rows = u64::try_from(all.len()).unwrap_or(0);
        pieces.push(Piece::Table { table, rows, minted });
        for row in all {
            let mut rows = Rows::of(table);
            row.into_iter().for_each(|cell| rows.push(cell));
            pieces.push(Piece::Rows(rows));
        }
    }
    pieces.push(Piece::End);
    pieces
}

/// The sample as it has to come out: leases have ended.
pub(super) fn tables() -> Vec<Table> {
    let mut tables = Vec::new();
    for piece in pieces() {
        match piece {
            Piece::Table { table, minted, .. } => tables.push((table.name, minted, Vec::new())),
            Piece::Rows(rows) => {
                if let Some((.., all)) = tables.last_mut() {
                    all.extend(rows.iter().map(<[Cell]>::to_vec));
                }
            }
            Piece::End => {}
        }
    }
    tables
}
