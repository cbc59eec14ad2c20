//! What random scenarios announce: changes, their cancellation, exclusions and standing windows.

use jiff::civil::Date;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::scenario::moment;

/// Names of changes; several approvals of one name are edits.
const NAMES: [&str; 3] = ["chg-a", "chg-b", "chg-c"];
/// A calendar without a window has one that is far away, so that terms may name it.
const NEVER: &str = "2200-01-01T00:00";

/// What an agreement says about maintenance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    pub exclude: bool,
    pub min_notice_s: i64,
    pub cap_s: i64,
    /// Whether the standing window is named.
    pub standing: bool,
    /// Bit 1: `CustomerCaused`, 2: `ForceMajeure`.
    pub causes: u8,
}

#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub at: i64,
    pub name: u8,
    pub from: i64,
    pub length: i64,
    pub expected: i64,
    pub told: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
pub struct Cancel {
    pub at: i64,
    pub name: u8,
}

#[derive(Clone, Copy, Debug)]
pub struct Exclusion {
    pub at: i64,
    pub from: i64,
    pub length: i64,
    /// 1: `CustomerCaused`, 2: `ForceMajeure`.
    pub cause: u8,
    /// Bit 1: the customer, 2: the provider.
    pub by: u8,
}

/// A window of a calendar: days after the origin's date, and minutes.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub day: i8,
    pub minute: u16,
    pub length_min: u16,
    /// Days between two; 0: once.
    pub every: u8,
    pub excepted: Option<i8>,
    pub added: Option<i8>,
}

#[derive(Clone, Debug, Default)]
pub struct Announced {
    pub changes: Vec<Change>,
    pub cancels: Vec<Cancel>,
    pub exclusions: Vec<Exclusion>,
}

pub fn name_of(change: u8) -> &'static str {
    NAMES[change as usize]
}

pub fn cause_of(exclusion: u8) -> &'static str {
    if exclusion == 1 { "CustomerCaused" } else { "ForceMajeure" }
}

impl Announced {
    /// Where changes and exclusions begin.
    pub fn begins(&self) -> Vec<i64> {
        let changes = self.changes.iter().map(|change| change.from);
        changes.chain(self.exclusions.iter().map(|exclusion| exclusion.from)).collect()
    }

    /// The lines of the log; `instant` writes seconds after the origin.
    pub fn lines(&self, instant: impl Fn(i64) -> String) -> Vec<Value> {
        let change = |change: &Change| {
            json!({
                "at": instant(change.at), "type": "change", "name": name_of(change.name),
                "notBefore": instant(change.from), "notAfter": instant(change.from + change.length),
                "expectedOutage": format!("{}s", change.expected), "notifiedAt": change.told.map(&instant),
            })
        };
        let known =
            |cancel: &&Cancel| self.changes.iter().any(|change| change.name == cancel.name && change.at <= cancel.at);
        let cancel =
            |cancel: &Cancel| json!({"at": instant(cancel.at), "type": "cancel", "name": name_of(cancel.name)});
        let exclusion = |exclusion: &Exclusion| {
            let by = [(1, "customer"), (2, "provider")].into_iter().filter(|(bit, _)| exclusion.by & bit != 0);
            json!({
                "at": instant(exclusion.at), "type": "exclusion", "cause": cause_of(exclusion.cause),
                "from": instant(exclusion.from), "to": instant(exclusion.from + exclusion.length),
                "approvedBy": by.map(|(_, party)| party).collect::<Vec<_>>(),
            })
        };
        let changes = self.changes.iter().map(change);
        let cancels = self.cancels.iter().filter(known).map(cancel);
        changes.chain(cancels).chain(self.exclusions.iter().map(exclusion)).collect()
    }
}

impl Rules {
    pub fn spec(&self) -> (Value, Value) {
        let windows = if self.standing { json!([{"calendar": "hours", "name": "standing"}]) } else { json!([]) };
        let maintenance = json!({
            "exclude": self.exclude, "minNotice": format!("{}s", self.min_notice_s),
            "maxPerPeriod": format!("{}s", self.cap_s), "windows": windows,
        });
        let causes = [1, 2].into_iter().filter(|bit| self.causes & bit != 0).map(cause_of);
        (maintenance, causes.collect::<Vec<_>>().into())
    }
}

