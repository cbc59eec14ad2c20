#![allow(clippy::unwrap_used)]
use super::rules::{holds, twins};
use super::*;
use crate::api;

fn schema_of(kind: &str) -> JSONSchemaProps {
    let definition = api::all().into_iter().find(|definition| definition.spec.names.kind == kind).unwrap();
    definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap()
}

fn found(kind: &str, yaml: &str) -> Vec<String> {
    let value: Value = serde_saphyr::from_str(yaml).unwrap();
    violations(&schema_of(kind), &value).iter().map(ToString::to_string).collect()
}

fn all_rules(schema: &JSONSchemaProps, into: &mut BTreeSet<(Option<String>, String)>) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        into.insert((schema.type_.clone(), rule.rule.clone()));
    }
    for property in schema.properties.iter().flatten().map(|(_, property)| property) {
        all_rules(property, into);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        all_rules(items, into);
    }
}

#[test]
fn every_rule_of_the_definitions_has_a_twin() {
    let mut rules = BTreeSet::new();
    for definition in api::all() {
        let schema = definition.spec.versions[0].schema.clone().unwrap().open_api_v3_schema.unwrap();
        all_rules(&schema, &mut rules);
    }
    assert!(rules.len() > 30);
    // A rule that compares with the object before has no meaning for files.
    for (kind, rule) in rules.iter().filter(|(_, rule)| !rule.contains("oldSelf")) {
        let sample = match kind.as_deref() {
            Some("object") => serde_json::json!({}),
            _ => Value::from("x"),
        };
        assert!(holds(rule, &sample).is_some(), "no twin for {rule}");
    }
}

const SERVICE: &str = "{apiVersion: assize.dev/v1alpha1, kind: Service, metadata: {name: a}, spec: {components: [{name: api, endpointsOf: api}]}}";

#[test]
fn a_right_object_has_no_violations() {
    assert_eq!(found("Service", SERVICE), Vec::<String>::new());
}

#[test]
fn unknown_missing_and_mistyped_fields() {
    for (change, expected) in [
        (("spec: {", "spec: {onwer: {}, "), "spec.onwer: unknown field; did you mean owner?"),
        (("spec: {", "spec: {zzzzzz: {}, "), "spec.zzzzzz: unknown field; remove it"),
        (("{name: a}", "{name: a, lables: {}}"), "metadata.lables: unknown field; did you mean labels?"),
        (("name: api, ", ""), "spec.components[0].name: is missing; add it"),
        (("{components: [{name: api, endpointsOf: api}]}", "{}"), "spec.components: is missing; add it"),
        (("[{name: api, endpointsOf: api}]", "[]"), "spec.components: has 0 entries; write at least 1"),
        (("[{name: api, endpointsOf: api}]", "x"), "spec.components: is a string; write a list"),
        (("name: api", "name: 3"), "spec.components[0].name: is a number; put it in quotes: \"3\""),
        (("name: api", "name:"), "spec.components[0].name: is empty; give it a value or remove it"),
        (("spec: {", "spec: {displayName: true, "), "spec.displayName: is a boolean; put it in quotes: \"true\""),
        (
            ("spec: {", "spec: {stage: Lvie, "),
            "spec.stage: \"Lvie\" is not allowed; did you mean Live? write one of Proposed, Designed, InTransition, Live, \
             Retiring, Retired",
        ),
        (
            ("[{name: api, ", "[{name: api, endpointsOf: b}, {name: api, "),
            "spec.components[1].name: \"api\" occurs twice; rename one",
        ),
    ] {
        let yaml = SERVICE.replacen(change.0, change.1, 1);
        assert_eq!(found("Service", &yaml), [expected], "{yaml}");
    }
}

#[test]
fn rules_name_their_field_and_remedy() {
    for (change, expected) in [
        (
            ("endpointsOf: api", "critical: true"),
            "spec.components[0]: say what to measure: set endpointsOf, workloadRef or selector",
        ),
        (
            ("endpointsOf: api", "endpointsOf: api, minReady: 50%"),
            "spec.components[0].minReady: a percentage is of the wanted replicas, so it needs workloadRef; write a number or \
             add workloadRef",
        ),
        (
            ("endpointsOf: api", "endpointsOf: api, minReady: 0"),
            "spec.components[0].minReady: write a number of replicas from 1 on, or a percentage from \"1%\" to \"100%\"",
        ),
        (
            ("name: api", "name: Api"),
            "spec.components[0].name: write a name of lower case letters, digits and -, such as api",
        ),
        (
            ("spec: {", "spec: {links: [{title: t, url: 'http://x'}], "),
            "spec.links[0].url: write an address that begins with https://",
        ),
        (
            ("name: a}", "name: a23456789012345678901234567890123456789012345678x}"),
            "metadata.name: is a label value and a part of derived names: use at most 48 characters",
        ),
        (
            ("spec: {", "spec: {dependencies: [{name: x}], "),
            "spec.dependencies[0]: set exactly one of service and external",
        ),
    ] {
        let yaml = SERVICE.replacen(change.0, change.1, 1);
        assert_eq!(found("Service", &yaml), [expected], "{yaml}");
    }
}

