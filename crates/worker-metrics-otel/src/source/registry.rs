//! The sources that are attached now.
//!
//! Attaching and detaching write it, every collection reads it. Its lock is held for a few loads
//! and stores, never while a source is collected or the SDK is called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use worker_metrics::{Identity, Namespace, Source};

use super::{Attached, Last};
use crate::lock::lock;
use crate::options::{AttachError, Options};

/// The attached sources.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    attached: Vec<Arc<Attached>>,
    /// Sources that are being attached: their values at the attachment are read without the lock.
    joining: Vec<Identity>,
    /// Counts the changes of `attached`.
    version: u64,
    /// Counts the sources that were ever attached.
    attachments: u64,
    /// Which source had a name first: it alone goes without its id in the attributes, also when it
    /// is attached again. Kept when it is detached, so that a successor of the same name begins
    /// series of its own instead of setting these back.
    first_of_name: HashMap<(Namespace, Option<String>), String>,
}

impl State {
    /// Returns the number of the attachment, and whether the attributes need the id.
    fn join(&mut self, identity: &Identity) -> Result<(u64, bool), AttachError> {
        let is_same = |other: &Identity| other.namespace == identity.namespace && other.id == identity.id;
        let attached = self.attached.iter().map(|attached| attached.identity());
        if attached.chain(&self.joining).any(is_same) {
            return Err(AttachError::AlreadyAttached(Box::new(identity.clone())));
        }
        self.attachments += 1;
        let name = (identity.namespace.clone(), identity.name.clone());
        let first = self.first_of_name.entry(name).or_insert_with(|| identity.id.clone());
        let with_id = *first != identity.id;
        self.joining.push(identity.clone());
        Ok((self.attachments, with_id))
    }
}

impl Registry {
    /// Adds a source, attached at `time`. No collection sees it before its values then are known.
    pub(crate) fn add(
        &self,
        source: Arc<dyn Source>,
        options: &Options,
        time: SystemTime,
    ) -> Result<Arc<Attached>, AttachError> {
        // Whatever may panic in the source does so before anything has changed.
        let (identity, definitions) = (source.identity().clone(), source.definitions().to_vec());
        let (number, with_id) = lock(&self.state).join(&identity)?;
        let of = identity.clone();
        let attached = Arc::new(Attached::new(source, of, definitions, number, with_id, options, time));
        let mut state = lock(&self.state);
        state.joining.retain(|joining| *joining != identity);
        state.attached.push(attached.clone());
        state.version += 1;
        Ok(attached)
    }

    /// Removes a source and lets go of it; returns its last values, unless it has panicked.
    pub(crate) fn remove(&self, attached: &Arc<Attached>) -> Option<Last> {
        {
            let mut state = lock(&self.state);
            state.attached.retain(|other| !Arc::ptr_eq(other, attached));
            state.version += 1;
        }
        let snapshot = Arc::new(attached.release()?);
        Some(Last { attached: attached.clone(), snapshot })
    }

    pub(crate) fn attached(&self) -> Vec<Arc<Attached>> {
        lock(&self.state).attached.clone()
    }

    /// The number of attached sources.
    pub(crate) fn len(&self) -> usize {
        lock(&self.state).attached.len()
    }

    /// The attached sources, if they have changed since `version`, which is brought up to date.
    pub(crate) fn changed_since(&self, version: &mut u64) -> Option<Vec<Arc<Attached>>> {
        let state = lock(&self.state);
        if *version == state.version {
            return None;
        }
        *version = state.version;
        Some(state.attached.clone())
    }
}
