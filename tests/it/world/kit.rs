//! The operator's plan without an API server: messages go in, and the writes that come out are taken as done at once.
//! For years in seconds, and for the bench of the work per transition.

use std::collections::{BTreeMap, HashMap};

use assize::control::gaps::{Found, Wanted};
use assize::control::streams::{ALWAYS, Stream};
use assize::control::subject::{Action, Outcome, Resource};
use assize::control::watch::Change;
use assize::control::world::{Leadership, World};
use assize::domain::cluster_time::ClockStep;
use assize::domain::time::Instant;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Namespace of everything.
const NAMESPACE: &str = "shop";

/// A world with what it wrote.
pub struct Cluster {
    /// The world.
    pub world: World,
    /// Objects shown to it, by stream, kind and name; what it wrote of reports is among them.
    objects: BTreeMap<(Number, String), Value>,
    /// What it wrote last of each status.
    pub statuses: BTreeMap<(&'static str, String), Value>,
    /// The largest report that it ever wrote, as JSON with its metadata.
    pub largest_report: usize,
    /// Writes so far.
    pub writes: usize,
    version: u64,
    now: Instant,
    epoch: i64,
    /// How many objects were deleted: what is made anew has another uid.
    deleted: usize,
}

/// Number of a stream in the order of [`ALWAYS`].
type Number = usize;

fn number(stream: &Stream) -> usize {
    ALWAYS.iter().position(|other| other == stream).unwrap_or(usize::MAX)
}

impl Cluster {
    /// A cluster at an instant, with nothing in it.
    pub fn new(now: Instant) -> Self {
        Self {
            world: World::default(),
            objects: BTreeMap::new(),
            statuses: BTreeMap::new(),
            largest_report: 0,
            writes: 0,
            version: 1,
            now,
            epoch: 0,
            deleted: 0,
        }
    }

    /// Adds or changes an object; a new spec is a new generation.
    pub fn put(&mut self, stream: &Stream, name: &str, object: Value) {
        self.version += 1;
        let key = (number(stream), name.to_owned());
        let before = self.objects.get(&key);
        let mut generation = before.map_or(1, |before| before["metadata"]["generation"].as_i64().unwrap_or(1));
        if before.is_some_and(|before| before["spec"] != object["spec"]) {
            generation += 1;
        }
        let created = before
            .map_or_else(|| self.now.format_utc().into(), |before| before["metadata"]["creationTimestamp"].clone());
        let uid = before.map_or_else(
            || format!("uid-of-{}-{name}-{}", key.0, self.deleted).into(),
            |before| before["metadata"]["uid"].clone(),
        );
        let mut object = object;
        let labels = object["metadata"].get("labels").cloned().unwrap_or_else(|| json!({}));
        object["metadata"] = json!({
            "name": name, "namespace": NAMESPACE, "uid": uid, "generation": generation,
            "resourceVersion": self.version.to_string(), "creationTimestamp": created, "labels": labels,
        });
        if self.world.started().is_some() {
            self.world.take(stream, Change::Applied(raw(&object)), self.now);
        }
        self.objects.insert(key, object);
    }

    /// Deletes an object.
    pub fn delete(&mut self, stream: &Stream, name: &str) {
        self.version += 1;
        self.deleted += 1;
        let mut object = self.objects.remove(&(number(stream), name.to_owned())).expect("it is there");
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if self.world.started().is_some() {
            self.world.take(stream, Change::Deleted(raw(&object)), self.now);
        }
    }

    /// The process ends; what happens from now on nobody sees.
    pub fn stop(&mut self) {
        self.world = World::default();
    }

    /// How many of three endpoints of a core Service are ready.
    pub fn endpoints(&mut self, service: &str, ready: usize) {
        let endpoint = |index: usize| {
            json!({"addresses": [format!("10.1.0.{}", index + 1)], "conditions": {"ready": index < ready},
                "targetRef": {"uid": format!("{service}-{index}")}})
        };
        let slice = json!({
            "metadata": {"labels": {"kubernetes.io/service-name": service}},
            "addressType": "IPv4", "endpoints": [endpoint(0), endpoint(1), endpoint(2)],
        });
        self.put(&Stream::Slices, &format!("{service}-1"), slice);
    }

    /// A process starts, lists everything, and leads. What was before it is what reports say.
    pub fn start(&mut self, observed_until: Option<Instant>) {
        self.take_over(observed_until, &[]);
    }

