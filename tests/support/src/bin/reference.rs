//! Writes the reference pages of the kinds from the files in `crds/`.
use std::path::PathBuf;

use clap::Parser;

/// Writes one Markdown page for each custom resource definition.
#[derive(Debug, Parser)]
#[command(name = "reference")]
struct Arguments {
    /// Folder with the definitions.
    definitions: PathBuf,
    /// Folder for the pages.
    pages: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.pages)?;
    for entry in std::fs::read_dir(&arguments.definitions)? {
        let path = entry?.path();
        let definition: serde_json::Value = serde_saphyr::from_str(&std::fs::read_to_string(&path)?)?;
        let (name, page) = assize_testkit::reference::page(&definition)
            .ok_or_else(|| format!("{}: not a custom resource definition", path.display()))?;
        std::fs::write(arguments.pages.join(name), page)?;
    }
    Ok(())
}
