//! Messages repeat what callers sent, such as the name of something that does not exist. Where that could be the number of
//! a card, it is hidden, since answers are logged by others and stored under idempotency keys.

use payment_runs_stubs::Rejection;

/// Digits of a card number.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 13..=19;
/// Digits at the end of a card number that may be shown.
const READABLE: usize = 4;

/// The rejection without card numbers.
pub(super) fn without_card_numbers(rejection: &Rejection) -> Rejection {
    let mut rejection = rejection.clone();
    for fault in &mut rejection.faults {
        for text in [&mut fault.field, &mut fault.message] {
            if let Some(masked) = mask(text) {
                *text = masked;
            }
        }
    }
    rejection
}

/// The text with its card numbers hidden; `None` where there is none, which is the rule.
fn mask(text: &str) -> Option<String> {
    if text.bytes().filter(u8::is_ascii_digit).count() < *CARD_DIGITS.start() {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    let mut is_masked = false;
    while at < bytes.len() {
        let end = end_of_group(&bytes, at);
        let digits: Vec<usize> = (at..end).filter(|place| bytes[*place].is_ascii_digit()).collect();
        if is_card_number(&bytes, at, end, &digits) {
            for place in &digits[..digits.len() - READABLE] {
                bytes[*place] = b'*';
            }
            is_masked = true;
        }
        at = end.max(at + 1);
    }
    // Only digits were replaced, by another character of ASCII.
    is_masked.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

/// Where the digits that begin here end, with single blanks and dashes between them; `at` itself where there are none.
fn end_of_group(bytes: &[u8], at: usize) -> usize {
    let is_digit = |place: usize| bytes.get(place).is_some_and(u8::is_ascii_digit);
    let mut end = at;
    while is_digit(end) || (end > at && matches!(bytes.get(end), Some(b' ' | b'-')) && is_digit(end + 1)) {
        end += 1;
    }
    end
}

/// Whether the digits stand by themselves, and their last one fits the others as it does in card numbers.
fn is_card_number(bytes: &[u8], start: usize, end: usize, digits: &[usize]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let before = start.checked_sub(1).and_then(|place| bytes.get(place));
    CARD_DIGITS.contains(&digits.len())
        && !before.is_some_and(is_part)
        && !bytes.get(end).is_some_and(is_part)
        && luhn(digits.iter().rev().map(|place| u32::from(bytes[*place] - b'0')))
}

/// The checksum of card numbers, from the last digit on.
fn luhn(digits: impl Iterator<Item = u32>) -> bool {
    let doubled = digits.enumerate().map(|(at, digit)| match (at % 2, digit) {
        (0, digit) => digit,
        (_, digit @ 0..=4) => 2 * digit,
        (_, digit) => 2 * digit - 9,
    });
    doubled.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn card_numbers_are_hidden_and_other_digits_are_not() {
        for (text, masked) in [
            (
                "payment gateway '4242424242424242' does not exist",
                "payment gateway '************4242' does not exist",
            ),
            ("4242 4242 4242 4242", "**** **** **** 4242"),
            ("a 3782-822463-10005, b", "a ****-******-*0005, b"),
            ("4242424242424242 and 5555555555554444", "************4242 and ************4444"),
        ] {
            assert_eq!(mask(text).as_deref(), Some(masked), "{text}");
        }
        for text in [
            "4242424242424241",
            "run 01990000000070008000000000000025",
            "01990000-0000-7000-8000-000000000025",
            "id-4242424242424242",
            "x4242424242424242",
            "424242424242424242424242",
            "2024-07-31 11:00:00 and 123",
            "",
        ] {
            assert_eq!(mask(text), None, "{text}");
        }
    }
}
