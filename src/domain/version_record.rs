//! Version records: the specs that were in force, kept as `apps/v1` `ControllerRevisions`, so that time already passed is
//! judged by the version of then also after a restart.

use std::sync::Arc;

use serde_json::{Value, json};

use super::agreement::Terms;
use super::calendar::Calendar;
use super::calendar_spec::read_spec;
use super::digest::{self, Identity};
use super::service::ServiceRules;
use super::time::Instant;
use super::version::{Version, Versions};
use crate::api::{ServiceCalendarSpec, ServiceLevelAgreementSpec, ServiceSpec};

/// Label of everything the operator keeps for itself.
pub const LABEL: &str = "assize.dev/record";
/// Value of the label of a version.
pub const VERSION: &str = "version";

/// A kind whose versions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordedKind {
    /// A Service.
    Service,
    /// An agreement.
    Agreement,
    /// A calendar.
    Calendar,
}

impl RecordedKind {
    const ALL: [Self; 3] = [Self::Service, Self::Agreement, Self::Calendar];

    /// What the names of its records begin with: the short name of the kind.
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Service => "its",
            Self::Agreement => "sla",
            Self::Calendar => "scal",
        }
    }

    /// The kind itself.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Agreement => "ServiceLevelAgreement",
            Self::Calendar => "ServiceCalendar",
        }
    }

    /// The label that names the subject; the name of a calendar may be too long for one.
    const fn subject_label(self) -> Option<&'static str> {
        match self {
            Self::Service => Some("assize.dev/service"),
            Self::Agreement => Some("assize.dev/agreement"),
            Self::Calendar => None,
        }
    }
}

/// A spec that is kept as a version, once it is read.
pub trait Recorded: Sized {
    /// Its kind.
    const KIND: RecordedKind;

    /// Reads a spec; none if it is not valid by the rules of this version of the program.
    fn read(spec: &Value) -> Option<Self>;
}

impl Recorded for Terms {
    const KIND: RecordedKind = RecordedKind::Agreement;

    fn read(spec: &Value) -> Option<Self> {
        let spec: ServiceLevelAgreementSpec = serde_json::from_value(spec.clone()).ok()?;
        Self::from_spec(&spec).ok()
    }
}

impl Recorded for ServiceRules {
    const KIND: RecordedKind = RecordedKind::Service;

    fn read(spec: &Value) -> Option<Self> {
        let spec: ServiceSpec = serde_json::from_value(spec.clone()).ok()?;
        Self::from_spec(&spec).ok()
    }
}

/// A calendar with the names of those that it takes holidays from.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnCalendar {
    /// Its own hours, holidays and windows.
    pub calendar: Calendar,
    /// The calendars it takes holidays from.
    pub takes_from: Vec<Arc<str>>,
}

impl OwnCalendar {
    /// The calendar of a spec that was read.
    pub fn new(calendar: Calendar, spec: &ServiceCalendarSpec) -> Self {
        Self { calendar, takes_from: spec.holidays_from.iter().map(|name| name.as_str().into()).collect() }
    }
}

impl Recorded for OwnCalendar {
    const KIND: RecordedKind = RecordedKind::Calendar;

    fn read(spec: &Value) -> Option<Self> {
        let spec: ServiceCalendarSpec = serde_json::from_value(spec.clone()).ok()?;
        Some(Self::new(read_spec(&spec).ok()?, &spec))
    }
}

/// A version record, read.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionRecord {
    /// Kind of the subject.
    pub kind: RecordedKind,
    /// Name of the subject.
    pub subject: String,
    /// 1, or more when the spec had been in force before.
    pub ordinal: u32,
    /// From when it is in force.
    pub since: Instant,
    /// Digest of the spec.
    pub digest: String,
    /// The spec.
    pub spec: Value,
}

/// Why a record could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionRecordError {
    /// Its name is not of the form.
    #[error(
        "failed to read the name {0:?}: want `<its, sla or scal>-<name>-<10 hex digits>`, with `-2` and so on when a spec returns"
    )]
    Name(String),
    /// Its data is not of the form.
    #[error("failed to read the data: want `since`, an instant, and `spec`")]
    Data,
    /// Its spec is not the one that its name says.
    #[error("the spec has {0}, the name says another: the record was changed")]
    Digest(String),
}

/// Name of the record of a version.
pub fn record_name(kind: RecordedKind, subject: &str, digest: &str, ordinal: u32) -> String {
    let digits = &digest::short(digest)["sha256:".len()..];
    let plain = format!("{}-{subject}-{digits}", kind.short_name());
    if ordinal > 1 { format!("{plain}-{ordinal}") } else { plain }
}

