//! Reading our objects from YAML files.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::documents::{Document, DocumentError, read_documents};
use crate::api::{Service, ServiceCalendar, ServiceLevelAgreement, ServiceReport};
use crate::domain::check::is_ours;

/// Why objects could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file is not readable.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// An object is not what its kind says.
    #[error("{}:{line}: {message}; assize check -f says more", path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

/// The objects of some files, by kind.
#[derive(Debug, Default)]
pub struct Manifests {
    /// Services.
    pub services: Vec<Service>,
    /// Agreements.
    pub agreements: Vec<ServiceLevelAgreement>,
    /// Calendars.
    pub calendars: Vec<ServiceCalendar>,
    /// Reports.
    pub reports: Vec<ServiceReport>,
}

impl Manifests {
    /// Reads all documents of our kinds; those of other kinds are passed over.
    pub fn read(paths: &[PathBuf]) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        for document in read_documents(paths)? {
            let line = document.line_of("kind");
            let path = document.path.clone();
            manifests.add(document).map_err(|message| ManifestError::Object { path, line, message })?;
        }
        Ok(manifests)
    }

    fn add(&mut self, document: Document) -> Result<(), String> {
        let value = document.value;
        if !is_ours(&value) {
            return Ok(());
        }
        match value["kind"].as_str().unwrap_or_default() {
            "Service" => self.services.push(read(value)?),
            "ServiceLevelAgreement" => self.agreements.push(read(value)?),
            "ServiceCalendar" => self.calendars.push(read(value)?),
            "ServiceReport" => self.reports.push(read(value)?),
            _ => {}
        }
        Ok(())
    }
}

fn read<T: for<'a> Deserialize<'a>>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}
