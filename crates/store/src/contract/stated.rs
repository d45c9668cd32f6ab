//! What lists and feeds state, for stories: hand-made in the shape of what vendors document.

use compact_str::CompactString;
use kasparro_domain::{
    Attributes, Contract, Evidence, ListingId, Membership, NewsItem, RawPage, Timestamp,
};

use super::Broken;
use super::fixture::{Held, Subject, page_now};
use crate::{
    Batch, Committed, EvidenceChange, EvidenceRow, ListingRef, NewsRow, evidence_hash, news_hash,
};

/// A change that brings a listing without a quote.
pub(super) const FOUND: EvidenceChange = EvidenceChange::New { membership: Membership::Founds };

/// A change that states something of a stored listing.
pub(super) const fn stated(listing: ListingId) -> EvidenceChange {
    EvidenceChange::Stated { listing: ListingRef::Stored(listing) }
}

/// A change that states something older than what was loaded before.
pub(super) const fn stated_late(listing: ListingId) -> EvidenceChange {
    EvidenceChange::Late { listing: ListingRef::Stored(listing) }
}

/// A contract on this platform.
pub(super) fn contract(platform: &str, address: &str) -> Contract {
    Contract { platform: platform.into(), address: address.into() }
}

/// A symbol and a name.
pub(super) fn named(symbol: Option<&str>, name: Option<&str>) -> Attributes {
    Attributes { symbol: symbol.map(CompactString::from), name: name.map(CompactString::from) }
}

/// A statement of the list `coins_list` with these contracts and no name.
pub(super) fn statement(
    ordinal: u64,
    change: EvidenceChange,
    id: &str,
    contracts: &[Contract],
) -> EvidenceRow {
    let evidence = Evidence {
        external_id: id.into(),
        part: "".into(),
        attributes: Attributes::default(),
        contracts: contracts.to_vec(),
        active: None,
        kind: None,
        same_as: Vec::new(),
    };
    let content_hash = evidence_hash(&evidence);
    EvidenceRow { ordinal, change, endpoint: "coins_list".into(), evidence, content_hash }
}

/// The feed of most stories.
pub(super) const FEED: &str = "news.example.com/feed";

/// A piece of news without more than it must have.
pub(super) fn item(
    ordinal: u64,
    id: &str,
    title: &str,
    published_at: Option<Timestamp>,
) -> NewsRow {
    let item = NewsItem {
        item_id: id.into(),
        title: title.to_owned(),
        link: None,
        summary: None,
        author: None,
        published_at,
    };
    let content_hash = news_hash(&item);
    NewsRow { ordinal, known: false, feed: FEED.into(), item, content_hash }
}

impl Held {
    /// A batch of these statements as they say now, which does not end its page.
    pub(super) fn list(
        &self,
        page: &RawPage,
        sequence: u64,
        mut evidence: Vec<EvidenceRow>,
    ) -> Batch {
        evidence.iter_mut().for_each(|row| row.content_hash = evidence_hash(&row.evidence));
        let rows_done = page.rows_done + evidence.len() as u64;
        Batch { evidence, rows_done, ..self.batch(page, sequence, Vec::new()) }
    }

    /// Commits these statements, whose page was fetched at `minute`, as batch and page `sequence`.
    pub(super) async fn state(
        &self,
        store: &Subject,
        sequence: u64,
        minute: i64,
        evidence: Vec<EvidenceRow>,
    ) -> Result<Committed, Broken> {
        let page = self.land_at(store, sequence, minute).await?;
        let batch = Batch { page_done: true, ..self.list(&page, sequence, evidence) };
        Ok(store.commit(batch).await?)
    }

    /// Commits this news as it reads now, whose page was fetched at `minute`, as batch and page `sequence`.
    pub(super) async fn tell(
        &self,
        store: &Subject,
        sequence: u64,
        minute: i64,
        mut news: Vec<NewsRow>,
    ) -> Result<Committed, Broken> {
        let page = self.land_at(store, sequence, minute).await?;
        news.iter_mut().for_each(|row| row.content_hash = news_hash(&row.item));
        let mut batch = self.batch(&page, sequence, Vec::new());
        batch.rows_done = news.len() as u64;
        batch.news = news;
        batch.page_done = true;
        Ok(store.commit(batch).await?)
    }

    /// An empty batch on a page as it stands now.
    pub(super) async fn next(
        &self,
        store: &Subject,
        page: &RawPage,
        sequence: u64,
    ) -> Result<Batch, Broken> {
        Ok(self.batch(&page_now(store, page).await?, sequence, Vec::new()))
    }
}