/// The table of the patterns: what each value form takes and refuses.
#[test]
fn value_forms() {
    let agreement = |field: &str, value: &str| {
        let mut object = serde_json::json!({
            "metadata": {"name": "a"},
            "spec": {
                "serviceRef": {"name": "s"},
                "targets": [{"name": "t", "kind": "Availability", "method": "Readiness", "objective": "99.9", "readiness": {}}],
                "term": {}, "reportingPeriod": {}, "unmeasured": {},
            },
        });
        *object.pointer_mut(&format!("/spec/{field}")).unwrap_or(&mut Value::Null) = Value::Null;
        let (parent, last) = field.rsplit_once('/').unwrap();
        object.pointer_mut(&format!("/spec/{parent}")).unwrap()[last] = Value::from(value);
        violations(&schema_of("ServiceLevelAgreement"), &object).is_empty()
    };
    for (field, good, bad) in [
        (
            "targets/0/objective",
            &["99.95", "0.0001", "99.9999"][..],
            &["100", "0", "0.0", "99.99999", "99,9", "1e2", "-1", "101", "NaN", ""][..],
        ),
        ("unmeasured/minCoverage", &["0", "100", "99.5"], &["101", "100.0001", "x", ""]),
        ("targets/0/readiness/degradedCounts", &["0", "1", "0.25", "1.0000"], &["1.5", "2", "0.12345", ".5"]),
        (
            "targets/0/readiness/minOutage",
            &["30s", "1h30m", "5d", "250ms", "1d2h3m4s5ms"],
            &["", "5", "1m1h", "1.5h", "1w"],
        ),
        (
            "term/effectiveFrom",
            &["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+01:00"],
            &["2026-1-1", "2026-01-01T00:00:00", "1.1.2026"],
        ),
        (
            "reportingPeriod/timeZone",
            &["UTC", "Europe/Berlin", "America/Argentina/Ushuaia"],
            &["+01:00", "", "Europe/"],
        ),
    ] {
        for value in good {
            assert!(agreement(field, value), "{field}: {value:?}");
        }
        for value in bad {
            assert!(!agreement(field, value), "{field}: {value:?}");
        }
    }
}