/// The object that keeps a version, in the namespace `home`.
pub fn record_object(home: &str, record: &VersionRecord, revision: usize) -> Value {
    let mut labels = json!({LABEL: VERSION});
    if let Some(label) = record.kind.subject_label() {
        labels[label] = record.subject.as_str().into();
    }
    json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "namespace": home,
            "name": record_name(record.kind, &record.subject, &record.digest, record.ordinal),
            "labels": labels,
        },
        "revision": revision,
        "data": {"since": record.since.format_utc(), "spec": record.spec},
    })
}

/// Reads a record by its namespace, name and data; its spec has to have the digest that its name says.
pub fn read_record(namespace: &str, name: &str, data: &Value) -> Result<VersionRecord, VersionRecordError> {
    let (kind, subject, digits, ordinal) = read_name(name).ok_or_else(|| VersionRecordError::Name(name.to_owned()))?;
    let since = data["since"].as_str().and_then(|text| Instant::parse(text).ok()).ok_or(VersionRecordError::Data)?;
    let spec = data.get("spec").filter(|spec| spec.is_object()).ok_or(VersionRecordError::Data)?;
    let namespace = (kind != RecordedKind::Calendar).then_some(namespace);
    let digest = digest::of_spec(Identity { kind: kind.kind(), namespace, name: subject }, spec);
    if digest["sha256:".len()..].strip_prefix(digits).is_none() {
        return Err(VersionRecordError::Digest(digest));
    }
    Ok(VersionRecord { kind, subject: subject.to_owned(), ordinal, since, digest, spec: spec.clone() })
}

/// From the right: an ordinal has fewer digits than a digest shows, so that each name reads in one way only.
fn read_name(name: &str) -> Option<(RecordedKind, &str, &str, u32)> {
    let is_digest = |text: &str| text.len() == 10 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (short_name, rest) = name.split_once('-')?;
    let kind = RecordedKind::ALL.into_iter().find(|kind| kind.short_name() == short_name)?;
    let (before, last) = rest.rsplit_once('-')?;
    if is_digest(last) {
        return (!before.is_empty()).then_some((kind, before, last, 1));
    }
    let ordinal = last.parse().ok().filter(|ordinal| *ordinal > 1 && last.len() < 10)?;
    let (subject, digits) = before.rsplit_once('-')?;
    (is_digest(digits) && !subject.is_empty()).then_some((kind, subject, digits, ordinal))
}

/// The versions that were in force: those that are recorded, and after them those that this process saw and that are
/// not recorded yet. Both lists are in order of time; `accepted` is when the API server took the newest one seen.
///
/// What the records say comes first: another replica may have seen the same change at another instant, or more of it.
pub fn history<T>(recorded: &[Version<T>], seen: &[Version<T>], accepted: Instant) -> Versions<T> {
    let mut all: Vec<Version<T>> = recorded.to_vec();
    let newest_recorded = recorded.last().map(|version| version.since);
    let Some((newest, before)) = seen.split_last() else { return of(all) };
    let later = |since: Instant| newest_recorded.is_none_or(|recorded| since > recorded);
    all.extend(before.iter().filter(|version| later(version.since)).cloned());
    let is_in_force = all.last().is_some_and(|last| last.digest == newest.digest);
    match all.last().map(|last| last.since) {
        _ if is_in_force => {}
        None => all.push(newest.clone()),
        Some(last) if newest.since > last => all.push(newest.clone()),
        // Changed while this process was not there. The API server tells the whole second only.
        Some(last) => all.push(Version { since: accepted.max(last.plus_ms(1)), ..newest.clone() }),
    }
    of(all)
}

fn of<T>(list: Vec<Version<T>>) -> Versions<T> {
    let mut versions = Versions::default();
    for version in list {
        versions.accept(version);
    }
    versions
}

