//! What of an address may be shown: never its user info, nor its query.

/// What is shown instead of the part of an address that may hold a secret.
const HIDDEN: &str = "…";

/// A value as it is shown, in TOML, JSON or plain, with the addresses in it masked.
pub(crate) fn masked(shown: &str) -> String {
    if let Ok(mut table) = format!("value = {shown}").parse::<toml::Table>()
        && table.len() == 1
        && let Some(mut value) = table.remove("value")
    {
        return if mask_value(&mut value) { value.to_string() } else { shown.to_owned() };
    }
    if let Ok(mut value) = serde_json::from_str::<serde_json::Value>(shown) {
        return if mask_json(&mut value) { value.to_string() } else { shown.to_owned() };
    }
    masked_text(shown)
}

/// Masks every text in a value; true when something was masked.
pub(crate) fn mask_value(value: &mut toml::Value) -> bool {
    match value {
        toml::Value::String(text) => mask_in_place(text),
        toml::Value::Array(values) => {
            values.iter_mut().fold(false, |any, value| mask_value(value) | any)
        }
        toml::Value::Table(table) => {
            table.iter_mut().fold(false, |any, (_, value)| mask_value(value) | any)
        }
        _ => false,
    }
}

fn mask_json(value: &mut serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => mask_in_place(text),
        serde_json::Value::Array(values) => {
            values.iter_mut().fold(false, |any, value| mask_json(value) | any)
        }
        serde_json::Value::Object(map) => {
            map.values_mut().fold(false, |any, value| mask_json(value) | any)
        }
        _ => false,
    }
}

fn mask_in_place(text: &mut String) -> bool {
    let masked = masked_text(text);
    let changed = masked != *text;
    *text = masked;
    changed
}

/// A text without the user info and the query of the address that it is or holds.
///
/// A password may hold any character, so whatever follows the scheme of an address with user info goes.
pub(crate) fn masked_text(text: &str) -> String {
    if let Some((before, rest)) = text.split_once("://") {
        if !user_info(rest) {
            return without_query(text, before.len() + 3);
        }
        return if before.contains(':') {
            HIDDEN.to_owned()
        } else {
            format!("{before}://{HIDDEN}")
        };
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return text.to_owned();
    };
    if rest.starts_with(char::is_whitespace) {
        return text.to_owned();
    }
    // Neither a mail address nor a path has user info.
    let plain = ["mailto", "sqlite"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    if plain || !rest.contains('@') {
        return without_query(text, scheme.len() + 1);
    }
    let named = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if named { format!("{scheme}:{HIDDEN}") } else { HIDDEN.to_owned() }
}

/// True for `user:password@…`, also where the host is missing.
fn user_info(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let after_host = authority.rsplit_once(']').map_or(authority, |(_, after)| after);
    let port = after_host.split_once(':').map_or("", |(_, port)| port);
    rest.contains('@') || !port.bytes().all(|byte| byte.is_ascii_digit())
}

fn without_query(text: &str, from: usize) -> String {
    let query = text.get(from..).and_then(|rest| rest.find(['?', '#']));
    let shown = query.and_then(|at| text.get(..=from + at));
    shown.map_or_else(|| text.to_owned(), |shown| format!("{shown}{HIDDEN}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i9_user_info_and_query_of_any_address_are_hidden() {
        for (text, shown) in [
            ("mysql://u:CANARY@h/d", "mysql://…"),
            ("mysql://u:CAN/ARY?#@h/d", "mysql://…"),
            ("mysql://u:CANARY", "mysql://…"),
            ("mysql+x:u:CANARY@h", "mysql+x:…"),
            ("http%3A//u:CANARY@h", "…"),
            ("u:p://CANARY@h", "…"),
            ("https://h:1/p?token=CANARY", "https://h:1/p?…"),
            ("https://h/p#CANARY", "https://h/p#…"),
            ("sqlite:x.db?key=CANARY", "sqlite:x.db?…"),
            ("[\"a.csv\", \"ftp://u:CANARY@h/x\"]", "[\"a.csv\", \"ftp://…\"]"),
            ("[{\"path\":\"ftp://u:CANARY@h/x\"}]", "[{\"path\":\"ftp://…\"}]"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn what_holds_no_secret_is_shown_as_it_is() {
        for text in [
            "sqlite:./data/a:b@c.db",
            "mailto:me@example.org",
            "http://[::1]:9000",
            "http://127.0.0.1:9000/",
            "\"0.0.0.0:http\"",
            "[\"a?.csv\"]",
            "*/5 * * * ?",
            "true",
            "80",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
