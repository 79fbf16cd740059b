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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use worker_metrics::StallCause;
    use worker_metrics_thread_dump::ThreadId;

    use super::*;

    #[test]
    fn a_page_has_a_paragraph_for_each_source_and_a_line_for_each_worker() {
        let worker = |worker, state| WorkerDump {
            worker,
            state: Some(state),
            progress_age: None,
            poll_age: None,
            cause: None,
            local_queue_size: Some(0),
            thread_name: Some("main-worker".into()),
            thread_id: Some(ThreadId::from_u32(17)),
            activity: None,
            task_group: None,
            spawn_location: None,
            stack: None,
        };
        let stuck = WorkerDump {
            poll_age: Some(Duration::from_millis(3_204)),
            cause: Some(StallCause::Lock),
            task_group: Some("render".into()),
            ..worker(1, WorkerState::Stalled)
        };
        let source = SourceDump {
            namespace: "tokio".to_owned(),
            id: "1".to_owned(),
            name: Some("main".to_owned()),
            flavor: None,
            task_count: Some(1),
            global_queue_size: Some(3),
            blocking_queue_size: Some(0),
            workers: vec![worker(0, WorkerState::Idle), stuck],
        };
        let mut dump = Dump { made_at: SystemTime::UNIX_EPOCH, process_id: 4_711, sources: vec![source] };
        assert_eq!(
            dump.to_string(),
            "workers of process 4711\n\n\
             \"main\" (tokio, id 1): 2 workers, 1 live task, 3 in the global queue\n  \
             worker 0: idle, 0 in its queue\n    \
             thread: \"main-worker\" (17)\n  \
             worker 1: stalled, in a poll for 3.20 s, waiting for a lock, 0 in its queue\n    \
             thread: \"main-worker\" (17)\n    \
             task: of the group \"render\""
        );
        dump.sources.clear();
        assert_eq!(dump.to_string(), "workers of process 4711: no runtime or pool is attached");
    }
}
