//! Exact decimals: percentages, shares and their comparison, without floating point.
//!
//! A figure that is printed is truncated (floored) to 4 decimals. An objective has at most 4 decimals, so a printed
//! figure reaches the objective exactly when the exact one does, and never contradicts the verdict.

use std::cmp::Ordering;
use std::fmt;

/// Ten-thousandths in one.
pub const SCALE: i128 = 10_000;

/// A decimal with at most 4 decimals, kept as ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i64);

/// Why a decimal was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form.
    #[error("{0:?} is not a plain decimal with a point and at most 4 decimals, such as \"99.95\"")]
    Form(String),
}

impl Decimal {
    /// Zero.
    pub const ZERO: Decimal = Decimal(0);
    /// One.
    pub const ONE: Decimal = Decimal(SCALE as i64);
    /// One hundred, as a percentage all of it.
    pub const HUNDRED: Decimal = Decimal(100 * SCALE as i64);

    /// The decimal of so many ten-thousandths.
    pub const fn from_ten_thousandths(value: i64) -> Self {
        Self(value)
    }

    /// Reads `^\d{1,3}(\.\d{1,4})?$`.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let form = || DecimalError::Form(text.to_owned());
        let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
        let digits =
            |part: &str, max: usize| (1..=max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole, 3) || fraction.is_some_and(|part| !digits(part, 4)) {
            return Err(form());
        }
        let mut value: i64 = whole.parse::<i64>().map_err(|_| form())? * SCALE as i64;
        if let Some(part) = fraction {
            let padded = format!("{part:0<4}");
            value += padded.parse::<i64>().map_err(|_| form())?;
        }
        Ok(Self(value))
    }

    /// The value in ten-thousandths.
    pub const fn ten_thousandths(self) -> i128 {
        self.0 as i128
    }
}

impl fmt::Display for Decimal {
    /// Without trailing zeros: `99.95`, `0`, `0.3333`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = SCALE as i64;
        let (whole, part) = (self.0 / scale, self.0 % scale);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{part:04}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// An exact fraction with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fraction {
    numerator: i128,
    denominator: i128,
}

impl Fraction {
    /// `numerator / denominator`; none if the denominator is not positive.
    pub fn new(numerator: i128, denominator: i128) -> Option<Self> {
        (denominator > 0).then_some(Self { numerator, denominator })
    }

    /// What is missing to one.
    #[must_use]
    pub fn complement(self) -> Self {
        Self { numerator: self.denominator - self.numerator, ..self }
    }

    /// The quotient; none if the divisor is not positive.
    pub fn divided_by(self, divisor: Self) -> Option<Self> {
        Self::new(self.numerator * divisor.denominator, self.denominator * divisor.numerator)
    }

    /// Compares the fraction, a share of one, with a percentage.
    pub fn compare_percent(self, percent: Decimal) -> Ordering {
        // n / d <=> p / (100 * SCALE)
        (self.numerator * 100 * SCALE).cmp(&(percent.ten_thousandths() * self.denominator))
    }

    /// How many whole parts of one it holds, floored, where one has so many.
    pub fn floored(self, parts: i128) -> i128 {
        (self.numerator * parts).div_euclid(self.denominator)
    }

    /// The number itself with 4 decimals, floored: `9.9166`.
    pub fn number(self) -> String {
        print_scaled(self.floored(SCALE), SCALE, 4)
    }

    /// The share as a percentage with 4 decimals, floored: `99.9305`.
    pub fn percent(self) -> String {
        print_scaled(self.floored(100 * SCALE), SCALE, 4)
    }

    /// The share as a percentage with 1 decimal, floored: `-0.7`.
    pub fn percent_tenths(self) -> String {
        print_scaled(self.floored(100 * 10), 10, 1)
    }

    /// The share as a binary floating point number; for gauges only, never for a decision.
    pub fn as_ratio(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

fn print_scaled(scaled: i128, scale: i128, decimals: usize) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let value = scaled.abs();
    format!("{sign}{}.{:0decimals$}", value / scale, value % scale)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn decimals_are_read_exactly_and_printed_without_trailing_zeros() {
        for (text, value, printed) in [
            ("99.95", 999_500, "99.95"),
            ("0", 0, "0"),
            ("0.3333", 3333, "0.3333"),
            ("100.0", 1_000_000, "100"),
            ("7.1", 71_000, "7.1"),
        ] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!(decimal.ten_thousandths(), value);
            assert_eq!(decimal.to_string(), printed);
        }
        for text in ["99,9", "1e2", "-1", "NaN", "", "1.", ".5", "99.99999", "1000", " 1", "1 "] {
            assert!(Decimal::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn percentages_are_floored_also_below_zero() {
        let fraction = |n, d| Fraction::new(n, d).unwrap();
        assert_eq!(fraction(2_590_200_000, 2_592_000_000).percent(), "99.9305");
        assert_eq!(fraction(1, 1).percent(), "100.0000");
        assert_eq!(fraction(-18_000, 2_682_000).percent_tenths(), "-0.7");
        assert_eq!(fraction(-1, 2_674_800).percent_tenths(), "-0.1");
        assert_eq!(fraction(-1, 3).percent(), "-33.3334");
        assert!(Fraction::new(1, 0).is_none());
    }

    #[test]
    fn a_printed_figure_reaches_the_objective_exactly_when_the_exact_one_does() {
        let objective = Decimal::parse("99.9").unwrap();
        let exact = Fraction::new(2_674_800_000 - 2_674_800, 2_674_800_000).unwrap();
        assert_eq!(exact.compare_percent(objective), Ordering::Equal);
        let below = Fraction::new(2_674_800_000 - 2_674_801, 2_674_800_000).unwrap();
        assert_eq!(below.compare_percent(objective), Ordering::Less);
        assert_eq!(below.percent(), "99.8999");
    }
}