    /// Another process takes over that noticed these steps of the clock while it did not lead.
    pub fn take_over(&mut self, observed_until: Option<Instant>, steps: &[ClockStep]) {
        self.world = World::default();
        self.epoch += 1;
        for step in steps {
            self.world.clock_stepped(*step);
        }
        for stream in &ALWAYS {
            self.world.take(stream, Change::Restarted, self.now);
            for ((_, _), object) in self.objects.iter().filter(|((kind, _), _)| *kind == number(stream)) {
                self.world.take(stream, Change::Applied(raw(object)), self.now);
            }
            self.world.take(stream, Change::Complete, self.now);
        }
        self.world.start(self.now);
        self.world.lead(Leadership { epoch: self.epoch }, observed_until, HashMap::new(), self.now);
        // Nothing can be found out about the time before.
        while let Some((number, wanted)) = self.world.wanted(self.now) {
            let found = match wanted {
                Wanted::Replay(_) => Found::Replayed(None),
                Wanted::Pods(_) => Found::Pods(HashMap::new()),
            };
            self.world.found(number, found);
        }
        self.settle();
    }

    /// Time passes.
    pub fn at(&mut self, now: Instant) {
        self.now = now;
    }

    /// Objects that the world could not decode.
    pub fn undecodable(&self) -> usize {
        self.world.undecodable()
    }

    /// Plans and writes what is due now; returns how many writes that took.
    pub fn settle(&mut self) -> usize {
        let before = self.writes;
        loop {
            let batches = self.world.plan(self.now, 64);
            if batches.is_empty() {
                return self.writes - before;
            }
            for batch in batches {
                let mut versions = Vec::new();
                for write in &batch.writes {
                    self.version += 1;
                    self.writes += 1;
                    versions.push(self.version.to_string().into_boxed_str());
                    let name = write.key.name.to_string();
                    match &write.action {
                        Action::Create { body } if write.resource == Resource::VersionRecord => {
                            self.objects.insert((number(&Stream::Versions), name), body.clone());
                        }
                        Action::Create { body } => self.store(&name, body),
                        Action::Conditions { conditions, .. } => self.add_conditions(&name, &json!(conditions)),
                        Action::Status { status, .. } => {
                            if write.resource == Resource::Report {
                                self.store(&name, &json!({"status": status}));
                            }
                            self.statuses.insert((write.resource.kind(), name), status.clone());
                        }
                    }
                }
                self.world.written(&Outcome { batch, versions, failure: None }, self.now);
            }
        }
    }

    /// Adds conditions to a closed report.
    fn add_conditions(&mut self, name: &str, added: &Value) {
        let key = (number(&Stream::Reports), name.to_owned());
        let mut status = self.objects[&key]["status"].clone();
        status["conditions"].as_array_mut().expect("a list").extend(added.as_array().expect("a list").clone());
        self.store(name, &json!({"status": status}));
        self.statuses.insert(("ServiceReport", name.to_owned()), status);
    }

    /// Stores a part of a report, and measures it.
    fn store(&mut self, name: &str, part: &Value) {
        let key = (number(&Stream::Reports), name.to_owned());
        let report = self.objects.entry(key).or_insert_with(|| json!({"metadata": {"name": name}}));
        for (field, value) in part.as_object().into_iter().flatten() {
            report[field] = value.clone();
        }
        report["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.largest_report = self.largest_report.max(report.to_string().len());
    }

    /// The status of an object as it was written last.
    pub fn status(&self, kind: &'static str, name: &str) -> &Value {
        self.statuses.get(&(kind, name.to_owned())).unwrap_or(&Value::Null)
    }
}

impl Cluster {
    /// A report as it is stored.
    pub fn report(&self, name: &str) -> &Value {
        self.objects.get(&(number(&Stream::Reports), name.to_owned())).unwrap_or(&Value::Null)
    }

    /// All reports as they are stored.
    pub fn reports(&self) -> Vec<Value> {
        let reports = self.objects.iter().filter(|((kind, _), _)| *kind == number(&Stream::Reports));
        reports.filter(|(_, report)| report["kind"] == "ServiceReport").map(|(_, report)| report.clone()).collect()
    }
}

fn raw(object: &Value) -> Box<RawValue> {
    RawValue::from_string(object.to_string()).expect("a value is JSON")
}
