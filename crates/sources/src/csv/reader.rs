//! Reading one record of a delimited text.

use compact_str::CompactString;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};
use kasparro_domain::{
    Attributes, Decimal, Observation, Quote, QuoteField, Rejection, RejectionReason, Statement,
    Timestamp,
};
use kasparro_extract::RowReader;
use memchr::memchr;
use serde_json::Value;

use super::layout::{self, ChangeUnit, Column, Key, Layout};
use super::members;
use crate::fields::{self, reject};

/// What stands for "not known" in place of a number or instant, besides nothing.
const UNKNOWN: [&str; 4] = ["n/a", "null", "none", "-"];

/// Splits records into fields, with the quotes taken off.
pub(super) struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        // A carriage return inside a record is part of a field: the line end has been taken off.
        let terminator = Terminator::Any(b'\n');
        let reader = ReaderBuilder::new().delimiter(delimiter).terminator(terminator).build();
        Self { reader, text: Vec::new(), ends: vec![0; 32] }
    }

    /// The fields of one record; `None` when it is not one record.
    pub(super) fn split(&mut self, record: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
        self.reader.reset();
        if self.text.len() < record.len() {
            self.text.resize(record.len(), 0);
        }
        let (mut taken, mut written, mut fields) = (0, 0, 0);
        loop {
            let input = record.get(taken..)?;
            let (text, ends) = (self.text.get_mut(written..)?, self.ends.get_mut(fields..)?);
            let (result, read, wrote, ended) = self.reader.read_record(input, text, ends);
            taken += read;
            written += wrote;
            fields += ended;
            match result {
                // The next turn hands in nothing, which tells the end of the record.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len() + 1, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        if taken < record.len() {
            return None;
        }
        let (text, ends) = (&self.text, self.ends.get(..fields)?);
        let mut start = 0;
        Some(ends.iter().map(move |end| {
            let field = text.get(start..*end).unwrap_or_default();
            start = *end;
            field
        }))
    }
}

/// Our columns by their places, looked up once for each page.
struct Places {
    id: Option<Column>,
    symbol: Option<Column>,
    name: Option<Column>,
    rank: Option<Column>,
    time: Option<Column>,
    values: Vec<(QuoteField, Column)>,
}

/// Reads the records of one text.
pub(super) struct RecordReader {
    layout: Layout,
    places: Places,
    splitter: Splitter,
}

impl RecordReader {
    pub(super) fn new(layout: Layout) -> Self {
        let column = |name: &str| layout.columns.get(name).cloned();
        let values = QuoteField::ALL.into_iter();
        let places = Places {
            id: column(layout::ID),
            symbol: column(layout::SYMBOL),
            name: column(layout::NAME),
            rank: column(layout::RANK),
            time: column(layout::TIME),
            values: values.filter_map(|field| Some((field, column(field.name())?))).collect(),
        };
        // The layout names one of four delimiters, all of them one byte long.
        let delimiter = u8::try_from(layout.delimiter).unwrap_or(b',');
        Self { layout, places, splitter: Splitter::new(delimiter) }
    }
}

impl RowReader for RecordReader {
    fn read(&mut self, row: &[u8]) -> Result<Statement, Rejection> {
        let Self { layout, places, splitter } = self;
        let shown = || String::from_utf8_lossy(row);
        let Some(fields) = splitter.split(row) else {
            return Err(reject(RejectionReason::Malformed, "", &shown()));
        };
        let fields: Fields<'_> = Fields(fields.collect());
        if fields.0.len() != layout.width {
            return Err(reject(RejectionReason::Malformed, "", &shown()));
        }
        check_bytes(row, &fields, layout)?;
        let external_id = key(&fields, places, layout)?;
        let observed = observe(&fields, places, layout);
        observed
            .map(|(attributes, quote, observed_at)| {
                let external_id = external_id.clone();
                Observation { external_id, attributes, quote, observed_at }.into()
            })
            .map_err(|rejection| rejection.of(&external_id))
    }

    fn members(&mut self, row: &[u8]) -> Option<Value> {
        let fields = Fields(self.splitter.split(row)?.collect());
        let readable =
            fields.0.len() == self.layout.width && check_bytes(row, &fields, &self.layout).is_ok();
        readable.then(|| members::of(&fields, &self.layout))
    }
}

/// The fields of one record.
pub(super) struct Fields<'a>(Vec<&'a [u8]>);

impl Fields<'_> {
    /// A field without the blanks around it. That it is UTF-8 has been checked.
    pub(super) fn at(&self, column: &Column) -> &str {
        let field = self.0.get(column.index).copied().unwrap_or_default();
        std::str::from_utf8(field).unwrap_or_default().trim()
    }
}

