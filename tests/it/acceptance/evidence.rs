//! M-56 to M-64, M-66: what proves a gap afterwards.

use serde_json::{Value, json};

use super::Case;

const FROM: &str = "2025-11-18T14:00:00+01:00";
const UNTIL: &str = "2025-11-18T14:10:00+01:00";

/// The one replica is killed: nobody watches for ten minutes.
fn killed(name: &'static str) -> Case {
    gap(Case::new(name))
}

fn gap(case: Case) -> Case {
    case.line(json!({"at": FROM, "type": "gap", "until": UNTIL, "reason": "NoLeader"}))
}

/// A Pod that was created and started the day before, and is ready since then.
fn pod(uid: &str, since: &str) -> Value {
    let before = "2025-11-17T08:00:00+01:00";
    json!({"uid": uid, "created": before, "started": before, "ready": true, "since": since})
}

/// Three Pods that are ready since these times; a short one is of the day.
fn ready_since(case: Case, times: [&str; 3]) -> Case {
    pods(case, 3, &json!(pods_since(times)))
}

fn pods_since(times: [&str; 3]) -> Vec<Value> {
    let full = |time: &str| match time.len() {
        8 => format!("2025-11-18T{time}+01:00"),
        _ => time.to_owned(),
    };
    times.iter().enumerate().map(|(index, time)| pod(&format!("p{index}"), &full(time))).collect()
}

fn pods(case: Case, ready: u32, pods: &Value) -> Case {
    case.line(json!({"at": UNTIL, "type": "pods", "component": "api", "ready": ready, "pods": pods}))
}

const DAY_BEFORE: &str = "2025-11-17T08:00:00+01:00";

fn gaps(case: &Case) -> Vec<(i64, Value, Value)> {
    let report = case.report("2025-11");
    let gaps = report["gaps"].as_array().unwrap().iter();
    gaps.map(|gap| (gap["unknownMs"].as_i64().unwrap(), gap["reason"].clone(), gap["closedBy"].clone())).collect()
}

#[test]
fn m_56_without_evidence_the_gap_is_unknown() {
    let case = killed("M-56").ready(UNTIL, 3).gives(
        "2025-11",
        "U 600000; B 2591400000; coverage 99.9768; A 100.0000; bounds [99.9768, 100.0000]; Met; certain true; inferred 0",
    );
    assert_eq!(gaps(&case), [(600_000, "NoLeader".into(), Value::Null)]);
}

#[test]
fn m_57_pods_that_were_ready_all_the_time() {
    let case = ready_since(killed("M-57"), [DAY_BEFORE; 3])
        .gives("2025-11", "U 0; up 2592000000; inferred 600000; A 100.0000; Met");
    assert_eq!(gaps(&case), [(0, "NoLeader".into(), "inferred".into())]);
}

#[test]
fn m_58_two_of_three_pods() {
    let case = ready_since(killed("M-58"), [DAY_BEFORE, DAY_BEFORE, "14:06:30"])
        .gives("2025-11", "G 391000; U 0; inferred 600000; A 100.0000; up 2591609000");
    assert_eq!(gaps(&case), [(0, "NoLeader".into(), "inferred".into())]);
}

#[test]
fn m_59_one_of_three_pods() {
    let case = ready_since(killed("M-59"), [DAY_BEFORE, "14:06:30", "14:08:00"]).gives(
        "2025-11",
        "U 391000; G 90000; bounds [99.9849, 100.0000]; A 100.0000; Met; certain true; inferred 209000",
    );
    assert_eq!(gaps(&case), [(391_000, "NoLeader".into(), "inferred".into())]);
}

#[test]
fn m_60_times_of_pods_are_cut_to_seconds() {
    ready_since(killed("M-60 a"), ["13:59:59"; 3]).gives("2025-11", "U 0; inferred 600000");
    ready_since(killed("M-60 b"), ["14:00:00"; 3]).gives("2025-11", "U 1000; inferred 599000");
}

#[test]
fn m_61_a_changed_service_voids_the_evidence() {
    let line = json!({
        "at": UNTIL, "type": "pods", "component": "api", "ready": 3, "serviceChanged": true,
        "pods": pods_since([DAY_BEFORE; 3]),
    });
    let case = killed("M-61").line(line).gives("2025-11", "U 600000; inferred 0");
    assert_eq!(gaps(&case), [(600_000, "NoLeader".into(), Value::Null)]);
}

