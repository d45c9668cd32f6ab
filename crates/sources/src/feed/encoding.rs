//! Encodings other than UTF-8, of which the XML library knows those of the encoding standard.

use quick_xml::events::BytesDecl;

/// An encoding that extends ASCII, so that tags can be found before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoding {
    name: &'static str,
}

impl Encoding {
    /// The encoding of this label, where it extends ASCII and is not UTF-8.
    pub(super) fn of(label: &str) -> Option<Self> {
        let found = BytesDecl::new("1.0", Some(label), None).encoder()?;
        let other = found.is_ascii_compatible() && found.name() != "UTF-8";
        other.then_some(Self { name: found.name() })
    }

    /// Its name in the encoding standard.
    pub(super) const fn name(self) -> &'static str {
        self.name
    }

    /// The text of these bytes; `None` where they are no text of this encoding.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        let encoding = BytesDecl::new("1.0", Some(self.name), None).encoder()?;
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
        Some(text.into_owned())
    }
}
