"""Drives a server through the public v1 SDK, unmodified: only its host is set.

Everything that the SDK's classes for payment runs and object query offer is done once, on billing objects that are
made through the SDK too. The first thing that is not as it should be ends the program with a failure.

Usage: sdk.py URL CLIENT_ID CLIENT_SECRET
"""

import datetime
import json
import sys
import time
import urllib.request

import urllib3
import zuora_sdk as sdk
from zuora_sdk.zuora_client import ZuoraClient

TARGET = "2026-01-31"
SCHEDULED = "2099-05-01 11:30:37"
# A run of a few documents takes milliseconds; a minute is far more than a busy machine needs.
WAIT_MAX_S = 60


def equal(found, expected, what):
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def succeeded(answer, what):
    if answer.success is not True:
        sys.exit(f"{what} failed: {answer}")
    return answer


def refused(error, call, what):
    try:
        answer = call()
    except error as refusal:
        return refusal
    sys.exit(f"{what} should be refused, but was answered {answer}")


def connect(url, client_id, client_secret):
    configuration = sdk.Configuration(host=url)
    client = ZuoraClient(client_id, client_secret, None, configuration)
    token = sdk.OAuthApi(client.api_client).create_token(
        client_id=client_id, client_secret=client_secret, grant_type="client_credentials"
    )
    equal(token.token_type, "bearer", "the token's type")
    client.initialize()
    return client.api_client, token.access_token


def make_account(api, number, card):
    contact = sdk.CreateAccountContact(first_name="Ada", last_name="Lovelace", country="United Kingdom")
    method = sdk.CreateAccountPaymentMethod(
        type="CreditCard",
        card_number=card,
        card_type="Visa",
        expiration_month=12,
        expiration_year=2040,
        card_holder_info={"cardHolderName": "Ada Lovelace"},
        make_default=True,
    )
    request = sdk.CreateAccountRequest(
        name=number,
        account_number=number,
        currency="USD",
        auto_pay=True,
        bill_cycle_day=1,
        batch="Batch7",
        bill_to_contact=contact,
        payment_method=method,
    )
    made = succeeded(sdk.AccountsApi(api).create_account(request), "create an account")
    equal(made.account_number, number, "the account's number")
    return made.account_id


def make_documents(api, account):
    """An invoice of 100, posted in a second step, a debit memo of 30, a credit memo of 20 and a payment of 10."""
    invoices = sdk.InvoicesApi(api)
    item = sdk.CreateInvoiceItem(charge_name="Engine", amount=100.0, service_start_date="2026-01-01")
    invoice = sdk.CreateInvoiceRequest(
        account_id=account, auto_pay=True, invoice_date="2026-01-01", due_date="2026-01-15", invoice_items=[item]
    )
    invoice = succeeded(invoices.create_standalone_invoice(invoice), "create an invoice")
    succeeded(invoices.post_invoice(invoice.id, sdk.PostAsyncInvoiceRequest()), "post the invoice")
    posted = invoices.get_invoice(invoice.id)
    equal((posted.status, float(posted.balance)), ("Posted", 100.0), "the posted invoice")

    charge = sdk.DebitMemoItemFromChargeDetail(
        amount=30.0, charge_id="CHARGE-1", product_rate_plan_charge_id="402880e123853710012385380b1d0002"
    )
    debits = sdk.DebitMemosApi(api)
    debit = sdk.CreateDebitMemoFromChargeRequest(
        account_id=account, effective_date="2026-01-01", due_date="2026-01-20", currency="USD", charges=[charge]
    )
    debit = succeeded(debits.create_debit_memo_from_charge(debit), "create a debit memo")
    succeeded(debits.post_debit_memo(debit.id), "post the debit memo")
    equal(debits.get_debit_memo(debit.id).status, "Posted", "the debit memo's status")

    charge = sdk.CreditMemoItemFromChargeDetail(
        amount=20.0, charge_id="CHARGE-2", product_rate_plan_charge_id="402880e123853710012385380b1d0003"
    )
    credits = sdk.CreditMemosApi(api)
    credit = sdk.CreateCreditMemoFromChargeRequest(
        account_id=account, effective_date="2026-01-01", currency="USD", charges=[charge]
    )
    credit = succeeded(credits.create_credit_memo_from_charge(credit), "create a credit memo")
    succeeded(credits.post_credit_memo(credit.id), "post the credit memo")
    equal(credits.get_credit_memo(credit.id).status, "Posted", "the credit memo's status")

    payment = sdk.CreatePaymentRequest(
        account_id=account, amount=10.0, currency="USD", effective_date="2026-01-02", type="External",
        payment_method_type="Cash",
    )
    payment = succeeded(sdk.PaymentsApi(api).create_payment(payment), "create a payment")
    equal(float(payment.unapplied_amount), 10.0, "what the payment leaves unapplied")
    return invoice.id, debit.id


