//! Allowances: how much loss each window may still exclude, and the cap that the windows of a period share.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::domain::time::{Instant, Interval};

use super::windows::{Slice, Window};

/// What one target used of the allowances so far, stage by stage.
#[derive(Debug)]
pub struct Allowances<'a> {
    windows: &'a [Window],
    used_ms: Vec<i64>,
    /// The period whose cap is being used, by its beginning, and how much of it.
    cap: Option<(Instant, i64)>,
}

/// Loss of one target in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowTime {
    /// Loss that was charged to it.
    pub excluded_ms: i64,
    /// Loss inside it that no window excluded.
    pub overrun_ms: i64,
}

impl<'a> Allowances<'a> {
    /// Nothing used yet of these windows, which are in the order in which they are charged.
    pub fn new(windows: &'a [Window]) -> Self {
        Self { windows, used_ms: vec![0; windows.len()], cap: None }
    }

    /// Begins a stage: loss in it uses the cap of the period that began at `period`, of which `cap_ms` in all.
    pub fn enter<'s>(&'s mut self, slices: &'s [Slice], period: Instant, cap_ms: i64) -> Sweep<'s, 'a> {
        let used_ms = self.cap.filter(|(other, _)| *other == period).map_or(0, |(_, used_ms)| used_ms);
        self.cap = Some((period, used_ms));
        Sweep {
            allowances: self,
            slices,
            next: 0,
            ends: BinaryHeap::new(),
            capped: BTreeSet::new(),
            free: BTreeSet::new(),
            cap_left_ms: cap_ms - used_ms,
            lost_ms: 0,
            begun: BTreeMap::new(),
            times: BTreeMap::new(),
            ran_out: Vec::new(),
        }
    }
}

/// One pass over the loss of a stage, in order of time. Its cost follows loss and windows, not time.
#[derive(Debug)]
pub struct Sweep<'s, 'a> {
    allowances: &'s mut Allowances<'a>,
    slices: &'s [Slice],
    next: usize,
    /// Ends of the slices that have begun.
    ends: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Windows with allowance left that use the cap, and those that do not.
    capped: BTreeSet<usize>,
    free: BTreeSet<usize>,
    cap_left_ms: i64,
    /// Loss that stayed lost so far.
    lost_ms: i64,
    /// That loss when each slice began.
    begun: BTreeMap<usize, i64>,
    times: BTreeMap<usize, WindowTime>,
    ran_out: Vec<Instant>,
}

impl Sweep<'_, '_> {
    /// Takes loss in; returns how much of it is excluded. Pieces come in order of time.
    pub fn lose(&mut self, piece: Interval) -> i64 {
        if self.slices.is_empty() {
            return 0;
        }
        let mut excluded_ms = 0;
        let mut now = piece.from;
        while now < piece.to {
            self.pass_edges(now);
            let to = self.next_edge().map_or(piece.to, |edge| edge.min(piece.to));
            if let Some((window, left_ms)) = self.charged() {
                let ms = left_ms.min(to.ms_since(now));
                now = now.plus_ms(ms);
                excluded_ms += ms;
                self.charge(window, ms, now);
            } else {
                self.lost_ms += to.ms_since(now);
                now = to;
            }
        }
        excluded_ms
    }

    /// What each window saw of the stage, and the instants at which an allowance was used up.
    pub fn finish(mut self) -> (BTreeMap<usize, WindowTime>, Vec<Instant>) {
        self.pass_edges(Instant::MAX);
        (self.times, self.ran_out)
    }

    fn next_edge(&self) -> Option<Instant> {
        let begin = self.slices.get(self.next).map(|slice| slice.span.from);
        let end = self.ends.peek().map(|Reverse((end, _))| *end);
        begin.into_iter().chain(end).min()
    }

    fn pass_edges(&mut self, now: Instant) {
        while let Some(slice) = self.slices.get(self.next).filter(|slice| slice.span.from <= now) {
            if slice.span.to > now {
                self.begin(self.next);
            }
            self.next += 1;
        }
        while let Some(Reverse((end, index))) = self.ends.peek().copied()
            && end <= now
        {
            self.ends.pop();
            self.end(index);
        }
    }

    fn begin(&mut self, index: usize) {
        let slice = self.slices[index];
        let window = &self.allowances.windows[slice.window];
        if self.allowances.used_ms[slice.window] < window.allowance_ms {
            if window.capped { &mut self.capped } else { &mut self.free }.insert(slice.window);
        }
        self.ends.push(Reverse((slice.span.to, index)));
        self.begun.insert(index, self.lost_ms);
    }

