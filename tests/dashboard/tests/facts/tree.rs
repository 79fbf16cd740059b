//! Files of the project.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

pub(crate) fn read(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap()
}

/// The text of every YAML file of a directory; at least one.
pub(crate) fn yaml_files(directory: &str) -> Vec<String> {
    let mut paths: Vec<_> =
        fs::read_dir(path(directory)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(!paths.is_empty(), "{directory} has YAML files");
    paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}
