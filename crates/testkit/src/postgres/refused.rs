//! What a server refused, as its log tells it.

/// What a line of the log holds that tells of something refused or broken.
const REFUSED: [&str; 3] = ["ERROR:", "FATAL:", "PANIC:"];

/// Lines behind such a one that say more of it, its statement among them.
const MORE: usize = 3;

/// The lines that tell of something refused, each with what the log says more of it.
pub(super) fn refused_in(log: &str) -> Vec<String> {
    let lines: Vec<_> = log.lines().collect();
    let told = |line: &str| REFUSED.iter().any(|part| line.contains(part));
    let places = (0..lines.len()).filter(|place| told(lines[*place]));
    places
        .map(|place| lines[place..].iter().take(MORE).copied().collect::<Vec<_>>().join("\n"))
        .collect()
}
