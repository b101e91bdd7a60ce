"""What schemathesis has to know about the server: tokens, the contract's own formats, and which refusals are right."""

import itertools
import json
import os
import pathlib
import re
import tomllib
import urllib.parse
import urllib.request

import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

HERE = pathlib.Path(__file__).parent
REFUSALS = tomllib.loads((HERE / "schemathesis-exceptions.toml").read_text())["refusal"]
# Query parameters that hold comma-separated lists: an empty text is the empty list, which is allowed.
LISTS = re.compile(r"(fields|expand|filter|sort)\[\]$")

numbers = itertools.count()
# The caller's entities.
own = set()
times = st.datetimes().map(lambda time: f"{max(time.year, 1000):04}-" + time.strftime("%m-%d %H:%M:%S"))
schemathesis.openapi.format("zuora-date-time", times)


@schemathesis.auth(refresh_interval=600)
class Token:
    def get(self, case, context):
        credentials = {
            "client_id": os.environ["PAYMENT_RUNS_CLIENT_ID"],
            "client_secret": os.environ["PAYMENT_RUNS_CLIENT_SECRET"],
            "grant_type": "client_credentials",
        }
        body = urllib.parse.urlencode(credentials).encode()
        with urllib.request.urlopen(os.environ["PAYMENT_RUNS_URL"] + "/oauth/token", body) as answer:
            return json.load(answer)

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data['access_token']}"
        # Requests may add entities, and with several of them a request has to name one: the first.
        entity = re.search(r"entity\.(\S+)", data.get("scope") or "")
        if entity and not any(name.lower() == "zuora-entity-ids" for name in case.headers):
            case.headers["Zuora-Entity-Ids"] = entity[1]
            own.add(entity[1])


@schemathesis.hook
def before_call(context, case, kwargs):
    """Takes out headers that would keep everything else from being tried.

    A made-up entity or organisation ends in a 403, so few requests carry one. PUT is refused with an idempotency key
    before anything else is looked at, and no operation documents the two together.
    """
    for name in list(case.headers or {}):
        value = str(case.headers[name])
        scoped = name.lower() in ("zuora-entity-ids", "zuora-org-ids") and value not in own and len(value) % 8 != 7
        is_key = name.lower() == "idempotency-key"
        if scoped or (is_key and case.method.upper() == "PUT"):
            del case.headers[name]
        elif is_key and case.headers[name]:
            # The tool sends one key with many requests, and the second of them would be refused for that alone.
            number = f"{next(numbers):07}"
            case.headers[name] = number + case.headers[name][len(number):]


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
def bad_requests_are_refused(context, response, case):
    empty = [name for name, value in (case.query or {}).items() if LISTS.search(name) and value in ("", [""], [], {})]
    if empty:
        return None
    return negative_data_rejection(context, response, case)