/// Each rule with a twin, by how it begins: a value for which it holds and one for which it does not.
const SAMPLES: &[(&str, &str, &str)] = &[
    (
        "self.metadata.name.size() <= 200",
        r#"{"metadata": {"name": "a"}}"#,
        r#"{"metadata": {"name": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}"#,
    ),
    (
        "self.metadata.name.size() <= 48",
        r#"{"metadata": {"name": "a"}}"#,
        r#"{"metadata": {"name": "a12345678901234567890123456789012345678901234567x"}}"#,
    ),
    (
        "!has(self.spec.supersedes) || self.spec",
        r#"{"metadata": {"name": "a-r2"}, "spec": {"supersedes": {"name": "a"}}}"#,
        r#"{"metadata": {"name": "a-r2"}, "spec": {"supersedes": {"name": "a-r2"}}}"#,
    ),
    (
        "!has(self.spec.supersedes) || self.metadata",
        r#"{"metadata": {"name": "a-r10"}, "spec": {"supersedes": {"name": "a"}}}"#,
        r#"{"metadata": {"name": "a-r1"}, "spec": {"supersedes": {"name": "a"}}}"#,
    ),
    ("!has(self.supersedes)", r#"{"supersedes": {}, "reason": "x"}"#, r#"{"supersedes": {}}"#),
    ("!self.metadata.name.startsWith", r#"{"metadata": {"name": "it"}}"#, r#"{"metadata": {"name": "its-a"}}"#),
    (
        "!has(self.dependencies)",
        r#"{"components": [{"name": "a"}], "dependencies": [{"name": "b"}]}"#,
        r#"{"components": [{"name": "a"}], "dependencies": [{"name": "a"}]}"#,
    ),
    ("has(self.workloadRef) || has(self.endpointsOf)", r#"{"endpointsOf": "a"}"#, "{}"),
    (
        "has(self.workloadRef) || !has(self.minReady)",
        r#"{"workloadRef": {}, "minReady": "5%"}"#,
        r#"{"minReady": "5%"}"#,
    ),
    ("has(self.workloadRef) || !has(self.degradedBelow)", r#"{"degradedBelow": 5}"#, r#"{"degradedBelow": "5%"}"#),
    (
        "!has(self.selector)",
        r#"{"selector": {"matchLabels": {"a": "b"}}}"#,
        r#"{"selector": {"matchLabels": {}, "matchExpressions": []}}"#,
    ),
    ("type(self) == int", "1000000", "0"),
    ("type(self) == int", "\"100%\"", "\"101%\""),
    ("type(self) == int", "\"1%\"", "\"01%\""),
    ("has(self.service) != has", r#"{"external": "a"}"#, r#"{"external": "a", "service": {}}"#),
    ("self.startsWith('https://')", "\"https://a\"", "\"HTTPS://a\""),
    (
        "!has(self.type)",
        r#"{"type": "UnderpinningContract", "targets": [{"method": "Probe"}]}"#,
        r#"{"type": "UnderpinningContract", "targets": [{"method": "Probe"}, {"kind": "Reliability"}]}"#,
    ),
    ("!has(self.method) || self.method != 'Probe'", r#"{"method": "Probe", "probe": {}}"#, r#"{"method": "Probe"}"#),
    ("!has(self.method) || self.method == 'Probe'", r#"{"probe": {}}"#, r#"{"method": "Readiness", "probe": {}}"#),
    (
        "!has(self.method) || self.method == 'Readiness'",
        r#"{"method": "Readiness", "readiness": {}}"#,
        r#"{"method": "Probe", "readiness": {}}"#,
    ),
    (
        "!has(self.errorBudget) || !has(self.errorBudget.target) || self",
        r#"{"errorBudget": {"target": "a"}, "targets": [{"name": "a"}]}"#,
        r#"{"errorBudget": {"target": "b"}, "targets": [{"name": "a"}]}"#,
    ),
    (
        "!has(self.errorBudget) || !has(self.errorBudget.target) || !self",
        r#"{"errorBudget": {"target": "a"}, "targets": [{"name": "a", "objective": "9"}, {"name": "b"}]}"#,
        r#"{"errorBudget": {"target": "b"}, "targets": [{"name": "a", "objective": "9"}, {"name": "b"}]}"#,
    ),
    ("!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) <= 100.0", "\"100.0\"", "\"100.0001\""),
    ("!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) > 0.0", "\"0.0001\"", "\"000\""),
    ("!self.matches('^[0-9]{1,3}([.][0-9]{1,4})?$') || double(self) < 100.0", "\"99.9999\"", "\"100\""),
    ("has(self.days) ==", r#"{"days": 3, "kind": "Rolling"}"#, r#"{"kind": "Rolling"}"#),
    (
        "self.kind != 'Availability' || has(self.objective)",
        r#"{"kind": "Availability", "objective": "9"}"#,
        r#"{"kind": "Availability"}"#,
    ),
    (
        "self.kind != 'Availability' || has(self.method)",
        r#"{"kind": "Availability", "method": "Readiness"}"#,
        r#"{"kind": "Availability"}"#,
    ),
    (
        "self.kind == 'Availability' || !has(self.objective)",
        r#"{"kind": "Reliability"}"#,
        r#"{"kind": "Reliability", "objective": "9"}"#,
    ),
    (
        "self.kind == 'Availability' || (!has(self.method)",
        r#"{"kind": "Reliability"}"#,
        r#"{"kind": "Reliability", "readiness": {}}"#,
    ),
    (
        "self.kind != 'Reliability'",
        r#"{"kind": "Reliability", "maxOutages": 0}"#,
        r#"{"kind": "Reliability", "contractual": true}"#,
    ),
    ("self.kind == 'Reliability'", r#"{"kind": "Availability"}"#, r#"{"kind": "Availability", "maxMTRS": "1h"}"#),
    (
        "!has(self.effectiveFrom)",
        r#"{"effectiveFrom": "2026-01-01", "expires": "2026-01-01T10:00:00Z"}"#,
        r#"{"effectiveFrom": "2026-01-02", "expires": "2026-01-01T10:00:00Z"}"#,
    ),
    ("self.from != self.to", r#"{"from": "a", "to": "b"}"#, r#"{"from": "a", "to": "a"}"#),
    ("self.name != 'holidays'", r#"{"name": "holiday"}"#, r#"{"name": "holidays"}"#),
];

#[test]
fn twins_hold_and_fail_like_their_rules() {
    for rule in twins() {
        let mut count = 0;
        for (_, good, bad) in SAMPLES.iter().filter(|(beginning, ..)| rule.starts_with(beginning)) {
            let outcome = |text: &str| holds(rule, &serde_json::from_str(text).unwrap());
            assert_eq!((outcome(good), outcome(bad)), (Some(true), Some(false)), "{rule}");
            count += 1;
        }
        assert!(count > 0, "no sample for {rule}");
    }
}

#[test]
fn the_term_ends_after_it_begins_and_rolling_has_days() {
    let base = "{metadata: {name: its-a}, spec: {serviceRef: {name: s}, targets: [{name: t, kind: Availability, method: Readiness, objective: '99'}], \
                term: {effectiveFrom: '2026-02-01', expires: '2026-01-31'}, reportingPeriod: {days: 3}, errorBudget: {target: u}, type: UnderpinningContract}}";
    assert_eq!(
        found("ServiceLevelAgreement", base),
        [
            "spec.reportingPeriod.days: set it with kind Rolling, and only then",
            "spec.term: expires lies before effectiveFrom; swap or correct them",
            "spec.type: an UnderpinningContract cannot be measured by Readiness, which is that of your own components; use \
             method Probe in all targets",
            "spec.errorBudget.target: name one of the targets",
            "metadata.name: names that begin with its- belong to the reports of Services; choose another",
        ]
    );
}
