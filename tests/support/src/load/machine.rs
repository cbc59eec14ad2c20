//! The machine and the processes on it, as the kernel tells of them.
use std::{fs, time::Duration};

use serde::Serialize;
use tokio::time::Instant;

/// Memory and CPU of a process.
#[derive(Debug, Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Resident memory.
    pub resident_kib: u64,
    /// Most resident memory since the start.
    pub peak_kib: u64,
    /// CPU time since the start.
    pub cpu_ms: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// What is known of the machine.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Model of the processor.
    pub processor: String,
    /// How many it has.
    pub cores: usize,
    /// Memory.
    pub memory_mib: u64,
    /// Release of the kernel.
    pub kernel: String,
    /// Load of the last minute when the bench began: what others used.
    pub load_before: String,
}

/// Linux counts CPU time in hundredths of a second on every platform that Kubernetes supports.
const TICK_MS: u64 = 10;
/// CPU time in a second of a process at rest.
const AT_REST_MS: u64 = 100;

/// Memory and CPU of a process; none once it has ended.
pub fn usage(process: u32) -> Option<Usage> {
    let folder = format!("/proc/{process}");
    let status = fs::read_to_string(format!("{folder}/status")).ok()?;
    let stat = fs::read_to_string(format!("{folder}/stat")).ok()?;
    // The name of the program may hold spaces; it ends at the last parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Some(Usage {
        resident_kib: kib(&status, "VmRSS:"),
        peak_kib: kib(&status, "VmHWM:"),
        cpu_ms: (ticks(11) + ticks(12)) * TICK_MS,
        descriptors: fs::read_dir(format!("{folder}/fd")).map_or(0, |entries| entries.count() as u64),
    })
}

/// Memory and CPU of this process.
pub fn own_usage() -> Usage {
    usage(std::process::id()).unwrap_or_default()
}

/// Waits until a process does next to nothing for a second, at most `limit`; returns whether it came to rest.
pub async fn rest(process: u32, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        let before = usage(process).unwrap_or_default().cpu_ms;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if usage(process).unwrap_or_default().cpu_ms - before < AT_REST_MS {
            return true;
        }
    }
    false
}

/// What is known of this machine.
pub fn describe() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    Machine {
        processor: model.map_or("unknown", |(_, model)| model).to_owned(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: kib(&read("/proc/meminfo"), "MemTotal:") / 1024,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
    }
}

fn kib(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_uses_memory() {
        let usage = super::own_usage();
        assert!(usage.resident_kib > 0 && usage.peak_kib >= usage.resident_kib && usage.descriptors > 0);
        assert!(super::usage(0).is_none());
    }
}
