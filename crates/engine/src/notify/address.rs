//! Which addresses lie outside: a notification goes nowhere else unless the server was told that it may.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks that are no part of the public internet, or stand for something else there, by the registries of special-purpose
/// addresses: address and length of the prefix.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    // This network.
    (Ipv4Addr::UNSPECIFIED, 8),
    // Private.
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared by carriers for address translation.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Loopback.
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local, and the metadata services of clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Private.
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    // Protocol assignments.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // Relays from the version before to the next, no longer in use.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Private.
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Documentation.
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only part of version 6 from which public addresses are given out.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Parts of it that are not public all the same. Those that carry an address of version 4 inside are judged by it, see
/// [`carried`].
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    // Protocol assignments, with Teredo, benchmarks and overlay identifiers.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet: none of this machine, of a private or carrier's network, of a link, of a
/// group, of documentation, and no metadata service of a cloud, however it is written.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => is_public_v4(inner),
            None => {
                within_v6(address, GLOBAL_V6)
                    && !SPECIAL_V6.iter().any(|&network| within_v6(address, network))
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let within = |&(network, length): &(Ipv4Addr, u32)| {
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        address.to_bits() & mask == network.to_bits()
    };
    !SPECIAL_V4.iter().any(within)
}

fn within_v6(address: Ipv6Addr, (network, length): (Ipv6Addr, u32)) -> bool {
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    address.to_bits() & mask == network.to_bits()
}

/// What stands before an address of version 4 that is mapped into version 6: its first 96 bits.
const MAPPED: u128 = 0xffff;
/// The same for one that is translated under the well-known prefix.
const TRANSLATED: u128 = 0x64_ff9b << 64;
/// The first 16 bits of an address that is reached through a relay; that of version 4 follows.
const RELAYED: u128 = 0x2002;

/// The address of version 4 that one of version 6 leads to.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const LOW: u128 = 0xffff_ffff;
    let bits = address.to_bits();
    let inner = match (bits >> 32, bits >> 112) {
        (MAPPED | TRANSLATED, _) => bits & LOW,
        (_, RELAYED) => (bits >> 80) & LOW,
        _ => return None,
    };
    u32::try_from(inner).ok().map(Ipv4Addr::from_bits)
}
