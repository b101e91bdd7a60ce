//! International bank account numbers, whose digits are no card's.

/// How many characters a country's numbers have, as the registry of ISO 13616 lists them.
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// How many bytes the number takes with which a text begins, single blanks and dashes between its characters included; `None`
/// when it begins with none. Whether its check digits are right does not matter: a mistyped number is no card's either.
pub(super) fn iban_len(text: &[u8]) -> Option<usize> {
    let country: [u8; 2] = text.get(..2)?.try_into().ok()?;
    let country = country.map(|letter| letter.to_ascii_uppercase());
    let (_, length) = LENGTHS.iter().find(|(known, _)| **known == country)?;
    let mut characters = 2;
    let mut at = 2;
    while characters < *length {
        let blank = usize::from(matches!(text.get(at), Some(b' ' | b'-')) && characters >= 4);
        let character = text.get(at + blank)?;
        // The two after the country are check digits.
        let fits =
            if characters < 4 { character.is_ascii_digit() } else { character.is_ascii_alphanumeric() };
        if !fits {
            return None;
        }
        at += blank + 1;
        characters += 1;
    }
    (!text.get(at).is_some_and(u8::is_ascii_alphanumeric)).then_some(at)
}
