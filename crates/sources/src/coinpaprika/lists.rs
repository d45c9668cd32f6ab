//! What CoinPaprika lists: coins, platforms, and the contracts on each platform.

use std::io::Read;

use compact_str::{CompactString, format_compact};
use kasparro_domain::{
    Attributes, Contract, Evidence, FieldRole, FieldUse, Rejection, RejectionReason, Statement,
};
use kasparro_extract::{PageError, RowReader};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::{Value, json};

use crate::fields::{self, Field, read_into, reject};

/// What the members of a row of `/v1/coins` are read into.
pub(super) static COINS_MAPPED: &[FieldUse] = &[
    read_into("external_id", "/id", FieldRole::Id),
    read_into("symbol", "/symbol", FieldRole::Text),
    read_into("name", "/name", FieldRole::Text),
    read_into("active", "/is_active", FieldRole::Other),
    read_into("kind", "/type", FieldRole::Other),
];

/// What the members of a row of `/v1/contracts/{platform}` are read into.
pub(super) static CONTRACTS_MAPPED: &[FieldUse] = &[
    read_into("external_id", "/id", FieldRole::Id),
    read_into("contracts", "/address", FieldRole::Other),
];

/// Lists the platforms; below it stands the page of each.
pub(super) const CONTRACTS_PATH: &str = "/v1/contracts";

/// What stands in a path as it is.
const PATH_SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest list of platforms, in bytes; there are a few dozen.
const MAX_PLATFORMS_BYTES: u64 = 4 << 20;

/// Notes the platforms: `{"platforms": [...]}`.
pub(super) fn survey(body: &mut dyn Read) -> Result<Value, PageError> {
    let mut text = Vec::new();
    body.take(MAX_PLATFORMS_BYTES + 1).read_to_end(&mut text).map_err(|error| {
        let message = format!("the body cannot be read: {error}");
        PageError::stop("body_unreadable", message, "check the disk")
    })?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let damaged = |code, what: &str| {
        let hint = "the answer was damaged on its way; the schedule asks again";
        PageError::retry(code, format!("CoinPaprika: {what} in place of platforms"), hint)
    };
    let changed = |what: &str| {
        let hint = "the upstream may have changed its answers: look for a newer version";
        PageError::stop("wrong_shape", format!("CoinPaprika: {what} in place of platforms"), hint)
    };
    if text.trim_ascii().is_empty() {
        return Err(damaged("empty_body", "nothing"));
    }
    if text.len() as u64 > MAX_PLATFORMS_BYTES {
        return Err(changed("an answer of more than 4 MiB"));
    }
    let sent: Vec<Value> =
        serde_json::from_slice(text).map_err(|error| match error.classify() {
            Category::Eof => damaged("truncated", "an answer that is cut off"),
            Category::Data => changed("something else"),
            Category::Syntax | Category::Io => damaged("not_json", "text that is no JSON"),
        })?;
    let mut platforms: Vec<String> = Vec::new();
    for platform in sent {
        let Value::String(platform) = platform else {
            return Err(changed("something else"));
        };
        let usable = !platform.trim().is_empty()
            && !platform.contains('\0')
            && platform.chars().count() <= fields::MAX_ID_CHARS;
        if usable && !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    if platforms.is_empty() {
        let hint = "an empty answer is no proof that there are none; the schedule asks again";
        let what = "CoinPaprika: not a single platform is listed";
        return Err(PageError::stop("empty_answer", what, hint));
    }
    Ok(json!({"platforms": platforms}))
}

/// The path of each platform that the survey noted.
pub(super) fn platform_paths(survey: &Value) -> impl Iterator<Item = String> {
    let platforms = survey.get("platforms").and_then(Value::as_array).into_iter().flatten();
    // A path ending in one or two dots would be taken for another path.
    let platforms = platforms.filter_map(Value::as_str).filter(|name| ![".", ".."].contains(name));
    platforms.map(|name| format!("{CONTRACTS_PATH}/{}", utf8_percent_encode(name, PATH_SEGMENT)))
}

#[derive(Deserialize)]
struct Coin<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    name: Field<'a>,
    #[serde(borrow)]
    symbol: Field<'a>,
    #[serde(borrow)]
    is_active: Field<'a>,
    #[serde(borrow, rename = "type")]
    kind: Field<'a>,
}

/// Reads the rows of `/v1/coins`.
pub(super) struct CoinReader;

impl RowReader for CoinReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let coin: Coin<'_> = fields::read_row(row, &[])?;
        let external_id = fields::id(coin.id, "/id")?;
        let evidence = coin.state(external_id.clone());
        evidence.map(Statement::from).map_err(|rejection| rejection.of(&external_id))
    }
}

impl Coin<'_> {
    fn state(&self, external_id: CompactString) -> Result<Evidence, Rejection> {
        Ok(Evidence {
            external_id,
            part: CompactString::default(),
            attributes: Attributes {
                symbol: fields::text(self.symbol, "/symbol", fields::MAX_SYMBOL_CHARS)?,
                name: fields::text(self.name, "/name", fields::MAX_NAME_CHARS)?,
            },
            contracts: Vec::new(),
            active: fields::flag(self.is_active, "/is_active")?,
            kind: fields::text(self.kind, "/type", fields::MAX_SYMBOL_CHARS)?,
            same_as: Vec::new(),
        })
    }
}

#[derive(Deserialize)]
struct Deployed<'a> {
    #[serde(borrow)]
    id: Field<'a>,
    #[serde(borrow)]
    address: Field<'a>,
}

/// Reads the rows of `/v1/contracts/{platform}`.
pub(super) struct ContractReader {
    platform: CompactString,
}

impl ContractReader {
    /// A reader for the page that `request` brought: its path alone names the platform.
    pub(super) fn of(request: &Value) -> Result<Self, PageError> {
        let path = request.get("path").and_then(Value::as_str).unwrap_or_default();
        let below = path.strip_prefix(CONTRACTS_PATH).and_then(|path| path.strip_prefix('/'));
        let platform = below.and_then(|name| percent_decode_str(name).decode_utf8().ok());
        let platform = platform.filter(|name| !name.trim().is_empty()).ok_or_else(|| {
            let message = format!("the request {path} of a page of contracts names no platform");
            PageError::stop("damaged", message, "restore the store from a backup")
        })?;
        Ok(Self { platform: platform.trim().into() })
    }
}

impl RowReader for ContractReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let deployed: Deployed<'_> = fields::read_row(row, &[])?;
        let external_id = fields::id(deployed.id, "/id")?;
        let missing = || {
            let sent = deployed.address.map_or("null", |sent| sent.get());
            reject(RejectionReason::MissingField, "/address", sent)
        };
        let address = fields::address(deployed.address, "/address")
            .and_then(|address| address.ok_or_else(missing))
            .map_err(|rejection| rejection.of(&external_id))?;
        let platform = self.platform.clone();
        Ok(Statement::Evidence(Evidence {
            external_id,
            part: format_compact!("{platform}:{address}"),
            attributes: Attributes::default(),
            contracts: vec![Contract { platform, address }],
            active: None,
            kind: None,
            same_as: Vec::new(),
        }))
    }
}

/// Refuses every row: a page that is understood as a whole has none.
pub(super) struct NoReader;

impl RowReader for NoReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        Err(reject(RejectionReason::Malformed, "", &String::from_utf8_lossy(row)))
    }
}
