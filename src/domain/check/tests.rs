#![allow(clippy::unwrap_used)]
use super::*;

fn found(complete: bool, yamls: &[&str]) -> Vec<String> {
    let documents: Vec<Value> = yamls.iter().map(|yaml| serde_saphyr::from_str(yaml).unwrap()).collect();
    check(&documents, "shop", complete, Instant::from_ms(1_767_225_600_000))
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
fn labels_that_kubernetes_refuses_are_errors() {
    let service = "{apiVersion: assize.dev/v1alpha1, kind: Service, metadata: {name: web}, spec: {owner: {group: g}, \
                   components: [{name: api, selector: {matchExpressions: [{key: app, operator: Is, values: [x]}]}}]}}";
    assert_eq!(
        found(false, &[service]),
        ["0 error spec.components[0].selector.matchExpressions[0].operator: \"Is\" is none; use In, NotIn, Exists or \
          DoesNotExist"]
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
fn a_target_that_the_operator_does_not_measure_is_told_of() {
    let probed = agreement("web", ", probe: {url: 'tcp://a:1'}").replace("Readiness", "Probe");
    assert_eq!(
        found(false, &[&service("web", ""), &probed]),
        [
            "1 warning spec.targets[0].method: the operator tries no addresses yet, so all time of this target is unknown; \
          only assize replay judges tries"
        ]
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

fn promise(name: &str, service: &str, objective: &str, more: &str) -> String {
    let named = agreement(service, "").replace("name: gold", &format!("name: {name}"));
    let spec = format!("objective: '{objective}'}}]{more}}}");
    named.replace("objective: '99.9'}]}", &spec)
}

/// M-89 and M-90 offline: what the chain gives is a warning.
#[test]
fn m_89_and_m_90_the_chain_is_told() {
    let own = |objective: &str, others: &str| {
        promise("checkout-gold", "web", objective, &format!(", underpinnedBy: [{others}]"))
    };
    let two = |one: &str, other: &str| {
        let (first, second) = one.split_once(' ').unwrap();
        let (third, fourth) = other.split_once(' ').unwrap();
        let references = format!("{{name: {first}}}, {{name: {third}}}");
        let set = [
            service("web", ""),
            own("99.95", &references),
            promise(first, "web", second, ""),
            promise(third, "web", fourth, ""),
        ];
        found(true, &set.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(
        two("postgres-ola 99.99", "payment-gw-uc 99.5"),
        ["1 warning spec.targets[0].objective: WeakestLink: payment-gw-uc 99.5 < checkout-gold 99.95; \
             99.4900 = postgres-ola 99.99 × payment-gw-uc 99.5"]
    );
    assert_eq!(
        two("postgres-ola 99.95", "dns-ola 99.95"),
        ["1 warning spec.targets[0].objective: ChainProduct: 99.9000 = postgres-ola 99.95 × dns-ola 99.95 < \
             checkout-gold 99.95"]
    );
    assert!(two("postgres-ola 99.99", "dns-ola 99.97").is_empty());
    let with_group = |need: usize, members: &[&str], more: &str| {
        let names: Vec<String> = (0..members.len()).map(|index| format!("d{index}")).collect();
        let dependencies: Vec<String> = names
            .iter()
            .map(|name| format!("{{name: {name}, external: x, agreement: {{name: {name}-ola}}}}"))
            .collect();
        let rules = format!(
            ", dependencies: [{}], redundancy: [{{name: g, members: [{}], need: {need}}}]",
            dependencies.join(", "),
            names.join(", ")
        );
        let mut set = vec![service("web", &rules), own("99.9999", more)];
        set.extend(members.iter().enumerate().map(|(index, text)| promise(&format!("d{index}-ola"), "web", text, "")));
        set.push(promise("dns-ola", "web", "99.95", ""));
        found(true, &set.iter().map(String::as_str).collect::<Vec<_>>()).join("\n")
    };
    let one = with_group(1, &["99.5", "99"], "");
    assert!(one.ends_with("WeakestLink: 1 of (d0-ola 99.5, d1-ola 99) 99.9950 < checkout-gold 99.9999"), "{one}");
    let two = with_group(2, &["99.9", "99.5", "99"], "");
    assert!(two.contains("2 of (d0-ola 99.9, d1-ola 99.5, d2-ola 99) 99.9935 < "), "{two}");
    let serial = with_group(2, &["99.9", "99.5", "99"], "{name: dns-ola}");
    assert!(serial.ends_with("99.9435 = 2 of (d0-ola 99.9, d1-ola 99.5, d2-ola 99) × dns-ola 99.95"), "{serial}");
}

#[test]
fn hours_and_terms_of_a_chain_are_compared() {
    let office = "{apiVersion: assize.dev/v1alpha1, kind: ServiceCalendar, metadata: {name: office}, \
         spec: {timeZone: UTC, weekly: [{days: [Mon, Tue, Wed, Thu, Fri], from: '08:00', to: '18:00'}]}}";
    let own = promise("gold", "web", "99", ", underpinnedBy: [{name: ola}], term: {expires: '2026-12-31'}");
    let hours = promise("ola", "web", "99.9", ", serviceHours: {calendar: office}");
    assert_eq!(
        found(true, &[office, &service("web", ""), &own, &hours]),
        ["2 warning spec.serviceHours: HoursNotCovered: the service hours of ola do not cover those of gold at \
             2026-01-01T00:00:00+00:00"]
    );
    let same = own.replace("underpinnedBy", "serviceHours: {calendar: office}, underpinnedBy");
    assert!(found(true, &[office, &service("web", ""), &same, &hours]).is_empty());
    let short = promise("ola", "web", "99.9", ", term: {expires: '2026-06-30'}");
    assert_eq!(
        found(true, &[&service("web", ""), &own, &short]),
        ["1 warning spec.term: ExpiresBefore: ola ends at 2026-07-01T00:00:00+00:00, before gold, which ends at \
             2027-01-01T00:00:00+00:00"]
    );
}

#[test]
fn agreements_that_rest_on_each_other_or_on_nothing() {
    let on = |name: &str, other: &str| promise(name, "web", "99", &format!(", underpinnedBy: [{{name: {other}}}]"));
    assert_eq!(
        found(true, &[&service("web", ""), &on("a", "b"), &on("b", "a")]),
        [
            "1 warning spec.underpinnedBy: DependencyCycle: a → b → a",
            "2 warning spec.underpinnedBy: DependencyCycle: b → a → b"
        ]
    );
    let message = "ServiceLevelAgreement shop/b is not among the files; correct the name or add it";
    assert_eq!(
        found(true, &[&service("web", ""), &on("a", "b")]),
        [format!("1 error spec.underpinnedBy[0].name: {message}")]
    );
    let dependency = service("web", ", dependencies: [{name: d, external: x, agreement: {name: b}}]");
    assert_eq!(found(false, &[&dependency]), [format!("0 warning spec.dependencies[0].agreement.name: {message}")]);
    let there = |object: String| object.replace("metadata: {name:", "metadata: {namespace: data, name:");
    let own = promise("a", "web", "99", ", underpinnedBy: [{name: b, namespace: data}]");
    let set = |grant: &str| {
        found(true, &[&service("web", ""), &own, &there(service("db", grant)), &there(promise("b", "db", "99.9", ""))])
    };
    assert_eq!(
        set(""),
        ["1 error spec.underpinnedBy[0].name: ServiceLevelAgreement data/b is not shared with shop; add shop to the \
             sharedWith of its Service db"]
    );
    assert!(set(", sharedWith: [shop]").is_empty());
}
