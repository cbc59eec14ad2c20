//! M-67, M-69 to M-71, M-74, M-75: observation and states.

use serde_json::json;

use super::Case;

#[test]
fn m_67_a_proved_down_is_not_hidden_by_a_blind_neighbour() {
    Case::new("M-67")
        .second_component("db")
        .down("2025-11-18T14:00:00+01:00", "14:20")
        .line(json!({"at": "2025-11-18T14:10:00+01:00", "type": "gap", "until": "2025-11-18T14:40:00+01:00", "component": "db"}))
        .line(json!({"at": "2025-11-18T14:40:00+01:00", "type": "observe", "component": "db", "ready": 3}))
        .gives("2025-11", "D 1200000; U 1200000; outages [1200000]");
}

#[test]
fn m_69_short_outages_are_reported_apart() {
    Case::new("M-69")
        .target(json!({"readiness": {"minOutage": "60s"}}))
        .down("2025-11-10T10:00:00+01:00", "10:02:00")
        .down("2025-11-10T11:00:00+01:00", "11:00:59.999")
        .down("2025-11-10T12:00:00+01:00", "12:01:00")
        .gives(
            "2025-11",
            "D 180000; ignoredShort 59999; ignoredShortCount 1; outageCount 2; outages [120000,60000]; A 99.9930",
        );
}

#[test]
fn m_70_lines_in_any_order() {
    Case::unobserved("M-70")
        .ready("2025-11-10T10:30:00+01:00", 3)
        .ready("2025-11-10T10:00:00+01:00", 0)
        .ready("2025-11-10T10:10:00+01:00", 0)
        .ready("2025-11-10T10:40:00+01:00", 0)
        .ready("2025-11-10T10:40:00+01:00", 3)
        .ready("2025-11-10T09:00:00+01:00", 3)
        .line(json!({"at": "2025-11-10T11:00:00+01:00", "type": "gap", "until": "2025-11-10T11:00:00+01:00"}))
        // Unknown is the time before 09:00 on the 10th, and nothing after it.
        .gives("2025-11", "D 1800000; U 810000000; outages [1800000]; outageCount 1");
}

#[test]
fn m_71_bad_lines_are_named() {
    let good = r#"{"at": "2025-11-10T09:00:00+01:00", "type": "observe", "component": "api", "ready": 3}"#;
    let no_offset = r#"{"at": "2025-11-10T10:00:00", "type": "observe", "component": "api", "ready": 3}"#;
    let misspelt = r#"{"at": "2025-11-10T10:00:00+01:00", "type": "observe", "component": "api", "raedy": 3}"#;
    for (seventh, error) in
        [(no_offset, "error: line 7: at: no offset\n"), (good, "error: line 9: unknown field raedy\n")]
    {
        let mut case = Case::unobserved("M-71");
        for line in [good, good, good, good, good, good, seventh, good, misspelt] {
            case = case.raw_line(line);
        }
        let answer = case.replay(&["--period", "2025-11"]);
        assert_eq!((answer.code, answer.error.as_str()), (Some(2), error));
    }
}

fn scaled_to_zero(name: &'static str) -> Case {
    Case::new(name)
        .line(
            json!({"at": "2025-11-12T22:00:00+01:00", "type": "observe", "component": "api", "ready": 0, "desired": 0}),
        )
        .ready("2025-11-12T22:30:00+01:00", 3)
}

#[test]
fn m_74_scaled_to_zero() {
    scaled_to_zero("M-74 a").gives("2025-11", "D 1800000; outages [1800000]; reason ScaledToZero");
    scaled_to_zero("M-74 c")
        .component(json!({"idleAtZero": true}))
        .gives("2025-11", "S 2592000000; up 2592000000; A 100.0000; outages []");
}

#[test]
fn m_75_the_core_service_is_deleted_and_made_anew() {
    Case::new("M-75")
        .line(json!({
            "at": "2025-11-12T10:00:00+01:00", "type": "observe", "component": "api", "ready": 0, "reason": "ServiceDeleted",
        }))
        .ready("2025-11-12T10:05:00+01:00", 0)
        .ready("2025-11-12T10:06:00+01:00", 3)
        .gives("2025-11", "D 360000; outages [360000]; outageCount 1; reason ServiceDeleted");
}
