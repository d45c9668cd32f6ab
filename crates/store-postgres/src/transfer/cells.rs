//! Values in the binary form of COPY.

use std::error::Error;

use bytes::BytesMut;
use compact_str::{CompactString, ToCompactString};
use kasparro_store::Cell;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::numeric::{Numeric, NumericRef};
use crate::queries::Instant;

type Unfit = Box<dyn Error + Sync + Send>;

/// A value on its way into a column.
#[derive(Debug)]
pub(super) struct Sent<'a>(pub(super) &'a Cell);

impl ToSql for Sent<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Unfit> {
        match (self.0, ty) {
            (Cell::Null, _) => return Ok(IsNull::Yes),
            (Cell::Integer(number), &Type::INT4) => i32::try_from(*number)?.to_sql(ty, out)?,
            (Cell::Integer(number), &Type::INT8) => number.to_sql(ty, out)?,
            (Cell::Flag(flag), &Type::BOOL) => flag.to_sql(ty, out)?,
            (Cell::Instant(at), &Type::TIMESTAMPTZ) => Instant(*at).to_sql(ty, out)?,
            (Cell::Decimal(decimal), &Type::NUMERIC) => NumericRef(decimal).to_sql(ty, out)?,
            (Cell::Text(text), &Type::UUID) => Uuid::try_parse(text)?.to_sql(ty, out)?,
            (Cell::Text(text), &Type::TEXT | &Type::JSON) => {
                // Refused here, where it can be said which value it is about.
                if *ty == Type::TEXT && text.contains('\0') {
                    return Err(
                        "a text holds the character NUL, which PostgreSQL cannot keep".into()
                    );
                }
                out.extend_from_slice(text.as_bytes());
                IsNull::No
            }
            (Cell::Bytes(bytes), &Type::BYTEA) => bytes.as_slice().to_sql(ty, out)?,
            (_, ty) => return Err(format!("a column of type {ty} holds no such value").into()),
        };
        Ok(IsNull::No)
    }

    // Each value is compared with the type of its column as it is written.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value that came out of a column.
#[derive(Debug)]
pub(super) struct Received(pub(super) Cell);

impl<'a> FromSql<'a> for Received {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Unfit> {
        Ok(Self(match *ty {
            Type::INT4 => Cell::Integer(i32::from_sql(ty, raw)?.into()),
            Type::INT8 => Cell::Integer(i64::from_sql(ty, raw)?),
            Type::BOOL => Cell::Flag(bool::from_sql(ty, raw)?),
            Type::TIMESTAMPTZ => Cell::Instant(Instant::from_sql(ty, raw)?.0),
            Type::NUMERIC => Cell::Decimal(Numeric::from_sql(ty, raw)?.0),
            Type::TEXT | Type::JSON => Cell::Text(CompactString::from_utf8(raw)?),
            Type::UUID => Cell::Text(Uuid::from_sql(ty, raw)?.to_compact_string()),
            Type::BYTEA => Cell::Bytes(raw.to_vec()),
            _ => return Err(format!("no column of a store has type {ty}").into()),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Unfit> {
        Ok(Self(Cell::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use kasparro_domain::{Decimal, Timestamp};

    use super::*;

    fn there_and_back(cell: &Cell, ty: &Type) -> Cell {
        let mut raw = BytesMut::new();
        match Sent(cell).to_sql(ty, &mut raw).unwrap() {
            IsNull::Yes => Received::from_sql_null(ty).unwrap().0,
            IsNull::No => Received::from_sql(ty, &raw).unwrap().0,
        }
    }

    #[test]
    fn every_kind_of_value_comes_back_as_it_was_sent() {
        let digits = Decimal::parse("12345678901234567890123456789012345678e-40").unwrap();
        for (cell, ty) in [
            (Cell::Null, Type::NUMERIC),
            (Cell::Integer(i64::MIN), Type::INT8),
            (Cell::Integer(-1), Type::INT4),
            (Cell::Flag(true), Type::BOOL),
            (
                Cell::Instant(Timestamp::from_millis(253_402_300_799_999).unwrap()),
                Type::TIMESTAMPTZ,
            ),
            (Cell::Decimal(Decimal::parse("1e-60").unwrap()), Type::NUMERIC),
            (Cell::Decimal(digits), Type::NUMERIC),
            (Cell::Text("".into()), Type::TEXT),
            (Cell::Text("\u{1f980} {\"a\" :1}".into()), Type::JSON),
            (Cell::Text("0191f6a0-0000-7000-8000-0000000000ff".into()), Type::UUID),
            (Cell::Bytes(vec![0, 255]), Type::BYTEA),
        ] {
            assert_eq!(there_and_back(&cell, &ty), cell, "{ty}");
        }
    }

    #[test]
    fn a_value_that_its_column_cannot_hold_is_refused() {
        for (cell, ty) in [
            (Cell::Integer(i64::from(i32::MAX) + 1), Type::INT4),
            (Cell::Integer(1), Type::BOOL),
            (Cell::Text("x".into()), Type::UUID),
            (Cell::Text("a\0b".into()), Type::TEXT),
            (Cell::Flag(true), Type::INT8),
            (Cell::Bytes(vec![1]), Type::TEXT),
        ] {
            assert!(Sent(&cell).to_sql(&ty, &mut BytesMut::new()).is_err(), "{cell:?} {ty}");
        }
    }
}
