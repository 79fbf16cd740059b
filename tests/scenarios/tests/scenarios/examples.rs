//! The README's examples, with nothing but the environment.

use otlp_receiver::Receiver;
use scenarios::receiver;

use crate::service::run;

/// The names of all metrics that a receiver has seen, also of series that have ended.
fn names(receiver: &Receiver) -> Vec<String> {
    let requests = receiver.requests();
    let scopes =
        requests.iter().flat_map(|request| &request.resource_metrics).flat_map(|of| &of.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).map(|metric| metric.name.clone()).collect()
}

#[test]
fn every_covered_row_arrives_at_a_receiver_of_either_protocol_that_the_endpoint_names() {
    for scenario in ["instruments-and-push", "push", "exporter"] {
        for grpc in [true, false] {
            // The program's own exporter in the first example is gRPC.
            if scenario == "instruments-and-push" && !grpc {
                continue;
            }
            let builder = if grpc { receiver().grpc_only() } else { receiver().http_only() };
            let receiver = builder.start().unwrap();
            let base = if grpc { receiver.grpc_endpoint() } else { receiver.http_base() };
            let ended = run(&[scenario], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &base)]);
            assert!(ended.success, "{scenario}, gRPC {grpc}: {ended:#?}");
            let (expected, arrived) = (ended.values("exported"), names(&receiver));
            assert!(expected.len() > 8, "{ended:#?}");
            let missing: Vec<_> =
                expected.iter().filter(|name| !arrived.iter().any(|is| is == *name)).collect();
            // Histograms of stalls and timers have nothing to count in a run that is well.
            assert_eq!(missing, Vec::<&&str>::new(), "{scenario}, gRPC {grpc}: {arrived:?}");
            assert_eq!(receiver.scopes().len(), 1, "{:?}", receiver.scopes());
        }
    }
}

#[test]
fn an_exporter_to_standard_output_has_the_numbers_at_once_and_nothing_is_connected_to() {
    let receiver = receiver().start().unwrap();
    let ended = run(&["standard-output"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &receiver.http_base())]);
    assert!(ended.success, "{ended:#?}");
    let expected = ended.values("exported");
    assert!(expected.len() > 6, "{ended:#?}");
    for name in expected {
        assert!(ended.output.contains(&format!(": {name}\n")), "{name}: {ended:#?}");
    }
    assert!(ended.value("took").parse::<u64>().unwrap() < 5_000, "{ended:#?}");
    assert_eq!(receiver.connections(), otlp_receiver::Connections::default());
}

#[test]
fn numbers_and_histograms_carry_the_same_resource_wherever_it_is_named() {
    let named = ("OTEL_SERVICE_NAME", "by-environment");
    let more = ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.version=1.2");
    for (scenario, variables) in [
        (&["resource", "in-code"][..], &[][..]),
        (&["resource", "in-code"], &[named, more]),
        (&["instruments-and-push"], &[named]),
        (&["instruments-and-push"], &[named, more]),
        (&["instruments-and-push"], &[more]),
        (&["instruments-and-push"], &[]),
    ] {
        let receiver = receiver().start().unwrap();
        let (grpc, http) = (receiver.grpc_endpoint(), receiver.http_endpoint());
        let mut all = variables.to_vec();
        // Of the two signals' variables each exporter is given its own way: gRPC by the example,
        // HTTP by the other one.
        if scenario[0] == "resource" {
            all.push(("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &http));
        } else {
            all.push(("OTEL_EXPORTER_OTLP_ENDPOINT", &grpc));
            all.push(("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"));
        }
        let ended = run(scenario, &all);
        assert!(ended.success, "{scenario:?} {variables:?}: {ended:#?}");
        assert_eq!(receiver.resources().len(), 1, "{scenario:?} {variables:?}: {:?}", receiver.resources());
        let is_named = scenario[0] == "resource" || variables.contains(&named);
        let warned = ended.log.matches("WorkerMetrics.NoServiceName").count();
        assert_eq!(warned, usize::from(!is_named), "{scenario:?} {variables:?}: {}", ended.log);
    }
}
