//! Alerting rules for Prometheus: an agreement's burn rates, what is not measured, and an operator that is gone.

use serde::Serialize;

use crate::api::agreement::{Method, TreatAs};
use crate::domain::agreement::{TargetTerms, Terms};
use crate::domain::burn::{Alert, Severity, alerts, can_fire};
use crate::domain::decimal::Decimal;
use crate::domain::duration::format_exact;

/// What the rules read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The burn rates that are always exported: pages only.
    Pages,
    /// All burn rates, which need `--metrics=full`.
    Gauges,
    /// The counters of time by class, which are never corrected backwards; some 10,000 times as many samples.
    Counters,
}

/// A `PrometheusRule` of the Prometheus operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusRule {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Spec {
    groups: Vec<Group>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Rule {
    alert: &'static str,
    expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    lasts: Option<&'static str>,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Labels {
    severity: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Annotations {
    summary: String,
}

fn rule_of(name: String, namespace: Option<String>, rules: Vec<Rule>) -> PrometheusRule {
    PrometheusRule {
        api_version: "monitoring.coreos.com/v1",
        kind: "PrometheusRule",
        metadata: Metadata { name: name.clone(), namespace },
        spec: Spec { groups: vec![Group { name, rules }] },
    }
}

fn rule(alert: &'static str, expr: String, severity: Severity, summary: String) -> Rule {
    let labels = Labels { severity: severity.as_str() };
    Rule { alert, expr, lasts: None, labels, annotations: Annotations { summary } }
}

/// The rules that an installation has once.
pub fn of_operator() -> PrometheusRule {
    let summary = "no replica of Assize leads, so nothing is measured".to_owned();
    let absent = Rule {
        lasts: Some("5m"),
        ..rule("AssizeAbsent", "absent(assize_leader == 1)".to_owned(), Severity::Page, summary)
    };
    rule_of("assize".to_owned(), None, vec![absent])
}

/// The rules of an agreement. A pair of windows that can never fire is left out.
pub fn of_agreement(namespace: &str, name: &str, terms: &Terms, basis: Basis) -> PrometheusRule {
    let mut rules = Vec::new();
    for target in &terms.targets {
        let matchers = format!("namespace=\"{namespace}\",agreement=\"{name}\",target=\"{}\"", target.name);
        if let Some(objective) = target.yardstick.objective {
            let is_wanted = |alert: &&Alert| {
                can_fire(alert, objective) && (basis != Basis::Pages || alert.severity == Severity::Page)
            };
            for alert in alerts(terms.period.kind).iter().filter(is_wanted) {
                let expr = match basis {
                    Basis::Pages | Basis::Gauges => of_gauges(&matchers, alert),
                    Basis::Counters => of_counters(&matchers, target, objective, alert),
                };
                let windows = format!("{} and {}", format_exact(alert.long_ms), format_exact(alert.short_ms));
                let summary = format!(
                    "{name} {}: the error budget burns more than {} times as fast as agreed, over {windows}",
                    target.name, alert.factor
                );
                rules.push(rule("AssizeBudgetBurn", expr, alert.severity, summary));
            }
        }
        if target.method == Method::Readiness {
            let unknown = format!("assize_agreement_class_seconds_total{{{matchers},class=\"unknown\"}}");
            let summary = format!("{name} {}: more than 5 of the last 10 minutes were not observed", target.name);
            let expr = format!("increase({unknown}[10m]) > 300");
            rules.push(rule("AssizeNotMeasuring", expr, Severity::Ticket, summary));
        }
    }
    rule_of(format!("assize-{name}"), Some(namespace.to_owned()), rules)
}

fn of_gauges(matchers: &str, alert: &Alert) -> String {
    let exceeds = |window_ms: i64| {
        let window = format_exact(window_ms);
        format!("assize_agreement_burn_rate{{{matchers},window=\"{window}\"}} > {}", alert.factor)
    };
    format!("{} and ignoring(window) {}", exceeds(alert.long_ms), exceeds(alert.short_ms))
}

fn of_counters(matchers: &str, target: &TargetTerms, objective: Decimal, alert: &Alert) -> String {
    let yardstick = &target.yardstick;
    let allowed = one_less(objective);
    let exceeds = |window_ms: i64| {
        let sum = |classes: &str| {
            let window = format_exact(window_ms);
            format!(
                "sum by (namespace, agreement, target) (increase(assize_agreement_class_seconds_total{{{matchers},\
                 class=~\"{classes}\"}}[{window}]))"
            )
        };
        let (lost, base) = match yardstick.treat_as {
            TreatAs::Exclude => ("down", "up|degraded|down"),
            TreatAs::Down => ("down|unknown", "up|degraded|down|unknown"),
        };
        let degraded = match yardstick.degraded_counts {
            Decimal::ZERO => String::new(),
            share => format!(" + {share} * {}", sum("degraded")),
        };
        format!("(({}{degraded}) / ({} > 0)) > {} * {allowed}", sum(lost), sum(base), alert.factor)
    };
    format!("{} and {}", exceeds(alert.long_ms), exceeds(alert.short_ms))
}

/// `1 - objective` as a plain decimal: `0.001` for 99.9.
fn one_less(objective: Decimal) -> String {
    let millionths = Decimal::HUNDRED.ten_thousandths() - objective.ten_thousandths();
    let digits = format!("{millionths:06}");
    format!("0.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn terms(fields: &str) -> Terms {
        let spec = format!(
            "{{serviceRef: {{name: checkout}}, {fields} targets: [{{name: a, kind: Availability, method: Readiness, \
             objective: '99.9', readiness: {{degradedCounts: '0.5'}}}}]}}"
        );
        Terms::from_spec(&serde_saphyr::from_str(&spec).unwrap()).unwrap()
    }

    fn exprs(fields: &str, basis: Basis) -> Vec<String> {
        let rule = of_agreement("shop", "gold", &terms(fields), basis);
        rule.spec.groups[0].rules.iter().map(|rule| rule.expr.clone()).collect()
    }

    #[test]
    fn gauges_of_two_windows_are_compared() {
        let matchers = "namespace=\"shop\",agreement=\"gold\",target=\"a\"";
        let rate = |window: &str| format!("assize_agreement_burn_rate{{{matchers},window=\"{window}\"}} > 14.4");
        assert_eq!(exprs("", Basis::Pages).len(), 3);
        assert_eq!(exprs("", Basis::Gauges).len(), 5);
        assert_eq!(exprs("", Basis::Pages)[0], format!("{} and ignoring(window) {}", rate("1h"), rate("5m")));
    }

    #[test]
    fn counters_follow_the_terms() {
        let plain = &exprs("", Basis::Counters)[0];
        let matchers = "namespace=\"shop\",agreement=\"gold\",target=\"a\"";
        let sum = |classes: &str, window: &str| {
            format!(
                "sum by (namespace, agreement, target) (increase(assize_agreement_class_seconds_total{{{matchers},\
                 class=~\"{classes}\"}}[{window}]))"
            )
        };
        let side = |window: &str| {
            format!(
                "(({} + 0.5 * {}) / ({} > 0)) > 14.4 * 0.001",
                sum("down", window),
                sum("degraded", window),
                sum("up|degraded|down", window)
            )
        };
        assert_eq!(*plain, format!("{} and {}", side("1h"), side("5m")));
        let strict = &exprs("unmeasured: {treatAs: Down},", Basis::Counters)[0];
        assert!(strict.contains("class=~\"down|unknown\"") && strict.contains("class=~\"up|degraded|down|unknown\""));
        assert_eq!(one_less(Decimal::parse("99.9999").unwrap()), "0.000001");
        assert_eq!(one_less(Decimal::parse("90").unwrap()), "0.1");
    }
}
