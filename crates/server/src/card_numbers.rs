//! Card numbers, which no body of a request may hold but in the fields that are made for them.

use payment_runs_engine::payment_method::card_number::{CARD_NUMBER_MESSAGE, holds_card_number};
use payment_runs_stubs::TextRule;

/// The fields whose numbers go to the gateway and are never stored.
const MADE_FOR_NUMBERS: &[&str] = &["IBAN", "bankAccountNumber", "cardNumber"];

/// No text holds a card number, whatever its field. Every other field may come to rest somewhere.
pub(crate) const NO_CARD_NUMBERS: TextRule = TextRule {
    refuses: |field, text| !MADE_FOR_NUMBERS.contains(&field) && holds_card_number(text),
    message: CARD_NUMBER_MESSAGE,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_refused_in_every_other_field() {
        let body =
            br#"{"cardNumber": "4242424242424242", "name": "4242 4242 4242 4242", "x__c": 4242424242424242}"#;
        let faults = NO_CARD_NUMBERS.faults(body);
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["name", "x__c"]);
    }
}
