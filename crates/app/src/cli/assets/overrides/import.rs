//! `assets overrides import`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use kasparro_domain::{DecisionKind, OverrideVerdict};
use serde::Serialize;

use super::super::decide::{Pair, request};
use super::super::decisions;
use super::super::known::Known;
use super::file::{self, Override};
use super::{Context, Word, in_force};
use crate::cli::decision::{carry_out, decider, read_words};
use crate::cli::request::Request;
use crate::clock::SystemClock;
use crate::failure::{Exit, Failure};
use crate::output::note;
use crate::wire;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  kasparro assets overrides import overrides.toml               decides what is not in force yet
  kasparro assets overrides import overrides.toml --replace     and takes back what the file does not say

An entry of the file:
  [[override]]
  a = 'coingecko:gas'
  b = 'coinpaprika:gas-gas'
  verdict = 'separate'                 or 'link', 'unrelated', 'related'
  why = 'a token of another chain'
  who = 'ada'                          whoever imports it where it is left out
  at = 2026-01-02T03:04:05Z            for readers of the file; may be left out

An entry of verdict 'related' is read as `kasparro assets relate A B`, and has three keys of its own:
  kind = 'migrated_to'                 what a is of b
  ratio = '1000'                       units of b that one unit of a gives; left out where it is not known
  date = 2024-10-01                    the day from which it holds; left out where it is not known

Import a file as often as you like: what is in force already is left as it is. One entry that cannot be followed,
and nothing of the file is decided.

Exit codes: 0 everything that the file says is in force; 1 it names a listing that is not known; 2 the file or an
entry cannot be read; 3 the store cannot be used.")]
pub(crate) struct Arguments {
    /// The file to read.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Take back every decision that the file does not say.
    #[arg(long)]
    replace: bool,
    /// Who decides, for the record, where the file does not say it; the user of this process unless told otherwise.
    #[arg(long, value_name = "NAME", value_parser = read_words)]
    who: Option<String>,
}

/// The document of `assets overrides import --json`.
#[derive(Debug, Serialize)]
struct Imported {
    added: usize,
    withdrawn: usize,
    unchanged: usize,
    /// Entries that are in force and cannot be followed: newer decisions forbid it, or an asset would hold
    /// two listings of one source.
    not_followed: Vec<(String, String)>,
}

pub(super) async fn execute(context: Context, arguments: Arguments) -> Result<Exit, Failure> {
    let path = &arguments.file;
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Exit::Usage,
            "unreadable_file",
            format!("{} cannot be read: {error}", path.display()),
            "name a text file as `kasparro assets overrides export` writes it",
        )
    })?;
    let wanted = file::read(path, &text)?;
    let clock = SystemClock::shared();
    let decided = {
        // Closed again before the store is opened to write: whoever closes it last tidies its files up.
        let store = wire::open_to_read(&context.config, &clock).await?;
        let known = Known::read(store.as_ref(), &context.config.database).await?;
        for entry in &wanted {
            for key in [&entry.pair.0, &entry.pair.1] {
                known.listing(key).map_err(|failure| Failure {
                    message: format!("{}: {}; nothing was decided", entry.place, failure.message),
                    ..failure
                })?;
            }
        }
        in_force(decisions(&context, store.as_ref()).await?)
    };
    let who = decider(arguments.who, &context);
    let new: Vec<&Override> = wanted.iter().filter(|entry| !stands(entry, &decided)).collect();
    let gone = if arguments.replace { not_said(&decided, &wanted) } else { Vec::new() };
    let mut imported = Imported {
        added: new.len(),
        withdrawn: gone.len(),
        unchanged: wanted.len() - new.len(),
        not_followed: Vec::new(),
    };
    let mut requests = additions(&new, &who);
    let why = format!("{} does not say it", path.display());
    requests.extend(request(DecisionKind::Withdraw, gone, None, &who, &why));
    carry_out(&context, &clock, requests).await?;

    let store = wire::open_to_read(&context.config, &clock).await?;
    let known = Known::read(store.as_ref(), &context.config.database).await?;
    for Override { pair: (a, b), verdict, .. } in &wanted {
        let together = known.listing(a)?.asset_id == known.listing(b)?.asset_id;
        if together != (*verdict == OverrideVerdict::Link) {
            imported.not_followed.push((a.to_string(), b.to_string()));
        }
    }
    context.output.result(&imported, || {
        let Imported { added, withdrawn, unchanged, .. } = imported;
        format!("added: {added}, taken back: {withdrawn}, in force already: {unchanged}")
    })?;
    for (a, b) in &imported.not_followed {
        note(&format!(
            "{a} and {b}: it could not be followed so far; `kasparro assets explain {a} {b}` tells why"
        ));
    }
    Ok(Exit::Done)
}

/// True where an entry is in force.
fn stands(entry: &Override, decided: &BTreeMap<Pair, Word>) -> bool {
    let same = |word: &Word| (word.verdict, &word.relation) == (entry.verdict, &entry.relation);
    decided.get(&entry.pair).is_some_and(same)
}

/// The pairs about which something is in force and the file says nothing.
fn not_said(decided: &BTreeMap<Pair, Word>, wanted: &[Override]) -> Vec<Pair> {
    let said: BTreeSet<_> = wanted.iter().map(|entry| &entry.pair).collect();
    decided.keys().filter(|pair| !said.contains(pair)).cloned().collect()
}

/// Requests for these entries in their order: neighbours that say the same for the same reason are one, and a
/// relation is one by itself.
fn additions(new: &[&Override], who: &str) -> Vec<Request> {
    let same = |one: &&Override, other: &&Override| {
        one.relation.is_none()
            && (one.verdict, &one.who, &one.why) == (other.verdict, &other.who, &other.why)
    };
    let one = |entries: &[&Override]| {
        let first = entries.first()?;
        let kind = match first.verdict {
            OverrideVerdict::Link => DecisionKind::Link,
            OverrideVerdict::Separate => DecisionKind::Unlink,
            OverrideVerdict::Related => DecisionKind::Relate,
            OverrideVerdict::Unrelated => DecisionKind::Unrelate,
            OverrideVerdict::Withdraw => DecisionKind::Withdraw,
        };
        let pairs = entries.iter().map(|entry| entry.pair.clone());
        let who = first.who.as_deref().unwrap_or(who);
        request(kind, pairs, first.relation.clone(), who, &first.why)
    };
    new.chunk_by(same).filter_map(one).collect()
}
