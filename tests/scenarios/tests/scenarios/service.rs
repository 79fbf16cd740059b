//! The service in a process of its own.

use std::ffi::OsString;
use std::process::Command;

/// What became of a service.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) output: String,
    pub(crate) log: String,
}

impl Ended {
    /// The values of lines `NAME: VALUE`.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let prefix = format!("{name}: ");
        self.output.lines().filter_map(|line| line.strip_prefix(prefix.as_str())).collect()
    }

    /// The only value of a name.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> &str {
        let values = self.values(name);
        assert_eq!(values.len(), 1, "{name} in {self:#?}");
        values[0]
    }
}

/// Runs the service with these variables, and none of the kind from outside.
#[track_caller]
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
    run_with(arguments, &variables)
}

#[track_caller]
pub(crate) fn run_with(arguments: &[&str], variables: &[(&str, OsString)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_service"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("OTEL_") || name.to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    let output = command
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .expect("the service runs");
    Ended {
        success: output.status.success(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        log: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
