//! The levels that two listings are compared by: what the weights are learned for.

macro_rules! levels {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// The level's name in explanations.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

levels!(
    /// How alike the names are; the best over all current and former names.
    NameLevel {
        /// A listing without a name.
        Absent = "name_absent",
        /// Nothing in common.
        Low = "name_differs",
        /// One name is only the symbol, or the first letters of the other: it says nothing.
        Symbol = "name_is_symbol",
        /// A telling word, or the beginning, is common.
        Part = "name_part",
        /// A few letters differ.
        Fuzzy = "name_fuzzy",
        /// One name's words are all in the other.
        Contained = "name_contained",
        /// Equal but for generic words, and no more than the symbol.
        CoreSymbol = "name_core_is_symbol",
        /// Equal but for generic words, other ones on either side.
        CoreTwice = "name_core_twice",
        /// Equal but for generic words on one side.
        Core = "name_core",
        /// Equal letters and digits, and no more than the symbol.
        ExactSymbol = "name_exact_is_symbol",
        /// Equal letters and digits.
        Exact = "name_exact",
    }
);

levels!(
    /// How alike an id is to the other's id or name.
    SlugLevel {
        /// An id that is a number.
        Absent = "id_absent",
        /// Nothing in common.
        Differs = "id_differs",
        /// Equal but for generic words.
        Base = "id_base",
        /// Equal but for a number or another word at the end of one: the plain id was taken.
        Numbered = "id_numbered",
        /// An id is the other's name.
        Name = "id_name",
        /// The ids are equal, a symbol before them aside.
        Equal = "id_equal",
    }
);

levels!(
    /// Whether the symbols are equal.
    SymbolLevel {
        /// They differ.
        Differs = "symbol_differs",
        /// One's symbol is what the other's was.
        Former = "symbol_former",
        /// They are equal.
        Equal = "symbol_equal",
    }
);

levels!(
    /// What the contracts say.
    ContractLevel {
        /// No chain on which both state a contract.
        Unknown = "contract_unknown",
        /// Other addresses on a chain that both name, and none that is equal.
        Differs = "contract_differs",
        /// One is equal, on another chain they differ.
        Mixed = "contract_mixed",
        /// One is equal and none differs.
        Equal = "contract_equal",
    }
);

levels!(
    /// What the sources themselves say of the two.
    SaidLevel {
        /// Neither names a listing of the other's source.
        Nothing = "said_nothing",
        /// One is said to be the same as another listing of the other's source.
        Other = "said_other",
        /// One is said to be the same as the other.
        Same = "said_same",
    }
);

levels!(
    /// What the ranks say, where both sources state one.
    RankLevel {
        /// One is not known.
        Unknown = "rank_unknown",
        /// Within a factor of two.
        Near = "rank_near",
        /// Neither near nor far.
        Apart = "rank_apart",
        /// More than eight times.
        Far = "rank_far",
    }
);

levels!(
    /// Why two listings cannot be one asset, whatever else is equal.
    Veto {
        /// One is wrapped, bridged or pegged, the other is not.
        Derived = "derived",
        /// One is staked, lent, a pool's share, leveraged or of a test network, the other is not.
        Sort = "sort",
        /// One is a tokenised share, the other is not.
        Stock = "stock",
        /// Both state a version, and not the same.
        Version = "version",
        /// One is marked as old, the other is not, and neither a contract nor the id is equal.
        Old = "old",
        /// One is a chain's native coin, the other is not.
        Native = "native",
        /// A person said so.
        Person = "person",
    }
);
