use std::future::poll_fn;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread;

use custom_executor::Executor;

use crate::gate::Gate;
use crate::totals::Totals;
use crate::waiting::{result_of, shut_down, until, until_all_are_parked};

#[test]
fn however_often_it_is_woken_while_it_runs_it_is_polled_once_more() {
    let executor = Executor::start("main", 2).unwrap();
    let pool = Arc::clone(executor.pool());
    let (gate, waker) = (Gate::default(), Arc::new(Mutex::new(None::<Waker>)));
    let mut polls = 0;
    let task = executor.spawn({
        let (gate, waker) = (gate.clone(), Arc::clone(&waker));
        poll_fn(move |context| {
            polls += 1;
            if polls > 1 {
                return Poll::Ready(polls);
            }
            *waker.lock().unwrap() = Some(context.waker().clone());
            context.waker().wake_by_ref();
            gate.pass();
            Poll::Pending
        })
    });
    gate.wait_for(1);
    let waker = waker.lock().unwrap().take().unwrap();
    for _ in 0..100 {
        waker.wake_by_ref();
    }
    gate.open();
    assert_eq!(result_of(task).unwrap(), 2);
    until_all_are_parked(&pool);
    waker.wake();
    shut_down(executor);
    let totals = Totals::of(&pool);
    assert_eq!(totals.polls, 2);
    assert_eq!((totals.local_schedules, pool.metrics().remote_schedule_count()), (1, 1));
}

#[test]
fn a_task_is_in_one_queue_and_on_one_worker_at_a_time_whoever_wakes_it() {
    const WAKERS: usize = 4;
    const WAKES: u64 = 2_000;
    let executor = Executor::start("main", 3).unwrap();
    let pool = Arc::clone(executor.pool());
    let (inside, polls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (waker, over) = (Arc::new(Mutex::new(None::<Waker>)), Arc::new(AtomicBool::new(false)));
    let task = executor.spawn({
        let (inside, polls) = (Arc::clone(&inside), Arc::clone(&polls));
        let (waker, over) = (Arc::clone(&waker), Arc::clone(&over));
        poll_fn(move |context| {
            assert!(!inside.swap(true, SeqCst), "two workers poll it");
            polls.fetch_add(1, SeqCst);
            waker.lock().unwrap().get_or_insert_with(|| context.waker().clone());
            let over = over.load(SeqCst);
            assert!(inside.swap(false, SeqCst));
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
    });
    until("it gave its waker away", || waker.lock().unwrap().is_some());
    let waker = waker.lock().unwrap().clone().unwrap();
    let start = Arc::new(Barrier::new(WAKERS));
    let threads: Vec<_> = (0..WAKERS)
        .map(|_| {
            let (start, waker) = (Arc::clone(&start), waker.clone());
            thread::spawn(move || {
                start.wait();
                for _ in 0..WAKES {
                    waker.wake_by_ref();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    over.store(true, SeqCst);
    waker.wake();
    result_of(task).unwrap();
    shut_down(executor);

    let totals = Totals::of(&pool);
    assert_eq!(totals.polls, polls.load(SeqCst));
    assert!(totals.polls <= 2 + WAKERS as u64 * WAKES);
    assert_eq!(totals.local_schedules + pool.metrics().remote_schedule_count(), totals.polls);
    assert_eq!((totals.timed_polls, totals.timed_schedules), (totals.polls, totals.polls));
}
