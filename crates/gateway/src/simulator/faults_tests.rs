#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

#[test]
fn a_specification_is_read_in_any_order_and_with_spaces() {
    let faults: Faults = " delay-ms=200:0.1, drop-after-charge=0.01 ,rate-limit-429=0.05".parse().unwrap();
    let read: Vec<_> =
        faults.rules.iter().map(|rule| (rule.fault, rule.value, rule.probability_ppm)).collect();
    assert_eq!(
        read,
        [
            (Fault::RateLimit429, 1, 50_000),
            (Fault::DropAfterCharge, 0, 10_000),
            (Fault::DelayMs, 200, 100_000)
        ]
    );
    assert!("".parse::<Faults>().unwrap().is_empty());
    assert!("error-500=0".parse::<Faults>().unwrap().is_empty());
}

#[test]
fn every_mistake_is_reported() {
    let error = "drop=1,error-500,error-500=2,error-500=0.1:0.2,delay-ms=0.1,delay-ms=x:0.1,saved-500=0.1,saved-500=0.2"
        .parse::<Faults>()
        .unwrap_err();
    let kinds: Vec<_> = error
        .mistakes
        .iter()
        .map(|mistake| match mistake {
            FaultMistake::NoEquals { .. } => "no equals",
            FaultMistake::UnknownName { .. } => "unknown name",
            FaultMistake::Repeated { .. } => "repeated",
            FaultMistake::Probability { .. } => "probability",
            FaultMistake::Value { .. } => "value",
            FaultMistake::MissingValue { .. } => "missing value",
            FaultMistake::NeedlessValue { .. } => "needless value",
        })
        .collect();
    assert_eq!(
        kinds,
        ["unknown name", "no equals", "probability", "needless value", "missing value", "value", "repeated"]
    );
    let text = error.to_string();
    assert!(text.contains("the faults are drop-before-charge, "), "{text}");
    assert_eq!(text.matches("; `").count(), 6, "{text}");
}

#[test]
fn probabilities_are_exact_millionths() {
    for (text, ppm) in [("0", 0), ("1", 1_000_000), ("1.0", 1_000_000), ("0.000001", 1), ("0.25", 250_000)] {
        assert_eq!(parse_probability(text), Some(ppm), "{text}");
    }
    for text in ["", ".5", "1.000001", "2", "-0.1", "+0.1", "0.0000001", "1e-3", "99999999999"] {
        assert_eq!(parse_probability(text), None, "{text}");
    }
}

#[test]
fn a_plan_depends_on_the_seed_the_key_and_the_delivery_alone() {
    let faults: Faults = "error-500=0.3,delay-ms=7:0.3,duplicate=0.3".parse().unwrap();
    let plans = |seed| (0..200).map(|delivery| faults.plan(seed, delivery)).collect::<Vec<_>>();
    assert_eq!(plans(1), plans(1));
    assert_ne!(plans(1), plans(2));
}

#[test]
fn faults_happen_as_often_as_they_say() {
    let faults: Faults = "error-500=0.1,drop-after-charge=0.5,duplicate=0.02".parse().unwrap();
    let count = |wanted: fn(&Plan) -> bool| {
        (0..10_000_u64).filter(|key| wanted(&faults.plan(key.wrapping_mul(77), 1))).count()
    };
    assert!((900..1_100).contains(&count(|plan| plan.fault == Some((Fault::Error500, 0)))));
    // An earlier fault hides a later one: half of the nine tenths that are left.
    assert!((4_300..4_700).contains(&count(|plan| plan.fault == Some((Fault::DropAfterCharge, 0)))));
    assert!((150..260).contains(&count(|plan| plan.duplicate)));
}

#[test]
fn a_certain_fault_always_happens() {
    let faults: Faults = "drop-before-charge=1".parse().unwrap();
    assert!((0..100).all(|n| faults.plan(n, 1).fault == Some((Fault::DropBeforeCharge, 0))));
}
