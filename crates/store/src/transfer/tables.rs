//! The one list of what a store keeps, in an order in which every row finds the rows that it points to.

use super::spec::{CellKind, ColumnSpec, TableSpec};

/// The table with the one row that every store has from its beginning.
pub const GENERATION: &str = "generation";

const fn integer(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Integer }
}
const fn flag(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Flag }
}
const fn instant(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Instant }
}
const fn expiry(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Expiry }
}
const fn decimal(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Decimal }
}
const fn text(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Text }
}
const fn json(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Json }
}
const fn bytes(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Bytes }
}
const fn uuid(name: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: CellKind::Uuid }
}

/// A table whose key is its own.
const fn table(
    name: &'static str,
    key: &'static [&'static str],
    columns: &'static [ColumnSpec],
) -> TableSpec {
    TableSpec { name, key, mints: None, columns }
}

/// A table whose key, its first column, is minted.
const fn minted(
    name: &'static str,
    key: &'static [&'static str; 1],
    columns: &'static [ColumnSpec],
) -> TableSpec {
    let [column] = key;
    TableSpec { name, key, mints: Some(column), columns }
}

/// Tables that a copy leaves out: how much clients used and what they asked once is of the last minutes and
/// hours, and means nothing to another server.
pub static NOT_COPIED: &[&str] = &["request_usage", "once"];

