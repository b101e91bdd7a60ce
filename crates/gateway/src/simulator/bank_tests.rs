#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::simulator::journal::JournalTotals;
use crate::simulator::request::parse_charge;

const DAY_MS: i64 = 86_400_000;

fn settings(faults: &str) -> BankSettings {
    BankSettings {
        seed: 7,
        faults: faults.parse().unwrap(),
        latency_ms: 0,
        key_life_ms: DAY_MS,
        honours_keys: true,
        search_lag_ms: 0,
    }
}

fn request(token: &str, amount: i64, reference: &str) -> ChargeRequest {
    let body = format!(
        "amount={amount}&currency=usd&payment_method={token}&confirm=true&metadata[reference]={reference}"
    );
    parse_charge(body.as_bytes()).unwrap()
}

fn answer(delivery: Delivery) -> Answer {
    match delivery {
        Delivery::Answered { answer, cut: Cut::None, .. } => answer,
        other => panic!("no plain answer: {other:?}"),
    }
}

fn json(answer: &Answer) -> serde_json::Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn an_approved_charge_has_the_dialects_shape() {
    let bank = Bank::new(settings(""));
    let charge = answer(bank.deliver(&request("pm_card_visa", 1_099, "R1"), Some("k1"), 5_500));
    assert_eq!((charge.status, charge.replayed), (200, false));
    let intent = json(&charge);
    for (field, value) in [
        ("object", serde_json::json!("payment_intent")),
        ("amount", 1_099.into()),
        ("amount_received", 1_099.into()),
        ("created", 5.into()),
        ("currency", "usd".into()),
        ("payment_method", "pm_card_visa".into()),
        ("status", "succeeded".into()),
        ("last_payment_error", serde_json::Value::Null),
        ("metadata", serde_json::json!({"reference": "R1"})),
    ] {
        assert_eq!(intent[field], value, "{field}");
    }
    let id = intent["id"].as_str().unwrap();
    assert_eq!(json(&bank.find(id, 6_000).unwrap()), intent);
    assert_eq!(bank.find("pi_000000000000000000000000", 6_000), None);
}

#[test]
fn a_declined_charge_is_402_and_carries_its_intent() {
    let bank = Bank::new(settings(""));
    let token = "pm_card_chargeDeclinedInsufficientFunds";
    let charge = answer(bank.deliver(&request(token, 5, "R1"), Some("k1"), 0));
    assert_eq!(charge.status, 402);
    let error = &json(&charge)["error"];
    assert_eq!(
        (&error["type"], &error["code"], &error["decline_code"]),
        (&"card_error".into(), &"card_declined".into(), &"insufficient_funds".into())
    );
    assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
    assert_eq!(error["payment_intent"]["amount_received"], 0);
    assert_eq!(error["payment_intent"]["last_payment_error"]["decline_code"], "insufficient_funds");
}

#[test]
fn texts_are_escaped() {
    let bank = Bank::new(settings(""));
    let body = "amount=1&currency=usd&payment_method=pm_card_visa&confirm=true\
                &description=%22quoted%22%0A%5C%E2%82%AC&metadata[a%22b]=%00";
    let charge = answer(bank.deliver(&parse_charge(body.as_bytes()).unwrap(), None, 0));
    assert_eq!(json(&charge)["description"], "\"quoted\"\n\\€");
    assert_eq!(json(&charge)["metadata"]["a\"b"], "\0");
}

#[test]
fn the_same_key_charges_once_and_replays_the_answer() {
    let bank = Bank::new(settings(""));
    let request = request("pm_card_visa", 100, "R1");
    let first = answer(bank.deliver(&request, Some("k1"), 0));
    let second = answer(bank.deliver(&request, Some("k1"), DAY_MS - 1));
    assert_eq!(second, Answer { replayed: true, ..first });
    let journal = bank.journal();
    assert_eq!(journal.iter().map(|entry| entry.replay).collect::<Vec<_>>(), [false, true]);
    let totals = JournalTotals::of(&journal);
    assert_eq!((totals.charges, totals.replays, totals.succeeded), (1, 1, 1));
    assert_eq!(totals.collected, [("usd".to_owned(), 100)]);
    assert!(totals.charged_twice.is_empty());
}

#[test]
fn a_key_with_other_parameters_is_refused_and_nothing_is_charged() {
    let bank = Bank::new(settings(""));
    bank.deliver(&request("pm_card_visa", 100, "R1"), Some("k1"), 0);
    let other = answer(bank.deliver(&request("pm_card_visa", 101, "R1"), Some("k1"), 1));
    assert_eq!((other.status, &json(&other)["error"]["type"]), (400, &"idempotency_error".into()));
    assert_eq!(bank.journal().len(), 1);
}

