#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn all_faults_of_a_definition_are_reported() {
    let text = r#"{
        "timeZone": "Mars/Olympus",
        "weekly": [
            {"days": ["Mon", "Funday"], "from": "24:00", "to": "25:00"},
            {"days": [], "from": "08:00", "to": "08:00"}
        ],
        "holidays": [
            {"name": "a", "date": "2026-02-30", "rrule": "FREQ=HOURLY", "hours": {"from": "8:00", "to": "12:00"}},
            {"name": "b", "date": "2026-01-02", "rrule": "FREQ=YEARLY;BYMONTHDAY=1"}
        ],
        "windows": [
            {"name": "holidays", "start": "2026-01-01T00:00", "duration": "1h"},
            {"name": "w", "start": "2026-01-01T00:00Z", "duration": "59s", "exdates": ["2026-01-01"]},
            {"name": "w", "start": "2026-01-01T00:00", "duration": "32d", "rdates": ["2026-01-01T24:00"]}
        ]
    }"#;
    let definition: CalendarDefinition = serde_json::from_str(text).unwrap();
    let faults = Calendar::new(&definition).unwrap_err();
    let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let expected = [
        "timeZone: unknown time zone \"Mars/Olympus\", write an IANA name like Europe/Berlin or UTC",
        "weekly[0].from: \"24:00\" is not a time of day, write 00:00 to 23:59 with both digits",
        "weekly[0].to: \"25:00\" is not a time of day, write 00:00 to 24:00 with both digits",
        "weekly[0].days[1]: \"Funday\" is not a day, write Mon Tue Wed Thu Fri Sat or Sun",
        "weekly[1].to: is the same as from, write 00:00 to 24:00 for the whole day",
        "weekly[1].days: is empty, name at least one of Mon Tue Wed Thu Fri Sat Sun",
        "holidays[0].hours.from: \"8:00\" is not a time of day, write 00:00 to 23:59 with both digits",
        "holidays[0].date: \"2026-02-30\" is not a date, write it like 2026-12-25",
        "holidays[0].rrule: FREQ=HOURLY is not valid, write DAILY, WEEKLY, MONTHLY or YEARLY",
        "holidays[1].rrule: the start 2026-01-02 is not a date of the rule, start on 2026-02-01",
        "windows[0].name: `holidays` is reserved for the holidays, choose another name",
        "windows[1].start: \"2026-01-01T00:00Z\" is not a local time, write it without offset like 2026-11-01T02:00",
        "windows[1].duration: 59s is out of bounds, write 1m to 31d",
        "windows[1].exdates[0]: \"2026-01-01\" is not a local time, write it without offset like 2026-11-01T02:00",
        "windows[2].name: \"w\" is used twice, choose another name",
        "windows[2].duration: 32d is out of bounds, write 1m to 31d",
        "windows[2].rdates[0]: \"2026-01-01T24:00\" is not a local time, write it without offset like 2026-11-01T02:00",
    ];
    assert_eq!(found, expected);
    let empty =
        CalendarDefinition { weekly: Some(Vec::new()), time_zone: "UTC".into(), ..CalendarDefinition::default() };
    assert_eq!(Calendar::new(&empty).unwrap_err()[0].field, "weekly");
}

#[test]
fn the_example_of_the_kinds_page_is_read() {
    let text = r#"{
        "timeZone": "Europe/Berlin",
        "weekly": [{"days": ["Mon", "Tue", "Wed", "Thu", "Fri"], "from": "08:00", "to": "18:00"}],
        "holidays": [
            {"name": "New Year", "date": "2026-01-01", "rrule": "FREQ=YEARLY"},
            {"name": "Christmas Eve", "date": "2026-12-24", "hours": {"from": "08:00", "to": "12:00"}},
            {"name": "Christmas", "date": "2026-12-25", "rrule": "FREQ=YEARLY"},
            {"name": "Good Friday", "date": "2027-03-26"}
        ],
        "windows": [
            {"name": "sunday-maintenance", "start": "2026-01-04T02:00", "duration": "2h", "rrule": "FREQ=WEEKLY;BYDAY=SU", "exdates": ["2026-12-27T02:00"]},
            {"name": "evening-changes", "start": "2026-01-05T19:00", "duration": "5h", "rrule": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH"},
            {"name": "black-friday", "start": "2026-11-26T00:00", "duration": "5d"}
        ]
    }"#;
    let calendar = Calendar::new(&serde_json::from_str(text).unwrap()).unwrap();
    let now = crate::domain::time::Instant::parse("2026-11-22T18:00:00Z").unwrap();
    assert!(!calendar.open_at(now));
    assert_eq!(calendar.next_change_after(now).unwrap().format_utc(), "2026-11-23T07:00:00Z");
    let (name, start) = calendar.next_window_start(now).unwrap();
    assert_eq!((name, start.format_in(calendar.zone()).as_str()), ("evening-changes", "2026-11-23T19:00:00+01:00"));
    let names: Vec<&str> = calendar.window_names().collect();
    assert_eq!(names, ["sunday-maintenance", "evening-changes", "black-friday"]);
}
