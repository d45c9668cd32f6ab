//! What coins are called: distinct ids, and names and symbols that repeat as they do in the field.

use crate::chance::{Purpose, Seed, further};

/// A coin that everybody knows, at the head of every generated world.
#[derive(Debug)]
pub(crate) struct Famous {
    symbol: &'static str,
    name: &'static str,
    gecko_id: &'static str,
    paprika_id: &'static str,
    /// Price in US dollars as mantissa and power of ten.
    pub(crate) price: (i64, i32),
    /// True where the price is tied to the dollar.
    pub(crate) pegged: bool,
}

const fn famous(
    [symbol, name, gecko_id, paprika_id]: [&'static str; 4],
    price: (i64, i32),
    pegged: bool,
) -> Famous {
    Famous { symbol, name, gecko_id, paprika_id, price, pegged }
}

/// The best-known coins with the ids that both vendors publish for them; prices are made up.
pub(crate) const FAMOUS: [Famous; 24] = [
    famous(["BTC", "Bitcoin", "bitcoin", "btc-bitcoin"], (97_412_553, -3), false),
    famous(["ETH", "Ethereum", "ethereum", "eth-ethereum"], (341_276, -2), false),
    famous(["USDT", "Tether", "tether", "usdt-tether"], (1, 0), true),
    famous(["XRP", "XRP", "ripple", "xrp-xrp"], (2_214, -3), false),
    famous(["BNB", "BNB", "binancecoin", "bnb-binance-coin"], (68_431, -2), false),
    famous(["SOL", "Solana", "solana", "sol-solana"], (18_927, -2), false),
    famous(["USDC", "USDC", "usd-coin", "usdc-usd-coin"], (1, 0), true),
    famous(["DOGE", "Dogecoin", "dogecoin", "doge-dogecoin"], (17_655, -5), false),
    famous(["ADA", "Cardano", "cardano", "ada-cardano"], (62_814, -5), false),
    famous(["TRX", "TRON", "tron", "trx-tron"], (28_433, -5), false),
    famous(["AVAX", "Avalanche", "avalanche-2", "avax-avalanche"], (3_127, -2), false),
    famous(["LINK", "Chainlink", "chainlink", "link-chainlink"], (1_874, -2), false),
    famous(["XLM", "Stellar", "stellar", "xlm-stellar"], (31_277, -5), false),
    famous(["DOT", "Polkadot", "polkadot", "dot-polkadot"], (6_218, -3), false),
    famous(["BCH", "Bitcoin Cash", "bitcoin-cash", "bch-bitcoin-cash"], (48_913, -2), false),
    famous(["LTC", "Litecoin", "litecoin", "ltc-litecoin"], (10_372, -2), false),
    famous(["SHIB", "Shiba Inu", "shiba-inu", "shib-shiba-inu"], (1_473, -8), false),
    famous(["UNI", "Uniswap", "uniswap", "uni-uniswap"], (9_317, -3), false),
    famous(["XMR", "Monero", "monero", "xmr-monero"], (33_128, -2), false),
    famous(
        ["ETC", "Ethereum Classic", "ethereum-classic", "etc-ethereum-classic"],
        (2_163, -2),
        false,
    ),
    famous(["ATOM", "Cosmos Hub", "cosmos", "atom-cosmos"], (5_422, -3), false),
    famous(["FIL", "Filecoin", "filecoin", "fil-filecoin"], (3_381, -3), false),
    famous(["DAI", "Dai", "dai", "dai-dai"], (1, 0), true),
    famous(["PEPE", "Pepe", "pepe", "pepe-pepe"], (7_214, -9), false),
];

/// First syllables, all of three letters, so that two different pairs never spell the same word.
const FIRST: [&str; 32] = [
    "Zel", "Nov", "Kry", "Lun", "Sol", "Ark", "Vex", "Qua", "Ter", "Hex", "Ori", "Pol", "Syn",
    "Flu", "Gal", "Ast", "Bri", "Cor", "Del", "Eon", "Fen", "Gry", "Hal", "Ith", "Jun", "Kel",
    "Lyr", "Mir", "Nyx", "Oby", "Pyr", "Rho",
];
const SECOND: [&str; 32] = [
    "mora", "ix", "ara", "ium", "ova", "eth", "ora", "yn", "axis", "ent", "ulo", "ica", "eon",
    "ster", "via", "olis", "ane", "uma", "iro", "opia", "arc", "indo", "esta", "urn", "alia",
    "eum", "oria", "ivo", "anta", "erra", "osi", "uva",
];
const KIND: [&str; 32] = [
    "Chain", "Swap", "Coin", "Dao", "Inu", "Cash", "Gold", "Pay", "Lend", "Verse", "Farm",
    "Bridge", "Vault", "Games", "Cat", "Moon", "Labs", "Link", "Wallet", "Music", "Energy",
    "Health", "Land", "Art", "Bot", "Mind", "Stake", "Yield", "Cloud", "Index", "Gas", "Meme",
];
const SUFFIX: [&str; 8] =
    ["", " Token", " Network", " Protocol", " Finance", " AI", " DAO", " Classic"];

/// Symbols that dozens of bridged copies carry.
const HOT_SYMBOLS: [&str; 4] = ["USDC", "USDT", "WETH", "WBTC"];

/// Names and symbols are spelt from 18 bits; coins beyond that get a number behind the word.
const SPELT_BITS: u32 = 18;
const SPELT_MASK: u32 = (1 << SPELT_BITS) - 1;

/// What a coin is called, by whom. Reused from row to row to save allocations.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// The name shown, the same at every vendor.
    pub(crate) name: String,
    /// The symbol in capitals.
    pub(crate) symbol: String,
    pub(crate) gecko_id: String,
    pub(crate) paprika_id: String,
}

