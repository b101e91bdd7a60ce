//! What people do to runs and payments at work: stop, resolve, and read the trail of it all.

use std::collections::BTreeMap;
use std::sync::Arc;

use payment_runs_engine::account::Scope;
use payment_runs_engine::audit::{AuditQuery, AuditRecord, EventKind, EventKind as E};
use payment_runs_engine::command::{Command, NewPayment, Output, Resolution, RunChange};
use payment_runs_engine::document::Document;
use payment_runs_engine::ids::{OrganizationId, PaymentId, RunId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::ledger::{DecisionQuery, PaymentQuery};
use payment_runs_engine::ports::{
    Executed, Ids, NotSentCause, Once, OnceKey, Outcome, Replay, Settlement, StoredResponse,
};
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_engine::run::{Count, DeletePolicy, Run, RunStatus, SkipReason, Tally};

use super::fixtures::{
    ENTITY, Encoder, Stand, USER, approved, at, declined, key, lease, scope, today, unknown,
};

/// Given up with its run.
fn given_up(payment: PaymentId) -> Settlement {
    let why = "the payment run was stopped".to_owned();
    Settlement { payment, outcome: Outcome::NotSent { cause: NotSentCause::Stopped, why } }
}

pub(super) fn resolution(collected: bool) -> Resolution {
    Resolution {
        collected,
        reference: None,
        code: None,
        message: None,
        comment: "seen in the bank's list".to_owned(),
    }
}

async fn tally(stand: &Stand<'_>, run: &Run) -> Tally {
    stand.ledger.run_tallies(ENTITY, run.id).await.unwrap().get(&Currency::USD).copied().unwrap_or_default()
}

/// Why each document of a run was skipped, and how many were picked up.
async fn decisions(stand: &Stand<'_>, run: &Run) -> BTreeMap<Option<SkipReason>, usize> {
    let query = DecisionQuery { limit: 1_000, ..DecisionQuery::default() };
    let mut counted = BTreeMap::new();
    for (_, decision) in stand.ledger.list_decisions(ENTITY, run.id, query).await.unwrap() {
        *counted.entry(decision.skipped).or_default() += 1;
    }
    counted
}

/// Every audit record about something, oldest first, in pages of two.
async fn trail(stand: &Stand<'_>, scope: &Scope, query: AuditQuery) -> Vec<AuditRecord> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = AuditQuery { after, limit: 2, ..query.clone() };
        let page = stand.ledger.list_audit_records(scope, page).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        all.extend(page);
    }
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id), "each once, in order");
    all
}

fn kinds(records: &[AuditRecord]) -> Vec<EventKind> {
    records.iter().map(|record| record.kind).collect()
}

