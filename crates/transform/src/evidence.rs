//! Normalisation of what lists state.

use kasparro_domain::{Contract, Evidence};

use crate::validate::trim;

/// Normalises a statement: blanks around texts are dropped, blank text becomes unknown, a contract
/// without a platform or an address is none, nor is a listing without an id, and both are sorted, each once.
#[must_use]
pub fn believe_evidence(mut evidence: Evidence) -> Evidence {
    trim(&mut evidence.attributes.symbol);
    trim(&mut evidence.attributes.name);
    trim(&mut evidence.kind);
    let trimmed = evidence.contracts.into_iter().map(|stated| Contract {
        platform: stated.platform.trim().into(),
        address: stated.address.trim().into(),
    });
    let whole = |contract: &Contract| !contract.platform.is_empty() && !contract.address.is_empty();
    evidence.contracts = trimmed.filter(whole).collect();
    evidence.contracts.sort_unstable();
    evidence.contracts.dedup();
    for other in &mut evidence.same_as {
        other.external_id = other.external_id.trim().into();
    }
    evidence.same_as.retain(|other| !other.external_id.is_empty());
    evidence.same_as.sort_unstable();
    evidence.same_as.dedup();
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use kasparro_domain::{Attributes, ListingKey};

    fn contract(platform: &str, address: &str) -> Contract {
        Contract { platform: platform.into(), address: address.into() }
    }

    #[test]
    fn contracts_are_sorted_and_empty_ones_are_none() {
        let stated = Evidence {
            external_id: "usd-coin".into(),
            part: "".into(),
            attributes: Attributes { symbol: Some(" usdc ".into()), name: Some("  ".into()) },
            contracts: vec![
                contract("solana", "EPj"),
                contract("", ""),
                contract("ethereum", "\n0xa0b8\n"),
                contract("solana", "EPj"),
            ],
            active: None,
            kind: Some(" token ".into()),
            same_as: [" usdc ", "", "dai", "dai"]
                .map(|id| ListingKey::new("coingecko", id))
                .to_vec(),
        };
        let believed = believe_evidence(stated);
        assert_eq!(believed.contracts, [contract("ethereum", "0xa0b8"), contract("solana", "EPj")]);
        assert_eq!(believed.attributes.symbol.as_deref(), Some("usdc"));
        assert_eq!(believed.attributes.name, None);
        assert_eq!(believed.kind.as_deref(), Some("token"));
        let others = ["dai", "usdc"].map(|id| ListingKey::new("coingecko", id));
        assert_eq!(believed.same_as, others);
    }
}
