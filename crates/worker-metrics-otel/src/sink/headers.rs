//! What goes with every request. The values may be secret, and are shown nowhere.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::SinkError;

/// The headers of every request, or its gRPC metadata.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Headers(pub(super) HeaderMap);

impl Headers {
    /// A list such as `api-key=secret,x-tenant=a%20b`, as the specification has it.
    pub(super) fn parse(by: &str, list: &str) -> Result<Self, SinkError> {
        let mut headers = Self::default();
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            // Without a "=" nobody knows whether it is a name or a secret.
            let Some((name, value)) = entry.split_once('=') else {
                return Err(SinkError::bad_secret(
                    by,
                    "it has an entry without \"=\": write name=value,name=value",
                ));
            };
            let value = percent_decoded(value.trim())
                .ok_or_else(|| SinkError::bad_header(by, name, "its value is not percent-encoded UTF-8"))?;
            headers.set(by, name.trim(), &value)?;
        }
        Ok(headers)
    }

    pub(super) fn set(&mut self, by: &str, name: &str, value: &str) -> Result<(), SinkError> {
        let refuse = |why: &str| SinkError::bad_header(by, name, why);
        let name =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse("that is no name of a header"))?;
        let value = HeaderValue::from_str(value)
            .map_err(|_| refuse("its value has characters that no header may have"))?;
        self.0.insert(name, value);
        Ok(())
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
