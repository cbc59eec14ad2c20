//! `assize check`.

use super::{assert_golden, assize, assize_with_input};

#[test]
fn findings_name_file_line_field_and_remedy() {
    let ran = assize(&["check", "-f", "check/broken.yaml"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    assert_golden("check.txt", &ran.out);
    let json = assize(&["check", "-f", "check/broken.yaml", "-o", "json"]);
    let checked: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    let lines = ran.out.lines().count() - 1;
    assert_eq!(checked["findings"].as_array().unwrap().len(), lines);
    assert_eq!(checked["objects"], 5);
}

#[test]
fn folders_are_read_and_references_may_lead_out() {
    let ran = assize(&["check", "-f", "check/set"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.ends_with("1 file, 1 object: 0 errors, 1 warning\n"), "{}", ran.out);
    let ran = assize(&["check", "-R", "-f", "check/set"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.ends_with("2 files, 2 objects: 0 errors, 3 warnings\n"), "{}", ran.out);
    let ran = assize(&["check", "-R", "--complete", "-f", "check/set"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains(
            "check/set/deeper/agreement.yaml:6: ServiceLevelAgreement/web-gold: spec.serviceHours.calendar: \
         ServiceCalendar office is not among the files; correct the name or add it\n"
        ),
        "{}",
        ran.out
    );
}

#[test]
fn our_own_definitions_and_examples_of_other_groups_are_passed_over() {
    let ran = assize_with_input(&["check", "-f", "-"], &assize(&["crds"]).out);
    assert_eq!((ran.code, ran.out.as_str()), (0, "1 file, 0 objects: nothing wrong\n"));
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    let ran = assize_with_input(&["check", "-f", "-"], "kind: [\n");
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: -:"), "{}", ran.err);
    for path in ["missing.yaml", "../golden/empty"] {
        let ran = assize(&["check", "-f", path]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.starts_with("error: failed to read "), "{}", ran.err);
    }
    assert_eq!(assize(&["check"]).code, 2);
}
