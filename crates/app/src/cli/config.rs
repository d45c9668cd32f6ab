//! `config check` and `config print`.

use serde_json::{Map, json};

use super::Context;
use crate::config::{Origin, Shown};
use crate::failure::{Exit, Failure};
use crate::wire;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Action {
    /// Check the configuration as a whole; exits 2 and names the first key that is refused.
    Check,
    /// Print every key with its comment, its value in effect and where that comes from; secrets masked.
    #[command(after_help = "\
Examples:
  kasparro config print > kasparro.toml      a file to start from
  KASPARRO_SERVER__LISTEN=0.0.0.0:80 kasparro config print --json")]
    Print,
}

pub(crate) fn execute(context: &Context, action: &Action) -> Result<Exit, Failure> {
    wire::sources(&context.config)?;
    match action {
        Action::Check => {
            let changed = context
                .config
                .shown()
                .iter()
                .filter(|shown| shown.origin != Origin::Default)
                .count();
            let warnings = &context.config.warnings;
            let document = json!({"ok": true, "changed": changed, "warnings": warnings});
            context.output.result(&document, || {
                let warnings: String =
                    warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect();
                format!(
                    "the configuration is good; {changed} values are not the defaults{warnings}"
                )
            })?;
        }
        Action::Print => print(context)?,
    }
    Ok(Exit::Done)
}

fn print(context: &Context) -> Result<(), Failure> {
    let shown = context.config.shown();
    let document: Map<_, _> = shown
        .iter()
        .map(|Shown { known, value, origin, .. }| {
            let value = format!("value = {value}")
                .parse::<toml::Table>()
                .ok()
                .and_then(|mut table| table.remove("value"))
                .and_then(|value| serde_json::to_value(value).ok());
            (known.key.clone(), json!({"value": value, "origin": origin.to_string()}))
        })
        .collect();
    context.output.result(&json!({ "values": document }), || {
        let mut text = String::new();
        let mut section = "";
        for Shown { known, value, hidden, origin } in &shown {
            if known.section() != section {
                section = known.section();
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&format!("[{section}]\n"));
            }
            text.push_str(&format!("# {}\n", known.comment));
            // A mask is no value: as a comment it leaves the printed file one that can be used.
            let origin = match origin {
                chosen if *hidden => {
                    text.push_str("# ");
                    format!("  # set, from {chosen}")
                }
                Origin::Default => String::new(),
                chosen => format!("  # from {chosen}"),
            };
            text.push_str(&format!("{} = {value}{origin}\n", known.name()));
        }
        text
    })
}
