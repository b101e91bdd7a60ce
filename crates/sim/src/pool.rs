//! Tasks and time of a simulated process: one thread, virtual time, and a random but repeatable order of tasks.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payment_runs_engine::ports::{BoxFuture, Clock, Spawner, since_epoch};

use crate::random::Random;

/// Locks, also after a panic: a schedule that panicked is reported and never goes on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What stands still or dies together: one worker with its tasks; 0 is everything else.
pub type Group = u32;

/// What a task needs to be woken by.
struct TaskWaker {
    task: u64,
    is_ready: AtomicBool,
    ready: Arc<Mutex<Vec<u64>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::AcqRel) {
            lock(&self.ready).push(self.task);
        }
    }
}

struct Task {
    group: Group,
    future: BoxFuture<'static, ()>,
    waker: Arc<TaskWaker>,
}

/// Virtual time. It moves only when the pool says so, or when the system's clock is set.
#[derive(Clone)]
pub struct SimClock(Arc<Mutex<Timers>>);

struct Timers {
    now: Timestamp,
    /// How far the system's clock is ahead of the time that has really passed.
    ahead: SignedDuration,
    next: u64,
    waiting: BTreeMap<(Timestamp, u64), Waker>,
}

impl SimClock {
    /// A clock that stands at a time.
    pub fn new(now: Timestamp) -> Self {
        let timers = Timers { now, ahead: SignedDuration::ZERO, next: 0, waiting: BTreeMap::new() };
        Self(Arc::new(Mutex::new(timers)))
    }

    /// Moves time on to the next sleeper and wakes it, but not beyond `limit` by the true clock. `false` when there is
    /// neither.
    fn advance(&self, limit: Option<Timestamp>) -> bool {
        let mut timers = lock(&self.0);
        let limit = limit.and_then(|at| at.checked_add(timers.ahead).ok());
        let first = timers.waiting.first_key_value().map(|((at, _), _)| *at);
        let is_sleeper = first.is_some_and(|at| limit.is_none_or(|limit| at <= limit));
        let sleeper = if is_sleeper { timers.waiting.pop_first() } else { None };
        let Some(at) = (if is_sleeper { first } else { limit }) else { return false };
        timers.now = timers.now.max(at);
        drop(timers);
        if let Some((_, waker)) = sleeper {
            waker.wake();
        }
        true
    }

    /// Lets time pass while nothing runs.
    pub fn skip(&self, by: Duration) {
        let mut timers = lock(&self.0);
        timers.now = timers.now.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// The time by a clock that nobody sets: the bank's.
    pub fn true_now(&self) -> Timestamp {
        let timers = lock(&self.0);
        timers.now.checked_sub(timers.ahead).unwrap_or(timers.now)
    }

    /// Somebody sets the system's clock forward. Whoever sleeps to a time that has come now wakes up.
    pub fn jump_forward(&self, by: Duration) {
        self.jump(SignedDuration::try_from(by).unwrap_or_default());
    }

    /// Somebody sets the system's clock back. Whoever sleeps, sleeps on until the time comes again.
    pub fn jump_back(&self, by: Duration) {
        self.jump(-SignedDuration::try_from(by).unwrap_or_default());
    }

    fn jump(&self, by: SignedDuration) {
        let mut timers = lock(&self.0);
        if let Ok(now) = timers.now.checked_add(by) {
            timers.now = now;
            timers.ahead += by;
        }
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        lock(&self.0).now
    }

    fn elapsed(&self) -> Duration {
        since_epoch(self.true_now())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut timers = lock(&self.0);
        timers.next += 1;
        Box::pin(Sleep { timers: self.0.clone(), key: (at, timers.next) })
    }
}

/// The same time, but what counts as passed is what the time of day says.
pub(crate) struct TimeOfDay(pub(crate) SimClock);

impl Clock for TimeOfDay {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Duration {
        since_epoch(self.now())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        self.0.sleep_until(at)
    }
}

struct Sleep {
    timers: Arc<Mutex<Timers>>,
    key: (Timestamp, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut timers = lock(&self.timers);
        if timers.now >= self.key.0 {
            return Poll::Ready(());
        }
        timers.waiting.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let waker = lock(&self.timers).waiting.remove(&self.key);
        drop(waker);
    }
}

type Queue = Arc<Mutex<Vec<(Group, BoxFuture<'static, ()>)>>>;

/// Starts tasks in the pool.
#[derive(Clone, Default)]
pub struct SimSpawner {
    group: Group,
    queue: Queue,
}

impl SimSpawner {
    /// One that starts tasks of another group.
    #[must_use]
    pub fn of_group(&self, group: Group) -> Self {
        Self { group, queue: self.queue.clone() }
    }
}

impl Spawner for SimSpawner {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        lock(&self.queue).push((self.group, task));
    }
}

/// Makes groups stand still.
#[derive(Clone, Default)]
pub struct Freezer(Arc<Mutex<BTreeMap<Group, Timestamp>>>);

impl Freezer {
    /// Lets none of the group's tasks run before this time, by the true clock.
    pub fn freeze(&self, group: Group, until: Timestamp) {
        lock(&self.0).insert(group, until);
    }

