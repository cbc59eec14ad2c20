//! The CEL rules of the definitions, evaluated without CEL: each rule by its text.
//!
//! Patterns are taken out of the rules, so they cannot differ. Every other rule has a twin here under its exact text;
//! a test fails for a rule of a definition that has none.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex::Regex;
use serde_json::Value;

use crate::domain::decimal::Decimal;

/// Patterns by their text, each compiled once: that takes longer than checking an object.
static PATTERNS: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);

/// Whether a rule holds for a value; none if the rule has no meaning outside the cluster or no twin.
pub(super) fn holds(rule: &str, value: &Value) -> Option<bool> {
    if let Some(twin) = twin_of(rule) {
        return Some(twin(value));
    }
    // self.matches('…'), alone or with a length above 0.
    let pattern = rule.strip_prefix("self.matches('").or_else(|| rule.strip_prefix("self.matches(r'"))?;
    let (pattern, rest) = pattern.split_once("')")?;
    let text = value.as_str()?;
    let matches = matches(pattern, text)?;
    match rest {
        "" => Some(matches),
        " && self.size() > 0" => Some(matches && !text.is_empty()),
        _ => None,
    }
}

/// The rules that have a twin.
#[cfg(test)]
pub(super) fn twins() -> impl Iterator<Item = &'static str> {
    TWINS.iter().map(|(rule, _)| *rule)
}

fn matches(pattern: &str, text: &str) -> Option<bool> {
    // A panic elsewhere leaves the map whole.
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if !patterns.contains_key(pattern) {
        patterns.insert(pattern.to_owned(), Regex::new(pattern).ok());
    }
    patterns.get(pattern)?.as_ref().map(|regex| regex.is_match(text))
}

type Twin = fn(&Value) -> bool;

fn twin_of(rule: &str) -> Option<Twin> {
    TWINS.iter().find(|(text, _)| *text == rule).map(|(_, twin)| *twin)
}

