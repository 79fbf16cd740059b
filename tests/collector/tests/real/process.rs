//! A process of a peer, which ends with its test.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use reqwest::blocking::Client;

use crate::wait::until;

/// A running process. Dropping it kills it, with SIGKILL: what it did not write down is gone.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary` and waits until `health` answers.
    pub(crate) fn start(
        binary: &Path,
        arguments: &[OsString],
        environment: &[(&str, String)],
        log: PathBuf,
        health: &str,
    ) -> Self {
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = ending_with_this_process(binary);
        command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let mut process = Self { child: command.spawn().unwrap(), log };
        let client = Client::new();
        until(health, || {
            if let Some(status) = process.child.try_wait().unwrap() {
                panic!("{} ended with {status}: {}", binary.display(), process.log());
            }
            match client.get(health).send() {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(answer.status().to_string()),
                Err(error) => Err(error.to_string()),
            }
        });
        process
    }

    /// What it wrote.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

/// Runs an ignored test of this program in a process of its own, as a service with that
/// environment; returns what it printed.
pub(crate) fn in_a_process<'a>(
    test: &str,
    environment: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .envs(environment)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{test}: {said}\n{errors}");
    said
}

/// Where the system can, the process ends also when the test is killed and drops nothing.
fn ending_with_this_process(binary: &Path) -> Command {
    let can = Command::new("setpriv").arg("--pdeathsig=KILL").arg("true").stderr(Stdio::null()).status();
    if can.is_ok_and(|status| status.success()) {
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig=KILL").arg(binary);
        command
    } else {
        Command::new(binary)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!(
                "{}, at its end:\n{}",
                self.log.display(),
                lines[lines.len().saturating_sub(20)..].join("\n")
            );
        }
    }
}
