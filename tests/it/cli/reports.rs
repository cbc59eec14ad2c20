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
