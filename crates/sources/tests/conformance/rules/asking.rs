//! Rules about what is asked for, in which order and how often.

use std::collections::VecDeque;
use std::time::Duration;

use kasparro_domain::Checkpoint;
use kasparro_extract::{PageSummary, Purpose, RunStart};

use crate::fixtures::{Fixture, Reached, now};

/// Runs come to an end for every number of rows, from the start and from every stored position.
pub(super) fn comes_to_an_end(fixture: &Fixture) -> Result<(), String> {
    let source = fixture.source.as_ref();
    let surveys = fixture.reachable();
    for rows in [0, 1, 250] {
        let start = RunStart { checkpoint: None, now: now(), values: true };
        let mut ahead = VecDeque::from(source.first(start));
        let mut asked = 0;
        while let Some(request) = ahead.pop_front() {
            asked += 1;
            if asked > 1_000 {
                return Err(format!("still asking after {asked} pages of {rows} rows"));
            }
            let survey = surveys.iter().find(|one| one.request.endpoint == request.endpoint);
            let survey = survey.map(|one| one.survey.clone()).unwrap_or_default();
            let page = PageSummary { rows, pages: asked, survey: &survey };
            let position = source.position_after(&request, page);
            for (age, values) in [(0, true), (0, false), (86_400, true)] {
                let Some(position) = position.clone() else { continue };
                let moved_at = now().minus(Duration::from_secs(age));
                let checkpoint = Checkpoint { position, moved_at };
                let start = RunStart { checkpoint: Some(&checkpoint), now: now(), values };
                if values && source.first(start).is_empty() {
                    return Err(format!("a run from {} asks nothing", checkpoint.position));
                }
            }
            for following in source.next(&request, page).into_iter().rev() {
                ahead.push_front(following);
            }
        }
        if asked == 0 {
            return Err("a run asks nothing".to_owned());
        }
    }
    Ok(())
}

/// How far the values came is told by pages of values alone.
pub(super) fn lists_never_move_the_position(fixture: &Fixture) -> Result<(), String> {
    for Reached { request, survey } in fixture.reachable() {
        for rows in [0, 250] {
            let page = PageSummary { rows, pages: 1, survey: &survey };
            let moved = fixture.source.position_after(&request, page).is_some();
            if moved == (request.purpose == Purpose::List) {
                return Err(format!("{}: moves the position: {moved}", request.endpoint));
            }
        }
    }
    Ok(())
}

/// A run without values asks for the lists, and for nothing else; a run with values asks for the same
/// lists after them. A source has an interval for its lists exactly if it has lists.
pub(super) fn lists_are_always_asked_for(fixture: &Fixture) -> Result<(), String> {
    let source = fixture.source.as_ref();
    let first = |values| source.first(RunStart { checkpoint: None, now: now(), values });
    let whole = first(true);
    let split = whole.iter().take_while(|request| request.purpose == Purpose::Values).count();
    let lists: Vec<_> = whole.iter().skip(split).collect();
    if split == 0 || lists.iter().any(|request| request.purpose != Purpose::List) {
        return Err("values do not come first".to_owned());
    }
    let described: Vec<_> = lists.iter().map(|request| request.describe()).collect();
    let alone: Vec<_> = first(false).iter().map(kasparro_extract::Request::describe).collect();
    if alone != described {
        return Err(format!("without values {alone:?} is asked for in place of {described:?}"));
    }
    let interval = source.spec().lists_interval.is_some();
    if interval == lists.is_empty() {
        return Err(format!("{} lists, and an interval: {interval}", lists.len()));
    }
    let purposes = fixture.reachable().into_iter().map(|reached| reached.request.purpose);
    let after: Vec<_> = purposes.skip_while(|purpose| *purpose == Purpose::Values).collect();
    if after.contains(&Purpose::Values) {
        return Err("a list brings values with it".to_owned());
    }
    Ok(())
}

/// No run completes a sweep twice. Where lists are asked for, one of them does, and where there are only
/// values, nothing comes after the one that does.
pub(super) fn a_sweep_is_complete_once(fixture: &Fixture) -> Result<(), String> {
    let reached = fixture.reachable();
    let completing: Vec<usize> =
        (0..reached.len()).filter(|place| reached[*place].request.completes_sweep).collect();
    match completing[..] {
        [] if fixture.source.spec().lists_interval.is_none() => Ok(()),
        [place] if reached[place].request.purpose == Purpose::List => Ok(()),
        [place] if place + 1 == reached.len() => Ok(()),
        _ => Err(format!("complete at {completing:?} of {} requests", reached.len())),
    }
}
