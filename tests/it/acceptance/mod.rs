//! The acceptance cases of the measurement rules (M-01 and following), by number, through `assize replay`.
//!
//! A row is a [`Case`]: what differs from the default agreement, the log, and for each period one line of figures in
//! the notation of the rules. See [`expect`] for the notation.

mod calendar_months;
mod capacity;
mod corrections;
mod evidence;
mod expect;
mod ledger;
mod maintenance;
mod numbers;
mod observation;
mod oracle;
mod probes;
mod reliability;
mod service_hours;
mod terms;

use std::path::PathBuf;
use std::process::{Command, Output};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Every period of the cases is Closed then.
const LONG_AFTER: &str = "2030-01-01T00:00:00Z";
/// The service is observed, and the agreement exists, from before every period of the cases.
const LONG_BEFORE: &str = "2025-01-01T00:00:00Z";

/// What `assize replay` answered.
pub struct Answer {
    pub code: Option<i32>,
    pub report: Value,
    pub error: String,
}

/// One case: the default agreement with its changes, and the log.
pub struct Case {
    name: &'static str,
    agreement: Value,
    created: String,
    service: Value,
    calendar: Option<Value>,
    log: Vec<String>,
    as_of: String,
}

impl Case {
    /// The default of the cases: calendar months in Berlin, objective 99.9, one component `api` that is up.
    pub fn new(name: &'static str) -> Self {
        Self::unobserved(name).ready(LONG_BEFORE, 3)
    }

    /// The default, with an empty log.
    pub fn unobserved(name: &'static str) -> Self {
        Self {
            name,
            agreement: json!({
                "serviceRef": {"name": "checkout"},
                "reportingPeriod": {"kind": "CalendarMonth", "timeZone": "Europe/Berlin", "lateDataGrace": "24h"},
                "unmeasured": {"treatAs": "Exclude", "minCoverage": "99"},
                "targets": [{
                    "name": "availability", "kind": "Availability", "method": "Readiness", "objective": "99.9",
                    "readiness": {"degradedCounts": "0", "minOutage": "0s"},
                }],
            }),
            created: LONG_BEFORE.to_owned(),
            service: json!({"components": [component("api")]}),
            calendar: None,
            log: Vec::new(),
            as_of: LONG_AFTER.to_owned(),
        }
    }

    /// Merges into the spec of the agreement; null removes.
    pub fn agreement(mut self, patch: Value) -> Self {
        merge(&mut self.agreement, patch);
        self
    }

    /// Merges into the one target.
    pub fn target(mut self, patch: Value) -> Self {
        merge(&mut self.agreement["targets"][0], patch);
        self
    }

    pub fn objective(self, objective: &str) -> Self {
        self.target(json!({"objective": objective}))
    }

    pub fn zone(self, zone: &str) -> Self {
        self.agreement(json!({"reportingPeriod": {"timeZone": zone}}))
    }

    /// A rolling period in UTC.
    pub fn rolling(self, days: u32) -> Self {
        self.agreement(json!({"reportingPeriod": {"kind": "Rolling", "days": days, "timeZone": "UTC"}}))
    }

    pub fn created(mut self, at: &str) -> Self {
        at.clone_into(&mut self.created);
        self
    }

    /// Merges into the one component.
    pub fn component(mut self, patch: Value) -> Self {
        merge(&mut self.service["components"][0], patch);
        self
    }

    /// Adds a second component like `api`, up from the start.
    pub fn second_component(mut self, name: &str) -> Self {
        self.service["components"].as_array_mut().unwrap().push(component(name));
        self.observe(LONG_BEFORE, name, json!({"ready": 3, "desired": 3}))
    }

    /// Service hours `from` to `to` on these days, in the zone of the period.
    pub fn hours(mut self, days: &[&str], from: &str, to: &str) -> Self {
        let zone = self.agreement["reportingPeriod"]["timeZone"].clone();
        let weekly = json!([{"days": days, "from": from, "to": to}]);
        self.calendar = Some(json!({"timeZone": zone, "weekly": weekly, "holidays": []}));
        self.agreement(json!({"serviceHours": {"calendar": "hours"}}))
    }