#[test]
fn m_62_an_outage_around_the_gap() {
    let down = || gap(Case::new("M-62").down("2025-11-18T13:50:00+01:00", "14:20"));
    let unready = |uid: &str, created: &str| json!({"uid": uid, "created": created, "ready": false, "since": created});
    let old = unready("p1", DAY_BEFORE);
    let case = pods(down(), 0, &json!([old]))
        .gives("2025-11", "D 1800000; U 0; A 99.9305; inferred 600000; outages [1800000]; outageCount 1");
    assert_eq!(gaps(&case), [(0, "NoLeader".into(), "inferred".into())]);
    assert_eq!(case.report("2025-11")["outages"][0]["reason"], "NoneReady");
    let new = unready("p2", "2025-11-18T14:05:00+01:00");
    pods(down(), 0, &json!([old, new])).gives(
        "2025-11",
        "D 1200000; U 600000; A 99.9536; bounds [99.9305, 99.9537]; outages [600000,600000]; outageCount 2",
    );
}

#[test]
fn m_63_an_outage_at_the_start_of_the_gap_ends_in_unknown() {
    ready_since(gap(Case::new("M-63").ready("2025-11-18T13:55:00+01:00", 0)), ["14:04:00"; 3]).gives(
        "2025-11",
        "D 300000; U 241000; A 99.9884; bounds [99.9791, 99.9884]; Met; certain true; outages [300000]",
    );
}

#[test]
fn m_64_backfill() {
    let samples = [("00:10", 3), ("01:10", 3), ("02:10", 1), ("03:10", 3), ("05:10", 3), ("06:10", 3)];
    let sample = |case: Case, (time, ready): (&str, u32)| {
        let at = format!("2025-11-18T14:{time}+01:00");
        case.line(json!({"at": at, "type": "backfill", "component": "api", "ready": ready}))
    };
    let case = samples.into_iter().fold(killed("M-64").ready(UNTIL, 3), sample).gives(
        "2025-11",
        "D 120000; U 360000; A 99.9953; bounds [99.9814, 99.9953]; backfilled 240000; outages [120000]; reason BelowMinimum",
    );
    assert_eq!(gaps(&case), [(360_000, "NoLeader".into(), "backfilled".into())]);
    // The time before the first line is a gap, too: nothing is known of it but the samples.
    let first = |case: Case| case.created("2025-11-01T00:00:00+01:00").ready("2025-11-18T14:10:00+01:00", 3);
    let filled = samples.into_iter().fold(first(Case::unobserved("M-64 first")), sample);
    filled.gives("2025-11", "D 120000; U 1519560000; backfilled 240000");
}

/// The resumed watch decides what the log says: where it proves, there is no gap; else there is one, up to the receipt.
#[test]
fn m_66_a_resumed_watch() {
    Case::new("M-66 a").gives("2025-11", "U 0; up 2592000000");
    let two = |name| Case::new(name).ready("2025-11-18T13:50:00+01:00", 2);
    two("M-66 b")
        .ready("2025-11-18T14:00:20+01:00", 1)
        .ready("2025-11-18T14:30:20+01:00", 3)
        .gives("2025-11", "G 620000; D 1800000; U 0");
    Case::new("M-66 c")
        .line(json!({"at": FROM, "type": "gap", "until": "2025-11-18T14:01:00+01:00", "reason": "SourceLost"}))
        .ready("2025-11-18T14:01:00+01:00", 1)
        .ready("2025-11-18T14:31:00+01:00", 3)
        .gives("2025-11", "U 60000; D 1800000");
    Case::new("M-66 d")
        .ready("2025-11-18T13:50:00+01:00", 0)
        .line(json!({"at": FROM, "type": "gap", "until": "2025-11-18T14:01:00+01:00", "reason": "SourceLost"}))
        .ready("2025-11-18T14:01:00+01:00", 3)
        .gives("2025-11", "D 600000; U 60000");
}

#[test]
fn evidence_that_fits_nothing_is_refused() {
    let refused = |case: Case, error: &str| {
        let answer = case.replay(&["--period", "2025-11"]);
        assert_eq!((answer.code, answer.error.as_str()), (Some(2), error));
    };
    let late = json!({"at": "2025-11-18T14:10:01+01:00", "type": "pods", "component": "api", "ready": 3, "pods": []});
    refused(
        killed("late").ready(UNTIL, 3).line(late),
        "error: line 4: at: no gap of component \"api\" ends here; give the instant of its until\n",
    );
    refused(
        pods(killed("more"), 1, &json!([pod("a", DAY_BEFORE), pod("b", DAY_BEFORE)])),
        "error: line 3: pods: 2 are ready, but ready is 1; list only Pods that are endpoints, and count all of them\n",
    );
    refused(
        pods(killed("twice"), 2, &json!([pod("a", DAY_BEFORE), pod("a", DAY_BEFORE)])),
        "error: line 3: pods[1].uid: \"a\" occurs twice; remove one\n",
    );
    let db = json!({"at": UNTIL, "type": "backfill", "component": "db", "ready": 3});
    refused(killed("db").line(db), "error: line 3: component: \"db\" is not a component of the Service\n");
}
