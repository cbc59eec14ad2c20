//! `assize verify`: what is closed stays as it was, or is named.
//!
//! The fixture was written by the operator's own code in the first form of the digest. It is never made anew: later
//! versions have to verify it as it is.

use assize::domain::digest::{self, Identity};
use serde_json::{Value, json};

use super::{assert_golden, assize, assize_with_input};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reports/closed.yaml");

fn fixture() -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(FIXTURE).unwrap()).unwrap()
}

fn items(list: &mut Value) -> &mut Vec<Value> {
    list["items"].as_array_mut().unwrap()
}

fn named<'a>(list: &'a mut Value, name: &str) -> &'a mut Value {
    items(list).iter_mut().find(|item| item["metadata"]["name"] == name).unwrap()
}

fn remove(list: &mut Value, name: &str) {
    items(list).retain(|item| item["metadata"]["name"] != name);
}

/// Gives a changed report the digest of its contents, as a forger would.
fn digest_anew(report: &mut Value) {
    let name = report["metadata"]["name"].as_str().unwrap().to_owned();
    let identity = Identity { kind: "ServiceReport", namespace: Some("shop"), name: &name };
    let digest = digest::of_report(identity, &report["spec"], &report["status"]);
    report["status"]["shortDigest"] = digest::short(&digest).into();
    report["status"]["digest"] = digest.into();
}

fn verify(list: &Value) -> super::Ran {
    assize_with_input(&["verify", "-f", "-"], &list.to_string())
}

