use std::process::{Command, Output};

use worker_metrics::{Definition, Namespace};

fn program(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_custom-executor"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OTEL_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).output().unwrap()
}

#[test]
fn the_program_gets_every_metric_of_both_pools_over_otlp() {
    let output = program(&["--duration", "1"]);
    let (table, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}\n{table}");
    for suffix in ["worker.overflows", "worker.stolen_tasks", "task.forced_yields", "task.schedule.duration"]
    {
        let name = format!("custom_executor.{suffix}");
        assert!(table.contains(&name), "{name} in {table}");
    }
    let jobs = |suffix| Namespace::WORKER_POOL.metric(Definition::find(suffix).unwrap());
    assert!(table.contains(&jobs("task.poll.duration")), "{table}");
    assert!(!table.contains(&jobs("worker.overflows")), "{table}");
}

#[test]
fn bad_input_is_one_line_and_status_2() {
    let cases = [
        (vec!["--duration", "soon"], "'soon' for '--duration <SECONDS>'"),
        (vec!["--duration", "0"], "'0' for '--duration <SECONDS>'"),
        (vec!["--colour"], "'--colour'"),
    ];
    for (arguments, expected) in cases {
        let output = program(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{arguments:?}: {errors}");
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_is_on_standard_output() {
    let output = program(&["--help"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("--duration"));
}
