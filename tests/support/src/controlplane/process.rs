//! One process of a control plane, which never outlives the process that holds it.
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use super::Error;

/// Becomes the component (`exec`, so that the process we started is the component itself) beside a watchdog that reads
/// a pipe whose other end we hold. However this process ends, the pipe closes, and the watchdog kills its whole process
/// group. The group is the watchdog's own, so its number cannot have been given to anybody else.
const SUPERVISOR: &str = r#"exec 3<&0
(while read -r line <&3; do :; done; kill -s KILL 0) </dev/null &
exec "$@" </dev/null 3<&-"#;

/// Removes a folder once the pipe closes; the processes that write to it may need a moment to die.
const JANITOR: &str = r#"while read -r line; do :; done
for attempt in 1 2 3 4 5; do rm -rf -- "$1" && exit; sleep 1; done"#;

/// Looks at a component that is to freeze, one a millisecond: a thread in the kernel stops when it comes back.
const FREEZE_LOOKS: u32 = 5_000;

const TAIL_BYTES: u64 = 64 * 1024;
const TAIL_LINES: usize = 15;

/// How to start a component, kept so that it can be started again after a stop.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) log: PathBuf,
}

/// A running component. Dropping it kills it: the API server would take up to a minute to end by itself.
pub(super) struct Process {
    child: Child,
    lifeline: Option<ChildStdin>,
}

impl Process {
    /// Starts the component in its own process group, its output appended to its log.
    pub(super) fn start(launch: &Launch) -> Result<Self, Error> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&launch.log)
            .map_err(Error::system(format!("open {}", launch.log.display())))?;
        let output = log.try_clone().map_err(Error::system(format!("open {}", launch.log.display())))?;
        let mut command = Command::new("sh");
        command.args(["-c", SUPERVISOR, "sh"]).arg(&launch.program).args(&launch.arguments).stdout(output).stderr(log);
        Self::spawn(command, &launch.program)
    }

    /// Starts what removes `folder` after the end of this process, should it be killed before it can do so itself.
    pub(super) fn start_janitor(folder: &Path) -> Result<Self, Error> {
        let mut command = Command::new("sh");
        command.args(["-c", JANITOR, "sh"]).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
        Self::spawn(command, folder)
    }

    fn spawn(mut command: Command, what: &Path) -> Result<Self, Error> {
        // An own group also keeps a Ctrl-C at the terminal away, so that whoever holds the process decides its end.
        let mut child = command
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(Error::system(format!("start {}", what.display())))?;
        let lifeline = child.stdin.take();
        Ok(Self { child, lifeline })
    }

    /// The number of the component's process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the component has ended.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal such as `STOP` to the component alone; its watchdog goes on.
    pub(super) fn signal(&self, signal: &str) -> Result<(), Error> {
        let what = || format!("send {signal} to process {}", self.id());
        let status = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "sh", signal, &self.id().to_string()])
            .status()
            .map_err(Error::system(what()))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::System { what: what(), source: std::io::Error::other(status.to_string()) })
    }

    /// Freezes the component (`SIGSTOP`), and waits until no thread of it runs: the signal itself is only asked for,
    /// and a thread on another core may still answer a request.
    pub(super) fn freeze(&self) -> Result<(), Error> {
        self.signal("STOP")?;
        for _ in 0..FREEZE_LOOKS {
            if self.is_frozen() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let what = format!("freeze process {} within {FREEZE_LOOKS} ms", self.id());
        Err(Error::System { what, source: std::io::ErrorKind::TimedOut.into() })
    }

    /// Whether every thread is stopped. Where there is no /proc, the signal has to do.
    fn is_frozen(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.id())) else { return true };
        threads.flatten().all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // The state follows the name, which is in parentheses and may hold any character.
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 't', 'Z', 'X']))
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Failure means that it has ended already.
        let _ = self.child.kill();
        self.lifeline.take();
        let _ = self.child.wait();
    }
}

/// The last lines of a log, for an error message.
pub(super) fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    match read() {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
        }
        Err(error) => format!("(log not readable: {error})"),
    }
}