pub async fn a_stopped_run_ends_what_is_under_way_and_leaves_the_rest(stand: Stand<'_>) {
    let made = stand.add_accounts(&[3, 2, 2]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    let stop = || Command::StopRun(key(run.id));
    let pending = Refusal::WrongState { noun: Noun::PaymentRun, state: "pending".to_owned() };
    assert_eq!(stand.refused(1, stop()).await, [pending]);
    let selection = stand.work.claim_selection(at(2), lease(2), stand.ids()).await.unwrap().unwrap();
    assert!(!stand.work.extend_selection(&selection, at(2), 2, 3).await.unwrap(), "not all is cut yet");
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    assert_eq!(intents.len(), 3);
    assert!(!stand.work.is_stopping(&claim).await.unwrap());

    let Output::Progress(stopped) = stand.execute(4, stop()).await else { panic!() };
    assert_eq!(stopped.run.status, RunStatus::Processing, "what is under way ends first");
    assert!(stopped.stopping);
    assert!(stand.work.is_stopping(&claim).await.unwrap());
    let Output::Progress(again) = stand.execute(5, stop()).await else { panic!() };
    assert_eq!(again, stopped, "a second stop changes nothing");
    let progress = stand.ledger.run_progress(&scope(), &key(run.id)).await.unwrap().unwrap();
    assert!(progress.stopping);

    // One charge had been sent, the others had not.
    let settled =
        vec![approved(intents[0].payment), given_up(intents[1].payment), given_up(intents[2].payment)];
    assert_eq!(stand.work.settle(&claim, at(6), settled).await.unwrap(), 3);
    stand.work.close_chunk(&claim, at(6)).await.unwrap();
    // The selection goes on, so that every document gets its decision, and what is opened now sends nothing.
    while !stand.work.extend_selection(&selection, at(7), 2, 3).await.unwrap() {}
    assert!(stand.work_off(8, approved).await.is_empty());

    let ended = stand.run(&run).await;
    assert_eq!((ended.status, ended.completed_at), (RunStatus::Canceled, Some(at(8))));
    let canceled = Refusal::WrongState { noun: Noun::PaymentRun, state: "canceled".to_owned() };
    assert_eq!(stand.refused(9, stop()).await, [canceled]);
    let progress = stand.ledger.run_progress(&scope(), &key(run.id)).await.unwrap().unwrap();
    assert_eq!(progress.documents_selected, 7);
    assert_eq!(decisions(&stand, &run).await, BTreeMap::from([(None, 3), (Some(SkipReason::Stopped), 4)]));
    let counted = tally(&stand, &run).await;
    assert_eq!((counted.skipped, counted.invoices), (4, Count { number: 3, amount_minor: 3_000 }));
    assert_eq!(counted.payments, Count { number: 1, amount_minor: 1_000 });
    assert_eq!((counted.processing, counted.errors), (Count::default(), Count::default()));
    assert_eq!(counted.unprocessed_invoices, Count { number: 2, amount_minor: 2_000 });
    for document in made.iter().flat_map(|(_, documents)| documents) {
        let after = stand.document(document).await;
        assert_eq!(after.held_by, None);
        assert_eq!(after.balance_minor + after.paid_minor, 1_000);
    }
    let query = AuditQuery { run: Some(run.id), ..AuditQuery::default() };
    let records = trail(&stand, &scope(), query).await;
    let about_run: Vec<EventKind> =
        kinds(&records).into_iter().filter(|kind| !matches!(kind, EventKind::ChunkPlanned)).collect();
    assert_eq!(
        about_run,
        [
            E::RunCreated,
            E::RunStarted,
            E::RunStopRequested,
            E::PaymentSettled,
            E::PaymentSettled,
            E::PaymentSettled,
            E::RunStopped
        ]
    );
    let asked = records.iter().find(|one| one.kind == E::RunStopRequested).unwrap();
    assert_eq!((asked.user, asked.at), (Some(USER), at(4)));
    stand.execute(10, Command::DeleteRun(key(run.id), DeletePolicy::CanceledOrError)).await;
}

pub async fn what_a_stopped_run_may_have_sent_is_asked_about_and_never_sent(stand: Stand<'_>) {
    let made = stand.add_accounts(&[2]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let first = stand.claim(3).await.unwrap();
    assert!(stand.open(&first, 3).await.iter().all(|intent| !intent.run_stopped));
    stand.execute(4, Command::StopRun(key(run.id))).await;
    // The worker is gone. Another one gets its intents, and is told that nothing is sent any more.
    let second = stand.claim(1_000).await.unwrap();
    let intents = stand.open(&second, 1_000).await;
    assert!(intents.iter().all(|intent| intent.run_stopped && intent.may_have_been_sent));
    let settled = vec![unknown(intents[0].payment), unknown(intents[1].payment)];
    stand.work.settle(&second, at(1_001), settled).await.unwrap();
    stand.work.close_chunk(&second, at(1_001)).await.unwrap();
    stand.work.finish_runs(at(1_002)).await.unwrap();
    assert_eq!(stand.run(&run).await.status, RunStatus::Canceled);
    let due = stand.work.due_look_ups(at(1_003), at(1_063), at(0), 10).await.unwrap();
    assert!(due.len() == 2 && due.iter().all(|intent| intent.run_stopped));
    // A sender knows only its own delivery; that nothing was ever sent is for look-ups to find.
    let sender = Command::SettlePayment(given_up(intents[0].payment));
    let Output::Payment(payment) = stand.execute(1_004, sender).await else { panic!() };
    assert_eq!(payment.state, PaymentState::Unknown);
    let found = vec![given_up(intents[0].payment), approved(intents[1].payment)];
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(1_005), found).await.unwrap(), 2);
    let payment = stand.ledger.find_payment(&scope(), &key(intents[0].payment)).await.unwrap().unwrap();
    assert_eq!(payment.state, PaymentState::Canceled);
    let counted = tally(&stand, &run).await;
    assert_eq!((counted.processing, counted.errors), (Count::default(), Count::default()));
    assert_eq!(counted.payments, Count { number: 1, amount_minor: 1_000 });
    assert_eq!(counted.unprocessed_invoices, Count { number: 1, amount_minor: 1_000 });
    for document in &made[0].1 {
        assert_eq!(stand.document(document).await.held_by, None);
    }
}

