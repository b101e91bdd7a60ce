//! No test card of any brand is let through, and ordinary texts are.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use super::*;

/// Test cards that brands, processors and gateways publish.
const CARDS: &[&str] = &[
    // Visa.
    "4242424242424242",
    "4111111111111111",
    "4012888888881881",
    "4000056655665556",
    "4000000000000002",
    "4917610000000000003",
    "4222222222222",
    "4007000000027",
    // Mastercard.
    "5555555555554444",
    "5105105105105100",
    "5454545454545454",
    "5200828282828210",
    "2223003122003222",
    "2221000000000009",
    "2720990000000007",
    // American Express.
    "378282246310005",
    "371449635398431",
    "341111111111111",
    // Discover.
    "6011111111111117",
    "6011000990139424",
    "6500000000000002",
    "6445644564456445",
    // Diners Club.
    "3056930009020004",
    "30569309025904",
    "36227206271667",
    "38520000023237",
    // JCB.
    "3566002020360505",
    "3530111333300000",
    "3569990010095841",
    // UnionPay.
    "6200000000000005",
    "6205500000000000004",
    "6240008631401148",
    "8171999927660000",
    // Maestro and its kin.
    "6759649826438453",
    "6799990100000000019",
    "6304000000000000000",
    "6771798021000008",
    "6731012345678906",
    "5018000000000009",
    "50339619890917",
    "586824160825533338",
    "6703444444444449",
    "6333333333333333336",
];

/// A number as people write it: as one, in fours, and in the groups of its brand.
fn written(card: &str) -> Vec<String> {
    let fours: Vec<String> =
        card.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned()).collect();
    let mut all = vec![card.to_owned()];
    for between in [" ", "-", ".", " - ", "\u{a0}", "\u{2013}"] {
        all.push(fours.join(between));
        if matches!(card.len(), 14 | 15) {
            all.push([&card[..4], &card[4..10], &card[10..]].join(between));
        }
    }
    all
}

#[test]
fn no_test_card_is_let_through() {
    for card in CARDS {
        for number in written(card) {
            for text in [
                number.clone(),
                format!("card {number} exp 12/30"),
                format!("{number} 1230 123"),
                format!("Tel. 030 1234567, {number}"),
                format!("tok_{number}"),
                format!("https://example.com/{number}?a=1"),
                format!("Karte{number}."),
                format!("\u{fc}{number}\u{df}"),
            ] {
                assert!(holds_card_number(&text), "{text}");
                let hidden = without_card_numbers(&text);
                assert!(!holds_card_number(&hidden) && hidden.contains('*'), "{text}: {hidden}");
            }
        }
        let apart: Vec<String> = card.chars().map(String::from).collect();
        assert!(holds_card_number(&format!("card {}, 12/30", apart.join(" "))), "{card}");
        assert!(holds_card_number(&apart.join("-")), "{card}");
    }
}

#[test]
fn all_but_the_last_four_digits_are_hidden() {
    for (text, hidden) in [
        ("gateway '4242424242424242' does not exist", "gateway '************4242' does not exist"),
        ("4242 4242 4242 4242", "**** **** **** 4242"),
        ("a 3782-822463-10005, b", "a ****-******-*0005, b"),
        ("4242424242424242 and 5555555555554444", "************4242 and ************4444"),
        ("4242424242424242-5555555555554444", "************4242-************4444"),
        ("\u{fc}4242424242424242\u{df}", "\u{fc}************4242\u{df}"),
        ("nothing", "nothing"),
        ("", ""),
    ] {
        assert_eq!(without_card_numbers(text), hidden);
    }
}

#[test]
fn what_only_resembles_a_card_number_is_none() {
    for text in [
        "4242424242424241",
        "2028123420281231",
        "1767225600000000",
        "pm_1NXy42424242",
        "************4242",
        "0000000000000000",
        "424242424242424242424242",
        "id 8ad09c4242424242424242420d4e1f4b",
        "01990000-0000-7000-8000-000000000025",
        "AT61 1904 3002 3457 3201 and DE89370400440532013000",
        "+4242424242424242",
        "0.6011111111111117",
        "1234 5678 4242 4242 4242 4242 1111 2222",
    ] {
        assert!(!holds_card_number(text), "{text}");
        assert_eq!(without_card_numbers(text), text);
    }
    let service_periods = (0..1_200).map(|month| {
        let (year, month) = (1990 + month / 12, 1 + month % 12);
        format!("Service period {year}-{month:02}-01 - {year}-{month:02}-28")
    });
    let telephones = (0..1_000).map(|n| format!("call +49 30 1234567{n:05}"));
    for text in service_periods.chain(telephones) {
        assert!(!holds_card_number(&text), "{text}");
    }
}