/// Which records of an agreement's name belong to the object created at `created`, and whether that was restored: made
/// anew with the spec that was in force last. Made anew with another spec, it has a history of its own.
pub fn records_of<'a, T>(recorded: &'a [Version<T>], created: Instant, digest: &str) -> (&'a [Version<T>], bool) {
    if let Some(first) = recorded.iter().position(|version| version.since == created) {
        return (&recorded[first..], false);
    }
    match recorded.last() {
        None => (&[], false),
        Some(last) if last.since < created && *last.digest != *digest => (&[], false),
        Some(_) => (recorded, true),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(second: i64) -> Instant {
        Instant::from_ms(second * 1000)
    }

    fn version(second: i64, digest: &str) -> Version<()> {
        Version { since: at(second), digest: digest.into(), value: Arc::new(()) }
    }

    fn told(versions: &Versions<()>) -> Vec<(i64, &str)> {
        versions.all().iter().map(|version| (version.since.as_ms(), &*version.digest)).collect()
    }

    #[test]
    fn a_record_is_read_back_as_it_was_written() {
        for (kind, subject) in [
            (RecordedKind::Service, "checkout"),
            (RecordedKind::Agreement, "a-0123456789"),
            (RecordedKind::Calendar, "office-berlin-2"),
        ] {
            let spec = json!({"x": 1});
            let namespace = (kind != RecordedKind::Calendar).then_some("shop");
            let digest = digest::of_spec(Identity { kind: kind.kind(), namespace, name: subject }, &spec);
            for ordinal in [1, 2, 10] {
                let since = Instant::from_ms(1_700_000_000_123);
                let record = VersionRecord {
                    kind,
                    subject: subject.to_owned(),
                    ordinal,
                    since,
                    digest: digest.clone(),
                    spec: spec.clone(),
                };
                let object = record_object("shop", &record, 3);
                let name = object["metadata"]["name"].as_str().unwrap();
                assert_eq!(read_record("shop", name, &object["data"]), Ok(record));
                let mut forged = object["data"].clone();
                forged["spec"]["x"] = 2.into();
                assert!(matches!(read_record("shop", name, &forged), Err(VersionRecordError::Digest(_))));
            }
        }
        for name in ["its-checkout", "its--0123456789", "pod-a-0123456789", "its-a-0123456789-1", "its-a-0123"] {
            assert!(matches!(read_record("shop", name, &json!({})), Err(VersionRecordError::Name(_))), "{name}");
        }
    }

    #[test]
    fn without_records_what_was_seen_counts() {
        let seen = [version(10, "a"), version(20, "b")];
        assert_eq!(told(&history(&[], &seen, at(20))), [(10_000, "a"), (20_000, "b")]);
    }

    #[test]
    fn after_a_restart_the_records_say_since_when() {
        let recorded = [version(10, "a"), version(20, "b")];
        assert_eq!(told(&history(&recorded, &[version(10, "b")], at(20))), [(10_000, "a"), (20_000, "b")]);
        // Edited while nobody was there: in force from when the API server took it.
        let found = history(&recorded, &[version(10, "c")], at(30));
        assert_eq!(told(&found), [(10_000, "a"), (20_000, "b"), (30_000, "c")]);
        let same_second = [version(10, "a"), Version { since: Instant::from_ms(20_300), ..version(20, "b") }];
        let found = history(&same_second, &[version(10, "c")], at(20));
        assert_eq!(told(&found)[2], (20_301, "c"));
    }

    #[test]
    fn a_spec_that_returns_is_another_version() {
        let recorded = [version(10, "a"), version(20, "b")];
        let seen = [version(10, "a"), version(20, "b"), version(30, "a")];
        assert_eq!(told(&history(&recorded, &seen, at(30))), [(10_000, "a"), (20_000, "b"), (30_000, "a")]);
    }

    /// Another replica may have seen less.
    #[test]
    fn what_is_behind_the_records_adds_nothing() {
        let recorded = [version(10, "a"), version(30, "c")];
        let seen = [version(10, "a"), version(20, "b"), version(31, "c")];
        assert_eq!(told(&history(&recorded, &seen, at(31))), [(10_000, "a"), (30_000, "c")]);
    }

    /// M-105: another spec has a history of its own; the same spec goes on.
    #[test]
    fn m_105_made_anew_or_restored() {
        let recorded = [version(10, "a"), version(20, "b")];
        assert_eq!(records_of(&recorded, at(10), "b"), (&recorded[..], false));
        assert_eq!(records_of(&recorded, at(50), "b"), (&recorded[..], true), "restored");
        assert_eq!(records_of(&recorded, at(50), "c"), (&recorded[..0], false), "another spec");
        let anew = [version(10, "a"), version(50, "c"), version(60, "d")];
        assert_eq!(records_of(&anew, at(50), "d"), (&anew[1..], false));
        let amended = [version(10, "a"), version(60, "d")];
        assert_eq!(records_of(&amended, at(50), "d"), (&amended[..], true), "restored, then amended");
    }
}
