//! Reading the fields of a line.

use serde_json::{Map, Value};

use crate::domain::capacity::Amount;
use crate::domain::inference::PodFacts;
use crate::domain::reason::Reason;
use crate::domain::time::Instant;

/// The fields of a line, each read with an error that names it.
pub(super) struct Reader<'a> {
    pub(super) fields: &'a Map<String, Value>,
}

impl Reader<'_> {
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<String>, String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("{name}: is not a string")),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<String, String> {
        self.optional_text(name)?.ok_or_else(|| format!("{name}: is missing"))
    }

    pub(super) fn instant(&self, name: &str) -> Result<Instant, String> {
        Instant::parse(&self.text(name)?).map_err(|error| format!("{name}: {error}"))
    }

    pub(super) fn optional_instant(&self, name: &str) -> Result<Option<Instant>, String> {
        self.optional_text(name)?.map(|_| self.instant(name)).transpose()
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| format!("{name}: {item} is not a string")))
                .collect(),
            Some(_) => Err(format!("{name}: is not a list")),
        }
    }

    pub(super) fn amount(&self, name: &str) -> Result<Amount, String> {
        Amount::parse(&self.text(name)?).map_err(|error| format!("{name}: {error}"))
    }

    pub(super) fn count(&self, name: &str) -> Result<Option<u32>, String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .and_then(|count| u32::try_from(count).ok())
                .map(Some)
                .ok_or_else(|| format!("{name}: {value} is not a whole number from 0 on")),
        }
    }

    pub(super) fn reason(&self) -> Result<Option<Reason>, String> {
        let Some(text) = self.optional_text("reason")? else {
            return Ok(None);
        };
        Reason::parse(&text).map(Some).ok_or_else(|| format!("reason: {text:?} is not known"))
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(value) => Err(format!("{name}: {value} is neither true nor false")),
        }
    }

    /// The Pods of evidence; each names its uid, so that none counts twice.
    pub(super) fn pods(&self) -> Result<Vec<PodFacts>, String> {
        let Some(Value::Array(list)) = self.fields.get("pods") else {
            return Err("pods: is missing, or not a list".to_owned());
        };
        let mut uids: Vec<String> = Vec::new();
        let mut pods = Vec::new();
        for (index, value) in list.iter().enumerate() {
            let place = |message: String| format!("pods[{index}].{message}");
            let Value::Object(fields) = value else {
                return Err(format!("pods[{index}]: is not an object"));
            };
            let known = ["uid", "created", "ready", "since", "started"];
            if let Some(unknown) = fields.keys().find(|key| !known.contains(&key.as_str())) {
                return Err(format!("unknown field pods[{index}].{unknown}"));
            }
            let pod = Reader { fields };
            let uid = pod.text("uid").map_err(place)?;
            if uids.contains(&uid) {
                return Err(place(format!("uid: {uid:?} occurs twice; remove one")));
            }
            uids.push(uid);
            pods.push(PodFacts {
                created: pod.instant("created").map_err(place)?,
                ready: pod.flag("ready").map_err(place)?.ok_or_else(|| place("ready: is missing".to_owned()))?,
                since: pod.optional_instant("since").map_err(place)?,
                started: pod.optional_instant("started").map_err(place)?,
            });
        }
        Ok(pods)
    }

    pub(super) fn spec<T: serde::de::DeserializeOwned>(&self) -> Result<Box<T>, String> {
        let value = self.fields.get("spec").ok_or("spec: is missing")?;
        serde_json::from_value(value.clone()).map(Box::new).map_err(|error| format!("spec: {error}"))
    }
}
