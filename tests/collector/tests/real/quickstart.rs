//! The quickstart as the service: its workers do everything that the dashboard shows.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running quickstart that pushes elsewhere. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Quickstart(Child);

impl Quickstart {
    /// Pushes to `endpoint` over gRPC, every second.
    pub(crate) fn start(endpoint: &str) -> Self {
        let mut command = Command::new(built());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command.args(["--duration", "0", "--workers", "2", "--endpoint", endpoint]);
        command.env("OTEL_METRIC_EXPORT_INTERVAL", "1000").env("OTEL_SERVICE_NAME", "quickstart");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Quickstart {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The binary of another package: Cargo builds it in the profile and the configuration of this
/// test.
fn built() -> PathBuf {
    let status = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "quickstart"]).status().unwrap();
    assert!(status.success(), "the quickstart is built");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("debug").join(format!("quickstart{}", std::env::consts::EXE_SUFFIX))
}
