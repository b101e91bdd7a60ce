//! Accounts and payment methods.

use payment_runs_engine::account::Scope;
use payment_runs_engine::command::{
    AccountChange, Change, Command, Load, NewAccount, NewPaymentMethod, Output, PaymentMethodChange, Request,
};
use payment_runs_engine::ids::{AccountId, Key, OrganizationId, PaymentMethodId};
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment_method::{Instrument, PaymentMethodKind, PaymentMethodStatus};
use payment_runs_engine::refusal::{Field, Noun, Refusal};

use super::fixtures::{ENTITY, GATEWAY, Stand, USER, at, key, scope};

pub(super) fn new_account(stand: &Stand<'_>) -> NewAccount {
    NewAccount {
        id: AccountId::from_u128(stand.id()),
        number: None,
        name: "Ada".to_owned(),
        currency: Currency::USD,
        auto_pay: None,
        batch: Some("Batch2".to_owned()),
        bill_cycle_day: 31,
        gateway: None,
        payment_method: None,
        new_payment_method: None,
        organization: None,
    }
}

pub(super) fn new_card(stand: &Stand<'_>, account: Option<Key>) -> NewPaymentMethod {
    NewPaymentMethod {
        id: PaymentMethodId::from_u128(stand.id()),
        make_default: account.is_some(),
        account,
        kind: PaymentMethodKind::CreditCard,
        kind_name: "CreditCard".to_owned(),
        instrument: Instrument { token: Some("pm_1".to_owned()), ..Instrument::default() },
    }
}

pub async fn an_account_with_its_card(stand: Stand<'_>) {
    stand.add_gateway().await;
    let card = new_card(&stand, None);
    let new = NewAccount {
        gateway: Some(Key::new("Main")),
        new_payment_method: Some(card.clone()),
        ..new_account(&stand)
    };
    let Output::Account(account) = stand.execute(1, Command::CreateAccount(new)).await else { panic!() };
    assert_eq!(account.number, "A00000001");
    assert!(account.auto_pay, "a card is there to pay with");
    assert_eq!((account.gateway, account.default_payment_method), (Some(GATEWAY), Some(card.id)));
    for key in [key(account.id), key(&account.number)] {
        assert_eq!(stand.ledger.find_account(&scope(), &key).await.unwrap().as_ref(), Some(&account));
    }

    let second = new_card(&stand, Some(key("A00000001")));
    stand.execute(2, Command::CreatePaymentMethod(second.clone())).await;
    let change = AccountChange { gateway: Change::Clear, name: Some("Bea".to_owned()), ..Default::default() };
    let Output::Account(changed) = stand.execute(3, Command::UpdateAccount(key(account.id), change)).await
    else {
        panic!()
    };
    assert_eq!(changed.default_payment_method, Some(second.id), "the newer card was made the default");
    assert_eq!((changed.gateway, changed.name.as_str()), (None, "Bea"));
    assert_eq!((changed.stamps.created_at, changed.stamps.updated_at), (at(1), at(3)));

    let rule = PaymentMethodChange {
        use_default_retry_rule: Some(false),
        max_consecutive_failures: Change::Set(3),
        ..Default::default()
    };
    stand.execute(4, Command::UpdatePaymentMethod(key(second.id), rule)).await;
    stand.execute(5, Command::ScrubPaymentMethod(key(second.id))).await;
    let method = stand.ledger.find_payment_method(&scope(), &key(second.id)).await.unwrap().unwrap();
    assert_eq!(method.status, PaymentMethodStatus::Scrubbed);
    assert_eq!(method.instrument, Instrument::default(), "nothing of the card is left");
    assert_eq!(method.retry_rule.max_consecutive_failures, Some(3));
    let reasons = stand.refused(6, Command::ScrubPaymentMethod(key(second.id))).await;
    assert!(matches!(reasons[..], [Refusal::WrongState { noun: Noun::PaymentMethod, .. }]));
}