/// What a run's books say: what documents have been paid is what payments have collected.
async fn check_books(stand: &Stand<'_>, run: &Run, documents: &[Document]) {
    let query = PaymentQuery { run: Some(run.id), limit: 100, ..PaymentQuery::default() };
    let payments = stand.ledger.list_payments(&scope(), query).await.unwrap();
    let sum = |states: &[PaymentState]| -> Count {
        let chosen = payments.iter().filter(|one| states.contains(&one.state));
        chosen.fold(Count::default(), |sum, one| Count {
            number: sum.number + 1,
            amount_minor: sum.amount_minor + one.amount_minor,
        })
    };
    let counted = tally(stand, run).await;
    assert_eq!(counted.payments, sum(&[PaymentState::Processed]));
    assert_eq!(counted.errors, sum(&[PaymentState::Declined]));
    let in_doubt = [PaymentState::Intent, PaymentState::Pending, PaymentState::Unknown];
    assert_eq!(counted.processing, sum(&in_doubt));
    let (mut paid, mut owed) = (0, Count::default());
    for document in documents {
        let after = stand.document(document).await;
        assert_eq!(after.amount_minor, after.balance_minor + after.paid_minor + after.credited_minor);
        paid += after.paid_minor;
        owed.number += i64::from(after.balance_minor > 0);
        owed.amount_minor += after.balance_minor;
        let holder = payments.iter().find(|one| Some(one.id) == after.held_by);
        let expected = payments
            .iter()
            .find(|one| one.state.is_in_doubt() && one.parts.iter().any(|part| part.document == after.id));
        assert_eq!(holder.map(|one| one.id), expected.map(|one| one.id), "held exactly while in doubt");
    }
    assert_eq!(paid, counted.payments.amount_minor);
    assert_eq!(owed, counted.unprocessed_invoices);
}

pub async fn a_person_settles_what_is_in_doubt(stand: Stand<'_>) {
    let made = stand.add_accounts(&[5]).await;
    let documents = &made[0].1;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    let ids: Vec<PaymentId> = intents.iter().map(|intent| intent.payment).collect();
    let resolve = |index: usize, resolution| Command::ResolvePayment(key(ids[index]), resolution);

    let in_work = stand.refused(3, resolve(0, resolution(true))).await;
    assert_eq!(in_work, [Refusal::WrongState { noun: Noun::Payment, state: "being sent".to_owned() }]);
    let pending = Outcome::Pending { reference: "ch_pending".to_owned() };
    let settled = vec![
        unknown(ids[0]),
        unknown(ids[1]),
        Settlement { payment: ids[2], outcome: pending },
        approved(ids[3]),
        declined(ids[4]),
    ];
    stand.work.settle(&claim, at(4), settled).await.unwrap();
    stand.work.close_chunk(&claim, at(4)).await.unwrap();
    stand.work.finish_runs(at(4)).await.unwrap();
    check_books(&stand, &run, documents).await;

    let silent = Resolution { comment: "  ".to_owned(), ..resolution(true) };
    let reasons = stand.refused(5, resolve(0, silent)).await;
    assert!(matches!(reasons[..], [Refusal::Invalid { field: Field::Comment, .. }]), "{reasons:?}");
    for (index, state) in [(3, "processed already"), (4, "declined already")] {
        let reasons = stand.refused(5, resolve(index, resolution(true))).await;
        assert_eq!(reasons, [Refusal::WrongState { noun: Noun::Payment, state: state.to_owned() }]);
    }
    let nobody = stand.refused(5, Command::ResolvePayment(key("P-99"), resolution(true))).await;
    assert!(matches!(nobody[..], [Refusal::NotFound { field: Field::Path, .. }]));
    check_books(&stand, &run, documents).await;

    let collected = Resolution { reference: Some("bank-1".to_owned()), ..resolution(true) };
    let Output::Payment(first) = stand.execute(6, resolve(0, collected)).await else { panic!() };
    assert_eq!((first.state, first.settled_at), (PaymentState::Processed, Some(at(6))));
    assert_eq!(first.answer.reference.as_deref(), Some("bank-1"));
    check_books(&stand, &run, documents).await;
    let refused = Resolution { code: Some("lost".to_owned()), ..resolution(false) };
    let Output::Payment(second) = stand.execute(7, resolve(1, refused)).await else { panic!() };
    assert_eq!((second.state, second.answer.code.as_deref()), (PaymentState::Declined, Some("lost")));
    check_books(&stand, &run, documents).await;
    let Output::Payment(third) = stand.execute(8, resolve(2, resolution(true))).await else { panic!() };
    assert_eq!(third.answer.reference.as_deref(), Some("ch_pending"), "what was known stays");
    check_books(&stand, &run, documents).await;
    let reasons = stand.refused(9, resolve(0, resolution(false))).await;
    assert!(matches!(reasons[..], [Refusal::WrongState { noun: Noun::Payment, .. }]), "once");

    // A look-up that comes in later changes nothing, but a contradiction is noted.
    assert!(stand.work.due_look_ups(at(9_000), at(9_060), at(0), 10).await.unwrap().is_empty());
    let late = vec![declined(ids[0]), approved(ids[1]), approved(ids[2])];
    assert_eq!(stand.work.settle_look_ups(ENTITY, at(10), late).await.unwrap(), 0);
    check_books(&stand, &run, documents).await;
    let of = |index: usize| AuditQuery { payment: Some(ids[index]), ..AuditQuery::default() };
    let records = trail(&stand, &scope(), of(0)).await;
    assert_eq!(kinds(&records), [E::PaymentSettled, E::PaymentResolved, E::PaymentSettled]);
    let told = &records[1];
    assert_eq!((told.user, told.state, told.run), (Some(USER), Some(PaymentState::Processed), Some(run.id)));
    assert_eq!(told.detail.as_deref(), Some("seen in the bank's list"));
    assert_eq!(records[2].detail.as_deref(), Some("a decline came after this state and changed nothing"));
    let records = trail(&stand, &scope(), of(1)).await;
    assert_eq!(records[2].detail.as_deref(), Some("an approval came after this state and changed nothing"));
    assert_eq!(trail(&stand, &scope(), of(2)).await.len(), 2, "the same again is no contradiction");

    let account = &made[0].0;
    let method = key(account.default_payment_method.unwrap());
    let method = stand.ledger.find_payment_method(&scope(), &method).await.unwrap().unwrap();
    assert_eq!((method.processed_payments, method.error_payments), (3, 2));
}

