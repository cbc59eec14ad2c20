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

/// S6, sampled: 100 random edits, deletions, swaps and truncations, all of them found.
#[test]
fn random_tampering_is_found() {
    let whole = fixture();
    let mut seed = Seeded(20_000);
    for round in 0..100 {
        let mut list = whole.clone();
        let done = tamper(&mut list, &mut seed);
        let ran = verify(&list);
        assert_eq!(ran.code, 1, "round {round}, {done}: {}", ran.out);
    }
}