def wait(api, key):
    runs = sdk.PaymentRunsApi(api)
    until = time.monotonic() + WAIT_MAX_S
    while time.monotonic() < until:
        run = runs.get_payment_run(key)
        if run.status not in ("Pending", "Processing"):
            return run
    sys.exit(f"the run {key} does not end: {run}")


def collect(api, account, invoice, debit):
    """A run over one account: 20 and 10 are applied, and 100 of 130 are charged."""
    runs = sdk.PaymentRunsApi(api)
    request = sdk.CreatePaymentRunRequest(
        account_id=account, target_date=TARGET, auto_apply_credit_memo=True, auto_apply_unapplied_payment=True
    )
    created = succeeded(runs.create_payment_run(request, idempotency_key="sdk-1"), "create a run")
    again = runs.create_payment_run(request, idempotency_key="sdk-1")
    equal(again.id, created.id, "the run of a repeated request")
    equal(wait(api, created.id).status, "Completed", "the run's status")

    summary = succeeded(runs.get_payment_run_summary(created.number), "the summary")
    equal(summary.number_of_errors, 0, "the errors")
    equal(summary.number_of_invoices, 1, "the invoices")
    equal(summary.number_of_debit_memos, 1, "the debit memos")
    equal(summary.number_of_credit_memos, 1, "the credit memos")
    equal(summary.number_of_unapplied_payments, 1, "the unapplied payments")
    equal(float(sdk.InvoicesApi(api).get_invoice(invoice).balance), 0.0, "the invoice's balance after the run")
    equal(float(sdk.DebitMemosApi(api).get_debit_memo(debit).balance), 0.0, "the debit memo's balance after the run")
    payments = sdk.PaymentsApi(api).get_retrieve_all_payments(account_id=account)
    charged = sum(float(payment.amount) for payment in payments.payments if payment.type == "Electronic")
    equal(charged, 100.0, "what was charged")
    return created


def collect_data(api, account):
    """A run over records: one is charged, one names no account that exists."""
    runs = sdk.PaymentRunsApi(api)
    standalone = sdk.CreatePaymentRunData(account_id=account, amount=12.5, currency="USD", standalone=True)
    stray = sdk.CreatePaymentRunData(account_id="8ad09be48db5aba7018db604776d4854", amount=1.0, currency="USD",
                                     standalone=True)
    request = sdk.CreatePaymentRunRequest(target_date=TARGET, data=[standalone, stray])
    run = succeeded(runs.create_payment_run(request), "create a run of records")
    wait(api, run.id)
    records = succeeded(runs.get_payment_run_data(run.id), "the records").data
    equal([record.result for record in records], ["Processed", "Error"], "the results of the records")
    equal(float(records[0].amount_collected), 12.5, "what the first record collected")
    equal(records[0].transactions[0].type, "Payment", "the kind of its transaction")
    if not (records[1].error_code and records[1].error_message):
        sys.exit(f"the second record does not say why it failed: {records[1]}")