pub async fn every_reason_at_once(stand: Stand<'_>) {
    stand.execute(1, Command::CreateAccount(new_account(&stand))).await;
    let new = NewAccount {
        number: Some("A00000001".to_owned()),
        auto_pay: Some(true),
        bill_cycle_day: 32,
        gateway: Some(Key::new("nowhere")),
        payment_method: Some(Key::new("nothing")),
        organization: Some(Key::new("nobody")),
        ..new_account(&stand)
    };
    let id = new.id;
    let reasons = stand.refused(2, Command::CreateAccount(new)).await;
    let not_found = |noun, key: &str, field| Refusal::NotFound { noun, key: key.to_owned(), field };
    assert!(reasons.contains(&not_found(Noun::PaymentGateway, "nowhere", Field::Gateway)));
    assert!(reasons.contains(&not_found(Noun::PaymentMethod, "nothing", Field::PaymentMethod)));
    assert!(reasons.contains(&not_found(Noun::Organization, "nobody", Field::Organizations)));
    assert!(reasons.contains(&Refusal::NumberTaken { noun: Noun::Account, number: "A00000001".to_owned() }));
    for wanted in [Field::AutoPay, Field::BillCycleDay] {
        assert!(reasons.iter().any(|one| matches!(one, Refusal::Invalid { field, .. } if *field == wanted)));
    }
    assert_eq!(reasons.len(), 6, "{reasons:?}");
    assert_eq!(stand.ledger.find_account(&scope(), &key(id)).await.unwrap(), None, "nothing was written");

    let missing = key(AccountId::from_u128(1));
    let reasons = stand.refused(3, Command::UpdateAccount(missing.clone(), AccountChange::default())).await;
    assert_eq!(reasons, [not_found(Noun::Account, missing.as_str(), Field::Path)]);
}

pub async fn numbers_are_given_and_kept_apart(stand: Stand<'_>) {
    let mut numbers = Vec::new();
    for number in [None, Some("A00000003"), None, Some("mine"), None] {
        let new = NewAccount { number: number.map(str::to_owned), ..new_account(&stand) };
        let Output::Account(account) = stand.execute(1, Command::CreateAccount(new)).await else { panic!() };
        numbers.push(account.number);
    }
    assert_eq!(numbers, ["A00000001", "A00000003", "A00000004", "mine", "A00000005"]);

    let (account, method) = stand.account("A00000010");
    let load = Load { accounts: vec![account], payment_methods: vec![method], ..Load::default() };
    stand.load(load.clone()).await;
    stand.load(load).await;
    let Output::Account(next) = stand.execute(2, Command::CreateAccount(new_account(&stand))).await else {
        panic!()
    };
    assert_eq!(next.number, "A00000011", "a loaded number is never given again");
}

pub async fn scope_hides_other_organizations(stand: Stand<'_>) {
    let (east, west) = (OrganizationId::from_u128(1), OrganizationId::from_u128(2));
    stand.access.put_organization(ENTITY, east, "East").await.unwrap();
    stand.access.put_organization(ENTITY, west, "West").await.unwrap();
    let new = NewAccount { organization: Some(Key::new("East")), ..new_account(&stand) };
    let Output::Account(account) = stand.execute(1, Command::CreateAccount(new)).await else { panic!() };
    assert_eq!(account.organization, Some(east));
    let only = |organization| Scope { entity: ENTITY, organizations: Some(vec![organization]) };
    let find = async |scope: Scope| stand.ledger.find_account(&scope, &key("A00000001")).await.unwrap();
    assert_eq!(find(only(east)).await, Some(account));
    assert_eq!(find(only(west)).await, None);
    let other_entity = Scope::entity(payment_runs_engine::ids::EntityKey(2));
    assert_eq!(find(other_entity).await, None);

    let change = Command::UpdateAccount(key("A00000001"), AccountChange::default());
    let request = Request { scope: only(west), user: USER, now: at(2), command: change };
    let reasons = stand.try_execute(request).await.unwrap_err();
    assert!(matches!(reasons[..], [Refusal::NotFound { field: Field::Path, .. }]), "nor can it be changed");
    let new = Command::CreateAccount(new_account(&stand));
    let request = Request { scope: only(west), user: USER, now: at(3), command: new };
    let Output::Account(made) = stand.try_execute(request).await.unwrap() else { panic!() };
    assert_eq!(made.organization, Some(west), "the only organization of the caller");
}
