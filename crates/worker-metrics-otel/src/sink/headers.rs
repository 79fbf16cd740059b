//! What goes with every request. The values may be secret, and are shown nowhere.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::SinkError;

/// What frames a request: set by a user, it would break it.
const RESERVED: [&str; 9] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The headers of every request, or its gRPC metadata.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Headers(pub(super) HeaderMap);

impl Headers {
    /// A list such as `api-key=secret,x-tenant=a%20b`, as the specification has it.
    pub(super) fn parse(by: &str, list: &str) -> Result<Self, SinkError> {
        let mut headers = Self::default();
        let entries = (1..).zip(list.split(',')).map(|(number, entry)| (number, entry.trim()));
        for (number, entry) in entries.filter(|(_, entry)| !entry.is_empty()) {
            // What is no name, or has none, may be a piece of a secret: its place must do.
            let (name, value) = entry
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()))
                .filter(|(name, _)| HeaderName::from_bytes(name.as_bytes()).is_ok())
                .ok_or_else(|| {
                    let remedy =
                        format!("its entry {number} has no name of a header: write name=value,name=value");
                    SinkError::bad_secret(by, &remedy)
                })?;
            let value = percent_decoded(value).ok_or_else(|| {
                SinkError::bad_header(
                    by,
                    name,
                    "write its value as percent-encoded UTF-8, such as a%20b for \"a b\"",
                )
            })?;
            headers.set(by, name, &value)?;
        }
        Ok(headers)
    }

    pub(super) fn set(&mut self, by: &str, name: &str, value: &str) -> Result<(), SinkError> {
        let refuse = |remedy: &str| SinkError::bad_header(by, name, remedy);
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            SinkError::bad_secret(by, "its name is no name of a header: use letters, digits and \"-\"")
        })?;
        if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("grpc-") {
            return Err(refuse("leave it out, the transport sets it"));
        }
        if header.as_str().ends_with("-bin") {
            return Err(refuse("leave it out, binary metadata is not supported"));
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| refuse("leave the control characters of its value out"))?;
        // No `Debug` of any crate on the way shows it, and HTTP/2 keeps it out of its table.
        value.set_sensitive(true);
        self.0.insert(header, value);
        Ok(())
    }
}

impl Headers {
    /// At most 256 characters of what a receiver says, without the values of the headers: some receivers quote the key that they
    /// refuse.
    pub(super) fn redact(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for value in self.0.values().filter_map(|value| value.to_str().ok()) {
            // Of "Bearer key", the key. Shorter words are no secrets, and occur in other words.
            for word in std::iter::once(value).chain(value.split_whitespace()).filter(|word| word.len() >= 6)
            {
                message = message.replace(word, "[redacted]");
            }
        }
        message.chars().take(256).collect()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

fn percent_decoded(value: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok().filter(|digits| !digits.starts_with('+'))?;
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}
