"""Takes every early refusal through HTTP clients of others, which send a body that the server has no use for.

After each refusal, the same session or connection must get an answer to its next request: the server has kept the
connection, or has said that it ends. What is not as it should be is told in a line each, and then the program fails.
`early_refusals.json` lists the refusals, and some that come right after the body; what it leaves out stands in `COMMON`.

Usage: early_refusals.py URL URL_WITH_USED_UP_QUOTA CLIENT_ID CLIENT_SECRET
"""

import http.client
import json
import pathlib
import sys
import time
import urllib.parse

import requests
import urllib3

# How often each refusal is taken, and each time followed by a good request.
PAIRS = 30
# A slow machine may take long; a request that takes longer has failed.
TIMEOUT_S = 120.0
# The server decides about a head in less.
PAUSE_S = 0.002
COMMON = {
    "server": "open",
    "method": "POST",
    "path": "/v1/payment-runs",
    "token": "right",
    "content_type": "application/json",
    "headers": [],
    "bytes": 64 * 1024,
    "clients": ["requests", "urllib3", "http.client"],
}
FAILURES = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)


class Session:
    """A session of requests, with as many connections as it likes."""

    def __init__(self, url):
        self.url = url
        self.session = requests.Session()
        # Neither proxies nor passwords of the machine.
        self.session.trust_env = False

    def ask(self, method, path, headers=(), body=None):
        answer = self.session.request(method, self.url + path, data=body, headers=dict(headers), timeout=TIMEOUT_S)
        return answer.status_code

    def close(self):
        self.session.close()


class Pool:
    """A pool of urllib3 with one connection, which repeats nothing."""

    def __init__(self, url):
        self.pool = urllib3.connection_from_url(url, maxsize=1, block=True, retries=False, timeout=TIMEOUT_S)

    def ask(self, method, path, headers=(), body=None):
        return self.pool.request(method, path, body=body, headers=urllib3.HTTPHeaderDict(headers)).status

    def close(self):
        self.pool.close()


class Connection:
    """A connection of http.client. It connects again only after an answer that said `Connection: close`."""

    def __init__(self, url):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=TIMEOUT_S)

    def ask(self, method, path, headers=(), body=None):
        names_host = any(name == "Host" for name, _ in headers)
        self.connection.putrequest(method, path, skip_host=names_host)
        for name, value in headers:
            self.connection.putheader(name, value)
        if body is not None:
            self.connection.putheader("Content-Length", str(len(body)))
        self.connection.endheaders()
        if body is not None:
            # So that the refusal is decided before the body is there.
            time.sleep(PAUSE_S)
            self.connection.send(body)
        answer = self.connection.getresponse()
        answer.read()
        return answer.status

    def close(self):
        self.connection.close()


CLIENTS = {"requests": Session, "urllib3": Pool, "http.client": Connection}


def token(url, client_id, client_secret):
    form = {"client_id": client_id, "client_secret": client_secret, "grant_type": "client_credentials"}
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(f"{url}/oauth/token", data=form, timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()["access_token"]


def powerless(url, right):
    """The token of a client that may do nothing."""
    with requests.Session() as session:
        session.trust_env = False
        headers = {"Authorization": f"Bearer {right}"}
        answer = session.post(f"{url}/ops/clients", json={"permissions": []}, headers=headers, timeout=TIMEOUT_S)
        answer.raise_for_status()
        made = answer.json()
    return token(url, made["client"]["client_id"], made["client_secret"])


def tokens(urls, client_id, client_secret):
    """What each server takes for a token, by the name that the list gives it."""
    found = {}
    for name, url in urls.items():
        right = token(url, client_id, client_secret)
        found[name] = {"none": None, "wrong": "wrong", "right": right, "powerless": powerless(url, right)}
    return found


def fault(client, case, bearer):
    """What is wrong with how a client is refused, and how it goes on; nothing if all is well."""
    headers = [("Content-Type", case["content_type"])]
    if bearer is not None:
        headers.append(("Authorization", f"Bearer {bearer}"))
    headers.extend((name, value) for name, value in case["headers"])
    body = b"x" * case["bytes"]
    try:
        for _ in range(PAIRS):
            status = client.ask(case["method"], case["path"], headers, body)
            if status != case["status"]:
                return f"expected {case['status']}, found {status}"
            status = client.ask("GET", "/healthz")
            if status != 200:
                return f"the next request was answered {status}"
    except FAILURES as error:
        return f"{type(error).__name__}: {error}"
    finally:
        client.close()
    return None


def main():
    url, used_up, client_id, client_secret = sys.argv[1:]
    urls = {"open": url, "used_up": used_up}
    bearers = tokens(urls, client_id, client_secret)
    cases = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())
    failures = 0
    for case in cases:
        case = {**COMMON, **case}
        for name, make in CLIENTS.items():
            if name not in case["clients"]:
                continue
            found = fault(make(urls[case["server"]]), case, bearers[case["server"]][case["token"]])
            if found is not None:
                print(f"{name}, {case['what']}: {found}", file=sys.stderr)
                failures += 1
    if failures:
        sys.exit(1)
    print(f"{len(CLIENTS)} HTTP clients of others took {len(cases)} early refusals and went on")


main()
