//! Which contracts a listing has.

use kasparro_domain::Contract;
use serde_json::Value;

use super::super::{InputError, InputFile};
use super::json::{Entry, entries, kind_of, parse};
use super::table::Table;
use super::{Text, text};

/// Chains that are written as CAIP-2 hold a colon themselves.
const NAMESPACES: &[&str] =
    &["eip155", "bip122", "cosmos", "polkadot", "solana", "starknet", "stellar", "tron", "xrpl"];

/// Reads the contracts of files, each with the id of its listing.
pub(in super::super) fn contracts(
    files: &[InputFile<'_>],
) -> Result<Vec<(String, Contract)>, InputError> {
    let mut found = Vec::new();
    for file in files {
        match text(file)? {
            Text::Csv(bytes) => {
                let columns: &[&str] = if file.chain.is_some() {
                    &["id", "address"]
                } else {
                    &["id", "chain", "address"]
                };
                for row in Table::read(file, bytes, columns)?.rows() {
                    let chain = match file.chain {
                        Some(chain) => chain,
                        None => row.need("chain")?,
                    };
                    let contract = contract(chain, row.need("address")?);
                    found.push((row.need("id")?.to_owned(), contract));
                }
            }
            Text::Json(bytes) => {
                let value = parse(file, bytes)?;
                match value.as_object() {
                    Some(chains) if !chains.contains_key("data") => {
                        for (chain, addresses) in chains {
                            by_address(file, chain, addresses, &mut found)?;
                        }
                    }
                    _ => from_list(file, &value, &mut found)?,
                }
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// `{chain: {address: id}}`, where the id may stand in an object as `id` or `coingeckoId`.
fn by_address(
    file: &InputFile<'_>,
    chain: &str,
    addresses: &Value,
    found: &mut Vec<(String, Contract)>,
) -> Result<(), InputError> {
    let wrong = |what: &Value| {
        let problem = format!("{} stands where contracts are expected", kind_of(what));
        InputError::file(file.name, problem, "give {chain: {address: id}}, a vendor's list, or CSV")
            .about(chain)
    };
    let addresses = addresses.as_object().ok_or_else(|| wrong(addresses))?;
    for (address, owner) in addresses {
        let id = owner.get("id").or_else(|| owner.get("coingeckoId")).unwrap_or(owner);
        let id = id.as_str().ok_or_else(|| wrong(owner))?;
        found.push((id.to_owned(), contract(chain, address)));
    }
    Ok(())
}

/// Either listings with their contracts, or CoinPaprika's contracts of one platform.
fn from_list(
    file: &InputFile<'_>,
    value: &Value,
    found: &mut Vec<(String, Contract)>,
) -> Result<(), InputError> {
    for entry in entries(file, value)? {
        entry.need("id")?;
        let Some(id) = entry.text("id")? else { continue };
        if let Some(address) = entry.text("address")? {
            let said = match entry.text("chain")? {
                Some(chain) => Some(chain),
                None => entry.text("platform")?,
            };
            let Some(chain) = said.as_deref().or(file.chain) else {
                let problem = "nothing says which chain the address is on".to_owned();
                let remedy =
                    "name the chain before the file, for example eth-ethereum=contracts.json";
                return Err(entry.wrong("address", problem, remedy));
            };
            found.push((id, contract(chain, &address)));
        } else {
            found.extend(of_entry(&entry)?.into_iter().map(|contract| (id.clone(), contract)));
        }
    }
    Ok(())
}

/// The contracts that an entry of a list states: CoinGecko's `platforms`, CoinPaprika's `contracts`,
/// CoinMarketCap's `platform`.
pub(super) fn of_entry(entry: &Entry<'_>) -> Result<Vec<Contract>, InputError> {
    let mut found = Vec::new();
    let text = |value: Option<&Value>| {
        let text = value?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    match entry.get("platforms") {
        None => {}
        Some(Value::Object(platforms)) => {
            for (chain, address) in platforms {
                // Native coins have an empty chain, and some chains come without an address.
                if let (false, Some(address)) = (chain.is_empty(), text(Some(address))) {
                    found.push(contract(chain, &address));
                }
            }
        }
        Some(other) => {
            let problem = format!("{} is no object of chains", kind_of(other));
            return Err(entry.wrong("platforms", problem, "give {chain: address}"));
        }
    }
    for stated in entry.get("contracts").and_then(Value::as_array).into_iter().flatten() {
        let chain = text(stated.get("platform")).or_else(|| text(stated.get("chain")));
        let address = text(stated.get("contract")).or_else(|| text(stated.get("address")));
        if let (Some(chain), Some(address)) = (chain, address) {
            found.push(contract(&chain, &address));
        }
    }
    if let Some(platform) = entry.get("platform") {
        let chain = text(platform.get("slug")).or_else(|| text(platform.get("name")));
        if let (Some(chain), Some(address)) = (chain, text(platform.get("token_address"))) {
            found.push(contract(&chain, &address));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Contracts as `chain:address`, with spaces, semicolons or bars between them.
pub(super) fn of_text(text: &str) -> Result<Vec<Contract>, String> {
    text.split([' ', ';', '|']).filter(|one| !one.is_empty()).map(one_of_text).collect()
}

fn one_of_text(text: &str) -> Result<Contract, String> {
    let wrong = || format!("`{text}` is not chain:address");
    let (first, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (chain, address) = match rest.split_once(':') {
        Some((reference, address)) if NAMESPACES.contains(&first) => {
            (text.get(..first.len() + 1 + reference.len()).ok_or_else(wrong)?, address)
        }
        _ => (first, rest),
    };
    if chain.is_empty() || address.is_empty() {
        return Err(wrong());
    }
    Ok(contract(chain, address))
}

fn contract(chain: &str, address: &str) -> Contract {
    Contract { platform: chain.into(), address: address.into() }
}