    fn end(&mut self, index: usize) {
        let window = self.slices[index].window;
        self.capped.remove(&window);
        self.free.remove(&window);
        let before_ms = self.begun.remove(&index).unwrap_or(self.lost_ms);
        if self.lost_ms > before_ms {
            self.times.entry(window).or_default().overrun_ms += self.lost_ms - before_ms;
        }
    }

    /// The window that is charged now, and how much more it may exclude: the earliest start, then name.
    fn charged(&self) -> Option<(usize, i64)> {
        let capped = self.capped.first().copied().filter(|_| self.cap_left_ms > 0);
        let window = capped.into_iter().chain(self.free.first().copied()).min()?;
        let left_ms = self.allowances.windows[window].allowance_ms - self.allowances.used_ms[window];
        let left_ms = if Some(window) == capped { left_ms.min(self.cap_left_ms) } else { left_ms };
        Some((window, left_ms))
    }

    fn charge(&mut self, window: usize, ms: i64, now: Instant) {
        let rules = &self.allowances.windows[window];
        self.allowances.used_ms[window] += ms;
        self.times.entry(window).or_default().excluded_ms += ms;
        let mut out = self.allowances.used_ms[window] >= rules.allowance_ms;
        if out {
            if rules.capped { &mut self.capped } else { &mut self.free }.remove(&window);
        }
        if rules.capped {
            self.cap_left_ms -= ms;
            out |= self.cap_left_ms <= 0;
            if let Some((_, used_ms)) = &mut self.allowances.cap {
                *used_ms += ms;
            }
        }
        if out {
            self.ran_out.push(now);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn span(from: i64, to: i64) -> Interval {
        Interval::new(Instant::from_ms(from), Instant::from_ms(to)).unwrap()
    }

    fn window(from: i64, to: i64, allowance_ms: i64, capped: bool) -> Window {
        Window {
            name: "w".into(),
            span: span(from, to),
            notice_ms: None,
            allowance_ms,
            capped,
            retroactive: false,
            refusal: None,
            judged: true,
        }
    }

    fn slices(windows: &[Window]) -> Vec<Slice> {
        windows.iter().enumerate().map(|(window, rules)| Slice { window, span: rules.span }).collect()
    }

    /// The numbers of M-28, in minutes.
    #[test]
    fn m_28_a_window_without_allowance_leaves_the_loss_to_the_next() {
        let windows = [window(0, 60, 30, true), window(20, 120, 60, true)];
        let slices = slices(&windows);
        let mut allowances = Allowances::new(&windows);
        let mut sweep = allowances.enter(&slices, Instant::from_ms(0), 240);
        assert_eq!(sweep.lose(span(0, 130)), 90);
        let (times, ran_out) = sweep.finish();
        assert_eq!(times[&0], WindowTime { excluded_ms: 30, overrun_ms: 0 });
        assert_eq!(times[&1], WindowTime { excluded_ms: 60, overrun_ms: 30 });
        assert_eq!(ran_out, [Instant::from_ms(30), Instant::from_ms(90)]);
    }

    #[test]
    fn a_cap_is_shared_by_the_stages_of_one_period_and_an_exclusion_needs_none() {
        let windows = [window(0, 100, 100, true), window(10, 20, 10, false)];
        let slices = slices(&windows);
        let mut allowances = Allowances::new(&windows);
        let period = Instant::from_ms(0);
        assert_eq!(allowances.enter(&slices, period, 5).lose(span(0, 30)), 15);
        let mut later = allowances.enter(&slices, period, 8);
        assert_eq!(later.lose(span(40, 60)), 3, "8 less what the stage before used");
        assert_eq!(later.finish().0[&0], WindowTime { excluded_ms: 3, overrun_ms: 17 });
        assert_eq!(allowances.enter(&slices, Instant::from_ms(70), 8).lose(span(70, 90)), 8);
    }

    #[test]
    fn loss_outside_stays_lost_and_costs_no_allowance() {
        let windows = [window(10, 20, 10, true)];
        let slices = slices(&windows);
        let mut allowances = Allowances::new(&windows);
        let mut sweep = allowances.enter(&slices, Instant::from_ms(0), 100);
        let excluded: i64 =
            [span(0, 5), span(8, 12), span(15, 16), span(19, 40)].into_iter().map(|p| sweep.lose(p)).sum();
        assert_eq!(excluded, 2 + 1 + 1);
        assert_eq!(sweep.finish().0[&0], WindowTime { excluded_ms: 4, overrun_ms: 0 });
    }
}
