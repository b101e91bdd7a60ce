//! From wire names to Rust names, the same way everywhere.

/// `processPaymentWithClosedPM` → `process_payment_with_closed_pm`; reserved words get a trailing underscore.
pub fn snake(wire: &str) -> String {
    let joined = words(wire).join("_").to_lowercase();
    legal(joined)
}

/// `payment run` → `PaymentRun`. Words that are capitals throughout keep only the first: `createURL` → `CreateUrl`.
pub fn pascal(wire: &str) -> String {
    let joined: String = words(wire).iter().map(|word| capitalise(word)).collect();
    legal(joined)
}

/// A name that already is a Rust type name, such as a component's, stays as it is.
pub fn type_name(component: &str) -> String {
    let is_ident = component.chars().all(|c| c.is_ascii_alphanumeric());
    let starts_upper = component.starts_with(|c: char| c.is_ascii_uppercase());
    if is_ident && starts_upper { component.to_owned() } else { pascal(component) }
}

/// Splits at anything that is no letter or digit, and where the case changes: `bankABACode` → `bank`, `ABA`, `Code`.
fn words(wire: &str) -> Vec<String> {
    let chars: Vec<char> = wire.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            push(&mut words, &mut word);
            continue;
        }
        let previous = at.checked_sub(1).map(|before| chars[before]);
        let next = chars.get(at + 1);
        let after_lower = previous.is_some_and(|p| p.is_ascii_lowercase() || p.is_ascii_digit());
        let ends_capitals =
            previous.is_some_and(|p| p.is_ascii_uppercase()) && next.is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && (after_lower || ends_capitals) {
            push(&mut words, &mut word);
        }
        word.push(c);
    }
    push(&mut words, &mut word);
    words
}

fn push(words: &mut Vec<String>, word: &mut String) {
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

fn capitalise(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    let rest = chars.as_str();
    let rest = if rest.chars().any(|c| c.is_ascii_lowercase()) {
        rest.to_owned()
    } else {
        rest.to_ascii_lowercase()
    };
    first.into_iter().chain(rest.chars()).collect()
}

/// Makes a legal identifier: not empty, not led by a digit, not reserved.
fn legal(name: String) -> String {
    if name.is_empty() {
        return "empty".to_owned();
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("N{name}");
    }
    if syn::parse_str::<syn::Ident>(&name).is_err() || name == "_" { format!("{name}_") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_names() {
        for (wire, rust) in [
            ("processPaymentWithClosedPM", "process_payment_with_closed_pm"),
            ("bankABACode", "bank_aba_code"),
            ("Zuora-Track-Id", "zuora_track_id"),
            ("payment_run.fields[]", "payment_run_fields"),
            ("type", "type_"),
            ("async", "async_"),
            ("self", "self_"),
            ("createURL2Go", "create_url2_go"),
            ("401k", "N401k"),
            ("Payment runs", "payment_runs"),
        ] {
            assert_eq!(snake(wire), rust, "{wire}");
        }
    }

    #[test]
    fn type_names() {
        for (wire, rust) in [
            ("createPaymentRun", "CreatePaymentRun"),
            ("VANILLA_CPR", "VanillaCpr"),
            ("AMEX", "Amex"),
            ("-createdDate", "CreatedDate"),
            ("Self", "Self_"),
        ] {
            assert_eq!(pascal(wire), rust, "{wire}");
        }
        assert_eq!(type_name("GETPaymentRun"), "GETPaymentRun");
        assert_eq!(type_name("payment_run"), "PaymentRun");
    }
}