#[test]
fn what_was_closed_is_verified() {
    let ran = assize(&["verify", "-f", "reports/closed.yaml"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_golden("verify.txt", &ran.out);
    let ran = assize(&["verify", "-f", "reports/closed.yaml", "-o", "json", "--agreement", "checkout-gold"]);
    assert_eq!(ran.code, 0);
    assert_golden("verify.json", &ran.out);
    let elsewhere = assize(&["verify", "-f", "reports/closed.yaml", "-n", "other"]);
    assert_eq!(
        (elsewhere.code, elsewhere.out.as_str()),
        (0, "0 closed reports in 0 lines, 0 not closed yet: nothing wrong\n")
    );
}

/// Fault row 77: edited, deleted, forged and reordered records, each with what is wrong with it.
#[test]
fn the_first_bad_record_is_named_with_what_is_wrong() {
    let mut list = fixture();
    // A figure that is nicer, but no longer adds up.
    named(&mut list, "checkout-gold-2026-07")["status"]["parts"][0]["targets"][0]["ms"]["unknown"] = json!(0);
    // A report that is gone, and one that was forged with its digest.
    remove(&mut list, "checkout-silver-2026-06");
    let forged = named(&mut list, "checkout-silver-2026-08");
    forged["status"]["ledger"]["lines"][0]["entries"][1] = "2026-08-19T07:30:00.000Z Down live api NoneReady".into();
    digest_anew(forged);
    // Two that follow the same report, and labels that lead nowhere.
    let first = named(&mut list, "its-checkout-2026-05")["status"]["digest"].clone();
    let fork = named(&mut list, "its-checkout-2026-07");
    fork["status"]["previousDigest"] = first;
    digest_anew(fork);
    named(&mut list, "its-checkout-2026-09")["metadata"]["labels"]["assize.dev/period"] = "2026-08".into();
    let ran = verify(&list);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    assert_golden("verify-broken.txt", &ran.out);
}

#[test]
fn what_cannot_be_read_is_exit_code_2() {
    assert_eq!(assize(&["verify", "-f", "missing.yaml"]).code, 2);
    let ran = assize(&["verify", "-f", "reports/closed.yaml", "--head", "sha256:ce096827a1"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("write it in full"), "{}", ran.err);
}

/// A report that stands in two files is one report; two that differ are not.
#[test]
fn copies_are_compared() {
    let mut list = fixture();
    let copy = items(&mut list)[0].clone();
    items(&mut list).push(copy);
    assert_eq!(verify(&list).code, 0);
    items(&mut list).last_mut().unwrap()["status"]["result"] = "Missed".into();
    let ran = verify(&list);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("twice"), "{}", ran.out);
}

/// The tail of a line, taken away together with the open report after it, leaves no trace; against a digest that was
/// kept elsewhere it shows.
#[test]
fn a_cut_tail_shows_against_an_exported_head_alone() {
    let mut list = fixture();
    let head = named(&mut list, "checkout-gold-2026-09")["status"]["digest"].as_str().unwrap().to_owned();
    let with_head = |list: &Value| assize_with_input(&["verify", "-f", "-", "--head", &head], &list.to_string());
    assert_eq!(with_head(&list).code, 0);
    remove(&mut list, "checkout-gold-2026-09");
    let ran = verify(&list);
    assert!(ran.code == 1 && ran.out.contains("no report covers 2026-09"), "the open report is left: {}", ran.out);
    remove(&mut list, "checkout-gold-2026-10");
    assert_eq!(verify(&list).code, 0);
    let ran = with_head(&list);
    assert!(ran.code == 1 && ran.out.contains("the end of its line was cut off"), "{}", ran.out);
}

/// What both parties said when they agreed about July after its closing.
const REASON: &str = "the outage of the 12th was agreed to be planned";

/// The fixture with July corrected: beside its report, and closed after that of `after`.
fn corrected(after: &str) -> Value {
    let mut list = fixture();
    correct(&mut list, "checkout-gold-2026-07", after);
    list
}

/// Adds a correction of a report, closed after that of `after`; what was closed later follows it.
fn correct(list: &mut Value, name: &str, after: &str) -> String {
    let original = named(list, name).clone();
    let digest_of = |list: &mut Value, name: &str| named(list, name)["status"]["digest"].clone();
    let previous = digest_of(list, after);
    let (base, revision) = name.rsplit_once("-r").map_or((name, 1), |(base, number)| (base, number.parse().unwrap()));
    let made = format!("{base}-r{}", revision + 1);
    let mut correction = original.clone();
    correction["metadata"]["name"] = made.as_str().into();
    correction["spec"]["supersedes"] = json!({"name": name, "digest": original["status"]["digest"]});
    correction["spec"]["reason"] = REASON.into();
    correction["status"]["previousDigest"] = previous.clone();
    digest_anew(&mut correction);
    items(list).push(correction);
    // Of the digests, only those that follow change.
    let (mut before, mut last) = (previous, made.clone());
    loop {
        let next = items(list)
            .iter_mut()
            .find(|item| item["status"]["previousDigest"] == before && item["metadata"]["name"] != last.as_str());
        let Some(next) = next else { return made };
        before = next["status"]["digest"].clone();
        let name = next["metadata"]["name"].as_str().unwrap().to_owned();
        let digest = digest_of(list, &last);
        let next = named(list, &name);
        next["status"]["previousDigest"] = digest;
        digest_anew(next);
        last = name;
    }
}

/// M-93: a correction repeats a period, and stands in the chain where it was closed.
#[test]
fn a_correction_is_verified_where_it_was_closed() {
    for after in ["checkout-gold-2026-07", "checkout-gold-2026-08", "checkout-gold-2026-09"] {
        let mut list = corrected(after);
        let told = |list: &Value| {
            let ran = assize_with_input(&["verify", "-f", "-", "-o", "json"], &list.to_string());
            assert_eq!(ran.code, 0, "after {after}: {}", ran.out);
            let told: Value = serde_json::from_str(&ran.out).unwrap();
            let mut lines = told["lines"].as_array().unwrap().iter();
            lines.find(|line| line["name"] == "checkout-gold").unwrap().clone()
        };
        let line = told(&list);
        assert_eq!((&line["first"], &line["last"]), (&json!("2026-05"), &json!("2026-09")));
        if after.ends_with("09") {
            assert_eq!(line["head"], named(&mut list, "checkout-gold-2026-07-r2")["status"]["digest"]);
        }
        assert_eq!(
            correct(&mut list, "checkout-gold-2026-07-r2", "checkout-gold-2026-07-r2"),
            "checkout-gold-2026-07-r3"
        );
        assert_eq!(told(&list)["reports"], line["reports"].as_u64().unwrap() + 1);
    }
}

/// Each with its digest made anew, as a forger would.
#[test]
fn a_forged_correction_is_named_with_what_is_wrong() {
    let elsewhere = "sha256:51c0a9e2b7d3f4056172839405a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e";
    let rows = [
        ("/spec/supersedes/digest", json!(elsewhere), "spec.supersedes.digest: is sha256:51c0"),
        ("/spec/supersedes/name", json!("checkout-gold-2026-04"), "spec.supersedes.name: names checkout-gold-2026-04"),
        ("/spec/supersedes/name", json!("checkout-gold-2026-06"), "spec.period: is not that of checkout-gold-2026-06"),
        ("/spec/reason", json!(""), "spec.reason: is missing"),
        ("/spec/subject/uid", json!("another"), "spec.subject: is not that of checkout-gold-2026-07"),
        ("/spec/serviceRef/name", json!("search"), "spec.serviceRef: is not that of"),
        ("/status/ledger/sequence", json!(77), "status.ledger: is not that of checkout-gold-2026-07"),
        ("/status/previousDigest", json!(elsewhere), "status.previousDigest: is sha256:51c0"),
        ("/spec/supersedes", Value::Null, "metadata.name: does not fit its subject and period"),
    ];
    for (place, forged, expected) in rows {
        let mut list = corrected("checkout-gold-2026-09");
        let correction = named(&mut list, "checkout-gold-2026-07-r2");
        *correction.pointer_mut(place).unwrap() = forged;
        digest_anew(correction);
        let ran = verify(&list);
        assert_eq!(ran.code, 1, "{place}");
        assert!(ran.out.contains(&format!("shop/checkout-gold-2026-07-r2: {expected}")), "{place}: {}", ran.out);
        assert!(!ran.out.contains("no report covers"), "{place}: {}", ran.out);
    }
    let mut list = corrected("checkout-gold-2026-09");
    let mut twice = named(&mut list, "checkout-gold-2026-07-r2").clone();
    twice["metadata"]["name"] = "checkout-gold-2026-07-r3".into();
    digest_anew(&mut twice);
    items(&mut list).push(twice);
    let ran = verify(&list);
    for expected in [
        "r3: metadata.name: is not checkout-gold-2026-07-r2",
        "r3: spec.supersedes.name: names checkout-gold-2026-07, which checkout-gold-2026-07-r2 corrects already",
        "which checkout-gold-2026-07-r2 already follows: a fork",
    ] {
        assert!(ran.code == 1 && ran.out.contains(expected), "{expected}: {}", ran.out);
    }
    let mut list = corrected("checkout-gold-2026-08");
    remove(&mut list, "checkout-gold-2026-07");
    assert!(verify(&list).out.contains("r2: spec.supersedes.name: names checkout-gold-2026-07, which is no report"));
    let mut list = corrected("checkout-gold-2026-08");
    remove(&mut list, "checkout-gold-2026-07-r2");
    assert!(verify(&list).out.contains("shop/checkout-gold-2026-09: status.previousDigest: is sha256"));
}

/// A linear congruential generator of a fixed seed: the same edits in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// The leaves and lists below a value, by JSON pointer.
fn places(value: &Value, at: &str, leaves: &mut Vec<String>, lists: &mut Vec<String>, fields: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, child) in object {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                fields.push(at.clone());
                places(child, &at, leaves, lists, fields);
            }
        }
        Value::Array(array) => {
            if !array.is_empty() {
                lists.push(at.to_owned());
            }
            for (index, child) in array.iter().enumerate() {
                places(child, &format!("{at}/{index}"), leaves, lists, fields);
            }
        }
        _ => leaves.push(at.to_owned()),
    }
}

