//! Decompression of HTTP bodies.
//! Called by the HTTP server; over gRPC tonic decompresses each message itself.
//! Never grows a body beyond the limit.

use std::{borrow::Cow, io::Read};

use crate::gate::MAX_MESSAGE;

/// Why a body could not be decompressed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EncodingError {
    /// The encoding is not one that is accepted.
    Unsupported,
    /// The body is not what its encoding says.
    Broken,
    /// The body grows beyond [`MAX_MESSAGE`].
    TooLarge,
}

/// The body without its content encoding.
pub(crate) fn decode<'a>(encoding: Option<&str>, body: &'a [u8]) -> Result<Cow<'a, [u8]>, EncodingError> {
    match encoding.map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => Ok(Cow::Borrowed(body)),
        Some("gzip") => read(flate2::read::MultiGzDecoder::new(body)),
        Some("zstd") => match zstd::stream::read::Decoder::new(body) {
            Ok(decoder) => read(decoder),
            Err(_) => Err(EncodingError::Broken),
        },
        Some(_) => Err(EncodingError::Unsupported),
    }
}

fn read<'a>(decoder: impl Read) -> Result<Cow<'a, [u8]>, EncodingError> {
    let mut decoded = Vec::new();
    let limit = u64::try_from(MAX_MESSAGE).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(&mut decoded).map_err(|_| EncodingError::Broken)?;
    if decoded.len() > MAX_MESSAGE {
        return Err(EncodingError::TooLarge);
    }
    Ok(Cow::Owned(decoded))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_small_body_that_grows_beyond_the_limit_is_too_large() {
        let bomb = vec![0; MAX_MESSAGE + 1];
        assert_eq!(decode(Some("gzip"), &gzip(&bomb)), Err(EncodingError::TooLarge));
        let zstd = zstd::stream::encode_all(&bomb[..], 1).unwrap();
        assert_eq!(decode(Some("zstd"), &zstd), Err(EncodingError::TooLarge));
        assert_eq!(decode(Some("gzip"), &gzip(&bomb[1..])).unwrap().len(), MAX_MESSAGE);
    }

    #[test]
    fn a_body_that_is_not_what_its_encoding_says_is_broken() {
        assert_eq!(decode(Some("gzip"), b"plain"), Err(EncodingError::Broken));
        assert_eq!(decode(Some("zstd"), b"plain"), Err(EncodingError::Broken));
        assert_eq!(decode(Some("br"), b"plain"), Err(EncodingError::Unsupported));
        assert_eq!(decode(Some("GZIP"), &gzip(b"plain")).as_deref(), Ok(&b"plain"[..]));
        assert_eq!(decode(Some("identity"), b"plain").as_deref(), Ok(&b"plain"[..]));
    }
}
