//! How requests are compressed.

use super::SinkError;

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With gzip; needs the feature `gzip`.
    Gzip,
    /// With Zstandard; needs the feature `zstd`.
    Zstd,
}

impl Compression {
    /// Itself, if it is compiled in.
    pub(super) fn available(self, by: &str) -> Result<Self, SinkError> {
        let feature = match self {
            Self::Gzip if cfg!(not(feature = "gzip")) => "gzip",
            Self::Zstd if cfg!(not(feature = "zstd")) => "zstd",
            _ => return Ok(self),
        };
        Err(SinkError::not_compiled_in(by, feature, feature))
    }

    pub(super) fn parse(by: &str, value: &str) -> Result<Self, SinkError> {
        match value {
            "none" => Ok(Self::None),
            "gzip" => Self::Gzip.available(by),
            "zstd" => Self::Zstd.available(by),
            _ => Err(SinkError::bad(by, value, "use none, gzip or zstd")),
        }
    }

    /// The value of `content-encoding`.
    #[cfg(feature = "http-proto")]
    pub(super) fn encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// `body`, compressed.
    #[cfg(feature = "http-proto")]
    pub(super) fn compress(self, body: bytes::Bytes) -> std::io::Result<bytes::Bytes> {
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
