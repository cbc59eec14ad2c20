//! What the API server says that was asked of it: the audit log.
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Error;

/// An audit log, read piece by piece.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    offset: u64,
}

/// Requests of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Name of the user.
    pub user: String,
    /// What the client calls itself; `kube` of Rust says nothing.
    pub user_agent: String,
    /// The verb.
    pub verb: String,
    /// The resource with its group, and the subresource.
    pub resource: String,
    /// Whether it succeeded.
    pub succeeded: bool,
}

impl Request {
    /// Whether it changes anything.
    pub fn is_write(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Whether it renews, takes or gives away a Lease.
    pub fn is_lease(&self) -> bool {
        self.resource == "leases.coordination.k8s.io"
    }
}

/// Requests of a span of the log, by kind.
pub type Counts = BTreeMap<Request, u64>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    verb: String,
    #[serde(default)]
    user: User,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<Reference>,
    response_status: Option<Status>,
}

#[derive(Deserialize, Default)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    api_group: String,
    #[serde(default)]
    subresource: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u32,
}

impl AuditLog {
    /// The log of a control plane, from its end on.
    pub fn at_end(path: PathBuf) -> Result<Self, Error> {
        let mut log = Self { path, offset: 0 };
        log.skip()?;
        Ok(log)
    }

    /// Passes over what was logged since the last reading.
    pub fn skip(&mut self) -> Result<(), Error> {
        self.offset = std::fs::metadata(&self.path).map_err(unreadable(&self.path))?.len();
        Ok(())
    }

    /// Counts what was logged since the last reading. Of a watch the beginning is counted.
    pub fn read(&mut self) -> Result<Counts, Error> {
        let mut file = File::open(&self.path).map_err(unreadable(&self.path))?;
        file.seek(SeekFrom::Start(self.offset)).map_err(unreadable(&self.path))?;
        let mut reader = BufReader::new(file);
        let mut counts = Counts::new();
        let mut text = String::new();
        loop {
            text.clear();
            let length = reader.read_line(&mut text).map_err(unreadable(&self.path))?;
            if length == 0 || !text.ends_with('\n') {
                return Ok(counts);
            }
            self.offset += length as u64;
            if let Some(request) = parse(&text) {
                *counts.entry(request).or_default() += 1;
            }
        }
    }
}

fn parse(text: &str) -> Option<Request> {
    let line: Line = serde_json::from_str(text).ok()?;
    let counted = if line.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    if line.stage != counted {
        return None;
    }
    let reference = line.object_ref?;
    let mut resource = reference.resource;
    for (separator, part) in [(".", reference.api_group), ("/", reference.subresource)] {
        if !part.is_empty() {
            resource = format!("{resource}{separator}{part}");
        }
    }
    let succeeded = line.response_status.is_some_and(|status| status.code < 400);
    Some(Request { user: line.user.username, user_agent: line.user_agent, verb: line.verb, resource, succeeded })
}

/// How many requests of `user` meet a condition.
pub fn total(counts: &Counts, user: &str, condition: impl Fn(&Request) -> bool) -> u64 {
    counts.iter().filter(|(request, _)| request.user == user && condition(request)).map(|(_, count)| count).sum()
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    Error::system(format!("read {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_tells_who_did_what_to_which_resource() {
        let line = r#"{"stage":"ResponseComplete","verb":"patch","user":{"username":"operator"},"objectRef":
            {"resource":"services","apiGroup":"assize.dev","subresource":"status"},"responseStatus":{"code":409}}"#;
        let request = parse(line).unwrap();
        assert_eq!(request.resource, "services.assize.dev/status");
        assert!(request.is_write() && !request.succeeded && !request.is_lease());
        let core = line.replace("\"apiGroup\":\"assize.dev\",", "").replace("ResponseComplete", "ResponseStarted");
        assert!(parse(&core).is_none(), "only watches count when they begin");
        assert_eq!(parse(&core.replace("patch", "watch")).unwrap().resource, "services/status");
    }
}
