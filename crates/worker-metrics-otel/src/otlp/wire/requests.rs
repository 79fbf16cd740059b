//! The requests of one export, within limits of points and bytes.
//!
//! Filled by the ledger. A point is never cut, and the points of one entry share a request.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::Descriptor;
use super::Envelope;
use super::fields::scope_metrics::METRICS;

/// Most points and bytes of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) points: usize,
    /// Encoded length of the metrics, without resource and scope. A single entry that is longer has
    /// a request of its own.
    pub(crate) bytes: usize,
}

impl Default for Limits {
    /// Chronosphere takes fewer than 10,000 points a request and New Relic 10^6 bytes, of which a
    /// tenth is left for resource and scope (their documentation, read in November 2026).
    fn default() -> Self {
        Self { points: 8_000, bytes: 900_000 }
    }
}

/// Identifies a request by its export and its place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestId {
    pub(crate) export: u64,
    pub(crate) index: usize,
}

/// An encoded `ExportMetricsServiceRequest`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) body: Bytes,
}

/// Points of one series that go into one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) points: usize,
    /// Length of the points as fields of their metric.
    pub(crate) len: usize,
}

/// The requests of one export, and the buffers for the next: a buffer is reused once its request is
/// gone.
#[derive(Debug)]
pub(crate) struct Requests {
    limits: Limits,
    export: u64,
    envelope: Envelope,
    open: Vec<Open>,
    /// How many of `open` this export uses.
    used: usize,
    head: Vec<u8>,
}

/// A request that is being written.
#[derive(Debug, Default)]
struct Open {
    points: usize,
    /// Room for the head, then the metrics.
    buffer: BytesMut,
    /// Length of this request in the last export.
    expected: usize,
}

impl Requests {
    pub(crate) fn new(limits: Limits, envelope: Envelope) -> Self {
        Self { limits, export: 0, envelope, open: Vec::new(), used: 0, head: Vec::new() }
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub(crate) fn set_envelope(&mut self, envelope: Envelope) {
        self.envelope = envelope;
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Begins an export.
    pub(crate) fn begin(&mut self, export: u64) {
        self.export = export;
        self.used = 0;
    }

    /// Adds a metric with these entries. `put` writes the points of the next entry, and is given
    /// the index of the request.
    pub(crate) fn add(
        &mut self,
        descriptor: &Descriptor,
        is_estimated: bool,
        temporality: AggregationTemporality,
        entries: &[Entry],
        mut put: impl FnMut(usize, &mut BytesMut),
    ) {
        let mut rest = entries;
        while !rest.is_empty() {
            let room = match self.used {
                0 => Room::default(),
                used => self.room_in(used - 1, descriptor, is_estimated, rest),
            };
            if room.entries == 0 {
                self.open_next();
                continue;
            }
            let index = self.used - 1;
            let request = &mut self.open[index];
            request.points += room.points;
            descriptor.put_before(&mut request.buffer, METRICS, is_estimated, room.len);
            let (now, later) = rest.split_at(room.entries);
            for entry in now {
                let before = request.buffer.len();
                put(index, &mut request.buffer);
                debug_assert_eq!(
                    request.buffer.len() - before,
                    entry.len,
                    "an entry has the announced length"
                );
            }
            descriptor.put_after(&mut request.buffer, temporality);
            rest = later;
        }
    }

    /// Adds a metric whose points, `points` of them in `points_len` bytes, `put` writes at once.
    /// Does nothing and returns `false` if they do not all fit into the request under way.
    pub(crate) fn add_whole(
        &mut self,
        descriptor: &Descriptor,
        temporality: AggregationTemporality,
        points: usize,
        points_len: usize,
        put: impl FnOnce(usize, &mut BytesMut),
    ) -> bool {
        if self.used == 0 {
            self.open_next();
        }
        let (index, room) = (self.used - 1, self.envelope.most_before());
        let request = &mut self.open[index];
        let len = request.buffer.len() - room + descriptor.len(false, points_len);
        if points == 0 || request.points + points > self.limits.points || len > self.limits.bytes {
            return false;
        }
        request.points += points;
        descriptor.put_before(&mut request.buffer, METRICS, false, points_len);
        put(index, &mut request.buffer);
        descriptor.put_after(&mut request.buffer, temporality);
        true
    }

    /// How much of `entries` a request can take.
    fn room_in(&self, index: usize, descriptor: &Descriptor, is_estimated: bool, entries: &[Entry]) -> Room {
        let request = &self.open[index];
        let used = request.buffer.len() - self.envelope.most_before();
        let mut room = Room::default();
        for entry in entries {
            let points = request.points + room.points + entry.points;
            let is_first = request.points + room.points == 0;
            let fits = points <= self.limits.points
                && used + descriptor.len(is_estimated, room.len + entry.len) <= self.limits.bytes;
            if !fits && !is_first {
                break;
            }
            room.entries += 1;
            room.points += entry.points;
            room.len += entry.len;
        }
        room
    }

    fn open_next(&mut self) {
        if self.open.len() == self.used {
            self.open.push(Open::default());
        }
        let request = &mut self.open[self.used];
        self.used += 1;
        request.points = 0;
        request.buffer.clear();
        request.buffer.reserve(request.expected);
        request.buffer.put_bytes(0, self.envelope.most_before());
    }

    /// Ends the export and pushes its requests onto `requests`. A request without points is left
    /// out.
    pub(crate) fn finish(&mut self, requests: &mut Vec<Request>) {
        let Self { export, envelope, head, .. } = self;
        let room = envelope.most_before();
        let used = self.open.iter_mut().enumerate().take(self.used);
        for (index, open) in used.filter(|(_, open)| open.points > 0) {
            head.clear();
            envelope.put_before(head, open.buffer.len() - room);
            // Its length is known only now: it goes right before the metrics, and what is left of
            // the room is cut off.
            let start = room - head.len();
            open.buffer[start..room].copy_from_slice(head);
            envelope.put_after(&mut open.buffer);
            open.expected = open.buffer.len();
            let mut body = open.buffer.split().freeze();
            body.advance(start);
            requests.push(Request { id: RequestId { export: *export, index }, body });
        }
        self.used = 0;
    }
}

/// What fits into a request.
#[derive(Default)]
struct Room {
    entries: usize,
    points: usize,
    len: usize,
}