/// Refuses bytes that no text may hold, naming the column where it is a mapped one.
fn check_bytes(row: &[u8], fields: &Fields<'_>, layout: &Layout) -> Result<(), Rejection> {
    let faulty = |fault: &dyn Fn(&[u8]) -> bool| {
        let index = fields.0.iter().position(|field| fault(field));
        let mut columns = layout.columns.values();
        let column = columns.find(|column| Some(column.index) == index);
        column.map_or("", |column| column.header.as_str())
    };
    if let Err(error) = std::str::from_utf8(row) {
        let column = faulty(&|field| std::str::from_utf8(field).is_err());
        let begin = row.get(error.valid_up_to()..).unwrap_or_default().escape_ascii();
        return Err(reject(RejectionReason::InvalidText, column, &begin.to_string()));
    }
    if memchr(0, row).is_some() {
        let column = faulty(&|field| memchr(0, field).is_some());
        return Err(reject(RejectionReason::NulInText, column, &String::from_utf8_lossy(row)));
    }
    Ok(())
}

/// The external id of a row.
fn key(fields: &Fields<'_>, places: &Places, layout: &Layout) -> Result<CompactString, Rejection> {
    let part = |column: &Option<Column>| -> Result<String, Rejection> {
        let Some(column) = column else {
            return Err(reject(RejectionReason::MissingField, "", ""));
        };
        let text = fields.at(column);
        if text.is_empty() {
            return Err(reject(RejectionReason::MissingField, &column.header, text));
        }
        fields::check_text(text, &column.header, fields::MAX_ID_CHARS)?;
        Ok(text.to_owned())
    };
    let alone = |column: &Option<Column>| {
        let text = part(column)?;
        if layout.repeated.binary_search(&layout::folded(&text)).is_ok() {
            let header = column.as_ref().map_or("", |column| column.header.as_str());
            return Err(reject(RejectionReason::AmbiguousKey, header, &text).of(&text));
        }
        Ok(text)
    };
    let key = match layout.key {
        Key::Id => part(&places.id)?,
        Key::NameSymbol => {
            let key = format!("{}|{}", escaped(&part(&places.name)?), part(&places.symbol)?);
            let header = places.name.as_ref().map_or("", |column| column.header.as_str());
            fields::check_text(&key, header, fields::MAX_ID_CHARS)?;
            key
        }
        Key::Name => alone(&places.name)?,
        Key::Symbol => alone(&places.symbol)?,
    };
    Ok(CompactString::from(key))
}

/// A name whose separators cannot be taken for the one behind it.
fn escaped(name: &str) -> String {
    name.replace('\\', r"\\").replace('|', r"\|")
}

fn observe(
    fields: &Fields<'_>,
    places: &Places,
    layout: &Layout,
) -> Result<(Attributes, Quote, Option<Timestamp>), Rejection> {
    let text = |column: &Option<Column>, max_chars: usize| {
        let Some(column) = column else {
            return Ok(None);
        };
        let text = fields.at(column);
        fields::check_text(text, &column.header, max_chars)?;
        Ok((!text.is_empty()).then(|| CompactString::from(text)))
    };
    let attributes = Attributes {
        symbol: text(&places.symbol, fields::MAX_SYMBOL_CHARS)?,
        name: text(&places.name, fields::MAX_NAME_CHARS)?,
    };
    let mut quote = Quote::default();
    for (field, column) in &places.values {
        let mut value = number(fields.at(column), column)?;
        if *field == QuoteField::PriceChange24h {
            if layout.change_unit == ChangeUnit::Fraction {
                value = value.map(|value| percent(&value, column)).transpose()?;
            }
        } else if layout.zero_is_unknown {
            value = value.filter(|value| !value.zero());
        }
        *quote.get_mut(*field) = value;
    }
    if let Some(column) = &places.rank {
        let number = number(fields.at(column), column)?.filter(|rank| !rank.zero());
        let rank = number.map(|number| {
            fields::whole_rank(&number)
                .ok_or_else(|| reject(RejectionReason::BadNumber, &column.header, number.as_str()))
        });
        quote.rank = rank.transpose()?;
    }
    let observed_at = match &places.time {
        Some(column) => instant(fields.at(column), column)?,
        None => layout.dated,
    };
    Ok((attributes, quote, observed_at))
}

/// True for what says that nothing is known.
pub(super) fn unknown(text: &str) -> bool {
    text.is_empty() || UNKNOWN.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn number(text: &str, column: &Column) -> Result<Option<Decimal>, Rejection> {
    match Decimal::parse(text) {
        Ok(number) => Ok(Some(number)),
        Err(_) if unknown(text) => Ok(None),
        Err(_) => Err(reject(RejectionReason::BadNumber, &column.header, text)),
    }
}

fn percent(fraction: &Decimal, column: &Column) -> Result<Decimal, Rejection> {
    fraction
        .shifted(2)
        .map_err(|_| reject(RejectionReason::BadNumber, &column.header, fraction.as_str()))
}

fn instant(text: &str, column: &Column) -> Result<Option<Timestamp>, Rejection> {
    if unknown(text) {
        return Ok(None);
    }
    Timestamp::parse(text)
        .map(Some)
        .map_err(|_| reject(RejectionReason::BadTimestamp, &column.header, text))
}
