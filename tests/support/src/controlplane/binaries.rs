//! Where the binaries of the control plane are: given by the environment, or built from source once.
use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Error;

/// The stage files that tell kwok how its nodes and pods behave: a folder, not a binary.
pub const STAGES: &str = "stages";
/// The command-line client, for people and for tests that compare with it.
pub const KUBECTL: &str = "kubectl";

/// Paths of the binaries that were asked for.
#[derive(Debug, Clone)]
pub struct Binaries {
    paths: BTreeMap<String, PathBuf>,
}

impl Binaries {
    /// The path of `name`, which was among the names given to [`locate`].
    pub fn path(&self, name: &str) -> Option<&Path> {
        self.paths.get(name).map(PathBuf::as_path)
    }
}

/// Finds the named binaries: those in the folder `KUBEBUILDER_ASSETS` (the convention of envtest) as they are, the
/// others in the cache of `tests/controlplane/build`, which builds what is missing and shows its progress on standard
/// error. The first build takes minutes, so call this where blocking is allowed.
pub fn locate(names: &[&str]) -> Result<Binaries, Error> {
    let assets = env::var_os("KUBEBUILDER_ASSETS")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    if let Some(folder) = assets.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Error::Assets(folder.clone()));
    }
    let given = |name: &str| {
        assets
            .as_ref()
            .map(|folder| folder.join(name))
            .filter(|path| path.exists())
    };
    let mut paths: BTreeMap<String, PathBuf> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), given(name)?)))
        .collect();
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !paths.contains_key(*name))
        .collect();
    if !missing.is_empty() {
        let folder = build(&missing)?;
        paths.extend(missing.iter().map(|name| ((*name).to_owned(), folder.join(name))));
    }
    Ok(Binaries { paths })
}

/// Runs the build script for `names` and returns the folder that it prints.
fn build(names: &[&str]) -> Result<PathBuf, Error> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controlplane/build");
    let output = Command::new(&script)
        .arg("--print-dir")
        .args(names)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::system(format!("run {}", script.display())))?;
    if !output.status.success() {
        return Err(Error::Build(output.status.to_string()));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}
