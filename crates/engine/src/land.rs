//! Making pages durable and passing them on to be loaded.

use kasparro_domain::{RawPage, RunError, RunId, SourceName, Timestamp};
use kasparro_extract::{Framing, PageError};
use kasparro_faults::crash_point;
use kasparro_store::{NewPage, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::body::Body;
use crate::load::error_page;
use crate::progress::Watch;

/// A landed page on its way to the loader.
pub(crate) struct Landed {
    pub(crate) page: RawPage,
    pub(crate) body: Body,
    /// The page that the same request brought last, where it brought the same bytes.
    pub(crate) repeats: Option<RawPage>,
}

/// What an answer was, apart from its body.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) http_status: Option<u16>,
    pub(crate) headers: Value,
    pub(crate) fetched_at: Timestamp,
}

/// What is stored beside a page so that it can be loaded without the run that asked for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PageContext {
    /// What the source noted about the body.
    pub(crate) survey: Value,
    /// How the body is cut into rows.
    pub(crate) framing: Framing,
    /// The position that holds once the page is loaded, where it moves one.
    pub(crate) position: Option<Value>,
    /// True where the run has seen everything that the source lists once the page is loaded.
    #[serde(default)]
    pub(crate) completes_sweep: bool,
    /// Rows on the page, good and bad; 0 where nobody counted.
    #[serde(default)]
    pub(crate) rows: u64,
    /// Set on the page with which a walk through an endpoint ends.
    #[serde(default)]
    pub(crate) walk: Option<Walk>,
}

/// A walk through the pages of an endpoint, from its first to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Walk {
    /// What walks are compared by: the path, and a hash of the options of the source.
    pub(crate) key: String,
    /// Rows on all its pages.
    pub(crate) rows: u64,
}

impl PageContext {
    fn to_json(&self) -> Value {
        json!({
            "survey": self.survey,
            "framing": self.framing,
            "position": self.position,
            "completes_sweep": self.completes_sweep,
            "rows": self.rows,
            "walk": self.walk,
        })
    }

    /// Reads the context of a stored page.
    pub(crate) fn of(page: &RawPage) -> Result<Self, PageError> {
        Self::deserialize(&page.context).map_err(|error| {
            let message = format!("the context of page {} cannot be read: {error}", page.page_id);
            PageError::stop("damaged", message, "restore the store from a backup")
        })
    }
}

/// The lander of one run: numbers its pages and makes each durable.
pub(crate) struct Lander<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) source: SourceName,
    pub(crate) epoch: u64,
    pub(crate) run_id: RunId,
    pub(crate) landed: mpsc::Sender<Landed>,
    pub(crate) watch: &'a Watch,
    pub(crate) pages: u64,
}

impl Lander<'_> {
    /// Makes a page durable and hands it to the loader.
    pub(crate) async fn land(
        &mut self,
        request: Value,
        context: PageContext,
        arrival: Arrival,
        body: Body,
        repeats: Option<RawPage>,
    ) -> Result<(), PageError> {
        let page = self.keep(request, context.to_json(), arrival, &body).await?;
        // A closed channel means that the loader failed; its own error ends the run.
        let passed = self.landed.send(Landed { page, body, repeats }).await;
        passed.map_err(|_| PageError::stop(STORE_FAILED, "a page could not be loaded", ""))
    }

    /// Makes an answer durable that is not believed to be a page of rows.
    pub(crate) async fn refuse(
        &mut self,
        request: Value,
        arrival: Arrival,
        body: &Body,
        error: RunError,
    ) -> Result<(), PageError> {
        let page = self.keep(request, Value::Null, arrival, body).await?;
        crash_point!("land.refused");
        let examined = error_page::examined(&page, &body.head);
        self.watch.found(&self.source, examined.as_ref());
        self.store
            .refuse(page.page_id, self.epoch, error, examined)
            .await
            .map_err(|error| store_failed(&error))
    }

    async fn keep(
        &mut self,
        request: Value,
        context: Value,
        arrival: Arrival,
        body: &Body,
    ) -> Result<RawPage, PageError> {
        let page = NewPage {
            source: self.source.clone(),
            epoch: self.epoch,
            run_id: self.run_id,
            sequence: self.pages,
            request,
            context,
            http_status: arrival.http_status,
            headers: arrival.headers,
            fetched_at: arrival.fetched_at,
        };
        let compressed = body.compressed().map_err(|error| spool_failed(&error))?;
        crash_point!("land.begin");
        let page = self.store.land(page, compressed).await.map_err(|error| store_failed(&error))?;
        crash_point!("land.end");
        self.pages += 1;
        self.watch.page_landed();
        Ok(page)
    }
}

/// The code of a run that the store failed, as opposed to its upstream.
pub(crate) const STORE_FAILED: &str = "store_failed";

/// The code of a page or row that the store refuses as contradictory.
pub(crate) const REFUSED_BY_STORE: &str = "refused_by_store";

/// The store failed while a run needed it.
pub(crate) fn store_failed(error: &StoreError) -> PageError {
    if let StoreError::Conflict(_) = error {
        // Trying again would meet the same: the page is at fault, or this program.
        let hint = "please report this as a defect";
        return PageError::stop(REFUSED_BY_STORE, error.to_string(), hint);
    }
    let hint = "check the disk space and the permissions of the store, then run the source again";
    PageError::stop(STORE_FAILED, error.to_string(), hint)
}

/// The temporary file of a body failed.
pub(crate) fn spool_failed(error: &std::io::Error) -> PageError {
    let hint = "check the disk space of the data folder";
    PageError::stop(STORE_FAILED, format!("a body could not be kept: {error}"), hint)
}
