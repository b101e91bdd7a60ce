//! Which numbers issuers give out, by their first digits and their lengths.

/// Numbers that begin with one of these digits, `from` to `to`, and have one of these lengths.
struct Issuer {
    from: u32,
    to: u32,
    lengths: &'static [usize],
}

const fn issuer(from: u32, to: u32, lengths: &'static [usize]) -> Issuer {
    Issuer { from, to, lengths }
}

/// Lengths of the ranges that one brand alone uses, and has cards of every length in.
const ANY: &[usize] = &[12, 13, 14, 15, 16, 17, 18, 19];
/// The six digits with which numbers begin. Where a range is wide, only the lengths that its cards have are listed, since every
/// further length takes more of other people's numbers for cards: article numbers of 13 digits begin with 50, too.
const ISSUERS: &[Issuer] = &[
    // Visa. A German mobile number without its plus has 13 digits and begins with 4915, 4916 or 4917.
    issuer(400_000, 499_999, &[16, 19]),
    issuer(400_000, 491_499, &[13]),
    issuer(491_800, 499_999, &[13]),
    // Mastercard.
    issuer(510_000, 559_999, &[16]),
    issuer(222_100, 272_099, &[16]),
    // American Express.
    issuer(340_000, 349_999, &[15]),
    issuer(370_000, 379_999, &[15]),
    // Diners Club.
    issuer(300_000, 305_999, &[14, 16, 19]),
    issuer(309_500, 309_599, &[14, 16, 19]),
    issuer(360_000, 369_999, &[14, 16, 19]),
    issuer(380_000, 399_999, &[14, 16, 19]),
    // JCB.
    issuer(352_800, 358_999, &[16, 19]),
    issuer(180_000, 180_099, &[15]),
    issuer(213_100, 213_199, &[15]),
    // UnionPay; the rest of it is among those that begin with 6.
    issuer(620_000, 629_999, &[16, 17, 18, 19]),
    issuer(810_000, 817_199, &[16, 17, 18, 19]),
    // Discover, RuPay, Verve and Maestro share what begins with 6; Maestro has 50 and 56 to 58, too.
    issuer(500_000, 509_999, &[14, 16, 18, 19]),
    issuer(560_000, 589_999, &[14, 16, 18, 19]),
    issuer(600_000, 699_999, &[14, 16, 18, 19]),
    // Maestro, Switch, Solo, Laser and Bancontact.
    issuer(501_800, 501_899, ANY),
    issuer(502_000, 502_099, ANY),
    issuer(503_800, 503_899, ANY),
    issuer(561_200, 561_299, ANY),
    issuer(589_300, 589_399, ANY),
    issuer(630_400, 630_499, ANY),
    issuer(633_300, 633_499, ANY),
    issuer(639_000, 639_099, ANY),
    issuer(670_300, 670_399, ANY),
    issuer(675_900, 675_999, ANY),
    issuer(676_100, 676_399, ANY),
    issuer(676_700, 676_799, ANY),
    issuer(677_100, 677_199, ANY),
    issuer(679_900, 679_999, ANY),
    // Mir and Troy.
    issuer(220_000, 220_499, &[16]),
    issuer(979_200, 979_299, &[16]),
];

/// Whether an issuer has numbers that begin so and are as long.
pub(super) fn is_issued(digits: &[u8]) -> bool {
    let Some(first) = digits.get(..6) else { return false };
    let prefix = first.iter().fold(0, |number, digit| number * 10 + u32::from(*digit));
    let has = |issuer: &Issuer| {
        (issuer.from..=issuer.to).contains(&prefix) && issuer.lengths.contains(&digits.len())
    };
    ISSUERS.iter().any(has)
}
