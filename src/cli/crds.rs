//! `assize crds`: prints the custom resource definitions.

use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use super::output::print;
use crate::api;

/// Print the custom resource definitions as YAML, ready for `kubectl apply --server-side -f -`.
#[derive(Debug, Args)]
pub struct Crds {
    /// Write one file a kind into this folder instead of printing
    #[arg(long, value_name = "FOLDER")]
    output_dir: Option<std::path::PathBuf>,
}

impl Crds {
    pub(super) fn run(&self) -> Outcome {
        let mut printed = String::new();
        for (index, definition) in api::all().iter().enumerate() {
            let text = serde_saphyr::to_string(definition)?;
            if let Some(folder) = &self.output_dir {
                let path = folder.join(format!("{}.yaml", definition.spec.names.plural));
                std::fs::write(&path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))?;
            } else {
                printed.push_str(if index == 0 { "" } else { "---\n" });
                printed.push_str(&text);
            }
        }
        print(&printed)?;
        Ok(ExitCode::SUCCESS)
    }
}
