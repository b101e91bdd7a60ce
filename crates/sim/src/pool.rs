//! Tasks and time of a simulated process: one thread, virtual time, and a random but repeatable order of tasks.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use jiff::Timestamp;
use payment_runs_engine::ports::{BoxFuture, Clock, Spawner};

use crate::random::Random;

/// Locks, also after a panic: a schedule that panicked is reported and never goes on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    future: BoxFuture<'static, ()>,
    waker: Arc<TaskWaker>,
}

/// Virtual time. It moves only when the pool says so.
#[derive(Clone)]
pub struct SimClock(Arc<Mutex<Timers>>);

struct Timers {
    now: Timestamp,
    next: u64,
    waiting: BTreeMap<(Timestamp, u64), Waker>,
}

impl SimClock {
    /// A clock that stands at a time.
    pub fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Timers { now, next: 0, waiting: BTreeMap::new() })))
    }

    /// Moves time on to the next sleeper and wakes it. `false` when nobody sleeps.
    fn advance(&self) -> bool {
        let mut timers = lock(&self.0);
        let Some(((at, _), waker)) = timers.waiting.pop_first() else { return false };
        timers.now = timers.now.max(at);
        drop(timers);
        waker.wake();
        true
    }

    /// Lets time pass while nothing runs.
    pub fn skip(&self, by: Duration) {
        let mut timers = lock(&self.0);
        timers.now = timers.now.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    fn forget_sleepers(&self) {
        let waiting = std::mem::take(&mut lock(&self.0).waiting);
        drop(waiting);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        lock(&self.0).now
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut timers = lock(&self.0);
        timers.next += 1;
        Box::pin(Sleep { timers: self.0.clone(), key: (at, timers.next) })
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

/// Starts tasks in the pool.
#[derive(Clone, Default)]
pub struct SimSpawner(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl Spawner for SimSpawner {
    fn spawn(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        lock(&self.0).push(task);
    }
}

/// The tasks of one simulated process.
pub struct Pool {
    /// Time, which goes on when the process dies.
    pub clock: SimClock,
    /// Starts tasks.
    pub spawner: SimSpawner,
    tasks: BTreeMap<u64, Task>,
    ready: Arc<Mutex<Vec<u64>>>,
    next: u64,
    random: Random,
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
        let (spawner, ready) = (SimSpawner::default(), Arc::default());
        Self { clock, spawner, tasks: BTreeMap::new(), ready, next: 0, random }
    }

    /// Runs one task that is ready, or moves time on.
    pub fn step(&mut self) -> Step {
        self.take_new_tasks();
        let task = {
            let mut ready = lock(&self.ready);
            if ready.is_empty() {
                None
            } else {
                Some(self.random.index(ready.len())).map(|at| ready.remove(at))
            }
        };
        match task {
            Some(task) => {
                self.run(task);
                Step::Ran
            }
            None if self.clock.advance() => Step::Waited,
            None => Step::Stuck,
        }
    }

    fn take_new_tasks(&mut self) {
        let new = std::mem::take(&mut *lock(&self.spawner.0));
        for future in new {
            self.next += 1;
            let is_ready = AtomicBool::new(false);
            let waker = Arc::new(TaskWaker { task: self.next, is_ready, ready: self.ready.clone() });
            waker.clone().wake();
            self.tasks.insert(self.next, Task { future, waker });
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

    /// The process dies: every task is gone, wherever it was.
    pub fn kill(&mut self) {
        lock(&self.spawner.0).clear();
        self.tasks.clear();
        lock(&self.spawner.0).clear();
        lock(&self.ready).clear();
        self.clock.forget_sleepers();
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
