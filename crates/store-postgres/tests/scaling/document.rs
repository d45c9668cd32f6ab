//! What stands in docs/SCALING.md.

const TEXT: &str = include_str!("../../../../docs/SCALING.md");

/// What follows a mark, from the next line on.
fn after(mark: &str) -> &'static str {
    let (_, rest) = TEXT.split_once(mark).unwrap_or_else(|| panic!("{mark} is in the document"));
    rest.trim_start_matches('\n')
}

/// The statements of the block that is marked `run: NAME`.
pub(crate) fn statements(name: &str) -> Vec<&'static str> {
    let rest = after(&format!("<!-- run: {name} -->"));
    let block = rest.strip_prefix("```sql\n").unwrap().split("```").next().unwrap();
    let statements: Vec<_> = block.split(';').map(str::trim).filter(|s| !s.is_empty()).collect();
    assert!(!statements.is_empty(), "{name} has statements");
    statements
}

/// Names of every block of SQL, each of which must have a mark.
pub(crate) fn blocks() -> Vec<&'static str> {
    let before: Vec<_> = TEXT.split("```sql\n").collect();
    let (_, before) = before.split_last().unwrap();
    let name = |text: &'static str| {
        let line = text.trim_end().lines().last().unwrap();
        let name = line.strip_prefix("<!-- run: ").and_then(|rest| rest.strip_suffix(" -->"));
        name.unwrap_or_else(|| panic!("a block of SQL has no mark, but {line:?}"))
    };
    before.iter().map(|text| name(text)).collect()
}

/// The names in the list that is marked `list: NAME`.
pub(crate) fn list(name: &str) -> Vec<&'static str> {
    let rest = after(&format!("<!-- list: {name} -->"));
    let end = rest.find("\n<!--").into_iter().chain(rest.find("\n\n")).min().unwrap();
    rest[..end].split_once(':').unwrap().1.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table that is marked `table: NAME`, without its head.
pub(crate) fn table(name: &str) -> Vec<Vec<&'static str>> {
    cells(after(&format!("<!-- table: {name} -->")).split("\n\n").next().unwrap())
        .into_iter()
        .skip(2)
        .collect()
}

/// The rows of all tables.
pub(crate) fn rows() -> Vec<Vec<&'static str>> {
    cells(TEXT)
}

fn cells(text: &'static str) -> Vec<Vec<&'static str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(str::trim).collect()).collect()
}

/// The value of an input of the arithmetic.
pub(crate) fn input(name: &str) -> f64 {
    let row = rows().into_iter().find(|row| row[0] == name);
    number(row.unwrap_or_else(|| panic!("{name} is an input"))[1])
}

/// A number as the document writes it.
pub(crate) fn number(text: &str) -> f64 {
    text.replace(',', "").parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// Whether a number of the document is another one, rounded to the places that it shows.
pub(crate) fn rounds_to(shown: &str, value: f64) -> bool {
    let places = shown.split_once('.').map_or(0, |(_, digits)| digits.len());
    (number(shown) - value).abs() <= 0.5001 * 10_f64.powi(-i32::try_from(places).unwrap())
}

/// Whether the document says this.
pub(crate) fn says(text: &str) -> bool {
    TEXT.contains(text)
}
