//! The compression of requests.

use super::OtlpError;

/// The compression of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// gzip; needs the feature `gzip`.
    Gzip,
    /// Zstandard; needs the feature `zstd`.
    Zstd,
}

impl Compression {
    /// The compression that a variable names.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let is_named = |it: &Self| it.encoding().unwrap_or("none").eq_ignore_ascii_case(value);
        [Self::None, Self::Gzip, Self::Zstd].into_iter().find(is_named)
    }

    /// The feature that it lacks.
    pub(super) fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Gzip if cfg!(not(feature = "gzip")) => Some("gzip"),
            Self::Zstd if cfg!(not(feature = "zstd")) => Some("zstd"),
            _ => None,
        }
    }

    /// Itself, if it is compiled in.
    pub(in crate::otlp) fn available(self, by: &str) -> Result<Self, OtlpError> {
        match self.missing_feature() {
            Some(feature) => Err(OtlpError::not_compiled_in(by, feature, feature)),
            None => Ok(self),
        }
    }

    /// The value of `content-encoding`.
    pub(in crate::otlp) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// `body`, compressed.
    pub(in crate::otlp) fn compress(self, body: bytes::Bytes) -> std::io::Result<bytes::Bytes> {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                use std::io::Write;
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(&body)?;
                encoder.finish().map(Into::into)
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::bulk::compress(&body, zstd::DEFAULT_COMPRESSION_LEVEL).map(Into::into),
            // Those that are not compiled in are refused when they are set.
            _ => Ok(body),
        }
    }
}