#[test]
fn a_key_is_in_flight_until_its_answer_is_out() {
    let bank = Bank::new(BankSettings { latency_ms: 100, ..settings("") });
    let request = request("pm_card_visa", 100, "R1");
    bank.deliver(&request, Some("k1"), 0);
    assert_eq!(answer(bank.deliver(&request, Some("k1"), 99)).status, 409);
    assert_eq!(answer(bank.deliver(&request, Some("k1"), 100)).status, 200);
    assert_eq!(JournalTotals::of(&bank.journal()).charges, 1);
}

#[test]
fn an_expired_or_ignored_key_charges_again_and_the_totals_say_so() {
    let ignoring = BankSettings { honours_keys: false, ..settings("") };
    for (settings, again_ms) in [(settings(""), DAY_MS), (ignoring, 1)] {
        let bank = Bank::new(settings);
        let request = request("pm_card_visa", 100, "R1");
        let first = json(&answer(bank.deliver(&request, Some("k1"), 0)));
        let second = json(&answer(bank.deliver(&request, Some("k1"), again_ms)));
        assert_ne!(first["id"], second["id"]);
        let totals = JournalTotals::of(&bank.journal());
        assert_eq!(totals.charged_twice, ["R1"]);
        let found = json(&bank.search("R1", 0, 10, DAY_MS));
        assert_eq!(found["data"].as_array().unwrap().len(), 2);
        let page = json(&bank.search("R1", 0, 1, DAY_MS));
        assert_eq!((&page["has_more"], &page["next_page"]), (&true.into(), &"1".into()));
        assert_eq!(json(&bank.search("R1", 1, 1, DAY_MS))["data"][0]["id"], second["id"]);
    }
}

#[test]
fn a_search_with_a_lag_does_not_see_the_newest_charge() {
    let bank = Bank::new(BankSettings { search_lag_ms: 60_000, ..settings("") });
    bank.deliver(&request("pm_card_visa", 100, "R1"), Some("k1"), 1_000);
    assert_eq!(json(&bank.search("R1", 0, 10, 60_999))["data"], serde_json::json!([]));
    assert_eq!(json(&bank.search("R1", 0, 10, 61_000))["data"][0]["status"], "succeeded");
}

#[test]
fn a_delayed_debit_settles_with_time_and_its_key_keeps_the_first_answer() {
    let bank = Bank::new(settings(""));
    let request = request("pm_sepaDebit_bank_approveLater_3003_000000_1", 100, "R1");
    let first = json(&answer(bank.deliver(&request, Some("k1"), 0)));
    assert_eq!(first["status"], "processing");
    let id = first["id"].as_str().unwrap();
    assert_eq!(json(&bank.find(id, 180_000).unwrap())["status"], "succeeded");
    assert_eq!(json(&answer(bank.deliver(&request, Some("k1"), 180_000)))["status"], "processing");
}

/// Each fault: the status and cut the first delivery meets, and how many charges it leaves.
#[test]
fn every_fault_does_what_it_says() {
    for (fault, status, cut, charges) in [
        ("drop-before-charge=1", 500, Cut::BeforeAnswer, 0),
        ("rate-limit-429=1", 429, Cut::None, 0),
        ("lock-timeout-429=1", 429, Cut::None, 0),
        ("in-flight-409=1", 409, Cut::None, 0),
        ("error-500=1", 500, Cut::None, 0),
        ("saved-500=1", 500, Cut::None, 0),
        ("drop-after-charge=1", 200, Cut::BeforeAnswer, 1),
        ("cut-answer=1", 200, Cut::MidAnswer, 1),
        ("garbled-answer=1", 200, Cut::None, 1),
        ("error-500-after-charge=1", 500, Cut::None, 1),
        ("saved-500-after-charge=1", 500, Cut::None, 1),
        ("duplicate=1", 200, Cut::None, 1),
    ] {
        let bank = Bank::new(settings(fault));
        let delivery = bank.deliver(&request("pm_card_visa", 100, "R1"), Some("k1"), 0);
        let Delivery::Answered { answer, cut: met, .. } = delivery else { panic!("{fault}") };
        assert_eq!((answer.status, met), (status, cut), "{fault}");
        assert_eq!(JournalTotals::of(&bank.journal()).charges, charges, "{fault}");
    }
    let bank = Bank::new(settings("late-charge-ms=50:1"));
    let delivery = bank.deliver(&request("pm_card_visa", 100, "R1"), Some("k1"), 0);
    assert_eq!(delivery, Delivery::Later { after_ms: 50 });
    assert!(bank.journal().is_empty());
    let bank = Bank::new(settings("delay-ms=50:1"));
    let delivery = bank.deliver(&request("pm_card_visa", 100, "R1"), Some("k1"), 0);
    assert!(matches!(delivery, Delivery::Answered { delay_ms: 50, .. }));
    assert_eq!(bank.journal().len(), 1);
}

