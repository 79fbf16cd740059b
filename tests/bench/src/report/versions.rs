//! The versions of the peers, as the lock file has them.

use std::sync::LazyLock;

use cargo_lock::Lockfile;

static LOCK: LazyLock<Lockfile> = LazyLock::new(|| {
    include_str!("../../../../Cargo.lock").parse().expect("the lock file that this was built with")
});

/// `name version` of a package that this program was built with.
pub(crate) fn version_of(name: &str) -> String {
    let package = LOCK.packages.iter().find(|package| package.name.as_str() == name);
    let package = package.unwrap_or_else(|| panic!("{name} is not in the lock file"));
    format!("{name} {}", package.version)
}
