//! M-93, M-98: an exclusion that is agreed after the closing.

use serde_json::{Value, json};

use super::Case;

const AGREED: &str = "2025-12-10T09:00:00+01:00";

fn agreed(name: &'static str, from: &str, to: &str, by: &[&str]) -> Case {
    Case::new(name).agreement(json!({"exclusions": ["CustomerCaused"]})).down("2025-11-20T10:00:00+01:00", "11:00").line(
        json!({"at": AGREED, "type": "exclusion", "from": from, "to": to, "cause": "CustomerCaused", "approvedBy": by}),
    )
}

const BOTH: [&str; 2] = ["customer", "provider"];

#[test]
fn m_93_a_correction_stands_beside_the_closed_report() {
    let case = agreed("M-93", "2025-11-20T10:00:00+01:00", "2025-11-20T11:00:00+01:00", &BOTH)
        .at("2025-12-10T08:59:59+01:00")
        .gives("2025-11", "D 3600000; A 99.8611; Missed");
    let original = case.report("2025-11");
    assert_eq!((&original["name"], &original["supersedes"]), (&json!("checkout-gold-2025-11"), &Value::Null));
    assert!(original["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(original["previousDigest"], case.report("2025-10")["digest"]);

    let case = case.at(AGREED).gives("2025-11", "X 3600000; A 100.0000; raw 99.8611; without 99.8611; Met");
    let corrected = case.report("2025-11");
    assert_eq!(corrected["name"], "checkout-gold-2025-11-r2");
    assert_eq!(corrected["supersedes"], json!({"name": "checkout-gold-2025-11", "digest": original["digest"]}));
    assert_eq!(corrected["previousDigest"], original["digest"]);
    assert_eq!(case.report("2025-10")["name"], "checkout-gold-2025-10", "another period is left alone");

    let case = case.at("2026-01-02T00:00:00+01:00");
    let december = case.report("2025-12");
    assert_eq!(december["previousDigest"], corrected["digest"]);
    assert_eq!(case.report("2025-11"), corrected, "closed, it stays as it is");
}

#[test]
fn m_98_a_part_of_an_outage_is_corrected_from_the_frozen_ledger() {
    let (from, to) = ("2025-11-20T10:15:00+01:00", "2025-11-20T10:45:00+01:00");
    let case = agreed("M-98", from, to, &BOTH)
        .gives("2025-11", "X 1800000; D 1800000; B 2590200000; A 99.9305; raw 99.8611; without 99.8611; Met");
    assert_eq!(case.report("2025-11")["name"], "checkout-gold-2025-11-r2");
    // A second exclusion corrects the correction.
    let case = case
        .line(json!({"at": "2026-01-05T09:00:00+01:00", "type": "exclusion", "from": "2025-11-20T10:45:00+01:00",
            "to": "2025-11-20T11:00:00+01:00", "cause": "CustomerCaused", "approvedBy": BOTH}))
        .gives("2025-11", "X 2700000; D 900000; A 99.9652; raw 99.8611; without 99.8611; Met");
    let third = case.report("2025-11");
    assert_eq!(third["name"], "checkout-gold-2025-11-r3");
    assert_eq!(third["supersedes"]["name"], "checkout-gold-2025-11-r2");
    let case = case.at("2026-01-05T08:00:00+01:00");
    assert_eq!(third["previousDigest"], case.report("2025-12")["digest"], "in order of closing");
    assert_eq!(third["supersedes"]["digest"], case.report("2025-11")["digest"]);
}

/// What is not effective corrects nothing.
#[test]
fn one_party_alone_corrects_nothing() {
    let case = agreed("one party", "2025-11-20T10:00:00+01:00", "2025-11-20T11:00:00+01:00", &["provider"])
        .gives("2025-11", "D 3600000; A 99.8611; Missed");
    assert_eq!(case.report("2025-11")["name"], "checkout-gold-2025-11");
}
