//! How long an outage went unnoticed: a node that dies shows only after the node controller's grace.

use super::limits::NODE_SILENT_MS;
use super::time::Instant;

/// How long before an outage that began at `at` its nodes had fallen silent, by the last renewals of their Leases; 0 if
/// none had. Of several nodes the one that was silent for the shortest time counts: until then one was heard.
///
/// A renewal carries the clock of its node, so this is a note beside the figures and never part of one.
pub fn detection_lag_ms(at: Instant, renewals: impl IntoIterator<Item = Instant>) -> i64 {
    let silent = renewals.into_iter().map(|renewal| at.ms_since(renewal)).filter(|ms| *ms > NODE_SILENT_MS);
    silent.min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_fell_silent_clearly_before_dates_the_lag() {
        let at = Instant::from_ms(1_000_000);
        let lag = |ages: &[i64]| detection_lag_ms(at, ages.iter().map(|ms| at.minus_ms(*ms)));
        assert_eq!(lag(&[]), 0);
        assert_eq!(lag(&[20_000]), 0, "two renewals late is not clear");
        assert_eq!(lag(&[20_001]), 20_001);
        assert_eq!(lag(&[45_000, 43_000, 3_000]), 43_000);
        assert_eq!(lag(&[-5_000]), 0, "it was heard afterwards");
    }
}
