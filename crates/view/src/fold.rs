//! Texts without regard to case, laid out so that a whole chunk of rows is searched in one pass.

use memchr::memmem::Finder;

/// Stands after every text; no text that is believed holds it.
const SEPARATOR: char = '\0';

/// The text without its case, as filters compare texts: two texts that fold to the same select the same.
///
/// It goes character by character: unlike in `str::to_lowercase` a letter never depends on its
/// neighbours, so a part of a text folds to a part of the folded text. By way of the capital, letters that
/// share one are the same: σ and ς, ß and ss.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(&mut folded, text);
    folded
}

fn fold_into(folded: &mut String, text: &str) {
    if text.is_ascii() {
        folded.extend(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
    } else {
        folded.extend(text.chars().flat_map(without_case));
    }
}

/// Lower case first too: of some letters, ẞ among them, only that one has the capital.
fn without_case(letter: char) -> impl Iterator<Item = char> {
    letter.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// The folded symbol, name and external id of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folds {
    text: String,
    ends: [u32; 2],
}

impl Folds {
    /// Folds the texts of a row; an absent one counts as empty.
    pub(crate) fn new(symbol: Option<&str>, name: Option<&str>, external_id: &str) -> Self {
        let (symbol, name) = (symbol.unwrap_or_default(), name.unwrap_or_default());
        let mut text = String::with_capacity(symbol.len() + name.len() + external_id.len() + 3);
        let mut ends = [0; 2];
        for (part, end) in [symbol, name].into_iter().zip(&mut ends) {
            fold_into(&mut text, part);
            *end = place(text.len());
            text.push(SEPARATOR);
        }
        fold_into(&mut text, external_id);
        text.push(SEPARATOR);
        Self { text, ends }
    }

    /// The folded symbol.
    pub(crate) fn symbol(&self) -> &str {
        self.text.get(..self.ends[0] as usize).unwrap_or_default()
    }

    /// The folded name.
    pub(crate) fn name(&self) -> &str {
        self.text.get(self.ends[0] as usize + 1..self.ends[1] as usize).unwrap_or_default()
    }
}

/// Texts of one chunk are far below 4 GiB; a longer one would be cut from search, not lost.
fn place(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Where the texts of one row stand within a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    symbol_end: u32,
    name_end: u32,
    end: u32,
}

/// The folded texts of a chunk of rows, one behind the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FoldedChunk {
    text: Box<str>,
    spans: Box<[Span]>,
}

impl FoldedChunk {
    /// Lays out the texts of the rows of a chunk, in their order.
    pub(crate) fn new<'a>(rows: impl Iterator<Item = FoldsRef<'a>>) -> Self {
        let mut text = String::new();
        let mut spans = Vec::new();
        for row in rows {
            let start = place(text.len());
            text.push_str(row.text);
            spans.push(Span {
                symbol_end: start.saturating_add(row.ends[0]),
                name_end: start.saturating_add(row.ends[1]),
                end: place(text.len()),
            });
        }
        if text.is_empty() {
            // Most chunks hold nothing of one kind of rows; their places need not be kept.
            return Self::default();
        }
        Self { text: text.into_boxed_str(), spans: spans.into_boxed_slice() }
    }

    fn start(&self, row: usize) -> u32 {
        row.checked_sub(1).and_then(|before| self.spans.get(before)).map_or(0, |span| span.end)
    }

    /// About so many bytes they hold.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + size_of_val(&*self.spans)
    }

    fn slice(&self, from: u32, to: u32) -> &str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The texts of one row, as they are laid out.
    pub(crate) fn row(&self, row: usize) -> FoldsRef<'_> {
        let start = self.start(row);
        self.spans.get(row).map_or(FoldsRef::EMPTY, |span| FoldsRef {
            text: self.slice(start, span.end),
            ends: [span.symbol_end - start, span.name_end - start],
        })
    }

    /// The folded symbol of one row; empty where it is absent.
    pub(crate) fn symbol(&self, row: usize) -> &str {
        self.spans.get(row).map_or("", |span| self.slice(self.start(row), span.symbol_end))
    }

    /// The folded name of one row; empty where it is absent.
    pub(crate) fn name(&self, row: usize) -> &str {
        self.spans.get(row).map_or("", |span| self.slice(span.symbol_end + 1, span.name_end))
    }

    /// Calls `found` with every row that holds the needle, in ascending order.
    pub(crate) fn search(&self, needle: &Needle, mut found: impl FnMut(usize)) {
        let mut from = 0;
        while let Some(at) = self.text.get(from..).and_then(|rest| needle.find(rest)) {
            let at = from + at;
            // A row of which nothing is laid out ends where it begins, so no match lies in it.
            let row = self.spans.partition_point(|span| (span.end as usize) <= at);
            let Some(span) = self.spans.get(row) else {
                return;
            };
            if needle.fits_at(at, span) {
                found(row);
                from = span.end as usize;
            } else if at <= span.symbol_end as usize {
                from = span.symbol_end as usize + 1;
            } else {
                from = span.end as usize;
            }
        }
    }

    /// True when this row holds the needle.
    pub(crate) fn holds(&self, row: usize, needle: &Needle) -> bool {
        match needle.place {
            Place::Name => needle.find(self.name(row)).is_some(),
            Place::Anywhere => needle.find(self.row(row).text).is_some(),
        }
    }
}