/// Every table whose rows are copied, each behind those that it points to.
pub static TABLES: &[TableSpec] = &[
    minted("source", &["source_id"], &[integer("source_id"), text("name")]),
    table(GENERATION, &["one"], &[integer("one"), integer("value"), integer("evidence_version")]),
    table(
        "run",
        &["run_id"],
        &[
            uuid("run_id"),
            integer("source_id"),
            text("status"),
            text("reason"),
            integer("received"),
            integer("inserted"),
            integer("updated"),
            integer("unchanged"),
            integer("stale"),
            integer("duplicate"),
            integer("quarantined"),
            integer("pages"),
            integer("requests"),
            instant("created_at"),
            instant("started_at"),
            instant("completed_at"),
            json("error"),
            json("options"),
        ],
    ),
    minted(
        "raw_body",
        &["body_id"],
        &[integer("body_id"), bytes("body_hash"), integer("body_bytes")],
    ),
    table(
        "raw_chunk",
        &["body_id", "chunk_index"],
        &[integer("body_id"), integer("chunk_index"), bytes("bytes")],
    ),
    minted(
        "page",
        &["page_id"],
        &[
            integer("page_id"),
            integer("source_id"),
            uuid("run_id"),
            integer("sequence"),
            // Compared as it was sent, so no database may take it for JSON.
            text("request"),
            integer("request_hash"),
            json("context"),
            integer("http_status"),
            json("headers"),
            instant("fetched_at"),
            integer("body_id"),
            text("state"),
            integer("rows_done"),
            json("error"),
        ],
    ),
    minted("asset", &["asset_id"], &[integer("asset_id")]),
    minted(
        "listing",
        &["listing_id"],
        &[
            integer("listing_id"),
            integer("source_id"),
            text("external_id"),
            integer("asset_id"),
            text("symbol"),
            text("name"),
            json("contracts"),
            flag("active"),
            instant("first_seen_at"),
            integer("missed"),
            instant("last_seen_at"),
        ],
    ),
    table(
        "quote",
        &["listing_id"],
        &[
            integer("listing_id"),
            instant("observed_at"),
            flag("source_timed"),
            instant("fetched_at"),
            decimal("price_usd"),
            decimal("market_cap"),
            decimal("volume_24h"),
            decimal("price_change_24h"),
            decimal("circulating_supply"),
            decimal("total_supply"),
            decimal("max_supply"),
            decimal("fully_diluted_valuation"),
            integer("rank"),
            integer("raw_hash"),
            integer("page_id"),
            integer("ordinal"),
            flag("unusual"),
        ],
    ),
    table(
        "history",
        &["hour", "listing_id", "observed_at", "revision"],
        &[
            integer("hour"),
            integer("listing_id"),
            instant("observed_at"),
            integer("revision"),
            flag("source_timed"),
            decimal("price_usd"),
            decimal("market_cap"),
            decimal("volume_24h"),
        ],
    ),
    minted(
        "quarantine",
        &["quarantine_id"],
        &[
            integer("quarantine_id"),
            integer("source_id"),
            integer("body_id"),
            integer("ordinal"),
            integer("page_id"),
            uuid("run_id"),
            text("external_id"),
            text("reason"),
            text("field"),
            text("value"),
            text("rule"),
            text("status"),
            instant("first_seen_at"),
        ],
    ),
    table(
        "batch",
        &["generation"],
        &[
            integer("generation"),
            integer("source_id"),
            integer("sequence"),
            uuid("run_id"),
            integer("page_id"),
            integer("epoch"),
            integer("received"),
            integer("inserted"),
            integer("updated"),
            integer("unchanged"),
            integer("stale"),
            integer("duplicate"),
            integer("quarantined"),
            integer("first_new_id"),
            bytes("changed"),
            instant("stored_at"),
            flag("retry"),
            integer("new_listings"),
        ],
    ),
    table(
        "checkpoint",
        &["source_id"],
        &[integer("source_id"), json("position"), instant("moved_at")],
    ),
    table(
        "lease",
        &["source_id"],
        &[integer("source_id"), text("holder"), integer("epoch"), expiry("expires_at")],
    ),
    minted(
        "command",
        &["command_id"],
        &[
            integer("command_id"),
            json("kind"),
            text("state"),
            instant("created_at"),
            json("result"),
            integer("source_id"),
            integer("epoch"),
        ],
    ),
    table("source_state", &["source_id"], &[integer("source_id"), json("state")]),
    table(
        "evidence",
        &["listing_id", "endpoint", "part"],
        &[
            integer("listing_id"),
            text("endpoint"),
            text("part"),
            text("symbol"),
            text("name"),
            json("contracts"),
            flag("active"),
            integer("content_hash"),
            integer("page_id"),
            integer("ordinal"),
            instant("first_seen_at"),
            instant("fetched_at"),
            text("kind"),
            json("same_as"),
        ],
    ),
    table("sweep", &["source_id"], &[integer("source_id"), instant("swept_at")]),
    minted(
        "news",
        &["news_id"],
        &[
            integer("news_id"),
            integer("source_id"),
            text("feed"),
            text("item_id"),
            text("title"),
            text("link"),
            text("summary"),
            text("author"),
            instant("published_at"),
            integer("content_hash"),
            integer("page_id"),
            integer("ordinal"),
            instant("first_seen_at"),
            instant("fetched_at"),
        ],
    ),
    minted(
        "decision",
        &["decision_id"],
        &[
            integer("decision_id"),
            text("kind"),
            integer("source_id"),
            json("page_rows"),
            text("who"),
            text("why"),
            instant("decided_at"),
            integer("after_page"),
            uuid("run_id"),
            json("drift"),
            flag("forced"),
            json("pairs"),
            json("relation"),
        ],
    ),
    table(
        "drift_profile",
        &["source_id", "endpoint"],
        &[integer("source_id"), text("endpoint"), json("state")],
    ),
    minted(
        "drift",
        &["drift_id"],
        &[
            integer("drift_id"),
            integer("source_id"),
            text("endpoint"),
            text("kind"),
            text("pointer"),
            text("before_value"),
            text("after_value"),
            text("severity"),
            integer("rows_affected"),
            integer("rows_examined"),
            integer("confidence_percent"),
            text("suggestion"),
            json("breaks"),
            integer("page_id"),
            flag("refused"),
            instant("first_seen_at"),
            instant("last_seen_at"),
            integer("pages_seen"),
            text("status"),
        ],
    ),
    minted(
        "anomaly",
        &["anomaly_id"],
        &[
            integer("anomaly_id"),
            integer("source_id"),
            text("kind"),
            integer("listing_id"),
            instant("observed_at"),
            flag("source_timed"),
            uuid("run_id"),
            text("value"),
            text("expected"),
            instant("found_at"),
        ],
    ),
    table(
        "budget",
        &["source_id", "name"],
        &[integer("source_id"), text("name"), integer("version"), json("state")],
    ),
    minted(
        "alert",
        &["alert_id"],
        &[
            integer("alert_id"),
            integer("source_id"),
            uuid("run_id"),
            text("code"),
            text("message"),
            text("hint"),
            instant("raised_at"),
            integer("attempts"),
            instant("next_attempt_at"),
            instant("delivered_at"),
        ],
    ),
    table(
        "evidence_past",
        &["listing_id", "endpoint", "part", "until_at"],
        &[
            integer("listing_id"),
            text("endpoint"),
            text("part"),
            instant("until_at"),
            text("symbol"),
            text("name"),
            json("contracts"),
            text("kind"),
            json("same_as"),
        ],
    ),
    table(
        "identity",
        &["listing_id"],
        &[
            integer("listing_id"),
            integer("asset_id"),
            text("class"),
            text("state"),
            integer("confidence"),
            json("candidates"),
        ],
    ),
    table(
        "asset_edge",
        &["from_listing_id", "kind", "to_listing_id"],
        &[
            integer("from_listing_id"),
            text("kind"),
            integer("to_listing_id"),
            text("why"),
            decimal("ratio"),
            text("effective_on"),
        ],
    ),
    table(
        "resolution",
        &["generation"],
        &[
            integer("generation"),
            integer("evidence_version"),
            text("rule_version"),
            instant("resolved_at"),
            integer("listings"),
            integer("assets"),
            integer("linked"),
            integer("ambiguous"),
            flag("pending"),
            bytes("changed"),
        ],
    ),
    table(
        "api_key",
        &["key_id"],
        &[
            text("key_id"),
            text("name"),
            text("scope"),
            bytes("hmac"),
            integer("requests"),
            instant("created_at"),
            instant("expires_at"),
            instant("revoked_at"),
            instant("last_used_at"),
        ],
    ),
];
