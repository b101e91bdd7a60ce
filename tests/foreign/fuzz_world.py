"""Objects that made-up requests can act on, made through the API itself."""

import functools
import json
import time
import urllib.error
import urllib.parse
import urllib.request

CARD = "4242424242424242"
DAY = "2024-07-01"
SCHEDULED = "2099-01-01 00:00:00"
SETTINGS = {
    "time_zone": "UTC",
    "retry_rule": {"max_consecutive_failures": None, "retry_window_hours": None},
    "invoice_settlement": True,
    "currencies": None,
}
# A slow machine may take long; a request that takes longer has failed.
TIMEOUT_S = 120
# How often a refusal for a quota is waited out, each time for at most a minute.
PATIENCE = 3


class World:
    """Makes objects on demand: some once, because many requests may share them, others for each request that uses them up."""

    def __init__(self, url, client_id, client_secret):
        self.url = url
        self.credentials = {
            "client_id": client_id, "client_secret": client_secret, "grant_type": "client_credentials",
        }
        self.token = None
        self.entity = None

    def log_in(self):
        """A token's answer, as the server gave it."""
        answer = self.send("POST", "/oauth/token", urllib.parse.urlencode(self.credentials).encode(), {})
        self.token = answer["access_token"]
        # Requests may add entities, and with several of them a request has to name one: the first.
        self.entity = self.entity or answer["scope"].split("entity.")[1].split()[0]
        return answer

    def send(self, method, path, body, headers):
        for last in (*[False] * PATIENCE, True):
            request = urllib.request.Request(self.url + path, body, headers, method=method)
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as refusal:
                if refusal.code != 429 or last:
                    said = f"{method} {path}: {refusal.code} {refusal.read().decode(errors='replace')}"
                    raise RuntimeError(said) from None
                time.sleep(min(int(refusal.headers.get("Retry-After", 1)), 60))

    def call(self, method, path, body=None):
        """The answer to a good request."""
        if self.token is None:
            self.log_in()
        headers = {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
            "Zuora-Entity-Ids": self.entity,
        }
        return self.send(method, path, None if body is None else json.dumps(body).encode(), headers)

    def make(self, path, body):
        """What a creation answers. The settings may forbid it, since made-up requests change them as well."""
        try:
            return self.call("POST", path, body)
        except RuntimeError:
            self.call("PUT", "/ops/settings", SETTINGS)
            return self.call("POST", path, body)

    # Shared objects.

    @functools.cached_property
    def account(self):
        card = {
            "cardNumber": CARD, "cardType": "Visa", "expirationMonth": "12", "expirationYear": "2040",
            "cardHolderInfo": {"cardHolderName": "Ada Lovelace"},
        }
        contact = {"firstName": "Ada", "lastName": "Lovelace", "country": "United States"}
        made = self.make("/v1/accounts", {
            "name": "Payer", "currency": "USD", "autoPay": True, "billCycleDay": 1, "billToContact": contact,
            "creditCard": card,
        })
        return made["accountId"]

    @functools.cached_property
    def account_number(self):
        return self.call("GET", f"/v1/accounts/{self.account}")["basicInfo"]["accountNumber"]

    @functools.cached_property
    def gateway(self):
        return self.call("GET", "/v1/payment-gateways")["paymentgateways"][0]

    @functools.cached_property
    def payment(self):
        body = {"accountId": self.account, "amount": 5, "currency": "USD", "type": "External"}
        return self.make("/v1/payments", body)["id"]

    @functools.cached_property
    def open_invoice(self):
        return self.invoice("Posted")

    @functools.cached_property
    def draft(self):
        return {"invoices": self.invoice(), "debit-memos": self.memo("debit-memos"), "credit-memos": self.memo("credit-memos")}

    @functools.cached_property
    def shared_method(self):
        return self.payment_method()

    @functools.cached_property
    def collected_run(self):
        """A run with decisions, payments and records, which has ended."""
        self.invoice("Posted")
        run = self.make("/v1/payment-runs", {"accountId": self.account, "targetDate": DAY})["id"]
        return self.ended(run)

    @functools.cached_property
    def async_request(self):
        body = {"payment_run_date": "2099-01-01T00:00:00Z"}
        headers = {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "async": "true",
            "zuora-entity-ids": self.entity,
        }
        return self.send("POST", "/v2/payment_runs", json.dumps(body).encode(), headers)["request_id"]

    @functools.cached_property
    def shared_schedule(self):
        return self.schedule()

    @functools.cached_property
    def shared_import(self):
        return self.make("/ops/imports", {"kind": "accounts", "format": "ndjson", "name": "accounts.ndjson"})["id"]

    # Objects that a request uses up.

    def invoice(self, status="Draft"):
        item = {"amount": 12, "chargeName": "Service", "serviceStartDate": DAY}
        body = {
            "accountId": self.account, "invoiceDate": DAY, "dueDate": DAY, "invoiceItems": [item], "status": status,
        }
        return self.make("/v1/invoices", body)["id"]

    def memo(self, kind):
        charge = {"chargeId": "charge", "productRatePlanChargeId": "plan", "amount": 3}
        return self.make(f"/v1/{kind}", {"accountId": self.account, "effectiveDate": DAY, "charges": [charge]})["id"]

    def payment_method(self):
        body = {
            "type": "CreditCard", "accountKey": self.account, "cardNumber": CARD, "cardType": "Visa",
            "expirationMonth": 12, "expirationYear": 2040, "cardHolderInfo": {"cardHolderName": "Ada Lovelace"},
        }
        return self.make("/v1/payment-methods", body)["id"]

    def pending_run(self):
        return self.make("/v1/payment-runs", {"runDate": SCHEDULED})["id"]

    def client(self):
        return self.make("/ops/clients", {"permissions": ["manage_payment_runs"]})["client"]["client_id"]

    def organization(self):
        # Names are taken once; a number makes each its own.
        self.organizations = getattr(self, "organizations", 0) + 1
        name = f"Organization {time.monotonic_ns()} {self.organizations}"
        return self.make("/ops/organizations", {"name": name})["organization_id"]

    def schedule(self):
        body = {
            "repeat_type": "monthly", "monthly_on_day": 31, "run_time": 23, "time_zone": "UTC",
            "repeat_from": "2099-01-01", "payment_run": {},
        }
        try:
            return self.make("/ops/schedules", body)["id"]
        except RuntimeError:
            # Made-up requests make schedules, too, until there are as many as there may be.
            self.end_schedules()
            return self.make("/ops/schedules", body)["id"]

    def end_schedules(self):
        """Ends a page of schedules, but for the one that requests share."""
        shared = self.__dict__.get("shared_schedule")
        for schedule in self.call("GET", "/ops/schedules?page_size=99")["data"]:
            if schedule["id"] != shared and schedule["state"] == "active":
                self.call("DELETE", f"/ops/schedules/{schedule['id']}")

    def ended(self, run):
        until = time.monotonic() + TIMEOUT_S
        while self.call("GET", f"/v1/payment-runs/{run}")["status"] in ("Pending", "Processing"):
            if time.monotonic() > until:
                raise RuntimeError(f"the run {run} does not end")
        return run

    # What a made-up request is given.

    def named_by(self, method, path):
        """An object for the last parameter of an operation's path; None where none is known."""
        reads = method == "GET"
        for kind in ("invoices", "debit-memos", "credit-memos"):
            if f"/{kind}/{{" in path:
                if reads:
                    return self.draft[kind]
                return self.invoice() if kind == "invoices" else self.memo(kind)
        if "/accounts/{" in path:
            return self.account
        if "/payment-methods/{" in path:
            return self.payment_method() if path.endswith("/scrub") else self.shared_method
        if "/payment-runs/{" in path or "/payment_runs/{" in path:
            return self.collected_run if reads else self.pending_run()
        if "/payments/{" in path:
            return self.payment
        if "/clients/{" in path:
            return self.client()
        if "/organizations/{" in path:
            return self.organization()
        if "/async-requests/{" in path:
            return self.async_request
        if "/schedules/{" in path:
            return self.shared_schedule if reads else self.schedule()
        if "/imports/{" in path:
            return self.shared_import
        return None

    def value_of(self, field):
        """A value that exists for a field of a body; None where none is known."""
        match field:
            case "accountId" | "accountKey":
                return self.account
            case "accountNumber":
                return self.account_number
            case "currency":
                return "USD"
            case "paymentGatewayId" | "gateway_id":
                return self.gateway["id"]
            case "paymentGateway" | "authGateway" | "paymentGatewayNumber":
                return self.gateway["name"]
            case "invoiceId":
                return self.open_invoice
            case "paymentMethodId":
                return self.shared_method
        return None