/// Twins by the text of their rule.
const TWINS: &[(&str, Twin)] = &[
    ("self.metadata.name.size() <= 48", |object| name_of(object).chars().count() <= 48),
    ("self.metadata.name.size() <= 200", |object| name_of(object).chars().count() <= 200),
    ("!self.metadata.name.startsWith('its-')", |object| !name_of(object).starts_with("its-")),
    ("!has(self.spec.supersedes) || self.spec.supersedes.name != self.metadata.name", |report| {
        let superseded = &report["spec"]["supersedes"];
        superseded.is_null() || superseded["name"] != report["metadata"]["name"]
    }),
    ("!has(self.spec.supersedes) || self.metadata.name.matches('-r([2-9]|[1-9][0-9]+)$')", |report| {
        report["spec"]["supersedes"].is_null() || matches("-r([2-9]|[1-9][0-9]+)$", name_of(report)) == Some(true)
    }),
    ("!has(self.supersedes) || has(self.reason)", |spec| spec["supersedes"].is_null() || !spec["reason"].is_null()),
    ("!has(self.dependencies) || self.dependencies.all(d, !self.components.exists(c, c.name == d.name))", |spec| {
        are_apart(&spec["dependencies"], &spec["components"])
    }),
    ("has(self.workloadRef) || has(self.endpointsOf) || has(self.selector)", |component| {
        ["workloadRef", "endpointsOf", "selector"].iter().any(|name| has(component, name))
    }),
    ("has(self.workloadRef) || !has(self.minReady) || type(self.minReady) == int", |component| {
        has(component, "workloadRef") || !component["minReady"].is_string()
    }),
    ("has(self.workloadRef) || !has(self.degradedBelow) || type(self.degradedBelow) == int", |component| {
        has(component, "workloadRef") || !component["degradedBelow"].is_string()
    }),
    (
        "!has(self.selector) || (has(self.selector.matchLabels) && self.selector.matchLabels.size() > 0) || \
         (has(self.selector.matchExpressions) && self.selector.matchExpressions.size() > 0)",
        |component| !has(component, "selector") || selects_something(&component["selector"]),
    ),
    ("type(self) == int ? (self >= 1 && self <= 1000000) : self.matches('^([1-9][0-9]?|100)%$')", is_ready_threshold),
    ("has(self.service) != has(self.external)", |dependency| has(dependency, "service") != has(dependency, "external")),
    ("self.startsWith('https://')", |url| text(url).starts_with("https://")),
    (
        "!has(self.type) || self.type != 'UnderpinningContract' || self.targets.all(t, has(t.method) && t.method != 'Readiness')",
        |spec| {
            let is_outside = |target: &Value| has(target, "method") && target["method"] != "Readiness";
            text(&spec["type"]) != "UnderpinningContract" || list(&spec["targets"]).iter().all(is_outside)
        },
    ),
    (
        "!has(self.errorBudget) || !has(self.errorBudget.target) || self.targets.exists(t, t.name == self.errorBudget.target)",
        |spec| {
            let wanted = &spec["errorBudget"]["target"];
            wanted.is_null() || list(&spec["targets"]).iter().any(|target| target["name"] == *wanted)
        },
    ),
    (
        "!has(self.errorBudget) || !has(self.errorBudget.target) || !self.targets.exists(t, t.name == self.errorBudget.target && !has(t.objective))",
        |spec| {
            let wanted = &spec["errorBudget"]["target"];
            let is_bare = |target: &Value| target["name"] == *wanted && !has(target, "objective");
            wanted.is_null() || !list(&spec["targets"]).iter().any(is_bare)
        },
    ),
    ("!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) <= 100.0", |value| {
        decimal(value).is_none_or(|decimal| decimal <= Decimal::HUNDRED)
    }),
    ("!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) > 0.0", |value| {
        decimal(value).is_none_or(|decimal| decimal > Decimal::ZERO)
    }),
    ("!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) < 100.0", |value| {
        decimal(value).is_none_or(|decimal| decimal < Decimal::HUNDRED)
    }),
    ("has(self.days) == (has(self.kind) && self.kind == 'Rolling')", |period| {
        has(period, "days") == (text(&period["kind"]) == "Rolling")
    }),
    ("self.kind != 'Availability' || has(self.objective)", |target| {
        text(&target["kind"]) != "Availability" || has(target, "objective")
    }),
    ("self.kind != 'Availability' || has(self.method)", |target| {
        text(&target["kind"]) != "Availability" || has(target, "method")
    }),
    ("self.kind == 'Availability' || !has(self.objective)", |target| {
        text(&target["kind"]) == "Availability" || !has(target, "objective")
    }),
    ("self.kind == 'Availability' || (!has(self.method) && !has(self.readiness) && !has(self.probe))", |target| {
        let given = ["method", "readiness", "probe"].iter().any(|name| has(target, name));
        text(&target["kind"]) == "Availability" || !given
    }),
    ("!has(self.method) || self.method != 'Probe' || has(self.probe)", |target| {
        target["method"] != "Probe" || has(target, "probe")
    }),
    ("!has(self.method) || self.method == 'Probe' || !has(self.probe)", |target| {
        !has(target, "method") || target["method"] == "Probe" || !has(target, "probe")
    }),
    ("!has(self.method) || self.method == 'Readiness' || !has(self.readiness)", |target| {
        !has(target, "method") || target["method"] == "Readiness" || !has(target, "readiness")
    }),
    (
        "self.kind != 'Reliability' || has(self.maxOutages) || has(self.maxSingleOutage) || has(self.maxMTRS)",
        |target| text(&target["kind"]) != "Reliability" || has_limits(target),
    ),
    (
        "self.kind == 'Reliability' || (!has(self.maxOutages) && !has(self.maxSingleOutage) && !has(self.maxMTRS))",
        |target| text(&target["kind"]) == "Reliability" || !has_limits(target),
    ),
    (
        "!has(self.effectiveFrom) || !has(self.expires) || self.effectiveFrom.size() < 10 || self.expires.size() < 10 || \
         self.effectiveFrom.substring(0, 10) <= self.expires.substring(0, 10)",
        |term| match (day(&term["effectiveFrom"]), day(&term["expires"])) {
            (Some(from), Some(expires)) => from <= expires,
            _ => true,
        },
    ),
    ("self.from != self.to", |hours| hours["from"] != hours["to"]),
    ("self.name != 'holidays'", |window| text(&window["name"]) != "holidays"),
];

fn has(value: &Value, name: &str) -> bool {
    !value[name].is_null()
}

fn has_limits(target: &Value) -> bool {
    ["maxOutages", "maxSingleOutage", "maxMTRS"].iter().any(|name| has(target, name))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name_of(object: &Value) -> &str {
    text(&object["metadata"]["name"])
}

fn day(value: &Value) -> Option<&str> {
    value.as_str()?.get(..10)
}

fn decimal(value: &Value) -> Option<Decimal> {
    Decimal::parse(text(value)).ok()
}

/// Whether no name of one list is a name of the other.
fn are_apart(some: &Value, others: &Value) -> bool {
    let names = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|item| text(&item["name"]).to_owned()).collect()
    };
    let taken = names(others);
    names(some).iter().all(|name| !taken.contains(name))
}

fn selects_something(selector: &Value) -> bool {
    selector["matchLabels"].as_object().is_some_and(|labels| !labels.is_empty())
        || !list(&selector["matchExpressions"]).is_empty()
}

fn is_ready_threshold(value: &Value) -> bool {
    match value {
        Value::String(text) => text
            .strip_suffix('%')
            .filter(|digits| !digits.starts_with(['0', '+']))
            .and_then(|digits| digits.parse::<u8>().ok())
            .is_some_and(|percent| (1..=100).contains(&percent)),
        _ => value.as_i64().is_some_and(|count| (1..=1_000_000).contains(&count)),
    }
}
