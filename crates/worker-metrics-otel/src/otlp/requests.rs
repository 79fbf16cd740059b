//! The requests of one export, within limits of points and bytes.
//!
//! Filled by the ledgers. A point is never cut.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use super::Descriptor;
use super::Envelope;

/// How much one request may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) points: usize,
    /// Encoded length of the metrics, without resource and scope. A single point that is longer has a request of its own.
    pub(crate) bytes: usize,
}

impl Default for Limits {
    /// Chronosphere takes fewer than 10,000 points a request and New Relic 10^6 bytes, of which a tenth is left for resource and
    /// scope (their documentation, read in November 2026).
    fn default() -> Self {
        Self { points: 8_000, bytes: 900_000 }
    }
}

/// Which part of which export, and how many points it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartId {
    pub(crate) cycle: u64,
    pub(crate) index: usize,
    pub(crate) points: usize,
}

/// A request, encoded.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) id: PartId,
    /// An `ExportMetricsServiceRequest`.
    pub(crate) message: Bytes,
}

/// The requests of one export, and the buffers for the next: a buffer is written again when its request is gone.
#[derive(Debug)]
pub(crate) struct Requests {
    limits: Limits,
    cycle: u64,
    envelope: Envelope,
    parts: Vec<Open>,
    /// How many of them this export uses.
    used: usize,
    head: Vec<u8>,
}

/// A part that is being written.
#[derive(Debug, Default)]
struct Open {
    points: usize,
    /// Room for the head, then the metrics.
    buffer: BytesMut,
    /// What this part took last time.
    expected: usize,
}

const METRICS: u8 = 2;

impl Requests {
    pub(crate) fn new(limits: Limits, envelope: Envelope) -> Self {
        Self { limits, cycle: 0, envelope, parts: Vec::new(), used: 0, head: Vec::new() }
    }

    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    pub(crate) fn set_envelope(&mut self, envelope: Envelope) {
        self.envelope = envelope;
    }

    /// Begins an export.
    pub(crate) fn begin(&mut self, cycle: u64) {
        self.cycle = cycle;
        self.used = 0;
    }

    /// Adds a metric with points of the given lengths, written by `put`, which is told the place in `lens` and the part.
    pub(crate) fn add(
        &mut self,
        descriptor: &Descriptor,
        is_estimated: bool,
        temporality: AggregationTemporality,
        lens: &[usize],
        mut put: impl FnMut(usize, usize, &mut BytesMut),
    ) {
        let mut place = 0;
        while place < lens.len() {
            let (taken, points_len) = match self.used {
                0 => (0, 0),
                used => self.room_in(used - 1, descriptor, is_estimated, &lens[place..]),
            };
            if taken == 0 {
                self.open();
                continue;
            }
            let index = self.used - 1;
            let part = &mut self.parts[index];
            part.points += taken;
            descriptor.put_before(&mut part.buffer, METRICS, is_estimated, points_len);
            for (place, &len) in lens.iter().enumerate().skip(place).take(taken) {
                Descriptor::put_before_point(&mut part.buffer, len);
                let before = part.buffer.len();
                put(place, index, &mut part.buffer);
                debug_assert_eq!(part.buffer.len() - before, len, "a point is as long as it said");
            }
            descriptor.put_after(&mut part.buffer, temporality);
            place += taken;
        }
    }

    /// Adds a metric whose points, so many in so many bytes as fields, `put` writes at once; it is told the part. Does nothing and returns
    /// `false` where they do not all fit into the part under way.
    pub(crate) fn add_whole(
        &mut self,
        descriptor: &Descriptor,
        temporality: AggregationTemporality,
        points: usize,
        points_len: usize,
        put: impl FnOnce(usize, &mut BytesMut),
    ) -> bool {
        if self.used == 0 {
            self.open();
        }
        let (index, room) = (self.used - 1, self.envelope.most_before());
        let part = &mut self.parts[index];
        let len = part.buffer.len() - room + descriptor.len(false, points_len);
        if points == 0 || part.points + points > self.limits.points || len > self.limits.bytes {
            return false;
        }
        part.points += points;
        descriptor.put_before(&mut part.buffer, METRICS, false, points_len);
        put(index, &mut part.buffer);
        descriptor.put_after(&mut part.buffer, temporality);
        true
    }

    /// How many of the points a part can take, and the bytes of their fields.
    fn room_in(
        &self,
        part: usize,
        descriptor: &Descriptor,
        is_estimated: bool,
        lens: &[usize],
    ) -> (usize, usize) {
        let part = &self.parts[part];
        let used = part.buffer.len() - self.envelope.most_before();
        let (mut taken, mut points_len) = (0, 0);
        for &len in lens {
            let with_it = points_len + super::wire::delimited_len(len);
            let is_first = part.points + taken == 0;
            let fits = part.points + taken < self.limits.points
                && used + descriptor.len(is_estimated, with_it) <= self.limits.bytes;
            if !fits && !is_first {
                break;
            }
            (taken, points_len) = (taken + 1, with_it);
        }
        (taken, points_len)
    }

    fn open(&mut self) {
        if self.parts.len() == self.used {
            self.parts.push(Open::default());
        }
        let part = &mut self.parts[self.used];
        self.used += 1;
        part.points = 0;
        part.buffer.clear();
        part.buffer.reserve(part.expected);
        part.buffer.put_bytes(0, self.envelope.most_before());
    }

    /// Ends the export: its requests, onto `parts`. One without points is none.
    pub(crate) fn finish(&mut self, parts: &mut Vec<Part>) {
        let Self { cycle, envelope, head, .. } = self;
        let room = envelope.most_before();
        let used = self.parts.iter_mut().enumerate().take(self.used);
        for (index, part) in used.filter(|(_, part)| part.points > 0) {
            head.clear();
            envelope.put_before(head, part.buffer.len() - room);
            // Its length is known only now: it stands right before the metrics, and what is left of the room is cut off.
            let start = room - head.len();
            part.buffer[start..room].copy_from_slice(head);
            envelope.put_after(&mut part.buffer);
            part.expected = part.buffer.len();
            let mut message = part.buffer.split().freeze();
            message.advance(start);
            parts.push(Part { id: PartId { cycle: *cycle, index, points: part.points }, message });
        }
        self.used = 0;
    }
}
