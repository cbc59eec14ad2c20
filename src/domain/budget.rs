//! The error budget of an agreement's headline target: what is said of it.

use super::accounting::Verdict;
use super::conditions::Finding;
use super::decimal::Decimal;
use super::report::JudgedTarget;

/// Type of the condition.
const KIND: &str = "BudgetAvailable";

/// The condition `BudgetAvailable`: whether less than `spent_at` percent of the budget is lost. With too little observed
/// nothing is said of a budget that is not spent yet.
pub fn budget_available(target: &JudgedTarget, spent_at: Decimal) -> Finding {
    let (figures, name) = (&target.figures, &target.terms.name);
    let warn_at = target.terms.yardstick.warn_at;
    let Some(judgement) = target.judgement else {
        return Finding::unknown(
            KIND,
            "Indeterminate",
            format!("{name}: without an objective there is no error budget"),
        );
    };
    if figures.base() == 0 {
        Finding::unknown(KIND, "Indeterminate", format!("{name}: no service time was measured yet"))
    } else if figures.is_spent(spent_at) {
        Finding::no(KIND, "BudgetSpent", format!("{name}: at least {spent_at} % of the error budget is spent"))
    } else if judgement.verdict == Verdict::Indeterminate {
        Finding::unknown(KIND, "Indeterminate", format!("{name}: too little of the service time was observed"))
    } else if figures.is_spent(warn_at) {
        Finding::yes(KIND, "BudgetLow", format!("{name}: at least {warn_at} % of the error budget is spent"))
    } else {
        Finding::yes(KIND, "BudgetLeft", format!("{name}: error budget is left"))
    }
}
