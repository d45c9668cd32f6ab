//! Whether a request is answered at all: the same on the way past the router as on the way through it.
//!
//! In this order: is there room for it; is its key good, if it brings one; is its limit used up. Once its sender
//! sent too many keys that were not good, only those are looked at that nobody can guess. Whether its key allows
//! what it asks for is said where the operation is known, in [`crate::access::authorise`].
//!
//! A request whose key cannot be judged is told so, and counts against nobody's limit: it may be that of a good
//! key. However many of them come they cost little, and less than what would be counted: no statement, a
//! hash at most, and an answer of a few hundred bytes. At once there are no more than `server.max_requests`, and
//! no more connections than a client may have; and the limit of failures sees to it that keys are not tried so.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use http::{HeaderMap, Method, Request, Uri};
use kasparro_domain::Scope;

use crate::Shared;
use crate::access::{
    self, Access, Area, Asked, Journal, Named, NoKey, Reading, RingKey, key_id_of,
};
use crate::answer::RequestContext;
use crate::limits::{Allowance, Caller, Class, ClientId, Origin, Room, Taken};
use crate::metrics::Limited;
use crate::normal_path::normal_path;
use crate::problem::{Code, Problem};

/// Why nobody else is let in.
const TOO_MANY: &str = "too many requests are under way";
/// Health checks and metrics, for which places are kept.
const WATCHED: [&str; 4] = ["/livez", "/readyz", "/health", "/metrics"];
/// By what a process is stopped and started, or gets no requests any more: so that the database is away must not
/// turn them, whatever key is sent to them.
const PROBES: [&str; 2] = ["/livez", "/readyz"];
/// Those among what is not counted that wait for the database, all of one kind for the same answer.
const ASKING: [&str; 3] = ["/readyz", "/health", "/metrics"];
/// What else is not counted: it is the same for everybody.
const UNCOUNTED: [&str; 3] = ["/openapi.json", "/docs", "/redoc"];
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
    uri: Uri,
}

impl Asking {
    /// Waits until it is known, a second at most.
    pub(crate) async fn decided(
        self,
        shared: &Shared,
        context: &mut RequestContext,
    ) -> Result<Visitor, Problem> {
        let taken = shared.limits.take_when_known(self.name, self.allowance).await;
        decide(shared, self.visitor, taken, context, &self.uri)
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
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let Caller { client, network, address } = shared.limits.caller(origin, headers);
    context.set_client(address);
    let asked = Asked::of(context, uri);
    if room == Room::None {
        return Admission::Out(overloaded(shared, asked, TOO_MANY));
    }
    let path = normal_path(uri.path());
    let known = match reads(method) && PROBES.contains(&path) {
        true if Access::Open(Area::Health).needed(&shared.settings.closed).is_none() => Ok(None),
        true => key(shared, client, headers, Reading::Last, asked),
        false => key(shared, client, headers, Reading::Recent, asked),
    };
    if room == Room::Reserved && !has_reserve(path, &known) {
        return Admission::Out(overloaded(shared, asked, TOO_MANY));
    }
    let (name, allowance) = match &known {
        Ok(Some((key, name))) => (*name, shared.limits.of_key(key.kept.requests)),
        _ => (client, shared.limits.of_anonymous(network)),
    };
    let peer = origin.peer.ip().to_canonical();
    let visitor = known.map(|key| Visitor { peer, client: name, key: key.map(|(key, _)| key) });
    let asks_first = *method == Method::OPTIONS && context.sharing().asks_first();
    if asks_first || uncounted(method, path) || not_judged(&visitor) {
        return visitor.map_or_else(Admission::Out, Admission::In);
    }
    match shared.limits.take(name, allowance, context.started()) {
        Taken::Unknown => Admission::Asking(Asking { visitor, name, allowance, uri: uri.clone() }),
        taken => {
            decide(shared, visitor, taken, context, uri).map_or_else(Admission::Out, Admission::In)
        }
    }
}

fn decide(
    shared: &Shared,
    visitor: Result<Visitor, Problem>,
    taken: Taken,
    context: &mut RequestContext,
    uri: &Uri,
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
            let named = Named::of(key.as_deref());
            shared.journal.limited(Asked::of(context, uri), named, "its limit is used up");
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
    reading: Reading,
    asked: Asked<'_>,
) -> Result<Option<(Arc<RingKey>, ClientId)>, Problem> {
    let given = access::given_key(headers).inspect_err(|_| {
        shared.journal.refused(asked, Named::default(), "it brought two keys");
    });
    let Some(text) = given? else {
        return Ok(None);
    };
    let key_id = key_id_of(text);
    let claimed = key_id.map(|key_id| shared.limits.key(key_id));
    let may_try = shared.limits.may_try(client, claimed);
    let now = shared.clock.now();
    let found = match may_try {
        Ok(()) => shared.keys.find(text, now, reading),
        // Others at this address failed, or others who know the id: that must not keep its owner out. The key of
        // the operator may be any text, and one that can be guessed.
        Err(_) => shared.keys.find_generated(text, now, reading),
    };
    match (found, may_try) {
        (Ok(key), _) => {
            Journal::known(asked, Named::from(&*key));
            let name = claimed.unwrap_or_else(|| shared.limits.key(&key.kept.key_id));
            Ok(Some((key, name)))
        }
        (Err(NoKey::Unconfirmed), _) => Err(Problem::new(
            Code::StoreUnavailable,
            "whether the key is good cannot be told: the database does not answer",
        )),
        (Err(NoKey::Bad), Ok(())) => {
            shared.limits.note_failure(client, claimed);
            shared.journal.refused(asked, Named::claimed(key_id), "the key is not good");
            Err(Problem::new(Code::KeyInvalid, "the key is not known here, or not good any more"))
        }
        (Err(NoKey::Bad), Err(wait_s)) => {
            shared.metrics.count_limited(Limited::Failures);
            let why = "too many keys were sent that are not good";
            shared.journal.limited(asked, Named::claimed(key_id), why);
            let detail = format!("keys are looked at again in {wait_s} seconds");
            Err(Problem::new(Code::TooManyFailures, detail).retry_after(wait_s))
        }
    }
}

/// True where nobody knows whether the key is good: then it is not known either against which limit to count.
fn not_judged(visitor: &Result<Visitor, Problem>) -> bool {
    let code = visitor.as_ref().err().map(|problem| problem.code);
    matches!(code, Some(Code::StoreUnavailable | Code::TooManyFailures))
}

/// True for those who can tell that this server is overrun, and do something about it.
fn has_reserve(path: &str, known: &Result<Option<(Arc<RingKey>, ClientId)>, Problem>) -> bool {
    let operates = |key: &RingKey| key.kept.scope >= Scope::Operate;
    WATCHED.contains(&path) || matches!(known, Ok(Some((key, _))) if operates(key))
}

/// True for what is not counted and waits for an answer of the database that others share.
pub(crate) fn asks_database(path: &str) -> bool {
    ASKING.contains(&path)
}

fn reads(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

fn uncounted(method: &Method, path: &str) -> bool {
    reads(method)
        && (WATCHED.contains(&path)
            || UNCOUNTED.contains(&path)
            || UNCOUNTED_BELOW.iter().any(|folder| path.starts_with(folder)))
}

/// There is no room, and of what.
pub(crate) fn overloaded(shared: &Shared, asked: Asked<'_>, why: &'static str) -> Problem {
    shared.metrics.count_limited(Limited::Overload);
    shared.journal.limited(asked, Named::default(), why);
    Problem::new(Code::Overloaded, why)
}