#[test]
fn a_saved_error_is_replayed_whether_or_not_money_moved() {
    for (fault, charges) in [("saved-500=1", 0), ("saved-500-after-charge=1", 1)] {
        let bank = Bank::new(settings(fault));
        let request = request("pm_card_visa", 100, "R1");
        for replayed in [false, true, true] {
            let answer = answer(bank.deliver(&request, Some("k1"), 0));
            assert_eq!((answer.status, answer.replayed), (500, replayed), "{fault}");
        }
        assert_eq!(JournalTotals::of(&bank.journal()).charges, charges, "{fault}");
        assert_eq!(json(&bank.search("R1", 0, 10, 0))["data"].as_array().unwrap().len() as u64, charges);
    }
}

#[test]
fn a_late_charge_holds_its_key_and_lands_once() {
    let bank = Bank::new(settings("late-charge-ms=50:1"));
    let request = request("pm_card_visa", 100, "R1");
    assert_eq!(bank.deliver(&request, Some("k1"), 0), Delivery::Later { after_ms: 50 });
    assert_eq!(answer(bank.deliver(&request, Some("k1"), 10)).status, 409);
    assert_eq!(bank.charge_late(&request, Some("k1"), 50).status, 200);
    assert!(answer(bank.deliver(&request, Some("k1"), 50)).replayed);
    assert_eq!(JournalTotals::of(&bank.journal()).charges, 1);
}

#[test]
fn a_duplicate_is_harmless_unless_keys_are_ignored() {
    for (honours_keys, charges) in [(true, 1), (false, 2)] {
        let bank = Bank::new(BankSettings { honours_keys, ..settings("duplicate=1") });
        bank.deliver(&request("pm_card_visa", 100, "R1"), Some("k1"), 0);
        assert_eq!(JournalTotals::of(&bank.journal()).charges, charges);
    }
}

#[test]
fn the_same_seed_gives_the_same_bank_in_any_order() {
    let faults = "error-500=0.3,drop-after-charge=0.3,duplicate=0.2";
    let run = |order: &[usize]| {
        let bank = Bank::new(settings(faults));
        let mut met: Vec<_> = order
            .iter()
            .map(|index| {
                let request = request("pm_card_visa", 100, &format!("R{index}"));
                (*index, bank.deliver(&request, Some(&format!("k{index}")), 0))
            })
            .collect();
        met.sort_by_key(|(index, _)| *index);
        met
    };
    let forwards: Vec<usize> = (0..50).collect();
    let backwards: Vec<usize> = (0..50).rev().collect();
    assert_eq!(run(&forwards), run(&backwards));
}

#[test]
fn the_journal_brings_everything_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    let approve = request("pm_card_visa", 100, "R1");
    let decline = request("pm_card_chargeDeclined", 200, "R2");
    let before = {
        let bank = Bank::open(settings(""), &path).unwrap();
        bank.deliver(&approve, Some("k1"), 0);
        bank.deliver(&approve, Some("k1"), 1);
        bank.deliver(&decline, Some("k2"), 2);
        bank.deliver(&approve, None, 3);
        bank.journal()
    };
    // A process that was killed in the middle of a line never answered it.
    let mut torn = std::fs::read(&path).unwrap();
    torn.extend(b"{\"sequence\":99,\"at_ms\":");
    std::fs::write(&path, torn).unwrap();

    let bank = Bank::open(settings(""), &path).unwrap();
    assert_eq!(bank.journal(), before);
    assert!(answer(bank.deliver(&approve, Some("k1"), 10)).replayed);
    assert_eq!(answer(bank.deliver(&decline, Some("k2"), 10)).status, 402);
    assert_eq!(answer(bank.deliver(&approve, Some("k2"), 10)).status, 400);
    assert_eq!(json(&bank.search("R1", 0, 10, 10))["data"].as_array().unwrap().len(), 2);
    let totals = JournalTotals::of(&bank.journal());
    assert_eq!((totals.charges, totals.replays), (3, 3));
    assert_eq!(crate::simulator::read_journal(&path).unwrap(), bank.journal());
}

#[test]
fn a_foreign_file_is_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    std::fs::write(&path, "{}\n").unwrap();
    assert!(matches!(Bank::open(settings(""), &path), Err(JournalError::Line { line: 1, .. })));
    assert!(matches!(Bank::open(settings(""), folder.path()), Err(JournalError::Open { .. })));
    std::fs::write(&path, " ".repeat(600_000)).unwrap();
    assert!(matches!(Bank::open(settings(""), &path), Err(JournalError::TooLong { line: 1, .. })));
}

#[test]
fn a_charge_that_the_journal_cannot_hold_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.ndjson");
    std::fs::write(&path, "").unwrap();
    let bank = Bank::with_file(settings(""), new_account(), Some(JournalFile::unwritable(&path).unwrap()));
    let request = request("pm_card_visa", 100, "R1");
    for _ in 0..2 {
        let answer = answer(bank.deliver(&request, Some("k1"), 0));
        assert_eq!((answer.status, answer.replayed), (500, false));
    }
    assert!(bank.journal().is_empty());
    assert_eq!(json(&bank.search("R1", 0, 10, 0))["data"], serde_json::json!([]));
}
