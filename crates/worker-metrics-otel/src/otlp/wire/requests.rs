//! The requests of one export, within limits of points and bytes.
//!
//! Filled by the ledger. A point is never cut, and points that are added at once share a request.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::encoding::set_gap;
use super::{Descriptor, Envelope};

/// Most points and bytes of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) points: usize,
    /// Encoded length of the metrics, without resource and scope. What is added at once and
    /// is longer has a request of its own.
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

/// The requests of one export, and the buffers for the next: a buffer is reused once its request is
/// gone.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) limits: Limits,
    export: u64,
    pub(crate) envelope: Envelope,
    open: Vec<Open>,
    /// How many of `open` this export uses.
    used: usize,
    head: Vec<u8>,
    /// What did not fit into a request, and begins the next; a buffer.
    rest: Vec<u8>,
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
        Self { limits, export: 0, envelope, open: Vec::new(), used: 0, head: Vec::new(), rest: Vec::new() }
    }

    /// Begins an export.
    pub(crate) fn begin(&mut self, export: u64) {
        self.export = export;
        self.used = 0;
    }

    /// Begins a metric, whose points take about `expected` bytes.
    pub(crate) fn metric<'a>(
        &'a mut self,
        descriptor: &'a Descriptor,
        is_estimated: bool,
        expected: usize,
    ) -> MetricWriter<'a> {
        if self.used == 0 {
            self.open_next();
        }
        let mut writer =
            MetricWriter { requests: self, descriptor, is_estimated, expected, start: 0, from: 0 };
        writer.begin();
        writer
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

/// Writes the points of one metric into the request under way, and into as many more as it takes.
pub(crate) struct MetricWriter<'a> {
    requests: &'a mut Requests,
    descriptor: &'a Descriptor,
    is_estimated: bool,
    /// Length of the points, about: one that is as many digits long spares them from being moved.
    expected: usize,
    /// Where the metric begins in the request, and where its points do.
    start: usize,
    from: usize,
}

impl MetricWriter<'_> {
    fn request(&mut self) -> &mut Open {
        &mut self.requests.open[self.requests.used - 1]
    }

    /// Begins the metric in the request under way.
    fn begin(&mut self) {
        let (descriptor, is_estimated, expected) = (self.descriptor, self.is_estimated, self.expected);
        let buffer = &mut self.request().buffer;
        let start = buffer.len();
        descriptor.put_before(buffer, is_estimated, expected);
        (self.from, self.start) = (buffer.len(), start);
    }

    /// Whether the request takes so many points more, with points of this metric of `points_len`
    /// bytes in all.
    fn fits(&mut self, points: usize, points_len: usize) -> bool {
        let before = self.descriptor.before_len(self.is_estimated, points_len);
        let len = self.start + before + points_len + self.descriptor.tail().len();
        let (limits, room) = (self.requests.limits, self.requests.envelope.most_before());
        self.request().points + points <= limits.points && len - room <= limits.bytes
    }

    /// The index of the request under way, if it takes so many points of so many bytes.
    pub(crate) fn room_for(&mut self, points: usize, len: usize) -> Option<usize> {
        let points_len = self.request().buffer.len() - self.from + len;
        self.fits(points, points_len).then_some(self.requests.used - 1)
    }

    /// Adds points, which `put` writes. Returns the index of the request that has them.
    pub(crate) fn add(&mut self, points: usize, put: impl FnOnce(&mut BytesMut)) -> usize {
        let from = self.from;
        let request = self.request();
        let (before, is_first) = (request.buffer.len(), request.points == 0);
        put(&mut request.buffer);
        let points_len = request.buffer.len() - from;
        if !self.fits(points, points_len) && !is_first {
            let mut rest = std::mem::take(&mut self.requests.rest);
            rest.clear();
            rest.extend_from_slice(&self.request().buffer[before..]);
            self.request().buffer.truncate(before);
            self.end();
            self.requests.open_next();
            self.begin();
            self.request().buffer.put_slice(&rest);
            self.requests.rest = rest;
        }
        self.request().points += points;
        self.requests.used - 1
    }

    /// Ends the metric in the request under way: leaves it out if it has no points there.
    fn end(&mut self) {
        let (descriptor, is_estimated, start, from) =
            (self.descriptor, self.is_estimated, self.start, self.from);
        let buffer = &mut self.request().buffer;
        let len = buffer.len() - from;
        if len == 0 {
            return buffer.truncate(start);
        }
        let gap = set_gap(buffer, start, from, descriptor.before_len(is_estimated, len));
        descriptor.put_before(&mut &mut *gap, is_estimated, len);
        buffer.put_slice(descriptor.tail());
        self.expected = len;
    }

    /// Ends the metric; returns the length of its points in the last request.
    pub(crate) fn close(mut self) -> usize {
        self.end();
        self.expected
    }
}
