//! What would otherwise be missed is in the log, once, with the remedy.

use scenarios::receiver;

use crate::service::run;

#[test]
fn each_thing_that_goes_wrong_silently_is_one_warning_with_the_remedy() {
    let receiver = receiver().start().unwrap();
    let endpoint = receiver.http_base();
    for (case, event, remedy) in [
        ("twice", "WorkerMetrics.ExportedTwice", "keep one of the two, or shut the first one down"),
        ("late-meter", "WorkerMetrics.MeterTooLate", "Register the provider before the push is started"),
        ("cardinality", "WorkerMetrics.CardinalityLimit", "Detail::Runtime or Numbers::Otlp"),
        ("panic", "WorkerMetrics.SourcePanicked", "left out from now on"),
        ("no-source", "WorkerMetrics.SelfCheck", "keep the Attachment that Instrumentation::attach returns"),
    ] {
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_SERVICE_NAME", "scenarios")];
        let ended = run(&["warnings", case], &variables);
        assert!(ended.success, "{case}: {ended:#?}");
        let warnings: Vec<_> = ended.log.lines().filter(|line| line.contains("WARN")).collect();
        let [warning] = &warnings[..] else { panic!("{case}: not one warning: {warnings:#?}") };
        assert!(warning.contains(event) && warning.contains(remedy), "{case}: {warning}");
    }
}
