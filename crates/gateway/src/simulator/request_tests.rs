#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const GOOD: &str = "amount=1099&currency=USD&payment_method=pm_card_visa&confirm=true&off_session=true\
                    &metadata%5Breference%5D=P-1&description=two+words";

#[test]
fn a_charge_is_read_whole() {
    let request = parse_charge(GOOD.as_bytes()).unwrap();
    assert_eq!((request.amount_minor, &request.currency), (1_099, b"usd"));
    assert_eq!(&*request.payment_method, "pm_card_visa");
    assert_eq!(request.behaviour.slug, "approve");
    assert_eq!(request.reference(), Some("P-1"));
    assert_eq!(request.description.as_deref(), Some("two words"));
}

#[test]
fn the_fingerprint_ignores_order_and_sees_every_value() {
    let of = |body: &str| parse_charge(body.as_bytes()).unwrap().fingerprint;
    let (first, rest) = GOOD.split_once('&').unwrap();
    assert_eq!(of(GOOD), of(&format!("{rest}&{first}")));
    assert_ne!(of(GOOD), of(&GOOD.replace("1099", "1100")));
    assert_ne!(of(GOOD), of(&GOOD.replace("P-1", "P-2")));
    assert_ne!(of(GOOD), of(&GOOD.replace("two", "Two")));
}

#[test]
fn a_faulty_charge_names_its_parameter() {
    for (from, to, code, param) in [
        ("amount=1099&", "", "parameter_missing", "amount"),
        ("1099", "1.5", "parameter_invalid_integer", "amount"),
        ("1099", "0", "parameter_invalid_integer", "amount"),
        ("1099", "-1", "parameter_invalid_integer", "amount"),
        ("1099", "1000000000000", "amount_too_large", "amount"),
        ("1099", "99999999999999999999", "parameter_invalid_integer", "amount"),
        ("currency=USD&", "", "parameter_missing", "currency"),
        ("USD", "DOLLAR", "parameter_invalid", "currency"),
        ("payment_method=pm_card_visa&", "", "parameter_missing", "payment_method"),
        ("pm_card_visa", "pm_gone", "resource_missing", "payment_method"),
        ("confirm=true", "confirm=false", "parameter_invalid", "confirm"),
        ("off_session", "of_session", "parameter_unknown", "of_session"),
        ("metadata%5Breference%5D", "metadata%5B%5D", "parameter_invalid", "metadata"),
    ] {
        let body = GOOD.replace(from, to);
        assert_ne!(body, GOOD);
        let error = parse_charge(body.as_bytes()).unwrap_err();
        assert_eq!((error.status, error.code), (400, Some(code)), "{body}");
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
}

#[test]
fn methods_keep_the_last_four_and_nothing_more() {
    for (body, token) in [
        (
            "type=card&card[number]=4242+4242+4242+4242&card[exp_month]=3&card[exp_year]=31&card[cvc]=123",
            "pm_card_visa_approve_4242_032031_",
        ),
        (
            "type=card&card[number]=4000000000000341&card[exp_month]=12&card[exp_year]=2030",
            "pm_card_visa_chargeFail_0341_122030_",
        ),
        (
            "type=us_bank_account&us_bank_account[routing_number]=110000000&us_bank_account[account_number]=000000000009",
            "pm_usBankAccount_bank_processing_0009_000000_",
        ),
        (
            "type=sepa_debit&sepa_debit[iban]=de65+3704+0044+0002+2222+27&billing_details[name]=Ada",
            "pm_sepaDebit_bank_bankInsufficientFunds_2227_000000_",
        ),
    ] {
        assert_eq!(parse_method(body.as_bytes()).unwrap().token.to_string(), token);
    }
}

#[test]
fn only_malformed_methods_are_refused() {
    let card = "type=card&card[number]=4242424242424242&card[exp_month]=3&card[exp_year]=2031";
    for (from, to, status, code) in [
        ("4242424242424242", "4242424242424241", 402, "incorrect_number"),
        ("exp_month]=3", "exp_month]=13", 402, "invalid_expiry_month"),
        ("exp_year]=2031", "exp_year]=203", 402, "invalid_expiry_year"),
        ("exp_year]=2031", "exp_year]=2031&card[cvc]=1", 402, "invalid_cvc"),
        ("&card[exp_year]=2031", "", 400, "parameter_missing"),
        ("type=card", "type=cheque", 400, "parameter_invalid"),
        ("type=card", "type=card&colour=red", 400, "parameter_unknown"),
    ] {
        let error = parse_method(card.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!((error.status, error.code), (status, Some(code)), "{to}");
    }
    for (body, code) in [
        (
            "type=us_bank_account&us_bank_account[routing_number]=1&us_bank_account[account_number]=000123456789",
            "routing_number_invalid",
        ),
        (
            "type=us_bank_account&us_bank_account[routing_number]=110000000&us_bank_account[account_number]=x",
            "account_number_invalid",
        ),
        ("type=sepa_debit&sepa_debit[iban]=DE89", "invalid_bank_account_iban"),
    ] {
        assert_eq!(parse_method(body.as_bytes()).unwrap_err().code, Some(code));
    }
}
