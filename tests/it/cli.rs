//! The command line, as a user runs it.

mod cluster;
mod files;
mod reports;
mod verify;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the command left behind.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn assize(arguments: &[&str]) -> Ran {
    assize_with_input(arguments, "")
}

fn assize_with_input(arguments: &[&str], input: &str) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_assize"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An empty folder of that name for the files of one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Compares with a stored text; `UPDATE_GOLDEN=1` stores it anew.
fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} differs; UPDATE_GOLDEN=1 stores what was printed:\n{actual}");
}

#[test]
fn version_names_the_kinds_and_the_time_zones() {
    let ran = assize(&["version", "-o", "json"]);
    let version: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["kinds"], "assize.dev/v1alpha1");
    assert!(version["timeZoneDatabase"].as_str().unwrap().starts_with("20"));
    assert!(assize(&["version"]).out.starts_with("assize "));
    assert!(assize(&["--version"]).out.starts_with("assize "));
}

#[test]
fn completion_of_every_shell() {
    for (shell, sign) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef assize"),
        ("fish", "complete -c assize"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let ran = assize(&["completion", shell]);
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains(sign), "{shell}");
        for subcommand in ["check", "report", "verify", "replay", "adopt"] {
            assert!(ran.out.contains(subcommand), "{shell}: {subcommand}");
        }
    }
}

#[cfg(unix)]
#[test]
fn as_a_plugin_it_is_called_kubectl_assize() {
    let link = folder("plugin").join("kubectl-assize");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_assize"), &link).unwrap();
    let output = Command::new(&link).args(["check", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Usage: kubectl assize check"), "{help}");
    assert!(assize(&["check", "--help"]).out.contains("Usage: assize check"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_assize"))
        .arg("crds")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(141));
}

#[test]
fn crds_are_one_file_a_kind_or_one_stream() {
    let stream = assize(&["crds"]).out;
    assert_eq!(stream.matches("\nkind: CustomResourceDefinition").count(), stream.matches("---\n").count() + 1);
    let folder = folder("crds");
    assert_eq!(assize(&["crds", "--output-dir", folder.to_str().unwrap()]).code, 0);
    assert!(folder.join("services.yaml").exists());
    let ran = assize(&["crds", "--output-dir", "/nonexistent"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: failed to write /nonexistent/"), "{}", ran.err);
}

#[test]
fn no_colours_where_nobody_sees_them() {
    for arguments in [
        &["check", "-f", "check/broken.yaml"][..],
        &["report", "-f", "reports/reports.yaml"],
        &["report", "-f", "missing"],
    ] {
        let ran = assize(arguments);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{arguments:?}");
    }
}
