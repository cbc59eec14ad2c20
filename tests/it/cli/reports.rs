//! `assize report` from files, and `assize replay`.

use super::{assert_golden, assize, assize_with_input, folder};

const REPLAY: [&str; 7] =
    ["replay", "-f", "reports/objects.yaml", "--events", "reports/events.jsonl", "--period", "2025-11"];

/// The time zone database is newer from time to time; figures do not depend on it here.
fn without_database(text: &str) -> String {
    let version: serde_json::Value = serde_json::from_str(&assize(&["version", "-o", "json"]).out).unwrap();
    text.replace(version["timeZoneDatabase"].as_str().unwrap(), "<version>")
}

#[test]
fn every_rendering_of_a_replay() {
    for (form, file) in
        [("json", "replay.json"), ("markdown", "replay.md"), ("csv", "replay.csv"), ("table", "replay.txt")]
    {
        let ran = assize(&[&REPLAY[..], &["-o", form]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_golden(file, &without_database(&ran.out));
    }
    let ran = assize(&[&REPLAY[..], &["-o", "table", "--fail-on", "missed"]].concat());
    assert_eq!(ran.code, 1);
}

#[test]
fn every_rendering_of_resources() {
    for (form, file) in
        [("json", "reports.json"), ("markdown", "reports.md"), ("csv", "reports.csv"), ("table", "reports.txt")]
    {
        let ran = assize(&["report", "-f", "reports/reports.yaml", "-o", form]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert_golden(file, &ran.out);
    }
}

#[test]
fn renderings_never_promise_more_than_figures() {
    let resources = assize(&["report", "-f", "reports/reports.yaml", "-o", "markdown"]).out;
    let replayed = assize(&[&REPLAY[..], &["-o", "markdown"]].concat()).out;
    for text in [resources, replayed] {
        let text = text.to_lowercase();
        assert!(!text.contains("complian") && !text.contains('\u{202e}'));
    }
}

#[test]
fn reports_are_chosen_by_name_period_agreement_and_namespace() {
    let count = |arguments: &[&str]| {
        let ran = assize(&[&["report", "-f", "reports/reports.yaml", "-o", "json"], arguments].concat());
        serde_json::from_str::<serde_json::Value>(&ran.out).unwrap().as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 2);
    assert_eq!(count(&["--period", "2026-11"]), 1);
    assert_eq!(count(&["--agreement", "billing-silver"]), 1);
    assert_eq!(count(&["--agreement", "search"]), 0);
    assert_eq!(count(&["-n", "shop"]), 2);
    assert_eq!(count(&["-n", "other"]), 0);
    let one = assize(&["report", "-f", "reports/reports.yaml", "-o", "json", "its-search-2026-11"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&one.out).unwrap()["name"], "its-search-2026-11");
    let none = assize(&["report", "-f", "reports/reports.yaml", "nothing"]);
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert_eq!(none.err, "error: no report is named \"nothing\"; assize report lists them\n");
    let empty = assize(&["report", "-f", "reports/objects.yaml"]);
    assert_eq!((empty.code, empty.err.as_str()), (0, "No reports found.\n"));
}

/// The newest report is the period's figure; one that it corrects is printed as such, if it is asked for.
#[test]
fn of_a_corrected_period_the_newest_report_is_printed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reports/reports.yaml");
    let mut list: serde_json::Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut correction = list["items"][0].clone();
    let name = correction["metadata"]["name"].as_str().unwrap().to_owned();
    correction["metadata"]["name"] = format!("{name}-r2").into();
    correction["spec"]["supersedes"] = serde_json::json!({"name": name, "digest": correction["status"]["digest"]});
    correction["spec"]["reason"] = "both parties excluded an outage".into();
    correction["status"]["digest"] = "sha256:cc".into();
    list["items"].as_array_mut().unwrap().push(correction);
    let report = |list: &serde_json::Value, arguments: &[&str]| {
        let ran = assize_with_input(&[&["report", "-f", "-"], arguments].concat(), &list.to_string());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        ran.out
    };
    let all = report(&list, &[]);
    assert!(all.contains("billing-silver-2026-09-r2 ") && !all.contains("billing-silver-2026-09 "), "{all}");
    let markdown = report(&list, &["--period", "2026-09", "-o", "markdown"]);
    assert!(markdown.contains("| Corrects | billing-silver-2026-09 ("), "{markdown}");
    let old = report(&list, &["billing-silver-2026-09"]);
    assert!(old.lines().nth(1).unwrap().ends_with("Superseded"), "{old}");
    let old = report(&list, &["billing-silver-2026-09", "-o", "markdown"]);
    assert!(old.contains("these figures do not stand any more"), "{old}");
    let old: serde_json::Value = serde_json::from_str(&report(&list, &[&name, "-o", "json"])).unwrap();
    assert_eq!(old["supersededBy"], "billing-silver-2026-09-r2");
    // A correction that is not closed yet corrects nothing.
    list["items"][2]["status"] = serde_json::Value::Null;
    assert!(report(&list, &[]).contains("billing-silver-2026-09 "));
}

#[test]
fn a_wrong_line_of_a_log_is_named() {
    let ran = assize_with_input(&["replay", "-f", "reports/objects.yaml", "--events", "-"], "\n{\"at\": 3}\n");
    assert_eq!((ran.code, ran.err.as_str()), (2, "error: line 2: type: is missing\n"));
    let ran = assize(&["replay", "-f", "check/set", "--events", "reports/events.jsonl"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: the files hold 0 agreements"), "{}", ran.err);
}

/// The worked example of docs/replay.md: its first yaml block, its first json block, its first console block.
#[test]
fn the_example_of_the_documentation_is_true() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/replay.md")).unwrap();
    let block = |language: &str| {
        let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0.to_owned()
    };
    let folder = folder("replay");
    std::fs::write(folder.join("checkout.yaml"), block("yaml")).unwrap();
    std::fs::write(folder.join("log.jsonl"), block("json")).unwrap();
    let console = block("console");
    let (command, expected) = console.split_once('\n').unwrap();
    let place = |word: &str| match word {
        "checkout.yaml" | "log.jsonl" => folder.join(word).to_str().unwrap().to_owned(),
        other => other.to_owned(),
    };
    let arguments: Vec<String> = command.strip_prefix("$ assize ").unwrap().split(' ').map(place).collect();
    let ran = assize(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((ran.out.as_str(), ran.err.as_str()), (expected, ""));
}

/// M-88: a week's windows are shorter by as much, and a factor that can never fire is left out.
#[test]
fn m_88_alerting_rules_of_agreements() {
    let agreement = |name: &str, objective: &str, period: &str| {
        format!(
            "apiVersion: assize.dev/v1alpha1\nkind: ServiceLevelAgreement\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{serviceRef: {{name: checkout}}, reportingPeriod: {{kind: {period}}}, targets: [{{name: availability, \
             kind: Availability, method: Readiness, objective: '{objective}'}}]}}\n---\n"
        )
    };
    let files = agreement("weekly", "99.9", "CalendarWeek") + &agreement("easy", "90", "CalendarMonth");
    let ran = assize_with_input(&["report", "--rules=gauges", "-f", "-"], &files);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert_golden("rules.yaml", &ran.out);
    let rules: Vec<serde_json::Value> =
        ran.out.split("---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect();
    let burns = |document: &serde_json::Value| -> Vec<String> {
        let all = document["spec"]["groups"][0]["rules"].as_array().unwrap().iter();
        let burns = all.filter(|rule| rule["alert"] == "AssizeBudgetBurn");
        burns.map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
    };
    let weekly = burns(&rules[1]);
    assert!(weekly[0].contains("window=\"14m\"} > 14.4 and ignoring(window)"), "{}", weekly[0]);
    assert!(weekly[0].ends_with("window=\"1m\"} > 14.4"), "{}", weekly[0]);
    assert_eq!(weekly.len(), 4);
    let factors: Vec<String> =
        burns(&rules[2]).iter().map(|expr| expr.rsplit_once("> ").unwrap().1.to_owned()).collect();
    assert_eq!(factors, ["6", "3", "1"]);
    let pages = assize_with_input(&["report", "--rules", "--agreement", "weekly", "-f", "-"], &files);
    assert_eq!(pages.out.matches("severity: page").count(), 3);
    assert!(!pages.out.contains("easy"));
    let wrong = assize_with_input(&["report", "--rules", "-f", "-"], &files.replace("'90'", "'100'"));
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("100 leaves no error budget"), "{}", wrong.err);
}