/// The place of a coin in the alphabet of spelt words: a permutation that depends on the seed.
fn spelt(seed: Seed, purpose: Purpose, index: u32) -> u32 {
    let drawn = seed.draw(purpose, u32::MAX);
    let [factor, offset] = [drawn, drawn >> 32].map(|part| (part & u64::from(SPELT_MASK)) as u32);
    (index & SPELT_MASK).wrapping_mul(factor | 1).wrapping_add(offset) & SPELT_MASK
}

fn pick<'a>(words: &'a [&'a str], number: u64) -> &'a str {
    let length = u64::try_from(words.len()).unwrap_or(1);
    usize::try_from(number % length).ok().and_then(|at| words.get(at)).copied().unwrap_or_default()
}

fn push_number(out: &mut String, number: u32) {
    out.push_str(itoa::Buffer::new().format(number));
}

fn push_own_name(out: &mut String, seed: Seed, index: u32) {
    if let Some(famous) = usize::try_from(index).ok().and_then(|at| FAMOUS.get(at)) {
        out.push_str(famous.name);
        return;
    }
    let word = u64::from(spelt(seed, Purpose::Name, index));
    out.push_str(pick(&FIRST, word));
    out.push_str(pick(&SECOND, word >> 5));
    out.push(' ');
    out.push_str(pick(&KIND, word >> 10));
    out.push_str(pick(&SUFFIX, word >> 15));
    if index > SPELT_MASK {
        out.push(' ');
        push_number(out, (index >> SPELT_BITS) + 1);
    }
}

fn push_own_symbol(out: &mut String, seed: Seed, index: u32) {
    if let Some(famous) = usize::try_from(index).ok().and_then(|at| FAMOUS.get(at)) {
        out.push_str(famous.symbol);
        return;
    }
    let mut rest = spelt(seed, Purpose::Symbol, index);
    for _ in 0..4 {
        out.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        rest /= 26;
    }
    if index > SPELT_MASK {
        push_number(out, (index >> SPELT_BITS) + 1);
    }
}

impl Identity {
    /// Fills in what coin `index` is called.
    pub(crate) fn fill(&mut self, seed: Seed, index: u32) {
        let Self { name, symbol, gecko_id, paprika_id } = self;
        for text in [&mut *name, &mut *symbol, &mut *gecko_id, &mut *paprika_id] {
            text.clear();
        }
        push_own_name(name, seed, index);
        if let Some(famous) = usize::try_from(index).ok().and_then(|at| FAMOUS.get(at)) {
            symbol.push_str(famous.symbol);
            gecko_id.push_str(famous.gecko_id);
            paprika_id.push_str(famous.paprika_id);
            return;
        }
        let drawn = seed.draw(Purpose::Symbol, index);
        if (drawn >> 16).is_multiple_of(250) {
            symbol.push_str(pick(&HOT_SYMBOLS, drawn >> 32));
        } else if drawn % 100 < 8 {
            push_own_symbol(symbol, seed, earlier(index, drawn >> 32));
        } else {
            push_own_symbol(symbol, seed, index);
        }

        // Ids come from the coin's own name: they are distinct, and outlive what the coin is called now.
        let slug = name.chars().map(
            |letter| {
                if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }
            },
        );
        gecko_id.extend(slug);
        paprika_id.extend(symbol.chars().map(|letter| letter.to_ascii_lowercase()));
        paprika_id.push('-');
        paprika_id.push_str(gecko_id);

        let drawn = seed.draw(Purpose::Name, index);
        if (drawn >> 16).is_multiple_of(3_000) {
            // CoinGecko has ids with a blank (`1move token`).
            *gecko_id = gecko_id.replacen('-', " ", 1);
        }
        match drawn % 1_000 {
            0..3 => name.push_str(" \"V2\""),
            3..6 => name.push_str(", Inc."),
            6..10 => name.push_str(" 币"),
            10..12 => name.push(' '),
            12..14 => name.push_str(" \u{a0}é"),
            14..24 => {
                name.clear();
                push_own_name(name, seed, earlier(index, drawn >> 32));
            }
            _ => {}
        }
    }
}

