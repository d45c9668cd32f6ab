"""What OpenAPI cannot say of requests, told to schemathesis.

A request that the description calls right has to be answered as right. Some rules stand between parameters, in a
grammar that no pattern can say, or in something that only the server can make; here such a request is mended before it
is sent. Requests that are meant to be wrong are sent as they are.
"""

import itertools
import os
import uuid
import zlib

import schemathesis

# Parameters of which one is enough, in the order in which they are kept.
FAMILIES = [
    ("limit", "per_page", "page_size"),
    ("page", "offset"),
    ("id", "asset_id"),
]
# Parameters that hold what only the server can have written.
SIGNED = ["cursor", "last_event_id", "last-event-id"]
# Right values of parameters with a grammar of their own; instants, for example, of which no pattern knows the calendar.
INSTANTS = ["2026-01-01", "2025-12-31T23:59:59Z", "2025-12-31T23:59:59.5+02:00", "1767225600", "1767225600000"]
VALUES = {
    "from": INSTANTS,
    "to": INSTANTS,
    "updated_since": INSTANTS,
    "contract": ["0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce", "eip155:1:0x95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce"],
    "source": ["coinpaprika", "coingecko", "csv"],
}
# The same of members of bodies: spans of time have ends that no pattern can say.
MEMBERS = {"source": VALUES["source"], "expires": ["90d", "12h", "never"], "overlap": ["24h", "30m"]}
# The only value where it is not a choice.
ONLY = {"/csv-data": {"source": "csv"}}
# Lists with commas, whose parts must not be blank.
LISTS = ["symbol"]
NOBODYS_ID = "00000000-0000-7000-8000-000000000000"

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def well_formed(random: str) -> str:
    """The text of a key with these 27 digits and their checksum."""
    body = f"kasparro_live_{random}"
    check, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        check, digit = divmod(check, 62)
        digits = DIGITS[digit] + digits
    return f"{body}_{digits}"


# Keys that are no good: unknown ones of the right form, and such as can be no key.
KEYS_OF_NOBODY = [
    well_formed("4k2H" + "7" * 23),
    well_formed("0" * 27),
    well_formed("0" * 27)[:-1] + "!",
    "kasparro_live_",
    "admin",
    "",
    "two words",
    "\u00e9\u00ff",
    "k" * 5_000,
]
HEADERS_OF_NOBODY = itertools.cycle(
    [("X-API-Key", key) for key in KEYS_OF_NOBODY] + [("Authorization", f"Bearer {key}") for key in KEYS_OF_NOBODY]
)
STRANGER = os.environ.get("KASPARRO_STRANGER") == "yes"


def meant_to_be_right(case) -> bool:
    return case.meta is not None and case.meta.generation.mode.value == "positive"


def choose(values: list[str], text: str) -> str:
    return values[zlib.crc32(text.encode("utf-8", "surrogatepass")) % len(values)]


def name_both_runs(members: dict) -> None:
    """By one of the two names of each, and not by both."""
    for first, second in [("run1_id", "run_id_1"), ("run2_id", "run_id_2")]:
        told = members.pop(second, None)
        members[first] = members.get(first) or told or NOBODYS_ID


def mend_query(query: dict, path: str) -> dict:
    for name in SIGNED:
        query.pop(name, None)
    for family in FAMILIES:
        for name in [name for name in family if name in query][1:]:
            del query[name]
    if path == "/compare-runs":
        name_both_runs(query)
    # What was stated before is told of single points only.
    if "interval" in query:
        query.pop("revisions", None)
    # One end of a range, so that the lower is not above the upper.
    lower = [name for name in query if name.startswith("min_")]
    for upper in ["max_" + name.removeprefix("min_") for name in lower] + (["to"] if "from" in query else []):
        query.pop(upper, None)
    for name, values in VALUES.items():
        if name in query:
            query[name] = ONLY.get(path, {}).get(name) or choose(values, str(query[name]))
    for name in LISTS:
        if name in query and not all(part.strip() for part in str(query[name]).split(",")):
            query[name] = "BTC"
    return query


def mend_body(body: dict, path: str) -> None:
    if path == "/compare-runs":
        name_both_runs(body)
    for name in [name for name in MEMBERS if isinstance(body.get(name), str)]:
        body[name] = choose(MEMBERS[name], body[name])
    if isinstance(body.get("listings"), list):
        # Each is `source:external_id`, and no two are the same.
        body["listings"] = [f"coingecko:nobody-{number}" for number, _ in enumerate(body["listings"])]
    if path == "/assets/relate":
        body.update({name: f"coingecko:nobody-{name}" for name in ["from", "to"] if isinstance(body.get(name), str)})
    # JSON Schema calls 17.0 an integer.
    for name in ["rows", "drift"]:
        if isinstance(body.get(name), list):
            body[name] = [int(value) for value in body[name]]
    if isinstance(body.get("requests"), float):
        body["requests"] = int(body["requests"])


def of_the_future(headers) -> list[str]:
    """Headers that ask for a generation that may still come: the server waits for it, and then says 503, as it should."""
    asked = [name for name in headers or {} if name.lower() == "x-min-generation"]
    texts = {name: str(headers[name]).strip() for name in asked}
    return [name for name, text in texts.items() if text.isascii() and text.isdigit() and int(text) > 1]


def give_each_request_its_own_idempotency_key(headers) -> None:
    """One that came with another body before is refused, as it should."""
    for name in [name for name in headers if name.lower() == "idempotency-key"]:
        headers[name] = str(uuid.uuid4())


@schemathesis.hook
def filter_case(context, case):
    # A header that nobody knows is no fault of a request: proxies and browsers add some to every one.
    unknown = any(name.lower().startswith("x-schemathesis-unknown") for name in case.headers or {})
    return not unknown and (meant_to_be_right(case) or not of_the_future(case.headers))


@schemathesis.hook
def before_call(context, case, kwargs):
    if STRANGER:
        case.headers.update([next(HEADERS_OF_NOBODY)])
    if not meant_to_be_right(case):
        return
    for name in of_the_future(case.headers):
        case.headers[name] = "1"
    if case.headers:
        give_each_request_its_own_idempotency_key(case.headers)
        for name in [name for name in case.headers if name.lower() in SIGNED]:
            del case.headers[name]
    path = case.operation.path
    if case.query or (path, case.operation.method.upper()) == ("/compare-runs", "GET"):
        case.query = mend_query(dict(case.query or {}), path)
    if isinstance(case.body, dict):
        mend_body(case.body, path)


if STRANGER:
    PROBES = ("/livez", "/readyz")

    @schemathesis.check
    def no_key_but_a_good_one_opens_anything(context, response, case):
        """One answer, whatever is wrong with the key, and whatever is asked. Probes look at no key where all may ask."""
        told = (response.status_code, response.headers.get("www-authenticate"))
        if case.operation.path in PROBES:
            assert told == (200, None), f"told {told}"
            return
        assert told == (401, ["Bearer"]), f"told {told}"
        assert response.json()["code"] == "key_invalid"
