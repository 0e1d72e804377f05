//! `Fn::Cidr`: blocks of addresses within a block.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::Value;

use crate::functions::text;

/// The most blocks. Source: CloudFormation User Guide, Fn::Cidr.
const MOST: u128 = 256;

/// From the block, the count, and how many bits of an address are the host's (8 by default here, as
/// `cidrBits` may be left out).
///
/// # Errors
/// If the block is invalid or has no room for so many.
pub(crate) fn split(parts: &[Value]) -> Result<Value, String> {
    let wrong = || "expected a block such as `10.0.0.0/16`, a count from 1 to 256 and a number of bits in `Fn::Cidr`".to_owned();
    let number = |value: &Value| text(value).and_then(|text| text.parse::<u32>().ok());
    let (block, count, bits) = match parts {
        [block, count] => (block, number(count), Some(8)),
        [block, count, bits] => (block, number(count), number(bits)),
        _ => return Err(wrong()),
    };
    let (count, bits) = (u128::from(count.ok_or_else(wrong)?), bits.ok_or_else(wrong)?);
    let block = text(block).ok_or_else(wrong)?;
    let (address, prefix) = block.split_once('/').ok_or_else(wrong)?;
    let (address, prefix): (IpAddr, u32) = (address.parse().map_err(|_| wrong())?, prefix.parse().map_err(|_| wrong())?);
    let (width, first) = match address {
        IpAddr::V4(address) => (32, u128::from(u32::from(address))),
        IpAddr::V6(address) => (128, u128::from(address)),
    };
    if prefix > width || bits == 0 || bits >= width || !(1..=MOST).contains(&count) {
        return Err(wrong());
    }
    let free = width - prefix;
    let first = first & u128::MAX.checked_shl(free).unwrap_or(0);
    if bits > free || count > 1_u128.checked_shl(free - bits).unwrap_or(u128::MAX) {
        return Err(format!("found `{block}`, which has no room for {count} blocks of {bits} bits"));
    }
    let named = |n: u128| {
        let start = first + (n << bits);
        let address = match u32::try_from(start) {
            Ok(start) if width == 32 => IpAddr::V4(Ipv4Addr::from(start)),
            _ => IpAddr::V6(Ipv6Addr::from(start)),
        };
        Value::from(format!("{address}/{}", width - bits))
    };
    Ok((0..count).map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_block_is_split_or_refused() {
        for (parts, blocks) in [
            (
                json!(["192.168.0.0/24", "6", "5"]),
                json!(["192.168.0.0/27", "192.168.0.32/27", "192.168.0.64/27", "192.168.0.96/27", "192.168.0.128/27", "192.168.0.160/27"]),
            ),
            (json!(["10.0.5.0/16", 2]), json!(["10.0.0.0/24", "10.0.1.0/24"])),
            (json!(["2001:db8::/56", 2, 64]), json!(["2001:db8::/64", "2001:db8:0:1::/64"])),
            (json!(["0.0.0.0/0", 1, 31]), json!(["0.0.0.0/1"])),
        ] {
            assert_eq!(split(parts.as_array().unwrap()), Ok(blocks), "{parts}");
        }
        for parts in [
            json!(["10.0.0.0/24", 2, 8]),
            json!(["10.0.0.0", 1, 8]),
            json!(["10.0.0.0/33", 1, 8]),
            json!(["x/8", 1, 8]),
            json!(["10.0.0.0/8", 0, 8]),
            json!(["10.0.0.0/8", 257, 8]),
            json!(["::/0", 256, 0]),
            json!(["10.0.0.0/24"]),
            json!([["a"], 1, 1]),
            json!(["10.0.0.0/24", 1, 32]),
        ] {
            assert!(split(parts.as_array().unwrap()).is_err(), "{parts}");
        }
    }
}
