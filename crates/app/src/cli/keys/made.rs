//! A key that was just made, on its one way to whoever asked for it.

use kasparro_api::NewApiKey;
use kasparro_domain::{ApiKey, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{Context, KeyDocument};
use crate::failure::Failure;
use crate::output::note;
use crate::wire;

/// A key with its text.
pub(super) struct Made {
    text: SecretString,
    pub(super) key: ApiKey,
}

#[derive(Serialize)]
struct Document<'a> {
    /// The key itself, shown this once.
    key: &'a str,
    #[serde(flatten)]
    kept: KeyDocument,
    /// The public id of the key that it replaces.
    replaces: Option<&'a str>,
    /// Until when that one stays good.
    replaced_until: Option<Timestamp>,
}

impl Made {
    /// Makes a text for what is to be kept; public id and HMAC are those of the text.
    ///
    /// # Errors
    /// A [`Failure`] where there is no secret to hash it under.
    pub(super) fn new(context: &Context, mut key: ApiKey) -> Result<Self, Failure> {
        let NewApiKey { text, key_id } = NewApiKey::random();
        key.hmac = wire::server_secret(&context.config)?.pepper().hmac(text.expose_secret());
        key.key_id = key_id;
        Ok(Self { text, key })
    }

    /// Prints the key on stdout, and on stderr what there is to know of it.
    ///
    /// # Errors
    /// A [`Failure`] where stdout takes nothing; the key is lost then, and `keys revoke` ends it.
    pub(super) fn show(
        &self,
        context: &Context,
        replaces: Option<(&str, Timestamp)>,
    ) -> Result<(), Failure> {
        let Self { text, key } = self;
        if !context.output.json {
            let until =
                key.expires_at.map_or_else(String::new, |end| format!(", good until {end}"));
            note(&format!(
                "key {} ({}, scope {}{until}): it is shown this once and kept nowhere",
                key.key_id, key.name, key.scope
            ));
            if let Some((key_id, until)) = replaces {
                note(&format!("key {key_id} stays good until {until}"));
            }
        }
        let kept = KeyDocument::new(key, key.created_at);
        let key = text.expose_secret();
        let (replaces, replaced_until) = replaces.unzip();
        let document = Document { key, kept, replaces, replaced_until };
        context.output.result(&document, || key.to_owned())
    }
}
