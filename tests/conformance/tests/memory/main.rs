//! What stays allocated after runtimes have come and gone: a program of its own, since it looks at
//! the whole process.

use memory_stats::memory_stats;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use tokio::runtime::Builder;
use worker_metrics_otel::Instrumentation;
use worker_metrics_tokio::{RuntimeBuilderExt, TokioRuntime};

/// Kilobytes that each runtime may leave behind. One that is not let go takes over 100 with its
/// workers' queues, histograms and attributes.
const LEFT_BEHIND: usize = 8 * 1024;

#[test]
fn a_thousand_runtimes_leave_no_memory_behind() {
    let Some(_) = memory_stats() else {
        println!("SKIPPED: this system does not tell the memory of a process");
        return;
    };
    let exporter = InMemoryMetricExporter::default();
    let provider =
        SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    let workers = Instrumentation::default();
    workers.register(&provider);
    let come_and_go = |runtimes: usize| {
        for _ in 0..runtimes {
            let runtime =
                Builder::new_multi_thread().worker_threads(4).enable_all().enable_worker_histograms().build();
            let runtime = runtime.expect("a runtime");
            let attachment =
                workers.attach(TokioRuntime::new(runtime.handle())).expect("it is attached once");
            provider.force_flush().expect("the exporter is in memory");
            drop(attachment);
            exporter.reset();
        }
        memory_stats().expect("it told before").physical_mem
    };
    // Until the allocator and the SDK have what they keep.
    let before = come_and_go(200);
    let after = come_and_go(800);
    let grown = after.saturating_sub(before);
    assert!(grown < 800 * LEFT_BEHIND, "{grown} bytes more after 800 runtimes");
}
