#![allow(clippy::unwrap_used)]
use super::*;

fn found(complete: bool, yamls: &[&str]) -> Vec<String> {
    let documents: Vec<Value> = yamls.iter().map(|yaml| serde_saphyr::from_str(yaml).unwrap()).collect();
    check(&documents, "shop", complete)
        .iter()
        .map(|finding| format!("{} {} {}", finding.object, finding.severity.as_str(), finding.violation))
        .collect()
}

fn service(name: &str, more: &str) -> String {
    format!(
        "{{apiVersion: assize.dev/v1alpha1, kind: Service, metadata: {{name: {name}}}, \
         spec: {{owner: {{group: g}}, components: [{{name: api, endpointsOf: api}}]{more}}}}}"
    )
}

fn agreement(service: &str, more: &str) -> String {
    format!(
        "{{apiVersion: assize.dev/v1alpha1, kind: ServiceLevelAgreement, metadata: {{name: gold}}, \
         spec: {{customer: {{name: acme}}, serviceRef: {{name: {service}}}, \
         targets: [{{name: a, kind: Availability, method: Readiness, objective: '99.9'{more}}}]}}}}"
    )
}

fn calendar(name: &str, from: &str) -> String {
    format!(
        "{{apiVersion: assize.dev/v1alpha1, kind: ServiceCalendar, metadata: {{name: {name}}}, \
         spec: {{timeZone: UTC, holidaysFrom: [{from}]}}}}"
    )
}

#[test]
fn a_right_set_has_no_findings() {
    let more = ", readiness: {components: [api]}";
    assert_eq!(found(true, &[&service("web", ""), &agreement("web", more)]), Vec::<String>::new());
}

#[test]
fn references_out_of_the_set_are_errors_only_if_it_is_complete() {
    let message = "spec.serviceRef.name: Service shop/web is not among the files; correct the name or add it";
    assert_eq!(found(false, &[&agreement("web", "")]), [format!("0 warning {message}")]);
    assert_eq!(found(true, &[&agreement("web", "")]), [format!("0 error {message}")]);
    assert_eq!(
        found(true, &[&calendar("a", "b")]),
        ["0 error spec.holidaysFrom[0]: ServiceCalendar b is not among the files; correct the name or add it"]
    );
}

#[test]
fn components_of_a_target_belong_to_the_service() {
    let agreement = agreement("web", ", readiness: {components: [api, db]}");
    assert_eq!(
        found(false, &[&agreement, &service("web", "")]),
        ["0 error spec.targets[0].readiness.components[1]: Service web has no component \"db\"; write one of api"]
    );
}

#[test]
fn calendars_take_holidays_from_others_one_level_deep() {
    assert_eq!(
        found(true, &[&calendar("a", "b"), &calendar("b", "c"), &calendar("c", "")]),
        [
            "0 warning spec.holidaysFrom[0]: what b takes from other calendars does not come along; name those calendars here too"
        ]
    );
    assert_eq!(
        found(true, &[&calendar("a", "a")]),
        ["0 error spec.holidaysFrom[0]: a calendar cannot take holidays from itself; remove it"]
    );
}

#[test]
fn cycles_of_critical_dependencies_are_errors() {
    let on = |name: &str, critical: bool| {
        format!(", dependencies: [{{name: dep, service: {{name: {name}}}, critical: {critical}}}]")
    };
    let set = |critical| [service("a", &on("b", true)), service("b", &on("a", critical))];
    let told = |set: [String; 2]| found(true, &[&set[0], &set[1]]);
    assert_eq!(told(set(true)), ["0 error spec.dependencies[0]: a cycle of dependencies: a → b → a; remove one"]);
    assert_eq!(told(set(false)), ["0 warning spec.dependencies[0]: a cycle of dependencies: a → b → a; remove one"]);
    assert_eq!(
        found(true, &[&service("a", &on("a", true))]),
        ["0 error spec.dependencies[0]: a cycle of dependencies: a → a; remove one"]
    );
}

#[test]
fn another_namespace_needs_a_grant() {
    let user = service("a", ", dependencies: [{name: dep, service: {name: db, namespace: data}}]");
    let there = |grant: &str| service("db", grant).replace("name: db}", "name: db, namespace: data}");
    assert_eq!(
        found(true, &[&user, &there("")]),
        [
            "0 error spec.dependencies[0].service.name: Service data/db is not shared with shop; add shop to its sharedWith"
        ]
    );
    for grant in [", sharedWith: [shop]", ", sharedWith: ['*']"] {
        assert!(found(true, &[&user, &there(grant)]).is_empty());
    }
}

#[test]
fn an_object_occurs_once_and_reports_are_refused() {
    let twice = found(true, &[&service("a", ""), &service("a", "")]);
    assert_eq!(twice.len(), 1);
    assert!(twice[0].starts_with("1 error metadata.name: this object occurs twice"));
    let report = "{apiVersion: assize.dev/v1alpha1, kind: ServiceReport, metadata: {name: r}}";
    assert!(found(true, &[report])[0].starts_with("0 error kind: only the operator writes a ServiceReport"));
    let kind = "{apiVersion: assize.dev/v1alpha1, kind: Servise, metadata: {name: r}}";
    assert!(found(true, &[kind])[0].contains("did you mean Service?"));
    let version = service("a", "").replace("v1alpha1", "v1");
    assert_eq!(
        found(true, &[&version]),
        ["0 error apiVersion: \"assize.dev/v1\" is not served; write assize.dev/v1alpha1"]
    );
}

#[test]
fn what_is_odd_is_a_warning() {
    let ownerless = service("a", "").replace("owner: {group: g}, ", "");
    assert_eq!(
        found(true, &[&ownerless]),
        ["0 warning spec.owner: a Live service has no owner; add the group that answers for it"]
    );
    let planned = service("web", ", stage: Designed");
    assert_eq!(
        found(true, &[&planned, &agreement("web", "")]),
        ["1 warning spec.serviceRef.name: Service web is Designed, which is not measured, so all time will be unknown"]
    );
}

#[test]
fn a_violation_is_told_once() {
    let agreement = agreement("web", "").replace("'99.9'", "'100'");
    assert_eq!(
        found(true, &[&agreement, &service("web", "")]),
        ["0 error spec.targets[0].objective: 100 leaves no error budget; 99.99 allows 4 min 19 s in 30 days"]
    );
    let unknown_zone = calendar("a", "").replace("UTC", "Mars/Olympus");
    assert_eq!(
        found(true, &[&unknown_zone]),
        ["0 error spec.timeZone: unknown time zone \"Mars/Olympus\", write an IANA name like Europe/Berlin or UTC"]
    );
}

#[test]
fn names_are_those_of_the_api_server() {
    for name in ["a", "checkout-2", "a.b-c.d"] {
        assert_eq!(name_violation(name), None, "{name}");
    }
    for name in ["A", "-a", "a-", "a..b", "a_b", "ä", ""] {
        assert!(name_violation(name).is_some(), "{name}");
    }
}
