//! Injected faults: rules for requests and for watch events, numbered so that a sweep can walk through them.
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{
    log::Entry,
    matching::Match,
    store::{EventKind, Key},
};

/// What happens to a matching request. `Retry-After` is in whole seconds.
#[derive(Clone)]
pub enum Action {
    /// Refuses without processing.
    Answer {
        /// The status code.
        code: u16,
        /// `Retry-After`, if any.
        retry_after_seconds: Option<u64>,
    },
    /// Processes, then answers with an error: the write is committed all the same.
    AnswerAfter {
        /// The status code.
        code: u16,
    },
    /// Breaks the connection without processing.
    DropRequest,
    /// Processes, then breaks the connection: committed, but the reply is lost.
    DropReply,
    /// Holds the request before it is processed, until the handle releases it. A caller that goes away meanwhile never
    /// wrote: so a sweep stops a controller before its k-th write.
    Hang,
    /// Processes, then holds the reply until the handle releases it: so a sweep stops a controller after its k-th write.
    HangReply,
    /// Waits on the runtime's clock, then processes.
    Delay(Duration),
    /// Processes, then calls the hook, then answers.
    RunAfter(Arc<dyn Fn() + Send + Sync>),
}

impl Action {
    /// Refuses with this code.
    pub fn answer(code: u16) -> Self {
        Self::Answer { code, retry_after_seconds: None }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Action::Answer { .. } => "Answer",
            Action::AnswerAfter { .. } => "AnswerAfter",
            Action::DropRequest => "DropRequest",
            Action::DropReply => "DropReply",
            Action::Hang => "Hang",
            Action::HangReply => "HangReply",
            Action::Delay(_) => "Delay",
            Action::RunAfter(_) => "RunAfter",
        };
        formatter.write_str(name)
    }
}

/// What happens to a matching watch event, in every stream the rule's user agent selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventAction {
    /// The event never arrives.
    Drop,
    /// It arrives twice.
    Duplicate,
    /// It arrives when the handle releases it; events of other objects go past it.
    Hold,
    /// It is merged into the next event of the same object.
    Coalesce,
    /// The stream ends just before it, once.
    Close,
    /// The stream ends with an ERROR event 410 in its place, once.
    Expire,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    fired: u64,
    released: bool,
    removed: bool,
}

/// A rule in force.
#[derive(Debug)]
pub(crate) struct Rule<A> {
    matching: Match,
    pub(crate) action: A,
    seen: AtomicU64,
    spent: AtomicBool,
    progress: watch::Sender<Progress>,
}

impl<A> Rule<A> {
    fn new(matching: Match, action: A) -> Arc<Self> {
        let (progress, _) = watch::channel(Progress::default());
        Arc::new(Self { matching, action, seen: AtomicU64::new(0), spent: AtomicBool::new(false), progress })
    }

    fn count(&self) -> bool {
        let due = self.matching.due(self.seen.fetch_add(1, Ordering::Relaxed) + 1);
        if due {
            self.progress.send_modify(|progress| progress.fired += 1);
        }
        due
    }

    pub(crate) fn is_active(&self) -> bool {
        !self.progress.borrow().removed
    }

    /// Whether what the rule holds may go on.
    pub(crate) fn is_released(&self) -> bool {
        let progress = self.progress.borrow();
        progress.released || progress.removed
    }

    pub(crate) async fn released(&self) {
        let mut progress = self.progress.subscribe();
        // The sender lives in this rule, so the wait cannot fail.
        let _ = progress.wait_for(|progress| progress.released || progress.removed).await;
    }

    pub(crate) fn is_client(&self, user_agent: &str) -> bool {
        self.matching.is_client(user_agent)
    }

    /// True at the first call only.
    pub(crate) fn spend(&self) -> bool {
        !self.spent.swap(true, Ordering::Relaxed)
    }
}

