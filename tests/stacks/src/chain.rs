//! A chain of functions of many kinds, each of which calls the next.

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::block::Block;
use crate::random::Random;
use crate::truth::Log;

/// What a thread runs: functions of these kinds, then the leaf.
#[derive(Debug)]
pub struct Chain<'c> {
    /// The kinds of the functions, outermost first.
    pub kinds: &'c [Kind],
    /// Where the leaf publishes its callers.
    pub log: &'c Log,
    /// Where the leaf blocks.
    pub block: &'c dyn Block,
}

/// A kind of function.
pub type Kind = fn(&Chain<'_>, usize) -> u64;

/// All kinds. The last two are over-aligned or very large, and cannot always be walked through.
pub const KINDS: [Kind; 22] = [
    plain,
    large_locals,
    aligned_locals,
    dynamic,
    pointer,
    generic,
    closure,
    recursion,
    caught,
    sorted,
    many_arguments,
    tail,
    inlined,
    boxed,
    thread_local,
    iterator,
    by_value,
    many_values,
    floats,
    asynchronous,
    huge_locals,
    page_aligned_locals,
];

/// Twelve functions that differ in nothing but a number: whichever a thread is in, its stack
/// pointer and its program counter are the same.
pub fn twins(random: &mut Random) -> Vec<Kind> {
    (0..12).map(|_| if random.below(2) == 0 { twin::<1> as Kind } else { twin::<2> }).collect()
}

#[inline(never)]
fn twin<const NUMBER: u64>(chain: &Chain<'_>, depth: usize) -> u64 {
    run(chain, depth) + black_box(NUMBER)
}

/// As many as 60 kinds.
pub fn random(random: &mut Random) -> Vec<Kind> {
    let depth = random.below(61);
    // One in 4 chains has the kinds that are hard.
    let kinds = if random.below(4) == 0 { KINDS.len() } else { KINDS.len() - 2 };
    (0..depth).map(|_| KINDS[random.below(kinds)]).collect()
}

/// Where all chains end: publishes its callers, and blocks.
#[inline(never)]
pub fn leaf(chain: &Chain<'_>) -> u64 {
    chain.log.publish();
    chain.block.block();
    black_box(1)
}

/// Goes on with the chain.
#[inline(never)]
pub fn run(chain: &Chain<'_>, depth: usize) -> u64 {
    match chain.kinds.get(depth) {
        None => leaf(chain) + 1,
        Some(kind) => black_box(kind(chain, depth + 1)) + 1,
    }
}

#[inline(never)]
fn plain(chain: &Chain<'_>, depth: usize) -> u64 {
    run(chain, depth) + black_box(1)
}

#[inline(never)]
fn large_locals(chain: &Chain<'_>, depth: usize) -> u64 {
    let locals = black_box([depth as u64; 640]);
    run(chain, depth) + black_box(&locals)[depth % 640]
}

#[inline(never)]
fn huge_locals(chain: &Chain<'_>, depth: usize) -> u64 {
    let locals = black_box([depth as u64; 9000]);
    run(chain, depth) + black_box(&locals)[depth % 9000]
}

#[derive(Debug)]
#[repr(align(64))]
struct Line([u64; 16]);

#[inline(never)]
fn aligned_locals(chain: &Chain<'_>, depth: usize) -> u64 {
    let locals = black_box(Line([depth as u64; 16]));
    run(chain, depth) + black_box(&locals).0[depth % 16]
}

#[derive(Debug)]
#[repr(align(4096))]
struct Page([u64; 512]);

#[inline(never)]
fn page_aligned_locals(chain: &Chain<'_>, depth: usize) -> u64 {
    let locals = black_box(Page([depth as u64; 512]));
    run(chain, depth) + black_box(&locals).0[depth % 512]
}

trait Step {
    fn step(&self, chain: &Chain<'_>, depth: usize) -> u64;
}

struct One;
struct Two(u64);

impl Step for One {
    #[inline(never)]
    fn step(&self, chain: &Chain<'_>, depth: usize) -> u64 {
        run(chain, depth) + 1
    }
}

impl Step for Two {
    #[inline(never)]
    fn step(&self, chain: &Chain<'_>, depth: usize) -> u64 {
        run(chain, depth) + self.0
    }
}

#[inline(never)]
fn dynamic(chain: &Chain<'_>, depth: usize) -> u64 {
    let step: &dyn Step = if depth.is_multiple_of(2) { &One } else { &Two(depth as u64) };
    black_box(step).step(chain, depth) + 1
}

#[inline(never)]
fn pointer(chain: &Chain<'_>, depth: usize) -> u64 {
    let function: fn(&Chain<'_>, usize) -> u64 = black_box(run);
    function(chain, depth) + 1
}

#[inline(never)]
fn generic_of<T: Copy + Into<u64>>(chain: &Chain<'_>, depth: usize, value: T) -> u64 {
    let value = black_box(value);
    run(chain, depth) + value.into()
}

#[inline(never)]
fn generic(chain: &Chain<'_>, depth: usize) -> u64 {
    match depth % 3 {
        0 => generic_of(chain, depth, 1_u8),
        1 => generic_of(chain, depth, 2_u32) + 1,
        _ => generic_of(chain, depth, 3_u64),
    }
}

#[inline(never)]
fn calls(function: impl Fn(u64) -> u64) -> u64 {
    function(black_box(3)) + 1
}

#[inline(never)]
fn closure(chain: &Chain<'_>, depth: usize) -> u64 {
    let more = black_box(depth as u64);
    calls(|given| run(chain, depth) + given + more)
}

#[inline(never)]
fn recurse(chain: &Chain<'_>, depth: usize, left: u64) -> u64 {
    if left == 0 { run(chain, depth) } else { recurse(chain, depth, black_box(left - 1)) + left }
}

#[inline(never)]
fn recursion(chain: &Chain<'_>, depth: usize) -> u64 {
    recurse(chain, depth, 3) + 1
}

#[inline(never)]
fn caught(chain: &Chain<'_>, depth: usize) -> u64 {
    catch_unwind(AssertUnwindSafe(|| run(chain, depth) + 1)).unwrap_or(0) + 1
}

thread_local! {
    static NEXT: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

extern "C" fn compare(_: *const libc::c_void, _: *const libc::c_void) -> libc::c_int {
    if let Some((chain, depth)) = NEXT.take() {
        // SAFETY: `sorted` has put a reference there that outlives the call of `qsort`.
        #[allow(unsafe_code, reason = "a callback of qsort is given nothing but what it compares")]
        let chain = unsafe { &*(chain as *const Chain<'_>) };
        black_box(run(chain, depth));
    }
    0
}

#[inline(never)]
fn sorted(chain: &Chain<'_>, depth: usize) -> u64 {
    let mut values = black_box([2_u64, 1, 3]);
    NEXT.set(Some((std::ptr::from_ref(chain) as usize, depth)));
    // SAFETY: the array has as many elements of this size, and `compare` reads none.
    #[allow(unsafe_code, reason = "a frame of C with a callback")]
    unsafe {
        libc::qsort(values.as_mut_ptr().cast(), values.len(), size_of::<u64>(), Some(compare));
    }
    values[0] + 1
}

#[allow(clippy::too_many_arguments, reason = "so many that some are passed on the stack")]
#[inline(never)]
fn nine(chain: &Chain<'_>, depth: usize, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> u64 {
    run(chain, depth) + black_box(a + b) + black_box(c + d) + black_box(e + f) + g
}

#[inline(never)]
fn many_arguments(chain: &Chain<'_>, depth: usize) -> u64 {
    let one = black_box(1);
    nine(chain, depth, one, 2, one, 4, one, 6, one) + 1
}

#[inline(never)]
fn tail(chain: &Chain<'_>, depth: usize) -> u64 {
    if depth.is_multiple_of(2) { plain(chain, depth) } else { run(chain, depth) }
}

#[inline(always)]
fn inlined_twice(chain: &Chain<'_>, depth: usize) -> u64 {
    run(chain, depth) + black_box(2)
}

#[inline(always)]
fn inlined_once(chain: &Chain<'_>, depth: usize) -> u64 {
    inlined_twice(chain, depth) + black_box(1)
}

#[inline(never)]
fn inlined(chain: &Chain<'_>, depth: usize) -> u64 {
    inlined_once(chain, depth) + 1
}

#[inline(never)]
fn boxed(chain: &Chain<'_>, depth: usize) -> u64 {
    let more = black_box(vec![depth as u64; 3]);
    let function: Box<dyn FnOnce() -> u64 + '_> = black_box(Box::new(move || run(chain, depth) + more[1]));
    function() + 1
}

#[inline(never)]
fn thread_local(chain: &Chain<'_>, depth: usize) -> u64 {
    COUNT.with(|count| {
        count.set(count.get() + 1);
        run(chain, depth) + count.get()
    })
}

#[inline(never)]
fn iterator(chain: &Chain<'_>, depth: usize) -> u64 {
    let once = black_box([depth]);
    once.iter().filter(|depth| **depth < 1000).map(|depth| run(chain, *depth) + 1).sum()
}

#[inline(never)]
fn takes(values: [u64; 40], chain: &Chain<'_>, depth: usize) -> u64 {
    run(chain, depth) + black_box(values)[3]
}

#[inline(never)]
fn by_value(chain: &Chain<'_>, depth: usize) -> u64 {
    takes(black_box([depth as u64; 40]), chain, depth) + 1
}

#[inline(never)]
fn many_values(chain: &Chain<'_>, depth: usize) -> u64 {
    let (a, b, c) = (black_box(1), black_box(2), black_box(3));
    let (d, e, f) = (black_box(4), black_box(5), black_box(6));
    let more = run(chain, depth);
    more + a + b * c + d * e + f
}

#[inline(never)]
fn floats(chain: &Chain<'_>, depth: usize) -> u64 {
    let values = black_box([depth as f64; 24]);
    let more = run(chain, depth);
    more + u64::from(black_box(values.iter().sum::<f64>()) > 0.0)
}

#[inline(never)]
fn poll<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

async fn inner(chain: &Chain<'_>, depth: usize) -> u64 {
    run(chain, depth) + 1
}

async fn outer(chain: &Chain<'_>, depth: usize) -> u64 {
    let more = black_box([depth as u64; 4]);
    std::future::ready(()).await;
    inner(chain, depth).await + black_box(more)[1]
}

#[inline(never)]
fn asynchronous(chain: &Chain<'_>, depth: usize) -> u64 {
    poll(async { outer(chain, depth).await + 1 })
}