fn new_payment(stand: &Stand<'_>) -> NewPayment {
    NewPayment {
        id: PaymentId::from_u128(stand.id()),
        account: key("A00000001"),
        currency: Currency::USD,
        amount_minor: 700,
        electronic: true,
        effective_date: today(),
        payment_method: None,
        gateway: None,
        parts: Vec::new(),
        comment: None,
        reference_id: None,
        standalone: false,
        charge_request: stand.id(),
    }
}

pub async fn a_cut_off_single_payment_answers_under_its_key(stand: Stand<'_>) {
    stand.add_accounts(&[0]).await;
    let once_key =
        |text: &str| OnceKey { client: "client".to_owned(), key: text.to_owned(), fingerprint: [1; 32] };
    let execute = async |second: i64, command: Command, text: &str| -> Executed {
        let encode = Box::new(|output: &Output| {
            let Output::Payment(payment) = output else { panic!("{output:?}") };
            StoredResponse(format!("{} {:?}", payment.id, payment.state).into_bytes())
        });
        let once = Once { key: once_key(text), expires_at: at(100_000), encode };
        let ids: Arc<dyn Ids> = Arc::<super::Numbers>::clone(&stand.ids);
        let request = stand.request(second, command);
        stand.ledger.execute(request, Some(once), Arc::new(Encoder), ids).await.unwrap()
    };
    for (text, by_hand) in [("looked-up", false), ("resolved", true)] {
        let new = new_payment(&stand);
        let created = execute(1, Command::CreatePayment(new.clone()), text).await;
        assert!(matches!(created, Executed::Fresh(Output::PaymentIntent(..))));
        // Its caller is gone. The same request again, with another identifier at hand, waits.
        let again =
            || Command::CreatePayment(NewPayment { id: PaymentId::from_u128(stand.id()), ..new.clone() });
        assert_eq!(stand.once.find_once(&once_key(text), at(2)).await.unwrap(), Replay::InFlight);
        assert_eq!(execute(2, again(), text).await, Executed::InFlight);
        if by_hand {
            stand.work.settle_look_ups(ENTITY, at(3), vec![unknown(new.id)]).await.unwrap();
            stand.execute(4, Command::ResolvePayment(key(new.id), resolution(true))).await;
        } else {
            stand.work.settle_look_ups(ENTITY, at(3), vec![approved(new.id)]).await.unwrap();
        }
        assert_eq!(stand.once.find_once(&once_key(text), at(5)).await.unwrap(), Replay::Settled(new.id));
        // A refusal on the way there is not kept as the answer.
        stand.once.store_once(&once_key(text), at(5), at(100_000), StoredResponse(vec![9])).await.unwrap();
        let answered = execute(6, again(), text).await;
        let Executed::Fresh(Output::Payment(payment)) = answered else { panic!("{answered:?}") };
        assert_eq!(
            (payment.id, payment.state),
            (new.id, PaymentState::Processed),
            "no other payment is made"
        );
        let kept = StoredResponse(format!("{} Processed", new.id).into_bytes());
        assert_eq!(execute(7, again(), text).await, Executed::Replayed(kept.clone()));
        // Its caller was only slow: what it brings changes nothing any more.
        let late = execute(8, Command::SettlePayment(declined(new.id)), text).await;
        assert_eq!(late, Executed::Replayed(kept));
    }
    let all = PaymentQuery { limit: 10, ..PaymentQuery::default() };
    assert_eq!(stand.ledger.list_payments(&scope(), all).await.unwrap().len(), 2);
}