/// The folded texts of one row, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoldsRef<'a> {
    text: &'a str,
    ends: [u32; 2],
}

impl<'a> From<&'a Folds> for FoldsRef<'a> {
    fn from(folds: &'a Folds) -> Self {
        Self { text: &folds.text, ends: folds.ends }
    }
}

impl FoldsRef<'_> {
    /// In the place of a row whose texts are laid out elsewhere.
    pub(crate) const EMPTY: FoldsRef<'static> = FoldsRef { text: "", ends: [0; 2] };

    /// The same texts, owned.
    pub(crate) fn to_owned(self) -> Folds {
        Folds { text: self.text.to_owned(), ends: self.ends }
    }
}

/// Which texts a needle is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The name.
    Name,
    /// Symbol, name or external id.
    Anywhere,
}

/// A part of a text to look for, prepared once per question.
pub(crate) struct Needle {
    finder: Finder<'static>,
    place: Place,
}

impl Needle {
    /// Prepares a needle. `None` when every text holds it, because it is empty.
    pub(crate) fn new(text: &str, place: Place) -> Option<Self> {
        let finder = Finder::new(fold(text).as_bytes()).into_owned();
        (!text.is_empty()).then_some(Self { finder, place })
    }

    /// True when no text can hold it.
    pub(crate) fn hopeless(&self) -> bool {
        self.finder.needle().contains(&0)
    }

    fn find(&self, text: &str) -> Option<usize> {
        self.finder.find(text.as_bytes())
    }

    /// Whether a match at `at` within the row's span counts. A needle holds no separator, so a match
    /// never reaches over the end of the text it begins in.
    fn fits_at(&self, at: usize, span: &Span) -> bool {
        match self.place {
            Place::Name => at > span.symbol_end as usize && at < span.name_end as usize,
            Place::Anywhere => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk() -> FoldedChunk {
        let rows = [
            Folds::new(Some("BTC"), Some("Bitcoin"), "btc-bitcoin"),
            Folds::new(None, None, "nameless"),
            Folds::new(Some("ΣΑΣ"), Some("ΟΔΟΣ"), "İ-coin"),
            Folds::new(Some("COIN"), Some("Less"), "coin"),
        ];
        FoldedChunk::new(rows.iter().map(FoldsRef::from))
    }

    fn found(text: &str, place: Place) -> Vec<usize> {
        let needle = Needle::new(text, place).unwrap();
        let chunk = chunk();
        let mut rows = Vec::new();
        chunk.search(&needle, |row| rows.push(row));
        let one_by_one: Vec<usize> = (0..4).filter(|row| chunk.holds(*row, &needle)).collect();
        assert_eq!(rows, one_by_one, "{text}");
        rows
    }

    #[test]
    fn letters_that_differ_in_case_only_fold_to_the_same() {
        for same in [
            &["Σ", "σ", "ς"][..],
            &["ß", "ẞ", "SS", "ss", "sS"],
            &["ΟΔΟΣ", "οδος", "Οδός".replace('ό', "ο").as_str()],
            &["STRASSE", "Straße"],
            &["µ", "μ", "Μ"],
            &["ﬁ", "FI", "fi"],
            &["K", "k"],
        ] {
            let folds: Vec<String> = same.iter().map(|text| fold(text)).collect();
            assert!(folds.iter().all(|one| *one == folds[0]), "{same:?}: {folds:?}");
        }
    }

    #[test]
    fn every_letter_folds_once_and_for_all_whatever_its_case() {
        for letter in '\0'..=char::MAX {
            let own = fold(&letter.to_string());
            assert_eq!(fold(&own), own, "{letter:?} again");
            assert_eq!(fold(&letter.to_lowercase().to_string()), own, "{letter:?} small");
            assert_eq!(fold(&letter.to_uppercase().to_string()), own, "{letter:?} large");
        }
    }

    #[test]
    fn a_search_looks_in_symbol_name_and_external_id() {
        assert_eq!(found("COIN", Place::Anywhere), [0, 2, 3]);
        assert_eq!(found("btc", Place::Anywhere), [0]);
        assert_eq!(found("less", Place::Anywhere), [1, 3]);
        assert_eq!(found("σ", Place::Anywhere), [2]);
        assert_eq!(found("οδοσ", Place::Anywhere), [2]);
        assert_eq!(found("οδος", Place::Name), [2]);
        assert_eq!(found("ας", Place::Anywhere), [2]);
        assert_eq!(found("nobody", Place::Anywhere), [0_usize; 0]);
    }

    #[test]
    fn a_name_is_looked_for_in_names_alone() {
        assert_eq!(found("coin", Place::Name), [0]);
        assert_eq!(found("LESS", Place::Name), [3]);
        assert_eq!(found("btc", Place::Name), [0_usize; 0]);
    }

    #[test]
    fn texts_come_out_as_they_went_in() {
        let chunk = chunk();
        assert_eq!((chunk.symbol(0), chunk.name(0)), ("btc", "bitcoin"));
        assert_eq!((chunk.symbol(1), chunk.name(1)), ("", ""));
        assert_eq!((chunk.symbol(3), chunk.name(3)), ("coin", "less"));
        assert_eq!(chunk.row(3), FoldsRef::from(&Folds::new(Some("coin"), Some("LESS"), "Coin")));
    }
}
