//! The documents hold what the data and the measurement say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use backends::backends::BACKENDS;
use backends::{document, scale};

pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|cause| panic!("{name}: {cause}"))
}

fn updates() -> bool {
    std::env::var_os("UPDATE").is_some()
}

fn assert_holds(name: &str, tables: &[(&str, &str)]) {
    let document = read(name);
    let mut expected = document.clone();
    for (table, text) in tables {
        expected = document::replace(&expected, table, text)
            .unwrap_or_else(|| panic!("{name} has no markers of the table {table}"));
    }
    if updates() {
        std::fs::write(file(name), expected).unwrap();
        return;
    }
    assert_eq!(document, expected, "run UPDATE=1 cargo test -p backends to bring {name} up to date");
}

#[test]
fn the_index_of_the_backends_is_the_data() {
    let (index, limits) = (document::index(), document::limits());
    assert_holds("deploy/backends/README.md", &[("index", &index), ("limits", &limits)]);
}

#[test]
fn every_backend_has_its_two_files_and_no_file_lacks_a_backend() {
    let expected: BTreeSet<_> = BACKENDS
        .iter()
        .flat_map(|backend| [format!("{}.md", backend.file), format!("{}.yaml", backend.file)])
        .chain(["README.md".to_owned()])
        .collect();
    let names = std::fs::read_dir(file("deploy/backends")).unwrap();
    let found: BTreeSet<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_page_names_the_settings_that_its_backend_needs() {
    for backend in BACKENDS {
        let page = read(&format!("deploy/backends/{}.md", backend.file));
        let delta = page.contains("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta");
        let needs_delta = backend.settings.temporality == opentelemetry_sdk::metrics::Temporality::Delta;
        assert_eq!(delta, needs_delta && backend.direct, "{}", backend.name);
        let grpc = page.contains("OTEL_EXPORTER_OTLP_PROTOCOL=grpc");
        assert_eq!(
            grpc,
            backend.settings.protocol == worker_metrics_otel::Protocol::Grpc,
            "{}",
            backend.name
        );
        if backend.direct {
            assert!(page.contains("OTEL_EXPORTER_OTLP"), "{}", backend.name);
            assert!(page.contains("service.instance.id"), "{}", backend.name);
        }
        if let Some(most) = backend.settings.max_buckets {
            assert!(page.contains(&format!("with_max_buckets({most})")), "{}", backend.name);
        }
    }
}

/// The series are the same in every run. The bytes are not tested: they hold times and depend on a
/// compressor.
#[test]
fn the_series_of_the_scale_document_are_those_that_arrive() {
    for (expected, arrived) in scale::series_and_arrived(4) {
        assert_eq!(expected, arrived);
    }
    let series = scale::series_table();
    let bytes = updates().then(scale::bytes_table);
    let mut tables = vec![("series", series.as_str())];
    tables.extend(bytes.as_deref().map(|bytes| ("bytes", bytes)));
    assert_holds("docs/scale.md", &tables);
}