/// Some coin before `index` that is well known enough to be copied.
fn earlier(index: u32, drawn: u64) -> u32 {
    u32::try_from(drawn % u64::from(index.clamp(1, 2_000))).unwrap_or(0)
}

/// A chain that tokens live on.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) gecko_id: &'static str,
    pub(crate) paprika_id: &'static str,
    /// CoinPaprika's word for tokens on this chain.
    pub(crate) token_type: &'static str,
    base58: bool,
}

/// The chains of every generated world.
pub(crate) const PLATFORMS: [Platform; 5] = [
    Platform {
        gecko_id: "ethereum",
        paprika_id: "eth-ethereum",
        token_type: "ERC20",
        base58: false,
    },
    Platform {
        gecko_id: "binance-smart-chain",
        paprika_id: "bnb-binance-coin",
        token_type: "BEP20",
        base58: false,
    },
    Platform { gecko_id: "solana", paprika_id: "sol-solana", token_type: "SPL", base58: true },
    Platform {
        gecko_id: "avalanche",
        paprika_id: "avax-avalanche",
        token_type: "ERC20",
        base58: false,
    },
    Platform { gecko_id: "tron", paprika_id: "trx-tron", token_type: "TRC20", base58: true },
];

/// The places in [`PLATFORMS`] where coin `index` has a contract; none for a coin with its own chain.
pub(crate) fn platforms_of(seed: Seed, index: u32) -> impl Iterator<Item = usize> {
    let drawn = seed.draw(Purpose::Platforms, index);
    let token = usize::try_from(index).is_ok_and(|at| at >= FAMOUS.len()) && drawn % 100 < 45;
    // Ethereum carries about two thirds; one token in ten is bridged to each further chain.
    let home = usize::try_from(((drawn >> 8) % 14).saturating_sub(9)).unwrap_or(0);
    (0..PLATFORMS.len()).filter(move |place| {
        token && (*place == home || (further(drawn, *place as u64)).is_multiple_of(10))
    })
}

/// Writes the contract address of coin `index` on the chain at `place`.
pub(crate) fn push_address(out: &mut Vec<u8>, seed: Seed, index: u32, place: usize) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let base58 = PLATFORMS.get(place).is_some_and(|platform| platform.base58);
    let (alphabet, length): (&[u8], u64) = if base58 { (BASE58, 44) } else { (HEX, 40) };
    if !base58 {
        out.extend_from_slice(b"0x");
    }
    let drawn = further(seed.draw(Purpose::Address, index), place as u64);
    let letters = u64::try_from(alphabet.len()).unwrap_or(16);
    out.extend((0..length).filter_map(|at| {
        let letter = further(drawn, at) % letters;
        usize::try_from(letter).ok().and_then(|letter| alphabet.get(letter))
    }));
}