pub async fn every_command_on_runs_and_payments_leaves_its_record(stand: Stand<'_>) {
    stand.add_accounts(&[2]).await;
    let new = stand.new_run();
    let run = stand.create_run(1, new).await;
    let other = stand.create_run(1, stand.new_run()).await;
    let single = new_payment(&stand);
    let external = NewPayment { electronic: false, ..new_payment(&stand) };
    let mut expected = vec![E::RunCreated, E::RunCreated];
    let mut step = async |second: i64, command: Command, kind: EventKind| {
        stand.execute(second, command).await;
        expected.push(kind);
        let records = trail(&stand, &scope(), AuditQuery::default()).await;
        assert_eq!(kinds(&records), expected);
        let last = records.last().unwrap().clone();
        assert_eq!((last.user, last.at), (Some(USER), at(second)));
        last
    };
    step(2, Command::UpdateRun(key(other.id), RunChange::default()), E::RunUpdated).await;
    step(3, Command::CancelRun(key(other.id)), E::RunCanceled).await;
    let deleted = Command::DeleteRun(key(other.id), DeletePolicy::CanceledOrError);
    let record = step(4, deleted, E::RunDeleted).await;
    assert_eq!((record.run, record.payment), (Some(other.id), None));
    let record = step(5, Command::CreatePayment(external.clone()), E::PaymentCreated).await;
    assert_eq!((record.payment, record.state), (Some(external.id), Some(PaymentState::Processed)));
    let record = step(6, Command::CreatePayment(single.clone()), E::PaymentCreated).await;
    assert_eq!((record.payment, record.state), (Some(single.id), Some(PaymentState::Intent)));
    let record = step(7, Command::SettlePayment(unknown(single.id)), E::PaymentSettled).await;
    assert_eq!(record.state, Some(PaymentState::Unknown));
    step(8, Command::ResolvePayment(key(single.id), resolution(false)), E::PaymentResolved).await;
    stand.select(9, 10).await;
    expected.push(E::RunStarted);
    let mut step = async |second: i64, command: Command, kind: EventKind| {
        stand.execute(second, command).await;
        expected.push(kind);
        assert_eq!(kinds(&trail(&stand, &scope(), AuditQuery::default()).await), expected);
    };
    step(10, Command::StopRun(key(run.id)), E::RunStopRequested).await;
    stand.work_off(11, approved).await;
    expected.extend([E::ChunkPlanned, E::RunStopped]);
    let records = trail(&stand, &scope(), AuditQuery::default()).await;
    assert_eq!(kinds(&records), expected);
    assert!(records.last().unwrap().user.is_none(), "the work did it by itself");

    // A deleted run's trail can still be read, by number, too.
    for name in [key(other.id), key(&other.number)] {
        assert_eq!(stand.ledger.find_audited_run(&scope(), &name).await.unwrap(), Some(other.id));
    }
    assert_eq!(stand.ledger.find_audited_run(&scope(), &key("PR-0")).await.unwrap(), None);
    let of_run = |run: RunId| AuditQuery { run: Some(run), ..AuditQuery::default() };
    let of_other = trail(&stand, &scope(), of_run(other.id)).await;
    assert_eq!(kinds(&of_other), [E::RunCreated, E::RunUpdated, E::RunCanceled, E::RunDeleted]);
    let of_payment = AuditQuery { payment: Some(single.id), ..AuditQuery::default() };
    let of_payment = trail(&stand, &scope(), of_payment).await;
    assert_eq!(kinds(&of_payment), [E::PaymentCreated, E::PaymentSettled, E::PaymentResolved]);
}