    fn thaw(&self, now: Timestamp) {
        let mut frozen = lock(&self.0);
        if !frozen.is_empty() {
            frozen.retain(|_, until| *until > now);
        }
    }

    /// Whether nobody stands still.
    pub fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    fn next(&self) -> Option<Timestamp> {
        lock(&self.0).values().min().copied()
    }

    fn holds(&self, group: Group) -> bool {
        lock(&self.0).contains_key(&group)
    }

    fn forget(&self, is_gone: impl Fn(Group) -> bool) {
        lock(&self.0).retain(|group, _| !is_gone(*group));
    }
}

/// The tasks of one simulated process.
pub struct Pool {
    /// Time, which goes on when the process dies.
    pub clock: SimClock,
    /// Starts tasks.
    pub spawner: SimSpawner,
    /// Makes workers stand still.
    pub freezer: Freezer,
    tasks: BTreeMap<u64, Task>,
    ready: Arc<Mutex<Vec<u64>>>,
    next: u64,
    /// The order of tasks; without it, the order in which they become ready.
    random: Option<Random>,
}

/// What a step of the pool did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A task ran.
    Ran,
    /// No task could run, so time moved on.
    Waited,
    /// No task can ever run again.
    Stuck,
}

impl Pool {
    /// An empty pool whose order of tasks follows from the random numbers.
    pub fn new(clock: SimClock, random: Random) -> Self {
        Self::with_order(clock, Some(random))
    }

    /// An empty pool; without random numbers, tasks run in the order in which they become ready.
    pub fn with_order(clock: SimClock, random: Option<Random>) -> Self {
        Self {
            clock,
            spawner: SimSpawner::default(),
            freezer: Freezer::default(),
            tasks: BTreeMap::new(),
            ready: Arc::default(),
            next: 0,
            random,
        }
    }

    /// Runs one task that is ready, or moves time on.
    pub fn step(&mut self) -> Step {
        self.take_new_tasks();
        match self.take_ready() {
            Some(task) => {
                self.run(task);
                Step::Ran
            }
            None if self.clock.advance(self.thaws_at()) => Step::Waited,
            None => Step::Stuck,
        }
    }

    /// The next task, of those that are ready and do not stand still.
    fn take_ready(&mut self) -> Option<u64> {
        let mut ready = lock(&self.ready);
        if ready.is_empty() {
            return None;
        }
        self.freezer.thaw(self.clock.true_now());
        if self.freezer.is_empty() {
            let at = self.random.as_mut().map_or(0, |random| random.index(ready.len()));
            return Some(ready.remove(at));
        }
        let is_free = |id: &u64| self.tasks.get(id).is_none_or(|task| !self.freezer.holds(task.group));
        let free: Vec<usize> = (0..ready.len()).filter(|&at| is_free(&ready[at])).collect();
        let choice = if free.len() > 1 {
            self.random.as_mut().map_or(0, |random| random.index(free.len()))
        } else {
            0
        };
        free.get(choice).map(|&at| ready.remove(at))
    }

    /// When the next worker that stands still goes on, if one of its tasks is ready.
    fn thaws_at(&self) -> Option<Timestamp> {
        if lock(&self.ready).is_empty() { None } else { self.freezer.next() }
    }

    fn take_new_tasks(&mut self) {
        let new = std::mem::take(&mut *lock(&self.spawner.queue));
        for (group, future) in new {
            self.next += 1;
            let is_ready = AtomicBool::new(false);
            let waker = Arc::new(TaskWaker { task: self.next, is_ready, ready: self.ready.clone() });
            waker.clone().wake();
            self.tasks.insert(self.next, Task { group, future, waker });
        }
    }

    fn run(&mut self, id: u64) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.waker.is_ready.store(false, Ordering::Release);
        let waker = Waker::from(task.waker.clone());
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.tasks.remove(&id);
        }
    }

    /// A worker dies: every task of it is gone, wherever it was.
    pub fn kill_group(&mut self, group: Group) {
        self.take_new_tasks();
        self.tasks.retain(|_, task| task.group != group);
        lock(&self.spawner.queue).retain(|(of, _)| *of != group);
        self.freezer.forget(|one| one == group);
    }

    /// The process dies: every task is gone, wherever it was.
    pub fn kill(&mut self) {
        lock(&self.spawner.queue).clear();
        self.tasks.clear();
        lock(&self.spawner.queue).clear();
        lock(&self.ready).clear();
        self.freezer.forget(|_| true);
        let sleepers = std::mem::take(&mut lock(&self.clock.0).waiting);
        drop(sleepers);
    }
}

/// Runs a future that never waits for anything but the store, which answers at once.
pub fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}
