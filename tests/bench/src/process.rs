//! This program, run once more, and the other one of this package.
//!
//! What is measured in a process of its own cannot be made slower, or faster, by what ran before
//! it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What a process with these arguments prints.
pub(crate) fn again(arguments: &[&str]) -> String {
    printed(&this_program(), arguments, &[])
}

/// What a process with these arguments, and variables of its environment, prints.
pub(crate) fn again_with(arguments: &[&str], variables: &[(&str, &Path)]) -> String {
    printed(&this_program(), arguments, variables)
}

/// What the program that counts allocations prints.
pub(crate) fn counting(arguments: &[&str]) -> String {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    printed(PROGRAM.get_or_init(|| built("allocations")), arguments, &[])
}

fn this_program() -> PathBuf {
    env::current_exe().expect("this program has a file")
}

/// `cargo run` builds one program alone: this builds the other into the same folder.
fn built(name: &str) -> PathBuf {
    let program = this_program();
    let folder = program.parent().expect("a program is in a folder");
    let target = folder.parent().expect("cargo builds into a folder of the target folder");
    let profile = match folder.file_name() {
        Some(debug) if debug == "debug" => OsString::from("dev"),
        other => other.expect("it is named after the profile").to_owned(),
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--package", env!("CARGO_PKG_NAME"), "--bin", name, "--profile"])
        .arg(profile)
        .arg("--target-dir")
        .arg(target)
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "cargo does not build {name}");
    folder.join(name)
}

fn printed(program: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .expect("it can be run");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}
