//! `assize crds`: prints the custom resource definitions.

use std::process::ExitCode;

use clap::Args;

use super::Outcome;
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
        for (index, definition) in api::all().iter().enumerate() {
            let text = serde_saphyr::to_string(definition)?;
            match &self.output_dir {
                Some(folder) => {
                    let name = format!("{}.yaml", definition.spec.names.plural);
                    std::fs::write(folder.join(name), text)?;
                }
                None => print!("{}{text}", if index == 0 { "" } else { "---\n" }),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
