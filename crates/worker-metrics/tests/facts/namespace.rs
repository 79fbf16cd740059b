use worker_metrics::catalogue::CATALOGUE;
use worker_metrics::{Attribute, Namespace};

const ATTRIBUTES: [Attribute; 6] = [
    Attribute::Name,
    Attribute::Id,
    Attribute::Flavor,
    Attribute::WorkerIndex,
    Attribute::WorkerState,
    Attribute::BlockingThreadState,
];

#[test]
fn tokios_attributes_are_those_of_a_runtime() {
    assert_eq!(
        ATTRIBUTES.map(|attribute| Namespace::TOKIO.attribute(attribute)),
        [
            "tokio.runtime.name",
            "tokio.runtime.id",
            "tokio.runtime.flavor",
            "tokio.worker.index",
            "tokio.worker.state",
            "tokio.blocking.thread.state"
        ]
    );
}

#[test]
fn a_pools_attributes_stand_under_its_namespace() {
    assert_eq!(
        ATTRIBUTES.map(|attribute| Namespace::WORKER_POOL.attribute(attribute)),
        [
            "worker_pool.name",
            "worker_pool.id",
            "worker_pool.flavor",
            "worker_pool.worker.index",
            "worker_pool.worker.state",
            "worker_pool.blocking.thread.state"
        ]
    );
}

#[test]
fn the_longest_name_fits_an_instrument() {
    let namespace = Namespace::new("a".repeat(Namespace::MAX_LEN)).unwrap();
    for definition in CATALOGUE {
        assert!(namespace.metric(definition).len() <= 255);
    }
}

#[test]
fn bad_namespaces_are_refused_by_value_and_remedy() {
    let message = |namespace: &str| Namespace::new(namespace).unwrap_err().to_string();
    for malformed in ["", "Render", "1st", "a-b", "a..b", ".a", "a.", "a b", "ä", "_a"] {
        assert_eq!(
            message(malformed),
            format!(
                "the namespace {malformed:?} is not lower-case words joined by dots: write it like \"render_pool\" or \
                 \"acme.render\""
            )
        );
    }
    for reserved in ["tokio", "tokio.worker", "otel", "otel.sdk"] {
        assert_eq!(
            message(reserved),
            format!("the namespace {reserved:?} belongs to others: choose one that names your executor")
        );
    }
    assert_eq!(message(&"a".repeat(201)), "the namespace has 201 characters: use at most 200");
    assert!(Namespace::new("tokio_like").is_ok());
}