def cancel(url, token, number):
    """Cancels a pending run through the operations API, since v1 has no operation for it, and deletes only such runs."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/ops/payment-runs/{number}/cancel", b"", headers, method="POST")
    with urllib.request.urlopen(request, timeout=WAIT_MAX_S) as answer:
        equal(json.load(answer)["status"], "canceled", "the status of the canceled run")


def maintain(api, account, url, token):
    """A scheduled run is changed, and deleted once it is canceled."""
    runs = sdk.PaymentRunsApi(api)
    run = succeeded(
        runs.create_payment_run(sdk.CreatePaymentRunRequest(run_date=SCHEDULED, batch="Batch7")), "schedule a run"
    )
    equal((run.status, run.batch), ("Pending", "Batch7"), "the scheduled run")
    when = datetime.datetime(2099, 6, 1, 11, 30, 37)
    change = sdk.UpdatePaymentRunRequest(run_date=when, batch="Batch8", currency="USD")
    changed = succeeded(runs.update_payment_run(run.id, change), "update the run")
    equal((changed.batch, changed.currency), ("Batch8", "USD"), "the changed run")
    equal(str(changed.run_date)[:13].replace("T", " "), "2099-06-01 11", "the changed hour")
    conflicting = sdk.UpdatePaymentRunRequest(account_id=account)
    refused(sdk.exceptions.BadRequestException, lambda: runs.update_payment_run(run.id, conflicting), "a conflict")
    refused(sdk.exceptions.BadRequestException, lambda: runs.delete_payment_run(run.id), "deleting a pending run")
    cancel(url, token, run.number)
    equal(runs.get_payment_run(run.id).status, "Canceled", "the canceled run")
    succeeded(runs.delete_payment_run(run.id), "delete the run")
    refused(sdk.exceptions.NotFoundException, lambda: runs.get_payment_run(run.id), "a deleted run")


def list_runs(api, first):
    runs = sdk.PaymentRunsApi(api)
    page = succeeded(runs.get_payment_runs(page_size=1, page=1), "the first page")
    equal((len(page.payment_runs), bool(page.next_page)), (1, True), "the first page")
    page = succeeded(runs.get_payment_runs(page_size=1, page=2), "the last page")
    equal((page.payment_runs[0].id, page.next_page), (first.id, None), "the last page")

    today = datetime.datetime.fromisoformat(str(first.created_date))
    filters = {
        "status": "Completed",
        "target_date": datetime.date(2026, 1, 31),
        "created_by_id": first.created_by_id,
        "updated_by_id": first.updated_by_id,
    }
    for name, value in filters.items():
        found = succeeded(runs.get_payment_runs(**{name: value}), f"filter by {name}")
        if first.id not in [run.id for run in found.payment_runs]:
            sys.exit(f"the filter {name} loses the run")
    found = succeeded(runs.get_payment_runs(created_date=today), "filter by created_date")
    if first.id not in [run.id for run in found.payment_runs]:
        sys.exit("the filter created_date loses the run")
    equal(runs.get_payment_runs(status="Error").payment_runs or [], [], "runs in another state")
    ascending = [run.number for run in runs.get_payment_runs(sort="-createdDate,+targetDate").payment_runs]
    descending = [run.number for run in runs.get_payment_runs(sort="+createdDate").payment_runs]
    equal(ascending, descending[::-1], "the order of runs")
    refused(sdk.exceptions.BadRequestException, lambda: runs.get_payment_runs(sort="number"), "an unknown sort field")


def query(api, first):
    queries = sdk.ObjectQueriesApi(api)
    one = queries.query_payment_run_by_key(first.id)
    equal((one.id, one.payment_run_number, one.status), (first.id, first.number, "Completed"), "the run by its id")
    equal(one.number_of_invoices, 1, "its invoices")
    equal(queries.query_payment_run_by_key(first.number).id, first.id, "the run by its number")
    picked = queries.query_payment_run_by_key(first.id, fields=["id,status"]).to_dict()
    equal(sorted(name for name, value in picked.items() if value is not None), ["id", "status"], "the chosen fields")

    page = queries.query_payment_runs(page_size=1, sort=["paymentRunNumber.ASC"])
    equal([run.id for run in page.data], [first.id], "the first page of the query")
    rest = queries.query_payment_runs(page_size=50, sort=["paymentRunNumber.ASC"], cursor=page.next_page)
    if not rest.data or first.id in [run.id for run in rest.data]:
        sys.exit(f"the cursor does not go on: {rest}")
    conditions = ["status.IN:[Completed,Pending]", "numberOfPayments.GE:1", f"paymentRunNumber.EQ:{first.number}"]
    found = queries.query_payment_runs(filter=conditions, sort=["id.DESC"], fields=["id", "status"])
    equal([run.id for run in found.data], [first.id], "what three filters find together")
    found = queries.query_payment_runs(filter=["paymentRunNumber.SW:NONE"])
    equal(found.data, [], "what a filter finds that nothing meets")
    nulls = queries.query_payment_runs(filter=[f"id.EQ:{first.id}"], include_null_fields=True)
    equal(len(nulls.data), 1, "the query with null fields")
    refused(sdk.exceptions.NotFoundException, lambda: queries.query_payment_run_by_key("PR-99999999"), "no such run")
    wrong = lambda: queries.query_payment_runs(filter=["nonsense.EQ:1"])  # noqa: E731
    refused(sdk.exceptions.BadRequestException, wrong, "a filter on an unknown field")


def refuse_early(url, token):
    """Refusals that do not need the body, on one connection of the SDK's own HTTP library, which repeats nothing here."""
    wrong = {"Authorization": "Bearer wrong"}
    right = {"Authorization": f"Bearer {token}"}
    cases = [
        ("POST", "/v1/payment-runs", wrong, 401),
        ("POST", "/v1/payment-runs", {**right, "Zuora-Track-Id": "a:b"}, 400),
        ("POST", "/v1/payment-runs", {**right, "Accept": "text/html"}, 406),
        ("POST", "/v1/nowhere", right, 404),
        ("PATCH", "/v1/payment-runs", right, 405),
    ]
    pool = urllib3.connection_from_url(url, maxsize=1, block=True, retries=False)
    for size in (10, 20_000, 2_000_000):
        for method, path, headers, status in cases:
            for _ in range(20):
                headers = {"Content-Type": "application/json", **headers}
                answer = pool.request(method, path, body=b"x" * size, headers=headers)
                equal(answer.status, status, f"{method} {path} with {size} bytes")
    equal(pool.request("GET", "/healthz").status, 200, "a call on the same connection")


def main():
    url, client_id, client_secret = sys.argv[1:]
    api, token = connect(url, client_id, client_secret)
    account = make_account(api, "SDK-1", "4242424242424242")
    gateways = sdk.PaymentGatewaysApi(api).get_payment_gateways()
    if not gateways.paymentgateways:
        sys.exit(f"there is no gateway: {gateways}")
    invoice, debit = make_documents(api, account)
    first = collect(api, account, invoice, debit)
    collect_data(api, account)
    maintain(api, account, url, token)
    list_runs(api, sdk.PaymentRunsApi(api).get_payment_run(first.id))
    query(api, sdk.PaymentRunsApi(api).get_payment_run(first.id))
    unknown = sdk.Configuration(host=url)
    stranger = sdk.PaymentRunsApi(sdk.ApiClient(unknown))
    refused(sdk.exceptions.UnauthorizedException, lambda: stranger.get_payment_runs(), "a call without a token")
    refuse_early(url, token)
    print("the SDK did everything it offers for payment runs and object query")


main()