/// Numbers that follow from a seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap())).collect()
    }

    fn hex(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from_digit(u32::try_from(self.below(16)).unwrap(), 16).unwrap()).collect()
    }

    fn day(&mut self, between: &str) -> String {
        let (year, month, day) = (2015 + self.below(20), 1 + self.below(12), 1 + self.below(28));
        format!("{year}{between}{month:02}{between}{day:02}")
    }

    fn german_day(&mut self) -> String {
        let (year, month, day) = (2015 + self.below(20), 1 + self.below(12), 1 + self.below(28));
        format!("{day:02}.{month:02}.{year}")
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }

    fn iban(&mut self) -> String {
        let (country, rest) =
            [("DE", 18), ("AT", 16), ("CH", 17), ("BE", 12), ("ES", 20), ("PL", 24), ("FR", 23)]
                [usize::try_from(self.below(7)).unwrap()];
        let plain = format!("{country}{}{}", self.digits(2), self.digits(rest));
        let fours = plain.as_bytes().chunks(4).map(|four| String::from_utf8_lossy(four).into_owned());
        let fours: Vec<String> = fours.collect();
        if self.below(2) == 0 { plain } else { fours.join(" ") }
    }

    fn telephone(&mut self) -> String {
        match self.below(9) {
            0 => format!("Tel. +49 30 {} {}", self.digits(4), self.digits(4)),
            1 => format!("Tel. 0049 (0)89 {}-{}", self.digits(6), self.digits(3)),
            2 => format!("call +49 30 {}", self.digits(12)),
            3 => format!("+1 (555) {}-{}", self.digits(3), self.digits(4)),
            4 => format!("+44 20 {} {}", self.digits(4), self.digits(4)),
            5 => format!("49151{}", self.digits(8)),
            6 => format!("0151 {}, 0171/{}", self.digits(8), self.digits(7)),
            7 => format!("+33 {}", ["6", "12", "34", "56", "78"].map(|_| self.digits(2)).join(" ")),
            _ => format!("+{}{}", self.one_of(&["49", "43", "41", "44", "65"]), self.digits(11)),
        }
    }

    fn timestamp(&mut self) -> String {
        let (day, compact) = (self.day("-"), self.day(""));
        match self.below(5) {
            0 => format!("created {day} 10:{}:00.000 by batch {compact}{}", self.digits(2), self.digits(4)),
            1 => format!("{day}T10:15:{}.{}Z", self.digits(2), self.digits(9)),
            2 => format!("{compact}{}", self.digits(6)),
            3 => format!("17{}", self.digits(11)),
            _ => format!("at 17{} us", self.digits(14)),
        }
    }

    fn invoice(&mut self) -> String {
        match self.below(6) {
            0 => format!("INV-{}-{}", 2015 + self.below(20), self.digits(8)),
            1 => format!("Invoice {} of {}", self.digits(10), self.german_day()),
            2 => format!("RE{}{}", self.day(""), self.digits(5)),
            3 => format!("{}-{}-{}", self.digits(3), self.digits(7), self.digits(7)),
            4 => format!("Order {} {} {}", self.digits(6), self.digits(6), self.digits(4)),
            _ => format!(
                "PO {}, line {}, {}.{} USD",
                self.digits(8),
                self.digits(3),
                self.digits(4),
                self.digits(2)
            ),
        }
    }

    fn identifier(&mut self) -> String {
        let parts = [8, 4, 4, 4, 12].map(|count| self.hex(count));
        let dashed = parts.join("-");
        match self.below(3) {
            0 => dashed,
            1 => parts.concat(),
            _ => format!("pi_{}", parts.concat()),
        }
    }

    fn ordinary(&mut self) -> String {
        match self.below(7) {
            0 => format!(
                "Service {}{}{}",
                self.day("-"),
                self.one_of(&[" - ", "-", " ", " to ", "/"]),
                self.day("-")
            ),
            1 => format!("{}{}{}", self.day(""), self.one_of(&["-", " ", " - "]), self.day("")),
            2 => self.telephone(),
            3 => self.timestamp(),
            4 => self.invoice(),
            5 => self.iban(),
            _ => self.identifier(),
        }
    }
}

#[test]
fn ordinary_texts_are_let_through() {
    let mut draws = Draws(7);
    let taken: Vec<String> =
        (0..10_000).map(|_| draws.ordinary()).filter(|text| holds_card_number(text)).collect();
    assert!(taken.len() < 10, "{} of 10,000: {:?}", taken.len(), taken);
}

#[test]
fn long_texts_take_no_longer_than_their_length() {
    let digits = "1 ".repeat(50_000);
    assert!(!holds_card_number(&digits));
    assert!(holds_card_number(&format!("{digits}, 4242 4242 4242 4242")));
    assert!(holds_card_number(&format!("{}4242424242424242", "12 ".repeat(10_000))));
    assert!(!holds_card_number(&"a1".repeat(50_000)));
}
