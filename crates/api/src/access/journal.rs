//! What is logged of those who ask: never a key, and no more lines than somebody reads.

mod asked;
mod gate;

use http::{Method, StatusCode};

pub(crate) use asked::{Asked, Named};

use crate::answer::RequestContext;
use gate::Gate;

/// Writes lines about callers until there are too many; then it counts them. Each kind has its own number of
/// lines. What was changed is always told: nobody does that without a key for it.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    refused: Gate,
    keyless: Gate,
    limited: Gate,
    broken: Gate,
    unable: Gate,
}

impl Journal {
    /// The key of a request was good. Only for whoever looks closely: there is one with nearly every request.
    pub(crate) fn known(asked: Asked<'_>, key: Named<'_>) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            let (request_id, path) = (asked.request_id(), asked.path());
            tracing::debug!(
                request_id = request_id.as_deref(),
                client = asked.client().map(display),
                path = &*path,
                key = key.name,
                key_id = key.id,
                "a key was good"
            );
        }
    }

    /// A request was refused for its key.
    pub(crate) fn refused(&self, asked: Asked<'_>, key: Named<'_>, why: &str) {
        if self.refused.room() {
            refused(asked, key, why);
        }
    }

    /// A request was refused because it brought no key. Whoever looks around without one asks often, so these
    /// take no room from the others.
    pub(crate) fn keyless(&self, asked: Asked<'_>) {
        if self.keyless.room() {
            refused(asked, Named::default(), "it brought no key");
        }
    }

    /// A request was one too many.
    pub(crate) fn limited(&self, asked: Asked<'_>, key: Named<'_>, why: &str) {
        if self.limited.room() {
            let (request_id, path) = (asked.request_id(), asked.path());
            tracing::info!(
                request_id = request_id.as_deref(),
                client = asked.client().map(display),
                path = &*path,
                key = key.name,
                key_id = key.id,
                why,
                "a request was one too many"
            );
        }
    }

    /// A request that changes something was carried out.
    pub(crate) fn changed(asked: Asked<'_>, key: Named<'_>, method: &Method) {
        let (request_id, path) = (asked.request_id(), asked.path());
        tracing::info!(
            request_id = request_id.as_deref(),
            client = asked.client().map(display),
            method = method.as_str(),
            path = &*path,
            key = key.name,
            key_id = key.id,
            "a request changed something"
        );
    }

    /// A request was answered: a line where it failed for want of something here, and for every request at the
    /// level `debug`. Anything but a failure costs one comparison of numbers where that is off.
    pub(crate) fn answered(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        context: &RequestContext,
    ) {
        let broken = status == StatusCode::INTERNAL_SERVER_ERROR;
        let told = status.is_server_error()
            && if broken { self.broken.room() } else { self.unable.room() };
        if !told && !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        // The event has its level when it is compiled.
        macro_rules! tell {
            ($level:ident, $what:literal) => {
                tracing::$level!(
                    request_id = &*asked::shown(context.id()),
                    client = context.client().map(display),
                    method = method.as_str(),
                    route,
                    status = status.as_u16(),
                    duration_ms = context.latency_ms(),
                    $what
                )
            };
        }
        match (told, broken) {
            (true, true) => tell!(error, "a request failed"),
            (true, false) => tell!(info, "a request could not be answered"),
            (false, _) => tell!(debug, "a request was answered"),
        }
    }
}

fn refused(asked: Asked<'_>, key: Named<'_>, why: &str) {
    let (request_id, path) = (asked.request_id(), asked.path());
    tracing::info!(
        request_id = request_id.as_deref(),
        client = asked.client().map(display),
        path = &*path,
        key = key.name,
        key_id = key.id,
        why,
        "a request was refused"
    );
}
