//! Numbers of payment cards in texts, which must come to rest nowhere.
//!
//! A right check digit alone says little: one in ten numbers has it by chance, and ordinary texts are full of numbers. So the
//! digits must also begin as an issuer's numbers do, be as many as that issuer's numbers have, and stand together as cards are
//! written: as one number, in fours, in the groups of their brand, or digit by digit.

mod iban;
mod issuers;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::iban::iban_len;
use self::issuers::is_issued;

/// What is said of a text that holds a card number, instead of repeating it.
pub const CARD_NUMBER_MESSAGE: &str =
    "looks like a card number, which is never stored: send the gateway's token and a mask";

/// The shortest and longest card numbers in use.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;
/// Digits at the end of a card number that may be shown.
const READABLE: usize = 4;
/// Characters between two groups of one number at most, such as ` - `.
const GAP_CHARS_MAX: usize = 3;
/// A word of hexadecimal digits from this length on is an identifier or a digest, and no card number among letters.
const HEX_WORD_MIN: usize = 24;

/// Groups of digits that are held at once, so that a long text of digits does not take many times its size. A longer row goes on
/// with the last groups of the one before.
const RUN_GROUPS_MAX: usize = 1_000;

/// How many digits the groups of a card number have, where it is written in groups. Numbers of every length are written in
/// fours with a rest.
const GROUPINGS: &[&[usize]] = &[
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4, 2],
    &[4, 4, 4, 4, 1],
    &[4, 4, 4, 4],
    &[4, 4, 4, 3],
    &[4, 4, 4, 2],
    &[4, 4, 4, 1],
    &[4, 4, 4],
    &[4, 4, 5],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 3, 3, 3],
    &[6, 13],
    &[6, 10],
];

/// Whether a text holds a card number.
pub fn holds_card_number(text: &str) -> bool {
    !may_skip(text) && runs(text).any(|run| find(text, &run, 0).is_some())
}

/// The text without its card numbers: of each only the last four digits are left.
pub fn without_card_numbers(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if !may_skip(text) {
        for run in runs(text) {
            hide(text, &run, &mut bytes);
        }
    }
    // Only digits were replaced, by another character of ASCII.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether there are too few digits for a card number, as in most texts.
fn may_skip(text: &str) -> bool {
    text.bytes().filter(u8::is_ascii_digit).nth(*CARD_DIGITS.start() - 1).is_none()
}

fn hide(text: &str, run: &[Range<usize>], bytes: &mut [u8]) {
    let mut from = 0;
    while let Some(found) = find(text, run, from) {
        from = found.end;
        let places: Vec<usize> = run[found].iter().cloned().flatten().collect();
        for place in &places[..places.len().saturating_sub(READABLE)] {
            bytes[*place] = b'*';
        }
    }
}

/// The first groups of a run, from one on, that are a card number.
fn find(text: &str, run: &[Range<usize>], from: usize) -> Option<Range<usize>> {
    (from..run.len()).find_map(|start| {
        let mut lengths = lengths_at(&run[start..]);
        let length = lengths.find(|count| is_card_number(text, run, start..start + count))?;
        Some(start..start + length)
    })
}

/// How many groups from the first one on could be a card number by their lengths alone, the most first.
fn lengths_at(run: &[Range<usize>]) -> impl Iterator<Item = usize> {
    // Only a whole row of single digits, since every part of a longer row would be another number.
    let single =
        (CARD_DIGITS.contains(&run.len()) && run.iter().all(|group| group.len() == 1)).then_some(run.len());
    let grouped = GROUPINGS.iter().filter(|grouping| {
        run.len() >= grouping.len()
            && run.iter().zip(**grouping).all(|(group, length)| group.len() == *length)
    });
    let plain = run.first().filter(|group| CARD_DIGITS.contains(&group.len())).map(|_| 1);
    single.into_iter().chain(grouped.map(|grouping| grouping.len())).chain(plain)
}

/// Whether groups of a run that have the right lengths are a card number.
fn is_card_number(text: &str, run: &[Range<usize>], groups: Range<usize>) -> bool {
    let is_four = |group: Option<&Range<usize>>| group.is_some_and(|group| group.len() == 4);
    let before = groups.start.checked_sub(1).and_then(|at| run.get(at));
    // In the middle of a longer row of fours is the middle of another number.
    let is_inside = is_four(before) && is_four(run.get(groups.end));
    let place = run[groups.start].start;
    let is_fraction = groups.len() == 1 && follows_decimal_point(text, place);
    let digits: Vec<u8> =
        run[groups].iter().cloned().flatten().map(|at| text.as_bytes()[at] - b'0').collect();
    !is_inside
        && !is_fraction
        && !text[..place].ends_with('+')
        && is_issued(&digits)
        && has_check_digit(&digits)
}

/// Whether digits are the fraction of a number, such as 0.6000000000000001.
fn follows_decimal_point(text: &str, place: usize) -> bool {
    let whole = text[..place].strip_suffix('.');
    whole.is_some_and(|whole| whole.ends_with(|character: char| character.is_ascii_digit()))
}

/// The check of ISO/IEC 7812: every second digit from the right is doubled.
fn has_check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit @ 0..=4) => 2 * digit,
            (_, digit) => 2 * digit - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The rows of groups of digits in a text, each with nothing but what separates groups between them.
fn runs(text: &str) -> impl Iterator<Item = Vec<Range<usize>>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut run: Vec<Range<usize>> = Vec::new();
        while let Some(group) = next_group(text, &mut at) {
            let follows = run.last().is_none_or(|last| is_gap(&text[last.end..group.start]));
            if !follows {
                // The group begins the next run.
                at = group.start;
                return Some(run);
            }
            run.push(group);
            if run.len() == RUN_GROUPS_MAX {
                at = run[RUN_GROUPS_MAX - *CARD_DIGITS.end()].start;
                return Some(run);
            }
        }
        (!run.is_empty()).then_some(run)
    })
}

/// The next digits from a place on that could be part of a card number. The place moves behind them.
fn next_group(text: &str, at: &mut usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    loop {
        let start = *at + bytes.get(*at..)?.iter().position(u8::is_ascii_alphanumeric)?;
        // Looked at once for each word, which may be as long as the text.
        let is_word_start = start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
        if is_word_start && let Some(length) = iban_len(&bytes[start..]).or_else(|| hex_len(&bytes[start..]))
        {
            *at = start + length;
            continue;
        }
        let letters = bytes[start..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if letters > 0 {
            *at = start + letters;
            continue;
        }
        let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        *at = start + digits;
        return Some(start..*at);
    }
}

/// The length of the word with which a text begins, if it is an identifier or a digest.
fn hex_len(text: &[u8]) -> Option<usize> {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    (length >= HEX_WORD_MIN && text[..length].iter().all(u8::is_ascii_hexdigit)).then_some(length)
}

/// Whether what stands between two groups leaves them one number.
fn is_gap(between: &str) -> bool {
    /// What separates groups beside blanks: full stops, dashes and hyphens, also those of typography.
    const SEPARATORS: &[char] = &['-', '.', '_', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}'];
    between.chars().take(GAP_CHARS_MAX + 1).count() <= GAP_CHARS_MAX
        && between.chars().all(|character| character.is_whitespace() || SEPARATORS.contains(&character))
}
