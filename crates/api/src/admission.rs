//! Whether a request is answered at all: the same on the way past the router as on the way through it.
//!
//! In this order: is there room for it; is its key good, if it brings one, which is looked at only while its
//! sender did not send too many that were not; is its limit used up. Whether its key allows what it asks for
//! is said where the operation is known, in [`crate::access::authorise`].

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::{HeaderMap, Method, Request};
use kasparro_domain::Scope;

use crate::Shared;
use crate::access::{self, RingKey};
use crate::answer::RequestContext;
use crate::limits::{Allowance, Caller, Class, ClientId, Origin, Room, Taken};
use crate::metrics::Limited;
use crate::normal_path::normal_path;
use crate::problem::{Code, Problem};

/// Why nobody else is let in.
const TOO_MANY: &str = "too many requests are under way";
/// Health checks, for which places are kept.
const HEALTH: [&str; 3] = ["/livez", "/readyz", "/health"];
/// Those among what is not counted that wait for the database, all of one kind for the same answer.
const ASKING: [&str; 3] = ["/readyz", "/health", "/metrics"];
/// What else is not counted: it is the same for everybody, or read by machines at fixed times.
const UNCOUNTED: [&str; 4] = ["/metrics", "/openapi.json", "/docs", "/redoc"];
/// Files of those pages.
const UNCOUNTED_BELOW: [&str; 2] = ["/docs/", "/redoc/"];

/// Who asks, as an extension of the request.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// The other end of the connection: the client, or a proxy.
    pub(crate) peer: IpAddr,
    /// Under which name it is counted.
    pub(crate) client: ClientId,
    /// The good key that came with the request.
    pub(crate) key: Option<Arc<RingKey>>,
}

impl Visitor {
    /// Nobody that is known, with no key.
    pub(crate) const fn nobody() -> Self {
        let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { peer: address, client: ClientId::NOBODY, key: None }
    }
}

/// What becomes of a request.
pub(crate) enum Admission {
    /// It is answered.
    In(Visitor),
    /// It is refused.
    Out(Problem),
    /// The store has to be asked first what other processes counted.
    Asking(Asking),
}

/// A request whose limit has to be asked for.
pub(crate) struct Asking {
    visitor: Result<Visitor, Problem>,
    name: ClientId,
    allowance: Allowance,
}

impl Asking {
    /// Waits until it is known, a second at most.
    pub(crate) async fn decided(
        self,
        shared: &Shared,
        context: &mut RequestContext,
    ) -> Result<Visitor, Problem> {
        let taken = shared.limits.take_when_known(self.name, self.allowance).await;
        decide(shared, self.visitor, taken, context)
    }
}

/// Judges a request. How its sender stands with its limit is noted in `context`.
pub(crate) fn admit<B>(
    shared: &Shared,
    origin: &Origin,
    room: Room,
    request: &Request<B>,
    context: &mut RequestContext,
) -> Admission {
    if room == Room::None {
        return Admission::Out(overloaded(shared, TOO_MANY));
    }
    let path = normal_path(request.uri().path());
    let Caller { client, network } = shared.limits.caller(origin, request.headers());
    let known = key(shared, client, request.headers());
    if room == Room::Reserved && !has_reserve(path, &known) {
        return Admission::Out(overloaded(shared, TOO_MANY));
    }
    let (name, allowance) = match &known {
        Ok(Some((key, name))) => (*name, shared.limits.of_key(key.kept.requests)),
        _ => (client, shared.limits.of_anonymous(network)),
    };
    let peer = origin.peer.ip().to_canonical();
    let visitor = known.map(|key| Visitor { peer, client: name, key: key.map(|(key, _)| key) });
    let asks_first = *request.method() == Method::OPTIONS && context.sharing().asks_first();
    if asks_first || uncounted(request.method(), path) {
        return visitor.map_or_else(Admission::Out, Admission::In);
    }
    match shared.limits.take(name, allowance, context.started()) {
        Taken::Unknown => Admission::Asking(Asking { visitor, name, allowance }),
        taken => decide(shared, visitor, taken, context).map_or_else(Admission::Out, Admission::In),
    }
}

fn decide(
    shared: &Shared,
    visitor: Result<Visitor, Problem>,
    taken: Taken,
    context: &mut RequestContext,
) -> Result<Visitor, Problem> {
    match taken {
        Taken::Unlimited | Taken::Unknown => visitor,
        Taken::Counted(standing) => {
            context.set_standing(standing);
            visitor
        }
        Taken::Refused(standing) => {
            context.set_standing(standing);
            shared.metrics.count_limited(Limited::Rate);
            let key = visitor.ok().and_then(|visitor| visitor.key);
            let key_id = key.as_ref().map(|key| key.kept.key_id.as_str());
            shared.journal.limited(key_id, "its limit is used up");
            let whom = match standing.class {
                Class::Anonymous | Class::Key => "",
                Class::Network => " to all clients of one IPv6 network of 48 bits",
            };
            let detail = format!(
                "{} requests in {} seconds are allowed{whom}; more in {} seconds",
                standing.limit, standing.window_s, standing.more_in_s
            );
            Err(Problem::new(Code::RateLimited, detail).retry_after(standing.more_in_s))
        }
    }
}

/// The good key that a request brings, with the name under which it is counted.
fn key(
    shared: &Shared,
    client: ClientId,
    headers: &HeaderMap,
) -> Result<Option<(Arc<RingKey>, ClientId)>, Problem> {
    let Some(text) = access::given_key(headers)? else {
        return Ok(None);
    };
    let claimed = access::key_id_of(text).map(|key_id| shared.limits.key(key_id));
    if let Err(wait_s) = shared.limits.may_try(client, claimed) {
        shared.metrics.count_limited(Limited::Failures);
        shared.journal.limited(None, "too many keys were sent that are not good");
        let detail = format!("keys are looked at again in {wait_s} seconds");
        return Err(Problem::new(Code::TooManyFailures, detail).retry_after(wait_s));
    }
    match access::known(shared, text) {
        Ok(key) => {
            let name = claimed.unwrap_or_else(|| shared.limits.key(&key.kept.key_id));
            Ok(Some((key, name)))
        }
        Err(problem) => {
            if problem.code == Code::KeyInvalid {
                shared.limits.note_failure(client, claimed);
            }
            Err(problem)
        }
    }
}

/// True for those who can tell that this server is overrun, and do something about it.
fn has_reserve(path: &str, known: &Result<Option<(Arc<RingKey>, ClientId)>, Problem>) -> bool {
    let operates = |key: &RingKey| key.kept.scope >= Scope::Operate;
    HEALTH.contains(&path) || matches!(known, Ok(Some((key, _))) if operates(key))
}

/// True for what is not counted and waits for an answer of the database that others share.
pub(crate) fn asks_database(path: &str) -> bool {
    ASKING.contains(&path)
}

fn uncounted(method: &Method, path: &str) -> bool {
    let reads = *method == Method::GET || *method == Method::HEAD;
    reads
        && (HEALTH.contains(&path)
            || UNCOUNTED.contains(&path)
            || UNCOUNTED_BELOW.iter().any(|folder| path.starts_with(folder)))
}

/// There is no room, and of what.
pub(crate) fn overloaded(shared: &Shared, why: &'static str) -> Problem {
    shared.metrics.count_limited(Limited::Overload);
    shared.journal.limited(None, why);
    Problem::new(Code::Overloaded, why)
}