fn edit_leaf(leaf: &mut Value, seed: &mut Seeded) {
    *leaf = match &*leaf {
        Value::Bool(flag) => (!flag).into(),
        Value::Number(number) => (number.as_i64().unwrap() + 1 + seed.below(1000) as i64).into(),
        Value::String(text) if !text.is_empty() => {
            let mut bytes = text.clone().into_bytes();
            let at = seed.below(bytes.len());
            bytes[at] = if bytes[at] == b'7' { b'3' } else { b'7' };
            String::from_utf8(bytes).unwrap().into()
        }
        _ => "x".into(),
    };
}

/// One random change; says which.
fn tamper(list: &mut Value, seed: &mut Seeded) -> String {
    let closed: Vec<usize> =
        (0..items(list).len()).filter(|index| items(list)[*index]["status"]["phase"] == "Closed").collect();
    let one = closed[seed.below(closed.len())];
    let name = items(list)[one]["metadata"]["name"].as_str().unwrap().to_owned();
    let (mut leaves, mut lists, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for part in ["spec", "status"] {
        places(&items(list)[one][part], &format!("/{part}"), &mut leaves, &mut lists, &mut fields);
    }
    match seed.below(6) {
        0 | 1 => {
            let leaf = &leaves[seed.below(leaves.len())];
            edit_leaf(items(list)[one].pointer_mut(leaf).unwrap(), seed);
            format!("{name}: edited {leaf}")
        }
        2 => {
            let cut = &lists[seed.below(lists.len())];
            let array = items(list)[one].pointer_mut(cut).unwrap().as_array_mut().unwrap();
            array.truncate(seed.below(array.len()));
            format!("{name}: truncated {cut}")
        }
        3 => {
            let field = fields[seed.below(fields.len())].clone();
            let (parent, child) = field.rsplit_once('/').unwrap();
            items(list)[one].pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(child);
            format!("{name}: removed {field}")
        }
        4 => {
            let other = *closed.iter().filter(|index| **index != one).nth(seed.below(closed.len() - 1)).unwrap();
            let part = ["status", "metadata", "spec"][seed.below(3)];
            let taken = items(list)[one][part].clone();
            let given = std::mem::replace(&mut items(list)[other][part], taken);
            items(list)[one][part] = given;
            format!("{name}: swapped the {part} with that of item {other}")
        }
        _ => {
            items(list).remove(one);
            format!("{name}: deleted")
        }
    }
}

/// S6, sampled: 150 random edits, deletions, swaps and truncations, all of them found.
#[test]
fn random_tampering_is_found() {
    let (whole, with_correction) = (fixture(), corrected("checkout-gold-2026-08"));
    let mut seed = Seeded(20_000);
    for round in 0..150 {
        let mut list = if round < 100 { whole.clone() } else { with_correction.clone() };
        let done = tamper(&mut list, &mut seed);
        let ran = verify(&list);
        assert_eq!(ran.code, 1, "round {round}, {done}: {}", ran.out);
    }
}
