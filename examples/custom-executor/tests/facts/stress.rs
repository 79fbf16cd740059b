//! Many threads, many wakes: a wake that is lost leaves a task waiting for good.

use std::future::poll_fn;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use custom_executor::{Executor, consume_budget, yield_now};

use crate::totals::Totals;
use crate::waiting::{result_of, shut_down, until};

/// Rings are counted; a task waits for the next one.
#[derive(Default)]
struct Bell {
    rings: AtomicU64,
    waiting: Mutex<Option<Waker>>,
}

impl Bell {
    fn ring(&self) {
        self.rings.fetch_add(1, SeqCst);
        let waiting = self.waiting.lock().unwrap().take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    async fn wait_for(&self, rings: u64, polls: &AtomicU64) {
        poll_fn(|context| {
            polls.fetch_add(1, Relaxed);
            let mut waiting = self.waiting.lock().unwrap();
            if self.rings.load(SeqCst) >= rings {
                return Poll::Ready(());
            }
            *waiting = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

#[test]
fn no_wake_of_many_threads_is_lost() {
    const TASKS: usize = 32;
    const ROUNDS: u64 = 100;
    for workers in [1, 2, 4] {
        let executor = Executor::start("main", workers).unwrap();
        let pool = Arc::clone(executor.pool());
        let bells: Arc<Vec<(Bell, Bell)>> = Arc::new((0..TASKS).map(|_| Default::default()).collect());
        let done = Arc::new(AtomicU64::new(0));
        for index in 0..TASKS {
            let (bells, done) = (Arc::clone(&bells), Arc::clone(&done));
            drop(executor.spawn(async move {
                let ignored = AtomicU64::new(0);
                let (question, answer) = &bells[index];
                for round in 1..=ROUNDS {
                    question.wait_for(round, &ignored).await;
                    answer.ring();
                }
                done.fetch_add(1, SeqCst);
            }));
        }
        // Each thread asks its own tasks, and asks on as soon as it sees the answers: the workers
        // fall asleep all the time.
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let bells = Arc::clone(&bells);
                thread::spawn(move || {
                    for round in 1..=ROUNDS {
                        for (question, answer) in bells.iter().skip(thread).step_by(4) {
                            question.ring();
                            until("an answer", || answer.rings.load(SeqCst) >= round);
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        until("all tasks are done", || done.load(SeqCst) == TASKS as u64);
        shut_down(executor);
        assert_eq!(pool.metrics().alive_tasks_count(), 0);
        let totals = Totals::of(&pool);
        assert_eq!(totals.local_schedules + pool.metrics().remote_schedule_count(), totals.polls);
    }
}

#[test]
fn tasks_that_wake_each_other_over_two_executors_all_get_on() {
    const PAIRS: usize = 16;
    const ROUNDS: u64 = 200;
    let (one, other) = (Executor::start("one", 2).unwrap(), Executor::start("other", 2).unwrap());
    let pools = [Arc::clone(one.pool()), Arc::clone(other.pool())];
    let polls = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))];
    let mut tasks = Vec::new();
    for _ in 0..PAIRS {
        let bells: Arc<(Bell, Bell)> = Arc::default();
        let (ping, counted) = (Arc::clone(&bells), Arc::clone(&polls[0]));
        tasks.push(one.spawn(async move {
            for round in 1..=ROUNDS {
                ping.0.ring();
                ping.1.wait_for(round, &counted).await;
            }
        }));
        let counted = Arc::clone(&polls[1]);
        tasks.push(other.spawn(async move {
            for round in 1..=ROUNDS {
                bells.0.wait_for(round, &counted).await;
                bells.1.ring();
            }
        }));
    }
    for task in tasks {
        result_of(task).unwrap();
    }
    shut_down(one);
    shut_down(other);
    for (pool, polls) in pools.iter().zip(polls) {
        let totals = Totals::of(pool);
        // A poll of the task polls one bell and, where that had rung already, the next.
        assert!(totals.polls <= polls.load(SeqCst), "{totals:?}");
        assert_eq!(totals.local_schedules + pool.metrics().remote_schedule_count(), totals.polls);
        assert_eq!((totals.timed_polls, totals.timed_schedules), (totals.polls, totals.polls));
    }
}

#[test]
fn spawning_yielding_and_stealing_lose_no_task() {
    const ROOTS: u64 = 8;
    const CHILDREN: u64 = 300;
    let executor = Executor::start("main", 4).unwrap();
    let pool = Arc::clone(executor.pool());
    let ran = Arc::new(AtomicU64::new(0));
    let roots: Vec<_> = (0..ROOTS)
        .map(|_| {
            let (handle, ran) = (executor.handle().clone(), Arc::clone(&ran));
            executor.spawn(async move {
                let children: Vec<_> = (0..CHILDREN)
                    .map(|_| {
                        let ran = Arc::clone(&ran);
                        handle.spawn(async move {
                            yield_now().await;
                            consume_budget().await;
                            ran.fetch_add(1, SeqCst);
                        })
                    })
                    .collect();
                for child in children {
                    child.await.unwrap();
                }
            })
        })
        .collect();
    for root in roots {
        result_of(root).unwrap();
    }
    shut_down(executor);
    assert_eq!(ran.load(SeqCst), ROOTS * CHILDREN);
    assert_eq!(pool.metrics().spawned_tasks_count(), ROOTS * (CHILDREN + 1));
    let totals = Totals::of(&pool);
    assert_eq!(totals.local_schedules + pool.metrics().remote_schedule_count(), totals.polls);
    assert!(totals.stolen >= totals.steals);
}
