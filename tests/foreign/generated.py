"""Drives a server through a client of v2 that openapi-generator made from the document alone.

The first thing that is not as it should be ends the program with a failure.

Usage: generated.py FOLDER_OF_THE_CLIENT URL CLIENT_ID CLIENT_SECRET
"""

import importlib
import json
import sys
import urllib.parse
import urllib.request

PACKAGE = "payment_runs_v2"
# A slow machine may take long; a request that takes longer has failed.
TIMEOUT_S = 120.0


def equal(found, expected, what):
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def token(url, client_id, client_secret):
    """v2 documents no operation for tokens: they are asked for at the endpoint of v1."""
    form = {"client_id": client_id, "client_secret": client_secret, "grant_type": "client_credentials"}
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{url}/oauth/token", body, timeout=TIMEOUT_S) as answer:
        return json.load(answer)["access_token"]


def refused(made, call, status, what):
    try:
        answer = call()
    except made.ApiException as refusal:
        equal(refusal.status, status, f"the status of {what}")
        error = made.ErrorResponse.from_json(refusal.body)
        if not error.errors or not error.errors[0].message:
            sys.exit(f"{what} does not say why: {error}")
        return error
    sys.exit(f"{what} should be refused, but was answered {answer}")


def create(made, runs):
    body = made.CreatePaymentRunRequest(
        payment_run_date="2099-05-01 11:30:37Z", batch="Batch7", bill_cycle_day="31", consolidated_payment=True,
        currency="USD",
    )
    answer = runs.create_payment_run_with_http_info(body, idempotency_key="generated-1", zuora_track_id="generated")
    equal(answer.status_code, 201, "the status of a creation")
    equal(answer.headers["zuora-track-id"], "generated", "the track id")
    run = answer.data
    equal((run.state, run.batch, run.bill_cycle_day), (made.PaymentRunState.PENDING, "Batch7", 31), "the run")
    equal(run.consolidate_payment, True, "whether payments are consolidated")
    equal(run.payment_run_date.isoformat(), "2099-05-01T11:00:00+00:00", "the start")
    again = runs.create_payment_run(body, idempotency_key="generated-1")
    equal(again.id, run.id, "the run of a repeated request")
    return run


def change(made, runs, run):
    found = runs.get_payment_run(run.payment_run_number)
    equal(found, run, "the run by its number")
    # What is left out stays, and null clears.
    changed = runs.update_payment_run(run.id, made.UpdatePaymentRunRequest(batch=None, currency="EUR"))
    equal((changed.batch, changed.currency, changed.bill_cycle_day), (None, "EUR", 31), "the changed run")
    picked = runs.get_payment_run(
        run.id, fields=[made.PaymentRunField.ID, made.PaymentRunField.STATE],
        summary_fields=[made.PaymentRunSummaryField.NUMBER_OF_PAYMENTS],
    )
    equal(picked.to_dict(), {"id": run.id, "state": "pending", "summary": {"number_of_payments": 0}}, "the chosen fields")


def find(made, runs, run):
    other = runs.create_payment_run(made.CreatePaymentRunRequest(payment_run_date="2099-06-01 00:00:00Z"))
    page = runs.list_payment_runs(page_size=1, sort=["payment_run_number.asc"])
    equal([found.id for found in page.data], [run.id], "the first page")
    rest = runs.list_payment_runs(page_size=1, sort=["payment_run_number.asc"], cursor=page.next_page)
    equal(([found.id for found in rest.data], rest.next_page), ([other.id], None), "the second page")
    found = runs.list_payment_runs(filter=["state.IN:[pending,processing]", "currency.EQ:EUR"])
    equal([found.id for found in found.data], [run.id], "what two filters find together")
    refused(made, lambda: runs.list_payment_runs(filter=["nonsense.EQ:1"]), 400, "a filter on an unknown field")
    return other


def delete(made, runs, run, other):
    answer = runs.delete_payment_run_with_http_info(run.id)
    equal((answer.status_code, answer.data), (204, None), "the answer to a deletion")
    error = refused(made, lambda: runs.get_payment_run(run.id), 404, "a run that was deleted")
    equal((error.type, error.retryable), (made.ErrorType.NOT_FOUND, False), "the error")
    queued = runs.delete_payment_run_with_http_info(other.id, var_async=True)
    equal(queued.status_code, 202, "the status of a queued request")
    if not queued.data.request_id:
        sys.exit(f"the queued request has no id: {queued.data}")


def main():
    folder, url, client_id, client_secret = sys.argv[1:]
    sys.path.insert(0, folder)
    made = importlib.import_module(PACKAGE)
    configuration = made.Configuration(host=f"{url}/v2", access_token=token(url, client_id, client_secret))
    runs = made.PaymentRunsApi(made.ApiClient(configuration))
    run = create(made, runs)
    change(made, runs, run)
    other = find(made, runs, run)
    delete(made, runs, run, other)
    configuration.access_token = "nobody"
    try:
        runs.list_payment_runs()
    except made.exceptions.UnauthorizedException:
        print("the generated client listed, created, read, changed and deleted payment runs")
        return
    sys.exit("a call without a good token should be refused")


main()
