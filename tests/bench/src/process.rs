//! This program, run once more.
//!
//! What is measured in a process of its own cannot be made slower, or faster, by what ran before it.

use std::process::Command;

/// What a process with these arguments prints.
pub(crate) fn again(arguments: &[&str]) -> String {
    let program = std::env::current_exe().expect("this program has a file");
    let output = Command::new(program).args(arguments).output().expect("it can be run once more");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}
