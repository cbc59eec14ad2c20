//! Load for benches: the objects of a cluster with many agreements, the API server's own rate of writes, and what an
//! operator needs under it.
//!
//! Everything is counted from outside: writes by the audit log, latency by a watch of the bench, memory by the kernel.
pub mod audit;
mod error;
pub mod figures;
pub mod machine;
pub mod objects;
pub mod operator;
pub mod period_end;
pub mod populate;
pub mod saturate;
pub mod scenario;
pub mod transitions;
pub mod watch;

pub use error::Error;

/// The value at a quantile of sorted values: the smallest that as many are not above.
pub fn quantile(sorted: &[f64], quantile: f64) -> f64 {
    let rank = (quantile * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).or(sorted.last()).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|part| super::quantile(&values, part) as u64), [100, 198, 200]);
        assert!(super::quantile(&[], 0.5).is_nan());
    }
}
