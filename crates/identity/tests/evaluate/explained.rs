//! Why each false link in real lists was made, looked up by hand.

/// By the id of the listing that was linked.
const EXPLAINED: &[(&str, &str)] = &[
    (
        "boob-boobank",
        "CoinPaprika lists `BooBank` without a contract and `BooBanker` with the one that CoinMarketCap states for BooBank",
    ),
    (
        "crad-cryptoads-marketplace",
        "CoinPaprika lists both the same symbol and name, without a contract, and `CRAD CASH` with the contract",
    ),
    (
        "qdao-q-dao-governance-token-v10",
        "CoinPaprika lists both the same symbol and name, without a contract, and `QDAO` with the contract",
    ),
    (
        "stmx-stormx-11212",
        "CoinPaprika lists StormX twice: under the symbol of now without a contract, and under the one before with the contract",
    ),
    (
        "tiox-trade-token-x",
        "CoinPaprika lists the token before and after its rename; CoinMarketCap has the new name and the old contract",
    ),
    (
        "up-up-token",
        "CoinPaprika lists it twice, one of them without a contract; the other, which the truth names, was dropped",
    ),
    (
        "yfib-yfi-business",
        "CoinPaprika lists it twice, one of them without a contract; the other, which the truth names, was dropped",
    ),
    (
        "zeon-zeon-",
        "CoinPaprika lists `Zeon` as a coin without a contract beside `ZEON Network`, which the truth names and which was dropped",
    ),
];

/// Why a listing was linked that is not the one that the truth names; `None` where nobody has looked.
pub(crate) fn explained(linked: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|(id, _)| *id == linked).map(|(_, why)| *why)
}
