//! Names and numbers that callers give to objects. All doors ask here, so that what one of them takes can be written, read and
//! looked up through every other.

use crate::ids::Key;

/// Characters of an account's number at most, as the public documents say.
pub const ACCOUNT_NUMBER_CHARS_MAX: usize = 70;

/// Characters of any other number at most: of an invoice, a memo or a payment, as the public documents say of them.
pub const NUMBER_CHARS_MAX: usize = 255;

/// Characters of a name at most, as the public documents say of an account's.
pub const NAME_CHARS_MAX: usize = 255;

/// Characters of a batch's name at most, as the public documents say.
pub const BATCH_CHARS_MAX: usize = 50;

/// What is wrong with a name or number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nobody sees the blanks that make it another text.
    #[error("must not begin or end with a blank")]
    BlankAtEnd,
    /// It holds a control character, or a mark that changes what the text around it looks like.
    #[error(
        "must not have control characters, marks of writing direction or other characters that cannot be seen"
    )]
    Unseen,
    /// An object is looked up by its identifier first, so that this one could not be found by its number.
    #[error("must not have the form of an id, which is 32 hexadecimal characters")]
    Id,
    /// It is too long.
    #[error("must have at most {0} characters")]
    TooLong(usize),
}

/// Everything that is wrong with a name or number of at most so many characters.
pub fn name_faults(text: &str, chars_max: usize) -> Vec<NameFault> {
    let faults = [
        (text.trim() != text).then_some(NameFault::BlankAtEnd),
        text.chars().any(is_unseen).then_some(NameFault::Unseen),
        Key::new(text).as_id().map(|_| NameFault::Id),
        (text.chars().count() > chars_max).then_some(NameFault::TooLong(chars_max)),
    ];
    faults.into_iter().flatten().collect()
}

/// Characters that change what a person reads and are not read themselves. The joiners that some scripts are written with are
/// none of them.
fn is_unseen(character: char) -> bool {
    let is_direction = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_nothing = matches!(character, '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}');
    character.is_control() || is_direction || is_nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_look_like() {
        for name in [
            "A-1",
            "Ada, \"Countess\" of Lovelace",
            "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}",
            "a  b",
            "=1+1",
            "",
        ] {
            assert!(name_faults(name, NAME_CHARS_MAX).is_empty(), "{name:?}");
        }
        for name in [" ", " A", "A ", "A\u{a0}", "\u{3000}A"] {
            assert_eq!(name_faults(name, NAME_CHARS_MAX), [NameFault::BlankAtEnd], "{name:?}");
        }
        for name in
            ["A\0B", "A\nB", "A\u{1b}[2J", "A\u{85}B", "A\u{202e}B", "A\u{200f}", "A\u{200b}B", "\u{feff}A"]
        {
            assert_eq!(name_faults(name, NAME_CHARS_MAX), [NameFault::Unseen], "{name:?}");
        }
        for name in ["8ad09be48db5aba7018db604776d4854", "8AD09BE4-8db5-aba7-018d-b604776d4854"] {
            assert_eq!(name_faults(name, NAME_CHARS_MAX), [NameFault::Id], "{name:?}");
        }
        assert_eq!(name_faults(" \n", 1), [NameFault::BlankAtEnd, NameFault::Unseen, NameFault::TooLong(1)]);
        assert!(name_faults(&"\u{e9}".repeat(70), ACCOUNT_NUMBER_CHARS_MAX).is_empty());
    }
}