    pub fn holidays(mut self, dates: &[&str]) -> Self {
        self.calendar = Some(self.calendar_with(dates));
        self
    }

    /// The calendar is edited at an instant: these holidays come to it.
    pub fn holidays_added(self, at: &str, dates: &[&str]) -> Self {
        let spec = self.calendar_with(dates);
        self.line(json!({"at": at, "type": "calendar", "spec": spec}))
    }

    fn calendar_with(&self, dates: &[&str]) -> Value {
        let mut calendar = self.calendar.clone().unwrap();
        let listed = calendar["holidays"].as_array_mut().unwrap();
        listed.extend(dates.iter().map(|date| json!({"name": "holiday", "date": date})));
        calendar
    }

    /// The agreement is amended at an instant: another objective.
    pub fn amended(self, at: &str, objective: &str) -> Self {
        self.amended_by(at, json!({"targets": [{"objective": objective}]}))
    }

    /// The agreement is amended at an instant; fields of `targets` go into the one target.
    pub fn amended_by(self, at: &str, mut patch: Value) -> Self {
        let mut spec = self.agreement.clone();
        if let Some(targets) = patch.as_object_mut().unwrap().remove("targets") {
            merge(&mut spec["targets"][0], targets[0].clone());
        }
        merge(&mut spec, patch);
        self.line(json!({"at": at, "type": "agreement", "spec": spec}))
    }

    /// A change `[from, to)`, approved at an instant, that announces so much loss.
    pub fn change(self, name: &str, from: &str, to: &str, expected: &str, approved: &str) -> Self {
        self.line(json!({
            "at": approved, "type": "change", "name": name, "notBefore": from, "notAfter": after(from, to),
            "expectedOutage": expected,
        }))
    }

    /// A standing window of the calendar, which is made if there is none.
    pub fn standing(mut self, window: Value) -> Self {
        let zone = self.agreement["reportingPeriod"]["timeZone"].clone();
        let calendar = self.calendar.get_or_insert_with(|| json!({"timeZone": zone}));
        merge(calendar, json!({"windows": [window]}));
        let name = calendar["windows"][0]["name"].clone();
        self.agreement(json!({"plannedMaintenance": {"windows": [{"calendar": "hours", "name": name}]}}))
    }

    /// The windows of a report as `name from to excluded+overrun`, with the reason if one is not effective.
    pub fn windows(&self, period: &str) -> Vec<String> {
        let report = self.report(period);
        let line = |window: &Value| {
            let [name, from, to] = ["name", "from", "to"].map(|key| window[key].as_str().unwrap().to_owned());
            let reason = window["reason"].as_str().map(|reason| format!(" {reason}")).unwrap_or_default();
            assert_eq!(window["effective"], reason.is_empty(), "{window}");
            format!("{name} {from} {to} {}+{}{reason}", window["excludedMs"], window["overrunMs"])
        };
        report["maintenance"].as_array().unwrap().iter().map(line).collect()
    }

    /// Adds a line to the log.
    #[allow(clippy::needless_pass_by_value, reason = "rows write the value in place")]
    pub fn line(self, line: Value) -> Self {
        self.raw_line(&line.to_string())
    }

    pub fn raw_line(mut self, line: &str) -> Self {
        self.log.push(line.to_owned());
        self
    }

    fn observe(self, at: &str, component: &str, fields: Value) -> Self {
        let mut line = json!({"at": at, "type": "observe", "component": component});
        merge(&mut line, fields);
        self.line(line)
    }

    /// So many of `api` are ready, of 3.
    pub fn ready(self, at: &str, ready: u32) -> Self {
        self.observe(at, "api", json!({"ready": ready, "desired": 3}))
    }

    /// `Down [from, to)` of the page; a `to` without date takes date and offset of `from`.
    pub fn down(self, from: &str, to: &str) -> Self {
        self.ready(from, 0).ready(&after(from, to), 3)
    }

