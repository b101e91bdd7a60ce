"""What schemathesis has to know about the server: tokens, the contract's own formats, objects to act on, and which refusals
are right."""

import copy
import itertools
import os
import pathlib
import re
import tomllib
import zlib

import schemathesis
from fuzz_world import World
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    negative_data_rejection, positive_data_acceptance, use_after_free,
)

HERE = pathlib.Path(__file__).parent
REFUSALS = tomllib.loads((HERE / "schemathesis-exceptions.toml").read_text())["refusal"]
# Query parameters that hold comma-separated lists: an empty text is the empty list, which is allowed.
LISTS = re.compile(r"(fields|expand|filter|sort)\[\]$")
# What an answer of the server named, which a link brings into the next request.
GIVEN = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}|[A-Z]{1,3}-?[0-9]{8}")

OWN_CLIENT = os.environ["PAYMENT_RUNS_CLIENT_ID"]
world = World(os.environ["PAYMENT_RUNS_URL"], OWN_CLIENT, os.environ["PAYMENT_RUNS_CLIENT_SECRET"])
numbers = itertools.count()
times = st.datetimes().map(lambda time: f"{max(time.year, 1000):04}-" + time.strftime("%m-%d %H:%M:%S"))
schemathesis.openapi.format("zuora-date-time", times)
# Lines of an import: whatever they hold, they are stored or told as faults.
schemathesis.openapi.media_type("application/x-ndjson", st.just(b'{"name": "A", "currency": "USD"}\n'))
schemathesis.openapi.media_type("text/csv", st.just(b"name,currency\nA,USD\n"))


@schemathesis.auth(refresh_interval=600)
class Token:
    def get(self, case, context):
        return world.log_in()

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data['access_token']}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives most requests objects that exist, and takes out headers that would keep everything else from being tried."""
    mend_headers(case)
    if case.path_parameters and not is_bad(case, ParameterLocation.PATH):
        name_an_object(case)
    if isinstance(case.body, (dict, list)) and not is_bad(case, ParameterLocation.BODY):
        case.body = filled(copy.deepcopy(case.body))


def is_bad(case, location):
    """Whether this part of a request is wrong on purpose."""
    return case.meta is not None and case.meta.is_negative_at(location)


def mend_headers(case):
    """A made-up entity or organization ends in a 403, so few requests carry one. PUT is refused with an idempotency key
    before anything else is looked at, and no operation documents the two together."""
    for name in list(case.headers or {}):
        value = str(case.headers[name])
        scoped = name.lower() in ("zuora-entity-ids", "zuora-org-ids") and value != world.entity and len(value) % 8 != 7
        is_key = name.lower() == "idempotency-key"
        if scoped or (is_key and case.method.upper() == "PUT"):
            del case.headers[name]
        elif is_key and case.headers[name]:
            # The tool sends one key with many requests, and the second of them would be refused for that alone.
            number = f"{next(numbers):07}"
            case.headers[name] = number + case.headers[name][len(number):]
    # Requests may add entities, and with several of them a request has to name one.
    if world.entity and case.headers is not None and not any(name.lower() == "zuora-entity-ids" for name in case.headers):
        case.headers["Zuora-Entity-Ids"] = world.entity


def is_chosen(value):
    """Three of four values, always the same ones."""
    return zlib.crc32(repr(value).encode()) % 4 != 0


def name_an_object(case):
    """Puts an object that exists into the path. The fuzzer's own client stays as it is: without it nothing could be asked."""
    method, path = case.method.upper(), case.operation.path
    name = path.rsplit("{", 1)[-1].split("}")[0]
    value = case.path_parameters.get(name)
    is_own = value == OWN_CLIENT and method != "GET"
    if is_own or (is_chosen(value) and not GIVEN.fullmatch(str(value))):
        found = world.named_by(method, path)
        if found is not None:
            case.path_parameters[name] = found


def filled(value):
    """A body whose fields name objects that exist."""
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    for name, inner in value.items():
        known = world.value_of(name) if isinstance(inner, str) and is_chosen(inner) else None
        value[name] = filled(inner) if known is None else known
    return value


def messages(response):
    """Every message of a refusal with its code, in the shape of any of the APIs."""
    try:
        body = response.json()
    except ValueError:
        return [("", response.text)]
    faults = body.get("reasons") or body.get("errors") or [body]
    return [(str(fault.get("code", "")), fault.get("message", "")) for fault in faults]


def is_listed(code, message):
    return any(
        re.search(refusal["message"], message) if "message" in refusal else code.endswith(refusal["code"])
        for refusal in REFUSALS
    )


@schemathesis.check
def good_requests_are_accepted_or_refused_for_a_listed_reason(context, response, case):
    try:
        return positive_data_acceptance(context, response, case)
    except Exception:
        unlisted = [fault for fault in messages(response) if not is_listed(*fault)]
        if not unlisted and response.status_code < 500:
            return None
        raise AssertionError(f"a good request is refused with {response.status_code}, unlisted are {unlisted}") from None


@schemathesis.check
def what_was_deleted_is_gone(context, response, case):
    # A client is deactivated and a schedule is ended: both stay to be read.
    if case.operation.path.startswith(("/ops/clients/", "/ops/schedules/")):
        return None
    # A request that is not waited for is only put into the queue: what it names is looked for when it is carried out.
    if response.status_code == 202:
        return None
    return use_after_free(context, response, case)


@schemathesis.check
def bad_requests_are_refused(context, response, case):
    # An empty entry of a list is none: `fields[]=` is how some callers write the empty list.
    lists = [value for name, value in (case.query or {}).items() if LISTS.search(name)]
    if any(not value or (isinstance(value, list) and "" in value) for value in lists):
        return None
    return negative_data_rejection(context, response, case)
