//! The list of tables, what is sent, and which side of a copy is told as the one that failed.

use std::sync::Mutex;

use kasparro_domain::Timestamp;

use super::*;

#[test]
fn every_key_and_every_minted_number_is_a_column_and_no_name_comes_twice() {
    for (index, table) in TABLES.iter().enumerate() {
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let known = |name: &&'static str| names.contains(name);
        assert!(!table.key.is_empty() && table.key.iter().all(known), "{}", table.name);
        assert!(table.mints.iter().all(known), "{}", table.name);
        assert!(names.iter().enumerate().all(|(at, name)| !names[..at].contains(name)));
        assert!(TABLES[..index].iter().all(|other| other.name != table.name), "{}", table.name);
        for column in table.columns {
            let timed = matches!(column.kind, CellKind::Instant | CellKind::Expiry);
            assert_eq!(timed, column.name.ends_with("_at"), "{}.{}", table.name, column.name);
        }
    }
}

fn table(name: &str) -> &'static TableSpec {
    TABLES.iter().find(|table| table.name == name).unwrap()
}

#[test]
fn a_lease_travels_as_one_that_has_ended() {
    let mut rows = Rows::of(table("lease"));
    let until = Cell::Instant(Timestamp::from_millis(99).unwrap());
    for source_id in [1, 2] {
        for cell in
            [Cell::Integer(source_id), Cell::Text("me".into()), Cell::Integer(7), until.clone()]
        {
            rows.push(cell);
        }
    }
    let expected = Cell::Instant(Timestamp::EPOCH);
    assert!(rows.iter().all(|row| row[3] == expected && row[2] == Cell::Integer(7)), "{rows:?}");
    assert_eq!(rows.len(), 2);
}

#[test]
fn a_piece_is_full_by_the_bytes_of_its_values() {
    let mut rows = Rows::of(table("raw_chunk"));
    let mut pushed = 0;
    while !rows.is_full() {
        rows.push(Cell::Integer(1));
        rows.push(Cell::Integer(pushed));
        rows.push(Cell::Bytes(vec![0; 1 << 20]));
        pushed += 1;
    }
    assert_eq!((pushed, rows.len()), (4, 4));
    assert!(rows.bytes() > 4 << 20 && rows.bytes() < 5 << 20);
}

/// Sends the tables, all empty, up to `sends` pieces, and takes as many.
#[derive(Debug)]
struct Half {
    sends: usize,
    takes: usize,
    failure: StoreError,
    digested: Mutex<bool>,
}

impl Half {
    fn of(sends: usize, takes: usize, failure: &str) -> Self {
        let failure = StoreError::Unavailable(failure.to_owned());
        Self { sends, takes, failure, digested: Mutex::new(false) }
    }
}

#[async_trait]
impl AuditStore for Half {
    async fn audit(&self, mut audit: Audit) -> StoreResult<Audit> {
        if *self.digested.lock().unwrap() {
            audit.generation(1, 0);
        }
        Ok(audit)
    }

    async fn integrity(&self) -> StoreResult<Vec<String>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl TransferStore for Half {
    async fn export(&self, out: mpsc::Sender<Piece>, audit: Audit) -> StoreResult<Audit> {
        let tables = TABLES.iter().map(|table| Piece::Table { table, rows: 0, minted: None });
        for (index, piece) in tables.chain([Piece::End]).enumerate() {
            if index == self.sends {
                return Err(self.failure.clone());
            }
            out.send(piece).await.map_err(|_| receiver_gone())?;
        }
        self.audit(audit).await
    }

    async fn import(&self, mut pieces: mpsc::Receiver<Piece>) -> StoreResult<()> {
        let mut arrival = Arrival::default();
        let mut taken = 0;
        while let Some(piece) = pieces.recv().await {
            if taken == self.takes {
                return Err(self.failure.clone());
            }
            taken += 1;
            arrival.see(&piece)?;
        }
        arrival.ended()
    }

    async fn is_empty(&self) -> StoreResult<bool> {
        Ok(true)
    }
}

#[tokio::test]
async fn whoever_failed_is_told_and_not_whom_that_made_fail() {
    let whole = TABLES.len() + 1;
    for at in 0..whole {
        let (good, bad_from, bad_to) = (
            Half::of(whole, whole, "good"),
            Half::of(at, whole, "from"),
            Half::of(whole, at, "to"),
        );
        match copy(&bad_from, &good, |_| {}).await {
            Err(CopyError::From(StoreError::Unavailable(why))) => assert_eq!(why, "from"),
            other => panic!("{at}: {other:?}"),
        }
        match copy(&good, &bad_to, |_| {}).await {
            Err(CopyError::To(StoreError::Unavailable(why))) => assert_eq!(why, "to"),
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_copy_that_is_not_equal_is_an_error_that_says_so() {
    let whole = TABLES.len() + 1;
    let (from, to) = (Half::of(whole, whole, ""), Half::of(whole, whole, ""));
    let mut said = Vec::new();
    let copied = copy(&from, &to, |progress| said.push(progress)).await.unwrap();
    assert!(copied.is_equal() && copied.rows == 0 && copied.tables.len() == TABLES.len());
    assert_eq!(said.last(), Some(&CopyProgress::Comparing));
    *to.digested.lock().unwrap() = true;
    match copy(&from, &to, |_| {}).await {
        Err(CopyError::Unsound(copied)) => assert!(!copied.is_equal()),
        other => panic!("{other:?}"),
    }
}
