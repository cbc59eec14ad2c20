//! What a scrape of the running operator shows.

#![allow(clippy::float_cmp)]

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use assize_testkit::fake::{EventAction, Match};

use super::objects::{has, ledger};
use super::rig::{LIMIT, Operator, Rig, now};

on_both_servers! {
    every_family_is_scraped,
}

/// Where an operator of a test is scraped.
struct Scraped {
    operator: Operator,
    address: String,
}

/// Values by series, as written: `name{label="value",…}`.
#[derive(Debug, Default)]
struct Scrape {
    series: BTreeMap<String, f64>,
    types: BTreeMap<String, String>,
}

impl Scrape {
    fn value(&self, series: &str) -> f64 {
        *self.series.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.series.keys()))
    }

    fn of_target(&self, name: &str, agreement: &str, more: &str) -> f64 {
        let labels = self.labels(agreement);
        self.value(&format!("{name}{{{labels}{more}}}"))
    }

    fn labels(&self, agreement: &str) -> String {
        let inside = format!("agreement=\"{agreement}\",target=\"availability\"");
        let key = self.series.keys().find(|key| key.contains(&inside)).unwrap_or_else(|| panic!("no {agreement}"));
        let namespace = key.split_once("namespace=\"").unwrap().1.split('"').next().unwrap();
        format!("namespace=\"{namespace}\",{inside}")
    }

    fn classes(&self, agreement: &str) -> BTreeMap<&'static str, i64> {
        let ms = |class: &str| {
            let more = format!(",class=\"{class}\"");
            (self.of_target("assize_agreement_class_seconds_total", agreement, &more) * 1000.0).round() as i64
        };
        CLASSES.map(|class| (class, ms(class))).into()
    }

    fn count(&self, begin: &str) -> usize {
        self.series.keys().filter(|key| key.starts_with(begin)).count()
    }
}

const CLASSES: [&str; 6] = ["up", "degraded", "down", "unknown", "excluded", "out_of_hours"];

