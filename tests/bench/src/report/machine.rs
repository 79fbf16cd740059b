//! The machine at hand, and what was built.

use std::process::Command;

use sysinfo::{CpuRefreshKind, RefreshKind, System};
use time::OffsetDateTime;

/// A sentence that names the machine, the compiler, the configuration and the day.
pub(super) fn described() -> String {
    let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
    let processors = system.cpus().len();
    let brand = system.cpus().first().map_or("an unknown processor", |cpu| cpu.brand());
    let os = System::long_os_version().unwrap_or_else(|| "an unknown system".to_owned());
    let configuration =
        if cfg!(tokio_unstable) { "with `--cfg tokio_unstable`" } else { "without `--cfg tokio_unstable`" };
    format!(
        "It was made on {processors} cores of {} under {os}, by {}, {configuration}, on {}.",
        brand.trim(),
        compiler(),
        OffsetDateTime::now_utc().date()
    )
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let version = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    version.map_or("an unknown rustc".to_owned(), |version| version.trim().to_owned())
}
