//! Idempotency records.

use std::sync::Arc;

use payment_runs_engine::command::{Command, NewPayment, Output};
use payment_runs_engine::ids::PaymentId;
use payment_runs_engine::money::Currency;
use payment_runs_engine::payment::PaymentState;
use payment_runs_engine::ports::{Executed, Ids, LedgerError, Once, OnceKey, Replay, StoredResponse};

use super::accounts::{new_account, new_card};
use super::fixtures::{Encoder, Stand, approved, at, key, scope, today};

fn once_key(text: &str, fingerprint: u8) -> OnceKey {
    OnceKey { client: "client".to_owned(), key: text.to_owned(), fingerprint: [fingerprint; 32] }
}

/// Answers are the output's number, so that a replay can be told from a fresh answer.
fn once(text: &str, fingerprint: u8, expires: i64) -> Once {
    let encode = |output: &Output| {
        StoredResponse(match output {
            Output::Account(account) => account.number.clone().into_bytes(),
            Output::Payment(payment) => format!("{:?}", payment.state).into_bytes(),
            other => format!("{other:?}").into_bytes(),
        })
    };
    Once { key: once_key(text, fingerprint), expires_at: at(expires), encode: Box::new(encode) }
}

async fn execute(
    stand: &Stand<'_>,
    second: i64,
    command: Command,
    once: Once,
) -> Result<Executed, LedgerError> {
    let ids: Arc<dyn Ids> = Arc::<super::Numbers>::clone(&stand.ids);
    stand.ledger.execute(stand.request(second, command), Some(once), Arc::new(Encoder), ids).await
}

pub async fn commands_keep_their_answers(stand: Stand<'_>) {
    let new = new_account(&stand);
    let command = Command::CreateAccount(new.clone());
    let fresh = execute(&stand, 1, command.clone(), once("k", 1, 100)).await.unwrap();
    assert!(matches!(fresh, Executed::Fresh(Output::Account(_))));
    let again = execute(&stand, 2, command.clone(), once("k", 1, 100)).await.unwrap();
    assert_eq!(again, Executed::Replayed(StoredResponse(b"A00000001".to_vec())));
    let other = execute(&stand, 3, command.clone(), once("k", 2, 100)).await.unwrap();
    assert_eq!(other, Executed::Mismatch);
    let foreign =
        Once { key: OnceKey { client: "other".to_owned(), ..once_key("k", 1) }, ..once("k", 1, 100) };
    let second = Command::CreateAccount(new_account(&stand));
    let foreign = execute(&stand, 4, second, foreign).await.unwrap();
    assert!(matches!(foreign, Executed::Fresh(_)), "keys of different clients never meet");

    let refused =
        Command::UpdateAccount(key("nobody"), payment_runs_engine::command::AccountChange::default());
    let error = execute(&stand, 5, refused, once("r", 1, 100)).await.unwrap_err();
    assert!(matches!(error, LedgerError::Refused(_)));
    assert_eq!(
        stand.once.find_once(&once_key("r", 1), at(5)).await.unwrap(),
        Replay::New,
        "a refusal is stored by the caller, who knows how to write it down"
    );
}

pub async fn a_claim_is_in_flight_until_answered_or_released(stand: Stand<'_>) {
    let (k, other) = (once_key("k", 1), once_key("k", 2));
    assert_eq!(stand.once.claim_once(&k, at(1), at(100)).await.unwrap(), Replay::New);
    assert_eq!(stand.once.claim_once(&k, at(2), at(100)).await.unwrap(), Replay::InFlight);
    assert_eq!(stand.once.claim_once(&other, at(2), at(100)).await.unwrap(), Replay::Mismatch);
    stand.once.release_once(&other).await.unwrap();
    assert_eq!(stand.once.find_once(&k, at(2)).await.unwrap(), Replay::InFlight, "not theirs to release");
    stand.once.release_once(&k).await.unwrap();
    assert_eq!(stand.once.claim_once(&k, at(3), at(100)).await.unwrap(), Replay::New);

    let answer = StoredResponse(vec![1, 2, 3]);
    stand.once.store_once(&k, at(4), at(100), answer.clone()).await.unwrap();
    stand.once.store_once(&k, at(5), at(100), StoredResponse(vec![9])).await.unwrap();
    stand.once.release_once(&k).await.unwrap();
    assert_eq!(stand.once.find_once(&k, at(6)).await.unwrap(), Replay::Answered(answer), "the first stands");

    // A command whose caller made a token first goes on under its own claim.
    stand.once.claim_once(&once_key("card", 1), at(1), at(100)).await.unwrap();
    let card = Command::CreatePaymentMethod(new_card(&stand, None));
    let fresh = execute(&stand, 2, card, once("card", 1, 100)).await.unwrap();
    assert!(matches!(fresh, Executed::Fresh(Output::PaymentMethod(_))));
}

pub async fn records_expire(stand: Stand<'_>) {
    let command = Command::CreateAccount(new_account(&stand));
    execute(&stand, 1, command, once("k", 1, 100)).await.unwrap();
    let known = stand.once.find_once(&once_key("k", 1), at(99)).await.unwrap();
    assert!(matches!(known, Replay::Answered(_)));
    assert_eq!(stand.once.find_once(&once_key("k", 2), at(100)).await.unwrap(), Replay::New);
    assert_eq!(stand.once.purge_once(at(99)).await.unwrap(), 0);
    assert_eq!(stand.once.purge_once(at(100)).await.unwrap(), 1);
    let command = Command::CreateAccount(new_account(&stand));
    let fresh = execute(&stand, 101, command, once("k", 2, 200)).await.unwrap();
    assert!(matches!(fresh, Executed::Fresh(_)), "an expired key can be used for another request");
}

pub async fn a_single_charge_keeps_its_key_until_its_outcome(stand: Stand<'_>) {
    stand.add_accounts(&[0]).await;
    let new = NewPayment {
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
    };
    let create = Command::CreatePayment(new.clone());
    let fresh = execute(&stand, 1, create.clone(), once("k", 1, 100)).await.unwrap();
    assert!(matches!(fresh, Executed::Fresh(Output::PaymentIntent(..))));
    let again = execute(&stand, 2, create.clone(), once("k", 1, 100)).await.unwrap();
    assert_eq!(again, Executed::InFlight, "the charge is on its way");
    let settle = Command::SettlePayment(approved(new.id));
    let settled = execute(&stand, 3, settle.clone(), once("k", 1, 100)).await.unwrap();
    let Executed::Fresh(Output::Payment(payment)) = settled else { panic!("{settled:?}") };
    assert_eq!((payment.state, payment.unapplied_minor), (PaymentState::Processed, 700));
    let again = execute(&stand, 4, create, once("k", 1, 100)).await.unwrap();
    assert_eq!(again, Executed::Replayed(StoredResponse(b"Processed".to_vec())));
    // The outcome arrives once more, by another way: the payment stands.
    let Output::Payment(same) = stand.execute(5, settle).await else { panic!() };
    assert_eq!(Some(same), stand.ledger.find_payment(&scope(), &key(new.id)).await.unwrap());
}
