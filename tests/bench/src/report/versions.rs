//! The versions of the peers, as the lock file has them.

use cargo_lock::Lockfile;

/// `name version` of a package that this program was built with.
pub(crate) fn version_of(name: &str) -> String {
    let lock: Lockfile =
        include_str!("../../../../Cargo.lock").parse().expect("the lock file that this was built with");
    let package = lock.packages.iter().find(|package| package.name.as_str() == name);
    let package = package.unwrap_or_else(|| panic!("{name} is not in the lock file"));
    format!("{name} {}", package.version)
}
