use std::path::{Path, PathBuf};

use conformance::table;

fn metrics_md() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md")
}

#[test]
fn the_table_of_the_metrics_document_is_the_catalogue() {
    let document = std::fs::read_to_string(metrics_md()).unwrap();
    let expected = table::replace_in(&document).expect("docs/metrics.md has the markers of the table");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(metrics_md(), &expected).unwrap();
        return;
    }
    assert_eq!(
        document, expected,
        "run UPDATE=1 cargo test -p conformance to bring docs/metrics.md up to date"
    );
}