pub async fn the_trail_shows_only_what_is_in_scope(stand: Stand<'_>) {
    let east = OrganizationId::from_u128(1);
    stand.add_gateway().await;
    let mut load = payment_runs_engine::command::Load::default();
    for (number, organization) in [("A00000001", Some(east)), ("A00000002", None)] {
        let (mut account, method) = stand.account(number);
        account.organization = organization;
        load.accounts.push(account);
        load.payment_methods.push(method);
    }
    stand.load(load).await;
    let eastern = payment_runs_engine::command::NewRun { organizations: vec![east], ..stand.new_run() };
    let ours = stand.create_run(1, eastern).await;
    let theirs = stand.create_run(2, stand.new_run()).await;
    let paid = new_payment(&stand);
    let foreign = NewPayment { account: key("A00000002"), ..new_payment(&stand) };
    for payment in [&paid, &foreign] {
        stand.execute(3, Command::CreatePayment(payment.clone())).await;
    }
    let scoped = Scope { entity: ENTITY, organizations: Some(vec![east]) };
    let seen = trail(&stand, &scoped, AuditQuery::default()).await;
    let seen: Vec<_> = seen.iter().map(|record| (record.run, record.payment)).collect();
    assert_eq!(seen, [(Some(ours.id), None), (None, Some(paid.id))]);
    assert_eq!(stand.ledger.find_audited_run(&scoped, &key(theirs.id)).await.unwrap(), None);
    let whole = trail(&stand, &scope(), AuditQuery::default()).await;
    assert_eq!(whole.len(), 4);
    let elsewhere = Scope::entity(payment_runs_engine::ids::EntityKey(7));
    assert!(trail(&stand, &elsewhere, AuditQuery::default()).await.is_empty());
}

pub async fn payments_are_listed_by_state_and_page_by_page(stand: Stand<'_>) {
    stand.add_accounts(&[6]).await;
    let run = stand.create_run(1, stand.new_run()).await;
    stand.select(2, 10).await;
    let claim = stand.claim(3).await.unwrap();
    let intents = stand.open(&claim, 3).await;
    let settled = intents.iter().enumerate().map(|(index, intent)| match index % 3 {
        0 => unknown(intent.payment),
        1 => declined(intent.payment),
        _ => approved(intent.payment),
    });
    stand.work.settle(&claim, at(4), settled.collect()).await.unwrap();
    let list = async |query: PaymentQuery| -> Vec<PaymentId> {
        let mut all = Vec::new();
        loop {
            let page = PaymentQuery { after: all.last().copied(), limit: 1, ..query.clone() };
            let page = stand.ledger.list_payments(&scope(), page).await.unwrap();
            let Some(payment) = page.first() else { return all };
            all.push(payment.id);
        }
    };
    for (state, remainder) in
        [(PaymentState::Unknown, 0), (PaymentState::Declined, 1), (PaymentState::Processed, 2)]
    {
        let mut expected: Vec<_> = intents
            .iter()
            .enumerate()
            .filter(|(at, _)| at % 3 == remainder)
            .map(|(_, one)| one.payment)
            .collect();
        expected.reverse();
        for run in [None, Some(run.id)] {
            for oldest_first in [false, true] {
                let query =
                    PaymentQuery { states: vec![state], run, oldest_first, ..PaymentQuery::default() };
                let mut expected = expected.clone();
                if oldest_first {
                    expected.reverse();
                }
                assert_eq!(list(query).await, expected, "{state:?} {run:?} {oldest_first}");
            }
        }
    }
    let in_doubt = PaymentQuery {
        states: vec![PaymentState::Intent, PaymentState::Pending, PaymentState::Unknown],
        ..PaymentQuery::default()
    };
    assert_eq!(list(in_doubt).await.len(), 2);
}
