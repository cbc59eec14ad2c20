//! Exact probabilities: products of objectives and redundant groups, without floating point and without rounding.

use std::cmp::Ordering;

use super::decimal::Decimal;

/// An objective is a whole number of millionths. With digits to this base a product of objectives has one digit a
/// factor, and cutting it to a percentage with 4 decimals drops digits instead of dividing.
const BASE: u64 = 1_000_000;

/// A share from 0 to 1, exact.
#[derive(Clone, Debug)]
pub struct Probability {
    /// The whole, then what is after the point, to the base of a million.
    digits: Vec<u32>,
}

impl Probability {
    /// Certain.
    pub fn one() -> Self {
        Self { digits: vec![1] }
    }

    fn zero() -> Self {
        Self { digits: vec![0] }
    }

    /// A percentage from 0 to 100.
    pub fn of_percent(percent: Decimal) -> Self {
        let millionths = percent.ten_thousandths().clamp(0, i128::from(BASE)) as u32;
        Self { digits: vec![millionths / BASE as u32, millionths % BASE as u32] }
    }

    /// That both happen, each whatever the other does.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut sums = vec![0_u64; self.digits.len() + other.digits.len() - 1];
        for (place, one) in self.digits.iter().enumerate() {
            for (offset, two) in other.digits.iter().enumerate() {
                // At most some dozens of products below 10^12 meet in one place.
                sums[place + offset] += u64::from(*one) * u64::from(*two);
            }
        }
        Self::carried(sums)
    }

    /// That either happens, where both cannot.
    #[must_use]
    fn or(&self, other: &Self) -> Self {
        let length = self.digits.len().max(other.digits.len());
        Self::carried((0..length).map(|place| u64::from(self.digit(place)) + u64::from(other.digit(place))).collect())
    }

    /// That it does not happen.
    #[must_use]
    fn not(&self) -> Self {
        let mut digits = vec![0; self.digits.len()];
        let mut borrow = 0;
        for place in (1..digits.len()).rev() {
            let taken = self.digits[place] + borrow;
            borrow = u32::from(taken > 0);
            digits[place] = borrow * BASE as u32 - taken;
        }
        digits[0] = 1 - self.digits[0] - borrow;
        Self { digits }
    }

    /// That at least `need` of the members work, each whatever the others do.
    pub fn at_least(need: usize, members: &[Self]) -> Self {
        // ways[k]: exactly k of the members so far work.
        let mut ways = vec![Self::one()];
        for works in members {
            let fails = works.not();
            let mut next = Vec::with_capacity(ways.len() + 1);
            for count in 0..=ways.len() {
                let without = ways.get(count).map_or_else(Self::zero, |way| way.and(&fails));
                let with = count.checked_sub(1).map_or_else(Self::zero, |before| ways[before].and(works));
                next.push(without.or(&with));
            }
            ways = next;
        }
        ways.iter().skip(need).fold(Self::zero(), |sum, way| sum.or(way))
    }

    /// As a percentage with 4 decimals, cut.
    pub fn percent(&self) -> String {
        let millionths = self.digits[0] * BASE as u32 + self.digit(1);
        format!("{}.{:04}", millionths / 10_000, millionths % 10_000)
    }

    fn digit(&self, place: usize) -> u32 {
        self.digits.get(place).copied().unwrap_or(0)
    }

    fn carried(mut sums: Vec<u64>) -> Self {
        for place in (1..sums.len()).rev() {
            sums[place - 1] += sums[place] / BASE;
            sums[place] %= BASE;
        }
        // Below the base after the carry; the whole is 0 or 1.
        let mut digits: Vec<u32> = sums.into_iter().map(|digit| digit as u32).collect();
        while digits.len() > 1 && digits.last() == Some(&0) {
            digits.pop();
        }
        Self { digits }
    }
}

impl PartialEq for Probability {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Probability {}

impl PartialOrd for Probability {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Probability {
    fn cmp(&self, other: &Self) -> Ordering {
        let length = self.digits.len().max(other.digits.len());
        (0..length)
            .map(|place| self.digit(place).cmp(&other.digit(place)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn percent(text: &str) -> Probability {
        Probability::of_percent(Decimal::parse(text).unwrap())
    }

    fn product(texts: &[&str]) -> Probability {
        texts.iter().fold(Probability::one(), |product, text| product.and(&percent(text)))
    }

    /// M-89 and M-90: the arithmetic alone; the running operator has rows of its own.
    #[test]
    fn m_89_and_m_90_products_and_groups() {
        assert_eq!(product(&["99.99", "99.5"]).percent(), "99.4900");
        assert_eq!(product(&["99.95", "99.95"]).percent(), "99.9000");
        assert_eq!(product(&["99.99", "99.97"]).percent(), "99.9600");
        let group = |need, texts: &[&str]| {
            Probability::at_least(need, &texts.iter().map(|text| percent(text)).collect::<Vec<_>>())
        };
        assert_eq!(group(1, &["99.5", "99"]).percent(), "99.9950");
        assert_eq!(group(2, &["99.9", "99.5", "99"]).percent(), "99.9935");
        assert_eq!(group(2, &["99.9", "99.5", "99"]).and(&percent("99.95")).percent(), "99.9435");
        assert_eq!(group(0, &["99.5"]), Probability::one());
        assert_eq!(group(2, &["99.5"]), Probability::zero());
    }

    #[test]
    fn comparison_is_exact_where_print_is_cut() {
        // 99.9 and 0.0000000001 less look alike.
        let almost = percent("99.9").and(&product(&["99.9999", "99.9999"]));
        assert!(almost < percent("99.9"));
        assert_eq!(product(&["50", "20"]), percent("10"));
        assert!(Probability::one() > product(&["99.9999"; 48]));
        assert_eq!(Probability::one().percent(), "100.0000");
        assert_eq!(product(&["0.0001", "0.0001"]).percent(), "0.0000");
    }

    proptest! {
        /// Against i128, which holds six factors.
        #[test]
        fn products_are_those_of_integers(factors in prop::collection::vec(1_i64..1_000_000, 1..=6)) {
            let exact: i128 = factors.iter().map(|factor| i128::from(*factor)).product();
            let scale = 1_000_000_i128.pow(factors.len() as u32 - 1);
            let product = factors.iter().fold(Probability::one(), |product, factor| {
                product.and(&Probability::of_percent(Decimal::from_ten_thousandths(*factor)))
            });
            let millionths = exact / scale;
            prop_assert_eq!(product.percent(), format!("{}.{:04}", millionths / 10_000, millionths % 10_000));
        }

        /// Exactly n, at least n, and fewer than n of m: they add up to certainty.
        #[test]
        fn groups_add_up(members in prop::collection::vec(0_i64..=1_000_000, 1..=8), need in 0_usize..9) {
            let works: Vec<Probability> =
                members.iter().map(|m| Probability::of_percent(Decimal::from_ten_thousandths(*m))).collect();
            let fails: Vec<Probability> = works.iter().map(Probability::not).collect();
            let enough = Probability::at_least(need, &works);
            // Fewer than `need` work: more than m - need fail.
            let short = if need == 0 { Probability::zero() } else if need > works.len() { Probability::one() } else {
                Probability::at_least(works.len() - need + 1, &fails)
            };
            prop_assert_eq!(enough.or(&short), Probability::one());
        }
    }
}
