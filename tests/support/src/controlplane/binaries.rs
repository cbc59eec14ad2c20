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
    let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty());
    locate_in(assets.map(PathBuf::from).as_deref(), names)
}

fn locate_in(assets: Option<&Path>, names: &[&str]) -> Result<Binaries, Error> {
    if let Some(folder) = assets.filter(|folder| !folder.is_dir()) {
        return Err(Error::Assets(folder.to_path_buf()));
    }
    let given = |name: &str| assets.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists());
    let mut paths: BTreeMap<String, PathBuf> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), given(name)?))).collect();
    let missing: Vec<&str> = names.iter().copied().filter(|name| !paths.contains_key(*name)).collect();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn given_binaries_are_used_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("etcd"), "").unwrap();
        let binaries = locate_in(Some(folder.path()), &["etcd"]).unwrap();
        assert_eq!(binaries.path("etcd"), Some(folder.path().join("etcd").as_path()));
        assert_eq!(binaries.path("kwok"), None);
    }

    #[test]
    fn a_wrong_folder_is_named() {
        let error = locate_in(Some(Path::new("/no/such/folder")), &["etcd"]).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
    }
}
