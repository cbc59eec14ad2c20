//! Reading our objects from YAML files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::api::{Service, ServiceCalendar, ServiceLevelAgreement};

/// Why files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file cannot be opened.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A document is not valid.
    #[error("{path}, document {document}: {message}")]
    Document {
        /// The file.
        path: PathBuf,
        /// Its number in the file, from 1.
        document: usize,
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
}

/// The text of a file, or of standard input for `-`.
pub fn read_text(path: &Path) -> Result<String, ManifestError> {
    let mut text = String::new();
    let outcome = if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    outcome.map_err(|source| ManifestError::Read {
        path: path.to_owned(),
        source,
    })?;
    Ok(text)
}

impl Manifests {
    /// Reads all documents of our kinds; those of other kinds are passed over.
    pub fn read(paths: &[PathBuf]) -> Result<Self, ManifestError> {
        let mut manifests = Self::default();
        for path in paths {
            let text = read_text(path)?;
            let documents: Vec<Option<Value>> =
                serde_saphyr::from_multiple(&text).map_err(|error| ManifestError::Document {
                    path: path.clone(),
                    document: 1,
                    message: error.to_string(),
                })?;
            for (index, document) in documents.into_iter().enumerate() {
                let Some(document) = document else { continue };
                manifests.add(document).map_err(|message| ManifestError::Document {
                    path: path.clone(),
                    document: index + 1,
                    message,
                })?;
            }
        }
        Ok(manifests)
    }

    fn add(&mut self, document: Value) -> Result<(), String> {
        let api_version = document.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        if !api_version.starts_with("assize.dev/") {
            return Ok(());
        }
        match document.get("kind").and_then(Value::as_str).unwrap_or_default() {
            "Service" => self.services.push(read(document)?),
            "ServiceLevelAgreement" => self.agreements.push(read(document)?),
            "ServiceCalendar" => self.calendars.push(read(document)?),
            _ => {}
        }
        Ok(())
    }
}

fn read<T: for<'a> Deserialize<'a>>(document: Value) -> Result<T, String> {
    serde_json::from_value(document).map_err(|error| error.to_string())
}
