//! A dump as a page for a person to read.

use std::fmt;

use worker_metrics::WorkerState;

use super::worker::state;
use super::{Dump, SourceDump, WorkerDump};

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workers of process {}", self.process_id)?;
        if self.sources.is_empty() {
            f.write_str(": no runtime or pool is attached")?;
        }
        for source in &self.sources {
            write!(f, "\n\n{source}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SourceDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, id, name, workers, .. } = self;
        match name {
            Some(name) => write!(f, "{name:?} ({namespace}, id {id})")?,
            None => write!(f, "{namespace} {id}")?,
        }
        write!(f, ": {}", counted(workers.len() as u64, "worker"))?;
        if let Some(tasks) = self.task_count {
            write!(f, ", {}", counted(tasks, "live task"))?;
        }
        if let Some(queued) = self.global_queue_size {
            write!(f, ", {queued} in the global queue")?;
        }
        if let Some(queued) = self.blocking_queue_size.filter(|queued| *queued > 0) {
            write!(f, ", {queued} waiting for a blocking thread")?;
        }
        workers.iter().try_for_each(|worker| write!(f, "\n{worker}"))
    }
}

impl fmt::Display for WorkerDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  worker {}: {}", self.worker, self.state.map_or("state unknown", state))?;
        if let Some(age) = self.poll_age {
            write!(f, ", in a poll for {:.2} s", age.as_secs_f64())?;
        } else if let Some(age) = self.progress_age {
            write!(f, ", nothing published for {:.2} s", age.as_secs_f64())?;
        }
        if let Some(cause) = self.cause {
            write!(f, ", {cause}")?;
        }
        if let Some(queued) = self.local_queue_size {
            write!(f, ", {queued} in its queue")?;
        }
        match (&self.thread_name, self.thread_id) {
            (Some(name), Some(id)) => write!(f, "\n    thread: {name:?} ({id})")?,
            (Some(name), None) => write!(f, "\n    thread: {name:?}")?,
            (None, Some(id)) => write!(f, "\n    thread: {id}")?,
            (None, None) => {}
        }
        if let Some(activity) = &self.activity {
            write!(f, ", {activity}")?;
        }
        if let Some(group) = &self.task_group {
            write!(f, "\n    task: of the group {group:?}")?;
        }
        if let Some(location) = self.spawn_location {
            write!(f, "\n    spawned at {location}")?;
        }
        // The stack of a parked worker is always the same.
        if let Some(stack) = self.stack.as_ref().filter(|_| self.state != Some(WorkerState::Idle)) {
            f.write_str("\n    stack:")?;
            for line in stack.folded().to_string().lines() {
                write!(f, "\n      {line}")?;
            }
        }
        Ok(())
    }
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
