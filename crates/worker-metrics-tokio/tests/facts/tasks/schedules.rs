use std::future::{Future, Pending, pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, yield_now};
use worker_metrics_tokio::{Instrumented, TaskMetrics, TokioRuntime};

use super::{Measured, snapshot};

#[test]
fn each_poll_of_a_spawned_task_has_been_scheduled_once() {
    for measured in Measured::both() {
        measured.runtime.block_on(async {
            for _ in 0..20 {
                let task = async {
                    for _ in 0..5 {
                        yield_now().await;
                    }
                };
                measured.tasks.spawn(task).await.unwrap();
            }
        });
        assert_eq!(measured.schedules().count(), 20 * 6);
        assert!(measured.schedules().sum_ns > Some(0));
    }
}

/// The delays of a future that is polled without a wake in between, as by a runtime whose wake came
/// while the poll before was beginning, and found the stamp of another.
fn delays_without_wakes(
    of: impl FnOnce(Instrumented<Pending<()>>) -> Instrumented<Pending<()>>,
) -> (u64, u64) {
    let tasks = TaskMetrics::builder().group("db").build().unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let source = TokioRuntime::new(runtime.handle()).with_tasks(&tasks);
    let mut future = pin!(of(tasks.group("db").unwrap().instrument(pending())));
    for _ in 0..3 {
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let snapshot = snapshot(&source);
    let group = &snapshot.task_groups()[0];
    (group.poll_time_histogram.count(), group.schedule_latency_histogram.count())
}

#[test]
fn every_poll_of_a_spawned_task_has_a_delay() {
    assert_eq!(delays_without_wakes(Instrumented::scheduled_now), (3, 3));
}

#[test]
fn a_future_within_another_that_is_polled_without_a_wake_has_no_delay() {
    assert_eq!(delays_without_wakes(|future| future), (3, 0));
}

#[test]
fn the_delay_until_the_first_poll_counts_where_the_spawn_is_known() {
    let measured = Measured::current_thread();
    measured.runtime.block_on(async {
        tokio::spawn(measured.tasks.instrument(async {})).await.unwrap();
        assert_eq!(measured.schedules().count(), 0);
        let mut set = JoinSet::new();
        set.spawn(measured.tasks.instrument(async {}).scheduled_now());
        set.join_all().await;
        assert_eq!(measured.schedules().count(), 1);
    });
}

#[test]
fn wakes_from_other_threads_are_measured() {
    for measured in Measured::both() {
        let (to_wake, to_be_woken) = mpsc::channel::<oneshot::Sender<()>>();
        let waking =
            thread::spawn(move || to_be_woken.into_iter().for_each(|waiting| waiting.send(()).unwrap()));
        let task = async move {
            for _ in 0..100 {
                let (send, receive) = oneshot::channel();
                to_wake.send(send).unwrap();
                receive.await.unwrap();
            }
        };
        measured.runtime.block_on(async { measured.tasks.spawn(task).await.unwrap() });
        waking.join().unwrap();
        // A value that was there before the task waited for it needs no wake.
        assert_eq!(measured.schedules().count(), measured.polls().count());
    }
}

#[test]
fn polls_and_delays_of_one_task_do_not_overlap() {
    let measured = Measured::current_thread();
    let began = Instant::now();
    let mut polls = 0;
    let wakes_itself_early = poll_fn(move |cx| {
        cx.waker().wake_by_ref();
        let until = Instant::now() + Duration::from_millis(20);
        while Instant::now() < until {}
        polls += 1;
        if polls == 5 { Poll::Ready(()) } else { Poll::Pending }
    });
    measured.runtime.block_on(async { measured.tasks.spawn(wakes_itself_early).await.unwrap() });
    let wall = began.elapsed();
    assert_eq!(measured.schedules().count(), 5);
    let measured_ns = measured.polls().sum_ns.unwrap() + measured.schedules().sum_ns.unwrap();
    assert!(Duration::from_nanos(measured_ns) <= wall, "{measured_ns} ns in {wall:?}");
}

#[test]
fn a_task_that_is_dropped_while_it_is_scheduled_counts_no_delay() {
    let measured = Measured::current_thread();
    let waker = Arc::new(Mutex::new(None::<Waker>));
    let kept = waker.clone();
    measured.runtime.block_on(async {
        let task = measured.tasks.spawn(poll_fn(move |cx| {
            *kept.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        yield_now().await;
        waker.lock().unwrap().as_ref().unwrap().wake_by_ref();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
    assert_eq!((measured.polls().count(), measured.schedules().count()), (1, 1), "its first poll alone");
    // A waker that outlives its task, and its runtime, wakes nobody.
    let waker = waker.lock().unwrap().take().unwrap();
    waker.wake_by_ref();
    drop(measured);
    waker.wake();
}

/// Counts the wakes that arrive.
#[derive(Default)]
struct Counting(AtomicU32);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn every_wake_is_passed_on_to_the_waker_of_the_poll_that_handed_it_out() {
    let tasks = TaskMetrics::new();
    let kept = Mutex::new(Vec::new());
    let mut future = pin!(tasks.instrument(poll_fn(|cx| {
        kept.lock().unwrap().push(cx.waker().clone());
        Poll::<()>::Pending
    })));
    let counting = [Arc::new(Counting::default()), Arc::new(Counting::default())];
    for of in [0, 0, 1, 0] {
        let waker = Waker::from(counting[of].clone());
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let kept = std::mem::take(&mut *kept.lock().unwrap());
    assert!(kept[0].will_wake(&kept[1]), "one waker for as long as the task has one");
    kept[0].wake_by_ref();
    kept[2].wake_by_ref();
    kept.into_iter().for_each(Waker::wake);
    let wakes = counting.map(|counting| counting.0.load(Relaxed));
    assert_eq!(wakes, [4, 2]);
}

#[test]
fn of_several_wakes_the_first_counts() {
    let measured = Measured::multi_thread(1);
    let woken_by = 8;
    let mut polls = 0;
    let (wakers, to_wake) = mpsc::channel::<Waker>();
    let task = measured.tasks.spawn_on(
        poll_fn(move |cx| {
            polls += 1;
            if polls > 1 {
                return Poll::Ready(());
            }
            for _ in 0..woken_by {
                wakers.send(cx.waker().clone()).unwrap();
            }
            Poll::Pending
        }),
        measured.runtime.handle(),
    );
    thread::scope(|scope| {
        for _ in 0..woken_by {
            let waker = to_wake.recv().unwrap();
            scope.spawn(move || waker.wake());
        }
    });
    measured.runtime.block_on(task).unwrap();
    assert_eq!(measured.schedules().count(), 2, "the spawn, and one of the wakes");
}
