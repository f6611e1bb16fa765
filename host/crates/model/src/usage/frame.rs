//! Points of many processes as few bytes: numbers of seven bits a byte, small ones small. An idle process takes some
//! twenty bytes.

use super::{Gauge, Point};

/// Points of one stretch of time by the id of their process, as bytes.
#[must_use]
pub fn encode(points: &[(i64, Point)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(points.len() * 24);
    let mut number = |n: u64| put(&mut bytes, n);
    for (process, point) in points {
        number(process.unsigned_abs());
        number(u64::from(point.looks));
        number(point.span_ms);
        number(point.cpu_us);
        number(point.cpu_min);
        number(point.cpu_max.saturating_sub(point.cpu_min));
        for gauge in [point.memory, point.threads, point.open_files] {
            number(gauge.min);
            number(gauge.max.saturating_sub(gauge.min));
            number(gauge.sum.saturating_sub(gauge.min.saturating_mul(u64::from(point.looks))));
        }
        number(point.read_bytes);
        number(point.written_bytes);
    }
    bytes
}

/// The points that were encoded; what is cut or nonsense ends it.
#[must_use]
pub fn decode(mut bytes: &[u8]) -> Vec<(i64, Point)> {
    let mut points = Vec::new();
    while let Some(point) = take_point(&mut bytes) {
        points.push(point);
    }
    points
}

fn take_point(bytes: &mut &[u8]) -> Option<(i64, Point)> {
    let process = i64::try_from(take(bytes)?).ok()?;
    let looks = u32::try_from(take(bytes)?).ok().filter(|looks| *looks > 0)?;
    let (span_ms, cpu_us, cpu_min) = (take(bytes)?, take(bytes)?, take(bytes)?);
    let cpu_max = cpu_min.checked_add(take(bytes)?)?;
    let mut gauge = || {
        let min = take(bytes)?;
        let max = min.checked_add(take(bytes)?)?;
        let sum = min.checked_mul(u64::from(looks))?.checked_add(take(bytes)?)?;
        Some(Gauge { min, max, sum })
    };
    let (memory, threads, open_files) = (gauge()?, gauge()?, gauge()?);
    let (read_bytes, written_bytes) = (take(bytes)?, take(bytes)?);
    let point = Point {
        looks,
        span_ms,
        cpu_us,
        cpu_min,
        cpu_max,
        memory,
        threads,
        open_files,
        read_bytes,
        written_bytes,
    };
    Some((process, point))
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::tests::look;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn points_come_back(
            points in prop::collection::vec((0_i64..1 << 40, (look(), look()).prop_map(|(a, b)| a.merge(b))), 0..20),
        ) {
            prop_assert_eq!(decode(&encode(&points)), points);
        }

        #[test]
        fn nonsense_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes).len() <= bytes.len());
        }
    }
}