impl Scraped {
    async fn start(rig: &Rig, flags: &[&str]) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let flag = format!("--metrics-address={address}");
        let operator = rig.start_with("op", &[&[flag.as_str()], flags].concat());
        let scraped = Self { operator, address };
        scraped.wait("leads", |scrape| scrape.series.get("assize_leader") == Some(&1.0)).await;
        scraped
    }

    async fn text(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: operator\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok(text)
    }

    async fn scrape(&self) -> Scrape {
        let text = self.text().await.unwrap();
        let mut scrape = Scrape::default();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(body.ends_with("# EOF\n"), "{body}");
        for line in body.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                scrape.types.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').unwrap();
                assert!(scrape.series.insert(name.to_owned(), value.parse().unwrap()).is_none(), "{line} comes twice");
            }
        }
        scrape
    }

    /// Scrapes until something is shown.
    async fn wait(&self, what: &str, wanted: impl Fn(&Scrape) -> bool) -> Scrape {
        for _ in 0..LIMIT.as_millis() / 100 {
            if self.text().await.is_ok() {
                let scrape = self.scrape().await;
                if wanted(&scrape) {
                    return scrape;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not shown within {LIMIT:?}: {what}\n{}", self.text().await.unwrap());
    }
}

/// The families that section "Metrics" of docs/operations.md lists and that are about objects, with their types.
const FAMILIES: [(&str, &str, usize); 18] = [
    ("assize_service_state", "gauge", 4),
    ("assize_component_ready", "gauge", 1),
    ("assize_component_required", "gauge", 1),
    ("assize_agreement_availability_ratio", "gauge", 2),
    ("assize_agreement_lowest_ratio", "gauge", 2),
    ("assize_agreement_highest_ratio", "gauge", 2),
    ("assize_agreement_raw_ratio", "gauge", 2),
    ("assize_agreement_coverage_ratio", "gauge", 2),
    ("assize_agreement_objective_ratio", "gauge", 2),
    ("assize_agreement_budget_left_ratio", "gauge", 2),
    ("assize_agreement_budget_seconds", "gauge", 2),
    ("assize_agreement_verdict", "gauge", 2),
    ("assize_agreement_period_seconds", "gauge", 12),
    ("assize_agreement_class_seconds", "counter", 12),
    ("assize_agreement_burn_rate", "gauge", 14),
    ("assize_report_phase", "gauge", 6),
    ("assize_maintenance_active", "gauge", 2),
    ("assize_ledger_rolled_up_entries", "counter", 2),
];

async fn every_family_is_scraped(rig: Rig) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    // Both have one term since before this process began: what elapses is the same.
    let term = json!({"term": {"effectiveFrom": "2020-01-01"}, "unmeasured": {"minCoverage": "0"}});
    rig.agreement("silver", "checkout", term.clone()).await;
    // A window that is in effect today and one that never will be again.
    let calendar = format!("{}-office", rig.namespace);
    let today = now().in_tz("UTC").unwrap().strftime("%Y-%m-%dT00:00").to_string();
    let window = |name: &str, start: &str| json!({"name": name, "start": start, "duration": "2d"});
    rig.put(json!({
        "apiVersion": "assize.dev/v1alpha1", "kind": "ServiceCalendar", "metadata": {"name": calendar},
        "spec": {"timeZone": "UTC", "windows": [window("today", &today), window("past", "2020-01-01T00:00")]},
    }))
    .await;
    let mut gold = term;
    let standing = |name: &str| json!({"calendar": calendar, "name": name});
    gold["plannedMaintenance"] = json!({"windows": [standing("today"), standing("past")], "maxPerPeriod": "0s"});
    rig.agreement("gold", "checkout", gold).await;
    let scraped = Scraped::start(&rig, &["--metrics=full"]).await;
    let planned =
        |scrape: &Scrape, kind: &str| scrape.value(&format!("assize_reconcile_seconds_count{{kind=\"{kind}\"}}")) > 0.0;
    let written = |scrape: &Scrape| {
        let kinds = ["Service", "ServiceLevelAgreement", "ServiceCalendar"];
        scrape.count("assize_report_phase{") == 6 && kinds.iter().all(|kind| planned(scrape, kind))
    };
    let first = scraped.wait("both reports, and how long the writes took", written).await;
    for (name, kind, count) in FAMILIES {
        assert_eq!(first.types[name], kind, "{name}");
        let series = if kind == "counter" { format!("{name}_total{{") } else { format!("{name}{{") };
        assert_eq!(first.count(&series), count, "{name}");
    }
    assert_eq!(first.of_target("assize_agreement_objective_ratio", "gold", ""), 0.999);
    assert_eq!(first.value("assize_metrics_dropped_series"), 0.0);
    assert!(first.value("assize_observed_until_timestamp_seconds{source=\"endpointslices\"}") > 1.7e9);
    assert_eq!(first.value("assize_ignored_endpoints{source=\"endpointslices\"}"), 0.0);
    assert_eq!(first.value("assize_clamped_times_total{source=\"endpointslices\"}"), 0.0);
    let labels = first.labels("gold").replace(",target=\"availability\"", "");
    for (name, shown) in [("today", 1.0), ("past", 0.0)] {
        let series = format!("assize_maintenance_active{{{labels},change=\"{calendar}/{name}\"}}");
        assert_eq!(first.value(&series), shown, "{name}");
    }
    // Time accrues at each scrape, in one class; none ever shrinks, and the sum is what elapsed.
    let mut before = first.classes("gold");
    for ready in [3, 0, 0, 3] {
        let previous: i64 = before.values().sum();
        rig.endpoints("api", ready, 3).await;
        rig.wait_current("gold", if ready == 0 { "Down" } else { "Up" }).await;
        let scrape = scraped.scrape().await;
        let classes = scrape.classes("gold");
        assert_eq!(classes.values().sum::<i64>(), scrape.classes("silver").values().sum::<i64>());
        assert!(classes.values().sum::<i64>() > previous);
        for class in CLASSES {
            assert!(classes[class] >= before[class], "{class}: {before:?} {classes:?}");
        }
        before = classes;
    }
    assert!(before["down"] > 0 && before["up"] > 0, "{before:?}");
    // What is gone leaves no series, and the other stays.
    rig.delete("Agreement", "silver").await;
    let gone = |scrape: &Scrape| !scrape.series.keys().any(|key| key.contains("silver"));
    let rest = scraped.wait("no silver", gone).await;
    assert_eq!(rest.count("assize_agreement_"), 28);
    scraped.operator.stop().await;
}

/// 16 series a target, with the four windows of the pages.
#[tokio::test]
async fn a_standard_scrape_has_16_series_a_target() {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let week = json!({"reportingPeriod": {"kind": "CalendarWeek"}});
    rig.agreement("weekly", "checkout", week).await;
    let scraped = Scraped::start(&rig, &[]).await;
    let scrape = scraped.wait("both", |scrape| scrape.count("assize_agreement_verdict{") == 2).await;
    assert_eq!(scrape.count("assize_agreement_"), 32);
    let windows = |agreement: &str| {
        let inside = format!("agreement=\"{agreement}\"");
        let keys =
            scrape.series.keys().filter(|key| key.starts_with("assize_agreement_burn_rate") && key.contains(&inside));
        keys.map(|key| key.split_once("window=\"").unwrap().1.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(windows("gold"), ["1h", "30m", "5m", "6h"]);
    // M-88: a week has windows that are shorter by as much.
    assert_eq!(windows("weekly"), ["14m", "1h24m", "1m", "7m"]);
    assert_eq!(scrape.count("assize_report_phase"), 0);
    scraped.operator.stop().await;
}

/// A ledger as a leader before left it: Up for hours, then Down for so long, which ended a minute ago.
async fn seed(rig: &Rig, down_seconds: i64) {
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    let term = json!({"term": {"effectiveFrom": "2020-01-01"}, "unmeasured": {"minCoverage": "0"}});
    rig.agreement("gold", "checkout", term).await;
    let uid = rig.get("Agreement", "gold").await.unwrap()["metadata"]["uid"].clone();
    let now = now();
    let ago = |seconds: i64| (now - SignedDuration::from_secs(seconds)).to_string();
    let month = now.in_tz("UTC").unwrap().first_of_month().unwrap().start_of_day().unwrap();
    let end = month.checked_add(1.month()).unwrap();
    let key = month.strftime("%Y-%m").to_string();
    let instant = |at: Timestamp| at.to_string();
    rig.put(json!({
        "apiVersion": "assize.dev/v1alpha1", "kind": "ServiceReport", "metadata": {"name": format!("gold-{key}")},
        "spec": {
            "subject": {"kind": "ServiceLevelAgreement", "name": "gold", "uid": uid},
            "serviceRef": {"name": "checkout"},
            "period": {"key": key, "start": instant(month.timestamp()), "end": instant(end.timestamp()), "timeZone": "UTC"},
        },
    }))
    .await;
    let entries = json!([
        format!("{} Up live - AllCriticalReady", ago(20_000)),
        format!("{} Down live api NoneReady", ago(60 + down_seconds)),
        format!("{} Up live - AllCriticalReady", ago(60)),
    ]);
    let ledger = json!({"sequence": 1, "epoch": 1, "lines": [{"target": "availability", "entries": entries}]});
    rig.patch_status("Report", &format!("gold-{key}"), json!({"phase": "Open", "ledger": ledger})).await;
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": rig.lease_name(), "annotations": {"assize.dev/observed-until": now.to_string()}},
    });
    rig.put(lease).await;
}

/// M-87: the page of an hour fires beyond a burn rate of 14.4 in both of its windows.
#[tokio::test]
async fn m_87_a_page_fires_when_both_windows_burn() {
    for (down_seconds, hour, five_minutes, fires) in [(90, 25.0, 300.0, true), (40, 11.1111, 133.3333, false)] {
        let rig = Rig::fake().await;
        seed(&rig, down_seconds).await;
        let scraped = Scraped::start(&rig, &[]).await;
        let restored = |scrape: &Scrape| {
            scrape.count("assize_agreement_burn_rate{") == 4
                && scrape.of_target("assize_agreement_burn_rate", "gold", ",window=\"1h\"") > 0.0
        };
        let scrape = scraped.wait("burn rates", restored).await;
        let burn =
            |window: &str| scrape.of_target("assize_agreement_burn_rate", "gold", &format!(",window=\"{window}\""));
        // The seconds in which no operator looked are unknown and in no base: a little more than without them.
        let near = |rate: f64, exact: f64| rate >= exact - 0.001 && rate < exact * 1.15;
        assert!(near(burn("1h"), hour), "{down_seconds}: {}", burn("1h"));
        assert!(near(burn("5m"), five_minutes), "{down_seconds}: {}", burn("5m"));
        assert_eq!(burn("1h") > 14.4 && burn("5m") > 14.4, fires);
        assert!((burn("6h") * 6.0 - burn("1h")).abs() < 5.0, "{} {}", burn("6h"), burn("1h"));
        scraped.operator.stop().await;
    }
}

/// The budget of an outage is low, then spent, each at its instant and with an Event, though nothing else happens.
#[tokio::test]
async fn a_budget_is_low_and_spent_while_an_outage_goes_on() {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    // A budget of about 20 s, whatever the day: of the year, what is still to come.
    let year = now().in_tz("UTC").unwrap().last_of_year().unwrap().end_of_day().unwrap();
    let millionths = 20_000_000 / year.timestamp().duration_since(now()).as_secs().max(40) + 1;
    let objective = format!("{}.{:04}", (1_000_000 - millionths) / 10_000, (1_000_000 - millionths) % 10_000);
    let fields = json!({
        "reportingPeriod": {"kind": "CalendarYear"},
        "targets": [{"name": "availability", "kind": "Availability", "method": "Readiness", "objective": objective}],
        "errorBudget": {"warnAt": "10", "spentAt": "20"},
        "unmeasured": {"minCoverage": "0"},
    });
    rig.agreement("gold", "checkout", fields).await;
    let operator = rig.start("op");
    rig.wait_condition("Agreement", "gold", "BudgetAvailable", "True", "BudgetLeft").await;
    let (down, _) = rig.endpoints("api", 0, 3).await;
    rig.wait_condition("Agreement", "gold", "BudgetAvailable", "True", "BudgetLow").await;
    let low = now();
    let spent = rig.wait_condition("Agreement", "gold", "BudgetAvailable", "False", "BudgetSpent").await;
    assert!(has(&spent, "TargetsMet", "True", "AtRisk"), "{spent}");
    let budget_ms = spent["status"]["targets"][0]["budgetMs"].as_i64().unwrap();
    let lasted = low.as_millisecond() - down.as_millisecond();
    assert!(lasted >= budget_ms / 10 - 50 && lasted < budget_ms / 10 + 3000, "low after {lasted} of {budget_ms}");
    let lasted = now().as_millisecond() - down.as_millisecond();
    assert!(lasted >= budget_ms / 5 - 50 && lasted < budget_ms / 5 + 3000, "spent after {lasted} of {budget_ms}");
    for reason in ["BudgetLow", "BudgetSpent"] {
        let event: Value = rig.wait_event("gold", reason).await;
        assert_eq!(event["action"], "BudgetAvailable");
    }
    operator.stop().await;
}

/// A gap that nothing closes is counted, as long as the ledger says it is; one that is not there is not.
#[tokio::test]
async fn what_nobody_saw_is_counted_by_its_source() {
    let rig = Rig::fake().await;
    rig.core_service("api", 3, 3).await;
    rig.service("checkout").await;
    rig.agreement("gold", "checkout", json!({})).await;
    let scraped = Scraped::start(&rig, &[]).await;
    rig.wait_current("gold", "Up").await;
    rig.settle("op").await;
    let gap =
        |source: &str| format!("assize_observation_gap_seconds_total{{source=\"{source}\",reason=\"SourceLost\"}}");
    assert_eq!(scraped.scrape().await.value(&gap("endpointslices")), 0.0);
    rig.faults().on_event(Match::any().resource("endpointslices").nth(1), EventAction::Expire);
    rig.endpoints("api", 0, 3).await;
    rig.wait_current("gold", "Down").await;
    let lost = scraped.wait("a gap", |scrape| scrape.value(&gap("endpointslices")) > 0.0).await;
    let entries = ledger(&rig.open_report("gold").await);
    let unknown = entries.iter().position(|entry| entry.reason == "SourceLost").expect("a gap in the ledger");
    let ms = entries[unknown + 1].at.as_millisecond() - entries[unknown].at.as_millisecond();
    let counted = (lost.value(&gap("endpointslices")) * 1000.0).round() as i64;
    // The ledger begins with the first look, a moment after the list that proved the stream.
    assert!(counted >= ms && counted <= ms + 100, "{counted} {entries:#?}");
    assert_eq!(lost.value(&gap("deployments")), 0.0);
    scraped.operator.stop().await;
}