/// A rule as its owner sees it. Dropping the handle leaves the rule in force.
#[derive(Debug, Clone)]
pub struct FaultHandle {
    progress: watch::Sender<Progress>,
    signal: watch::Sender<u64>,
}

impl FaultHandle {
    /// How often the rule has fired.
    pub fn fired(&self) -> u64 {
        self.progress.borrow().fired
    }

    /// Waits until the rule has fired at least once.
    pub async fn reached(&self) {
        let mut progress = self.progress.subscribe();
        // This handle holds a sender, so the wait cannot fail.
        let _ = progress.wait_for(|progress| progress.fired > 0).await;
    }

    /// Lets go what the rule holds, now and later.
    pub fn release(&self) {
        self.progress.send_modify(|progress| progress.released = true);
        self.signal.send_modify(|tick| *tick += 1);
    }

    /// Ends the rule, and lets go what it holds.
    pub fn remove(&self) {
        self.progress.send_modify(|progress| progress.removed = true);
        self.signal.send_modify(|tick| *tick += 1);
    }
}

/// Which past state the reads show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrozenView {
    pub(crate) revision: u64,
    /// Also reads that the real server answers from etcd: GET, and LIST without a resourceVersion.
    pub(crate) consistent_reads: bool,
}

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct FaultTable {
    requests: Vec<Arc<Rule<Action>>>,
    events: Vec<Arc<Rule<EventAction>>>,
    stalls: Vec<Arc<Rule<()>>>,
    pub(crate) frozen: Option<FrozenView>,
}

impl FaultTable {
    pub(crate) fn on_request(&mut self, matching: Match, action: Action, signal: &watch::Sender<u64>) -> FaultHandle {
        add(&mut self.requests, matching, action, signal)
    }

    pub(crate) fn on_event(
        &mut self,
        matching: Match,
        action: EventAction,
        signal: &watch::Sender<u64>,
    ) -> FaultHandle {
        add(&mut self.events, matching, action, signal)
    }

    pub(crate) fn stall(&mut self, matching: Match, signal: &watch::Sender<u64>) -> FaultHandle {
        add(&mut self.stalls, matching, (), signal)
    }

    /// Counts a request in every rule; the first rule that is due decides.
    pub(crate) fn pick(&mut self, entry: &Entry) -> Option<Arc<Rule<Action>>> {
        self.requests.retain(|rule| rule.is_active());
        let mut picked = None;
        for rule in &self.requests {
            if rule.matching.is_request(entry) && rule.count() && picked.is_none() {
                picked = Some(rule.clone());
            }
        }
        picked
    }

    /// The rules that are due for a new event.
    pub(crate) fn marks(&mut self, kind: EventKind, key: &Key) -> Vec<Arc<Rule<EventAction>>> {
        self.events.retain(|rule| rule.is_active());
        self.events.iter().filter(|rule| rule.matching.is_event(kind, key) && rule.count()).cloned().collect()
    }

    /// Whether a watch is silent now.
    pub(crate) fn is_stalled(&self, group: &str, resource: &str, user_agent: &str) -> bool {
        self.stalls.iter().any(|rule| !rule.is_released() && rule.matching.is_watch(group, resource, user_agent))
    }

    /// Ends every rule, and lets go what they hold.
    pub(crate) fn clear(&mut self) {
        let end = |progress: &watch::Sender<Progress>| progress.send_modify(|progress| progress.removed = true);
        self.requests.drain(..).for_each(|rule| end(&rule.progress));
        self.events.drain(..).for_each(|rule| end(&rule.progress));
        self.stalls.drain(..).for_each(|rule| end(&rule.progress));
        self.frozen = None;
    }
}

fn add<A>(rules: &mut Vec<Arc<Rule<A>>>, matching: Match, action: A, signal: &watch::Sender<u64>) -> FaultHandle {
    let rule = Rule::new(matching, action);
    let handle = FaultHandle { progress: rule.progress.clone(), signal: signal.clone() };
    rules.push(rule);
    handle
}
