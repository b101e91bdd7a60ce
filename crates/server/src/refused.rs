//! From the engine's refusals to faults, in an API's own field names.

use payment_runs_engine::money::MoneyError;
use payment_runs_engine::refusal::{Field, Noun, Refusal};
use payment_runs_stubs::{Category, Fault, Location, Rejection};

/// How an operation words refusals.
pub(crate) struct Wording {
    /// The API's name of an engine field.
    pub(crate) name: fn(Field) -> &'static str,
    /// What the operation's own object must be, told when it is something else.
    pub(crate) state: Option<(Noun, &'static str)>,
}

/// Every reason at once.
pub(crate) fn rejection(refusals: &[Refusal], wording: &Wording) -> Rejection {
    Rejection::from_faults(faults(refusals, wording))
}

/// Each refusal as a fault.
pub(crate) fn faults(refusals: &[Refusal], wording: &Wording) -> Vec<Fault> {
    refusals.iter().map(|refusal| fault(refusal, wording)).collect()
}

/// An object that the path names does not exist.
pub(crate) fn not_found(noun: Noun, key: &str) -> Rejection {
    // The key is the caller's own text; a long one is not worth repeating.
    const KEY_CHARS_MAX: usize = 64;
    let key: String = key.chars().take(KEY_CHARS_MAX).collect();
    Rejection::not_found(format!("{} '{key}' does not exist", noun.words()))
}

fn fault(refusal: &Refusal, wording: &Wording) -> Fault {
    let body = |field: Field, category: Category, message: String| Fault {
        location: Location::Body,
        field: (wording.name)(field).to_owned(),
        message,
        category,
    };
    let whole = |category: Category, message: String| Fault {
        location: Location::None,
        field: String::new(),
        message,
        category,
    };
    match refusal {
        Refusal::NotFound { noun, key, field } => {
            let message = format!("{} '{key}' does not exist", noun.words());
            match field {
                Field::Path => whole(Category::NotFound, message),
                field => body(*field, Category::InvalidValue, message),
            }
        }
        Refusal::Excludes { field, other } => {
            body(*field, Category::BusinessRule, format!("excludes '{}'", (wording.name)(*other)))
        }
        Refusal::OneNeeded { fields } => {
            let names: Vec<String> =
                fields.iter().map(|field| format!("'{}'", (wording.name)(*field))).collect();
            whole(Category::MissingField, format!("either {} is required", names.join(" or ")))
        }
        Refusal::NumberTaken { number, .. } => {
            body(Field::Number, Category::BusinessRule, format!("'{number}' is taken"))
        }
        Refusal::WrongState { noun, .. } => {
            let rule = wording.state.filter(|(of, _)| of == noun).map(|(_, rule)| rule.to_owned());
            whole(Category::BusinessRule, rule.unwrap_or_else(|| refusal.to_string()))
        }
        Refusal::Invalid { field, message } => body(*field, Category::InvalidValue, message.clone()),
        Refusal::Money { field, source } => body(*field, Category::InvalidValue, money_words(source)),
        Refusal::InProgress { .. } => whole(Category::Conflict, refusal.to_string()),
    }
}

/// What is wrong with an amount or a currency, said of a field.
pub(crate) fn money_words(error: &MoneyError) -> String {
    match error {
        MoneyError::UnknownCurrency(_) => "must be a currency code of ISO 4217".to_owned(),
        MoneyError::TooPrecise { currency, places } => {
            format!("must have at most {places} decimal places in {currency}")
        }
        MoneyError::TooLarge => "is too large".to_owned(),
        MoneyError::CurrencyMismatch(one, other) => {
            format!("has to be in one currency, not in {one} and {other}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(field: Field) -> &'static str {
        match field {
            Field::Account => "accountId",
            Field::Batch => "batch",
            Field::RunDate => "runDate",
            Field::TargetDate => "targetDate",
            _ => "other",
        }
    }

    #[test]
    fn refusals_speak_the_callers_language() {
        let wording =
            Wording { name, state: Some((Noun::PaymentRun, "only a pending payment run can be changed")) };
        let not_found = |field| Refusal::NotFound { noun: Noun::Account, key: "x".to_owned(), field };
        let state = |noun| Refusal::WrongState { noun, state: "closed".to_owned() };
        let rows = [
            (not_found(Field::Path), "", Category::NotFound, "account 'x' does not exist"),
            (not_found(Field::Account), "accountId", Category::InvalidValue, "account 'x' does not exist"),
            (
                Refusal::Excludes { field: Field::Account, other: Field::Batch },
                "accountId",
                Category::BusinessRule,
                "excludes 'batch'",
            ),
            (
                Refusal::OneNeeded { fields: &[Field::RunDate, Field::TargetDate] },
                "",
                Category::MissingField,
                "either 'runDate' or 'targetDate' is required",
            ),
            (
                state(Noun::PaymentRun),
                "",
                Category::BusinessRule,
                "only a pending payment run can be changed",
            ),
            (state(Noun::PaymentMethod), "", Category::BusinessRule, "the payment method is closed"),
        ];
        for (refusal, field, category, message) in rows {
            let fault = fault(&refusal, &wording);
            assert_eq!(
                (fault.field.as_str(), fault.category, fault.message.as_str()),
                (field, category, message)
            );
        }
    }
}
