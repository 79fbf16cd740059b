//! Headers of every request, or its gRPC metadata. The values may be secret, and are shown nowhere.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::OtlpError;

/// Headers that frame a request: one set by a user would break it.
const RESERVED: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The headers of every request, or its gRPC metadata.
#[derive(Clone, Default, PartialEq)]
pub(in crate::otlp) struct Headers(HeaderMap);

impl Headers {
    /// Reads a list such as `api-key=secret,x-tenant=a%20b`. What is no header is left out, and
    /// passed to `ignored`, without its value.
    ///
    /// **Source**: `parse_header_string` of opentelemetry-otlp 0.33: a value that is not
    /// percent-encoded is taken as it is.
    pub(super) fn parse(list: &str, mut ignored: impl FnMut(&str)) -> Self {
        let mut headers = Self::default();
        let entries = (1..).zip(list.split(',')).map(|(number, entry)| (number, entry.trim()));
        for (number, entry) in entries.filter(|(_, entry)| !entry.is_empty()) {
            // What has no name may be a piece of a secret: its place must do.
            let Some((name, value)) = entry.split_once('=') else {
                ignored(&format!("its entry {number} is no name=value"));
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            if value.is_empty() {
                continue;
            }
            let value = percent_decoded(value).unwrap_or_else(|| value.to_owned());
            if let Err(problem) = headers.insert(name, &value) {
                ignored(&format!("its entry {number}: {problem}"));
            }
        }
        headers
    }

    /// Adds a header, in place of one of the same name.
    pub(in crate::otlp) fn set(&mut self, name: &str, value: &str) -> Result<(), OtlpError> {
        self.insert(name, value).map_err(|problem| OtlpError::bad_secret("a header", &problem))
    }

    fn insert(&mut self, name: &str, value: &str) -> Result<(), String> {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| "its name is no name of a header: use letters, digits and \"-\"".to_owned())?;
        if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("grpc-") {
            return Err(format!("header {name:?}: leave it out, the transport sets it"));
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("header {name:?}: leave control characters out of its value"))?;
        // No `Debug` of any crate on the way shows it, and HTTP/2 keeps it out of its table.
        value.set_sensitive(true);
        self.0.insert(header, value);
        Ok(())
    }

    /// Adds metadata of tonic's, in place of entries of the same name.
    #[cfg(feature = "grpc-tonic")]
    pub(in crate::otlp) fn extend(&mut self, metadata: HeaderMap) {
        for (name, mut value) in metadata {
            if let Some(name) = name {
                value.set_sensitive(true);
                self.0.insert(name, value);
            }
        }
    }

    /// Adds the headers of the environment, which win: as in opentelemetry-otlp 0.33.
    pub(in crate::otlp) fn overridden_by(mut self, environment: Self) -> Self {
        self.0.extend(environment.0);
        self
    }

    pub(in crate::otlp) fn map(&self) -> &HeaderMap {
        &self.0
    }

    /// At most 256 characters of what a receiver says, without the values of the headers: some
    /// receivers quote the key that they refuse.
    pub(in crate::otlp) fn redact(&self, message: &str) -> String {
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
            decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &str) -> (Vec<(String, String)>, usize) {
        let mut ignored = 0;
        let headers = Headers::parse(list, |_| ignored += 1);
        let pairs = headers.0.iter();
        let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        (pairs.collect(), ignored)
    }

    #[test]
    fn a_list_is_read_as_opentelemetry_otlp_reads_it() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parsed("api-key=a%20b, x=1 ,"), (vec![pair("api-key", "a b"), pair("x", "1")], 0));
        // A stray percent sign is taken as it is.
        assert_eq!(parsed("api-key=50%off"), (vec![pair("api-key", "50%off")], 0));
        assert_eq!(parsed("a=1=2"), (vec![pair("a", "1=2")], 0));
        assert_eq!(parsed("novalue,empty=,a=1"), (vec![pair("a", "1")], 1));
        assert_eq!(parsed("bad name=1,a=\u{1},content-type=x"), (vec![], 3));
    }
}
