//! What is generated and checked in is what the program generates. `UPDATE_GOLDEN=1` rewrites it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn the_definitions_are_up_to_date() {
    let made = TempDir::new().unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_assize")).args(["crds", "--output-dir"]).arg(made.path()).status();
    assert!(status.unwrap().success());
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let (want, found) = (files(made.path()), files(&checked_in));
    assert_eq!(want.len(), assize::api::all().len());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&checked_in).unwrap();
        for name in found.keys() {
            std::fs::remove_file(checked_in.join(name)).unwrap();
        }
        for (name, text) in &want {
            std::fs::write(checked_in.join(name), text).unwrap();
        }
        return;
    }
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&want), "crds/ holds other files; rewrite it with UPDATE_GOLDEN=1");
    for (name, text) in &want {
        assert!(found[name] == *text, "crds/{name} is not what `assize crds` makes; rewrite it with UPDATE_GOLDEN=1");
    }
}
