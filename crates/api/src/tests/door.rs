//! An API that is asked without a network: as many requests as a test likes, through everything else that a request
//! goes through.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use kasparro_store::contract::FailingStore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::world::World;
use crate::listen::{Door, door};
use crate::{Api, ApiSettings, access};

/// Who asks, unless a header of a trusted proxy says otherwise.
const PEER: &str = "127.0.0.1:50000";

/// What only reads from a store; any other call counts as writing.
const READS: [&str; 46] = [
    "pages",
    "count_pages",
    "landed_pages",
    "loaded_pages",
    "last_loaded",
    "page",
    "pages_after",
    "body_chunk",
    "leases",
    "settled",
    "memory",
    "next_sequence",
    "run_options",
    "run",
    "runs",
    "count_runs",
    "source_summaries",
    "quarantine_counts",
    "source_states",
    "command",
    "keys",
    "keys_since",
    "history",
    "quarantined",
    "count_quarantined",
    "decisions",
    "profile",
    "drift",
    "count_drift",
    "anomalies",
    "count_anomalies",
    "budget",
    "budgets",
    "alerts",
    "identity_position",
    "identity_input",
    "sightings",
    "identity_records",
    "asset_edges",
    "resolutions",
    "news",
    "count_news",
    "integrity",
    "generation",
    "changes",
    "ping",
];

/// What is written whoever asks: when keys were used last.
const IN_THE_BACKGROUND: [&str; 1] = ["note_key_uses"];

/// An API, and what it writes.
pub(super) struct Inside {
    pub(super) api: Arc<Api>,
    pub(super) world: World,
    door: Door,
    writes: Arc<Mutex<BTreeSet<&'static str>>>,
    /// What a server does besides answering.
    tending: Vec<AbortOnDropHandle<()>>,
}

/// An answer, whole unless it goes on for ever.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Inside {
    /// An API over a world; `change` is done to it before anybody asks.
    pub(super) fn of(world: World, settings: ApiSettings, change: impl FnOnce(&mut Api)) -> Self {
        let writes = Arc::new(Mutex::new(BTreeSet::new()));
        let (noted, kept) = (Arc::clone(&writes), Arc::clone(&world.kept));
        let watched = FailingStore::new(kept, move |call| {
            if !READS.contains(&call) && !IN_THE_BACKGROUND.contains(&call) {
                noted.lock().unwrap().insert(call);
            }
            Ok(())
        });
        let world = world.on(Arc::new(watched));
        let mut api = world.api(settings);
        change(&mut api);
        let api = Arc::new(api);
        let door = door(&api, PEER.parse().unwrap());
        Self { api, world, door, writes, tending: Vec::new() }
    }

    /// The same with its keys read, and with what a server goes on doing besides answering.
    pub(super) async fn tended(mut self) -> Self {
        let shared = &self.api.shared;
        access::refresh(shared).await.unwrap();
        let keys = access::keep_ring(Arc::clone(shared), CancellationToken::new());
        let telling = Arc::clone(&shared.stream).follow(&self.world.view);
        self.tending = vec![
            AbortOnDropHandle::new(tokio::spawn(keys)),
            AbortOnDropHandle::new(tokio::spawn(telling)),
        ];
        self
    }

    /// Asks, of a host unless the request names one, and reads the answer to its end.
    pub(super) async fn ask(&self, mut request: Request<Full<Bytes>>) -> Answer {
        request.headers_mut().entry(HOST).or_insert(HeaderValue::from_static("localhost"));
        let Ok(response) = self.door.call(request).await;
        let (parts, body) = response.into_parts();
        let goes_on = parts.headers.get(CONTENT_TYPE).is_some_and(|it| it == "text/event-stream");
        let body = match goes_on {
            true => Bytes::new(),
            false => body.collect().await.expect("a whole answer").to_bytes(),
        };
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Which calls wrote since this was asked last.
    pub(super) fn writes(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}