/// The local start on a day after the date.
fn start(date: Date, day: i8, minute: u16) -> String {
    let date = date.saturating_add(jiff::Span::new().days(day));
    format!("{date}T{:02}:{:02}", minute / 60, minute % 60)
}

/// The window of a calendar.
pub fn window(standing: Option<Standing>, date: Date) -> Value {
    let Some(standing) = standing else {
        return json!({"name": "standing", "start": NEVER, "duration": "1h"});
    };
    let rule = match standing.every {
        0 => Value::Null,
        1 => "FREQ=DAILY".into(),
        7 => "FREQ=WEEKLY".into(),
        days => format!("FREQ=DAILY;INTERVAL={days}").into(),
    };
    let dates = |day: Option<i8>| day.iter().map(|day| start(date, *day, standing.minute)).collect::<Vec<_>>();
    json!({
        "name": "standing", "start": start(date, standing.day, standing.minute),
        "duration": format!("{}m", standing.length_min), "rrule": rule, "exdates": dates(standing.excepted),
        "rdates": dates(standing.added),
    })
}

fn seconds(most: i64) -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0_i64), 4 => 1..most, 4 => (1..=most / 900).prop_map(|quarters| quarters * 900)]
}

pub fn rules() -> impl Strategy<Value = Rules> {
    let causes = prop_oneof![2 => Just(3_u8), 1 => 0..4_u8];
    (prop::bool::weighted(0.9), seconds(2 * 86_400), seconds(20 * 3600), any::<bool>(), causes).prop_map(
        |(exclude, min_notice_s, cap_s, standing, causes)| Rules { exclude, min_notice_s, cap_s, standing, causes },
    )
}

pub fn standing() -> impl Strategy<Value = Standing> {
    let every = prop_oneof![Just(0_u8), Just(1), Just(3), Just(7)];
    let minute = prop_oneof![(0..96_u16).prop_map(|quarter| quarter * 15), 0..1440_u16];
    let length = prop_oneof![1..360_u16, (1..120_u16).prop_map(|quarters| quarters * 15)];
    let dates = (prop::option::of(-2..8_i8), prop::option::of(-2..8_i8));
    (-20..8_i8, minute, length, every, dates).prop_map(|(day, minute, length_min, every, (excepted, added))| Standing {
        day,
        minute,
        length_min,
        every,
        excepted,
        added,
    })
}

/// Announcements: mostly early enough, some on the spot or afterwards.
pub fn announced() -> impl Strategy<Value = Announced> {
    let length = || seconds(2 * 86_400).prop_map(|length| length.max(1));
    let early = || prop_oneof![3 => Just(-5 * 86_400_i64), 2 => moment()];
    let change = (early(), 0..3_u8, moment(), length(), seconds(20 * 3600), prop::option::weighted(0.1, moment()))
        .prop_map(|(at, name, from, length, expected, told)| Change { at, name, from, length, expected, told });
    let cancel = (moment(), 0..3_u8).prop_map(|(at, name)| Cancel { at, name });
    let by = prop_oneof![4 => Just(3_u8), 1 => 0..4_u8];
    // In time, at its start, or mostly afterwards.
    let delay = prop_oneof![1 => Just(0_i64), 1 => -86_400..0_i64, 3 => 1..86_400_i64];
    let exclusion = (delay, moment(), length(), 1..3_u8, by).prop_map(|(delay, from, length, cause, by)| Exclusion {
        at: from + delay,
        from,
        length,
        cause,
        by,
    });
    (prop::collection::vec(change, 0..5), prop::collection::vec(cancel, 0..2), prop::collection::vec(exclusion, 0..4))
        .prop_map(|(changes, cancels, exclusions)| Announced { changes, cancels, exclusions })
}