    /// Down for an exact length.
    pub fn down_for(self, from: &str, length_ms: i64) -> Self {
        let end = from.parse::<Timestamp>().unwrap() + SignedDuration::from_millis(length_ms);
        self.down(from, &end.to_string())
    }

    /// Ready 2 in `[from, to)`.
    pub fn degraded(self, from: &str, to: &str) -> Self {
        self.ready(from, 2).ready(&after(from, to), 3)
    }

    /// No observation of anything in `[from, to)`; `api` is ready after it.
    pub fn unseen(self, from: &str, to: &str) -> Self {
        let to = after(from, to);
        self.line(json!({"at": from, "type": "gap", "until": to})).ready(&to, 3)
    }

    /// Figures are for this instant from here on.
    pub fn at(mut self, as_of: &str) -> Self {
        as_of.clone_into(&mut self.as_of);
        self
    }

    /// Asks for a period and compares every figure that the line lists; what it does not list must be as section 6
    /// says: 0, or bounds, raw and coverage as they are without loss of observation.
    pub fn gives(self, period: &str, figures: &str) -> Self {
        let report = self.report(period);
        expect::figures(&format!("{} {period} at {}", self.name, self.as_of), &report, figures);
        self
    }

    /// The report of a period.
    pub fn report(&self, period: &str) -> Value {
        let answer = self.replay(&["--period", period]);
        assert_eq!(answer.code, Some(0), "{}: {}", self.name, answer.error);
        answer.report
    }

    /// The report of a period as people read it.
    pub fn markdown(&self, period: &str) -> String {
        let output = self.run("markdown", &["--period", period]);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `assize replay` on the files of the case.
    pub fn replay(&self, arguments: &[&str]) -> Answer {
        let output = self.run("json", arguments);
        Answer {
            code: output.status.code(),
            report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn run(&self, form: &str, arguments: &[&str]) -> Output {
        let folder = TempDir::new().unwrap();
        let objects = self.write(&folder);
        let mut command = Command::new(env!("CARGO_BIN_EXE_assize"));
        command.arg("replay").args(["-o", form, "--as-of", &self.as_of]).args(arguments);
        for object in objects {
            command.arg("-f").arg(object);
        }
        command.arg("--events").arg(folder.path().join("log.jsonl")).output().unwrap()
    }

    fn write(&self, folder: &TempDir) -> Vec<PathBuf> {
        let object = |kind: &str, name: &str, spec: &Value| {
            json!({
                "apiVersion": "assize.dev/v1alpha1", "kind": kind, "spec": spec,
                "metadata": {"namespace": "shop", "name": name, "creationTimestamp": self.created},
            })
        };
        let mut files = vec![
            ("agreement.yaml", object("ServiceLevelAgreement", "checkout-gold", &self.agreement)),
            ("service.yaml", object("Service", "checkout", &self.service)),
        ];
        if let Some(calendar) = &self.calendar {
            files.push(("calendar.yaml", object("ServiceCalendar", "hours", calendar)));
        }
        std::fs::write(folder.path().join("log.jsonl"), self.log.join("\n")).unwrap();
        let write = |(name, object): (&str, Value)| {
            let path = folder.path().join(name);
            std::fs::write(&path, serde_saphyr::to_string(&object).unwrap()).unwrap();
            path
        };
        files.into_iter().map(write).collect()
    }
}

fn component(name: &str) -> Value {
    json!({
        "name": name, "endpointsOf": name, "workloadRef": {"kind": "Deployment", "name": name},
        "minReady": 2, "degradedBelow": 3,
    })
}

/// A short time of the page takes date and offset from the one before.
fn after(before: &str, time: &str) -> String {
    if time.contains('T') {
        return time.to_owned();
    }
    let (date, rest) = before.split_once('T').unwrap();
    let offset = rest.find(['+', '-', 'Z']).unwrap();
    let seconds = if time.len() == 5 { ":00" } else { "" };
    format!("{date}T{time}{seconds}{}", &rest[offset..])
}

/// RFC 7386.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(fields) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in fields {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}
