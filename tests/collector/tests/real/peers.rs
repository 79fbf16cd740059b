//! Where the binaries of the peers are.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A collector and a Prometheus, as `.ci/peers` builds them.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    directory: PathBuf,
}

/// The directory of the binaries. Who sets it means that they are there; who sets it to nothing
/// means that they are not wanted.
const VARIABLE: &str = "WORKER_METRICS_PEERS";

impl Peers {
    /// `None` where they are not built, and then says so: the harness hides what a test that passes
    /// prints, but not what it writes.
    pub(crate) fn find(test: &str) -> Option<Self> {
        let given = env::var_os(VARIABLE).map(PathBuf::from);
        let is_unwanted = given.as_ref().is_some_and(|given| given.as_os_str().is_empty());
        let directory = given.clone().or_else(cache);
        if let Some(directory) = directory.filter(|directory| !is_unwanted && are_in(directory)) {
            return Some(Self { directory });
        }
        let is_promised = given.is_some() && !is_unwanted;
        assert!(!is_promised, "{VARIABLE} is {given:?}, where the peers are not: run .ci/peers");
        let why = if is_unwanted { "none is wanted" } else { "there is none: .ci/peers builds them" };
        let line = format!("SKIPPED {test}: it needs a collector and a Prometheus, and {why}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        None
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn cache() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    cache.map(|cache| cache.join("worker-metrics-ci/peers"))
}

fn are_in(directory: &Path) -> bool {
    ["otelcol", "prometheus"].iter().all(|name| directory.join(name).is_file())
}

/// A file of `deploy/`.
pub(crate) fn deployed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(path)
}

/// The peers, or the end of a test that has none.
macro_rules! peers {
    ($test:literal) => {
        match crate::peers::Peers::find($test) {
            Some(peers) => peers,
            None => return,
        }
    };
}
pub(crate) use peers;
