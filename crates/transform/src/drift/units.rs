//! Market faults that show row by row: other units, base and quote exchanged, members exchanged.

use kasparro_domain::{DriftKind, DriftSeverity, FieldRole};

use super::anchor;
use super::compare::Facing;
use super::event::Finding;
use super::limits::{
    AGREE, FACTOR, FACTOR_ROW, FAR_FROM_ONE, INVERTED_ROW, PAIRS, PERCENT_BEYOND, PERCENT_NEAR,
    POWER_MEDIAN_LEAST, POWER_MEDIAN_MOST, POWER_ROW, POWERS, ROWS, SCATTERED, SCATTERED_FAR,
};

/// Magnitudes of one member in rows found again: before and now.
type Both = Vec<(i64, i64)>;

pub(super) fn changes(facing: &mut Facing<'_>) {
    let fields: Vec<(usize, String, FieldRole)> = facing
        .profile
        .tracked
        .iter()
        .enumerate()
        .filter(|(_, pointer)| !facing.explained(pointer))
        .filter_map(|(at, pointer)| {
            Some((at, pointer.to_string(), facing.page.field(pointer)?.role))
        })
        .collect();
    for (tracked, pointer, role) in fields {
        let found = match role {
            FieldRole::Price | FieldRole::Amount => by_rows(facing, tracked, role),
            FieldRole::Percent => percent(facing, &pointer),
            _ => None,
        };
        if let Some((kind, before, after, severity, confidence, suggestion)) = found {
            let rows = facing.page.member(&pointer).map_or(0, |member| member.known());
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of rows"
            )]
            let rows = (rows as f64 * confidence).round() as usize;
            facing.settle(Finding {
                kind,
                pointer,
                before,
                after,
                severity,
                rows,
                confidence,
                suggestion,
            });
        }
    }
}

type Found = (DriftKind, String, String, DriftSeverity, f64, String);

fn share(both: &Both, test: impl Fn(i64, i64) -> bool) -> f64 {
    both.iter().filter(|(before, now)| test(*before, *now)).count() as f64
        / both.len().max(1) as f64
}

fn by_rows(facing: &Facing<'_>, tracked: usize, role: FieldRole) -> Option<Found> {
    let place = facing.places.tracked.get(tracked).copied().flatten()?;
    let both = anchor::magnitudes(&facing.pairs, tracked, place);
    if both.len() < PAIRS {
        return None;
    }
    let usual = anchor::usual_move(facing.profile, tracked);
    let middle = anchor::median(both.iter().map(|(before, now)| now - before).collect());
    // What has hardly moved has no fault of this sort; nearly every page ends here.
    if share(&both, |before, now| (now - before).abs() > POWER_ROW) < AGREE {
        return None;
    }
    exchanged(facing, tracked, place, &both)
        .or_else(|| inverted(role, &both))
        .or_else(|| flipped(facing, usual, middle, &both))
        .or_else(|| scaled(middle, &both))
        .or_else(|| scattered(facing, role, usual, &both))
}

/// The member now holds what another one held.
fn exchanged(facing: &Facing<'_>, tracked: usize, place: usize, own: &Both) -> Option<Found> {
    // Of several that fit the nearest: a cap and its fully diluted sibling are alike.
    let (mut nearest, mut found) = (POWER_MEDIAN_MOST + 1, None);
    for (other, pointer) in
        facing.profile.tracked.iter().enumerate().filter(|(at, _)| *at != tracked)
    {
        let role = facing.page.field(pointer).map(|field| field.role);
        if !matches!(role, Some(FieldRole::Price | FieldRole::Amount)) {
            continue;
        }
        let both = anchor::magnitudes(&facing.pairs, other, place);
        if both.len() * 2 < own.len() || both.len() < PAIRS {
            continue;
        }
        let agree = share(&both, |before, now| (now - before).abs() <= POWER_MEDIAN_MOST);
        let distance =
            anchor::median(both.iter().map(|(before, now)| (now - before).abs()).collect());
        if agree >= AGREE && distance < nearest {
            nearest = distance;
            found = Some((pointer.to_string(), agree));
        }
    }
    let pointer = facing.profile.tracked.get(tracked)?.to_string();
    found.map(|(other, agree)| {
        let suggestion = format!(
            "{pointer} holds what {other} held: exchange the two in the mapping, then retry."
        );
        (DriftKind::Distribution, pointer, other, DriftSeverity::Breaking, agree, suggestion)
    })
}

fn inverted(role: FieldRole, both: &Both) -> Option<Found> {
    let far: Both =
        both.iter().filter(|(before, _)| before.abs() > FAR_FROM_ONE).copied().collect();
    let agree = share(&far, |before, now| (before + now).abs() <= INVERTED_ROW);
    (role == FieldRole::Price && far.len() >= PAIRS && agree >= AGREE).then(|| {
        (
            DriftKind::Inverted,
            "quote per base".to_owned(),
            "base per quote".to_owned(),
            DriftSeverity::Breaking,
            agree,
            "Prices are one over what they were: wait for the upstream to repair it, or invert them \
             in the mapping."
                .to_owned(),
        )
    })
}

fn flipped(facing: &Facing<'_>, usual: i64, middle: i64, both: &Both) -> Option<Found> {
    let near = if facing.far_apart { POWER_MEDIAN_MOST } else { POWER_MEDIAN_LEAST + 4 * usual };
    let near = near.clamp(POWER_MEDIAN_LEAST, POWER_MEDIAN_MOST);
    let power = POWERS.into_iter().find(|power| (middle.abs() - power * 1000).abs() <= near)?;
    let agree = share(both, |before, now| (now - before - middle).abs() <= POWER_ROW);
    (agree >= AGREE).then(|| unit(if middle > 0 { power } else { -power }, agree))
}

fn unit(power: i64, agree: f64) -> Found {
    let digits = usize::try_from(power.abs()).unwrap_or_default();
    let factor = if power > 0 && digits > 3 {
        format!("x1e{digits}")
    } else if power > 0 {
        format!("x1{}", "0".repeat(digits))
    } else {
        format!("x1e-{digits}")
    };
    let suggestion = format!(
        "The unit differs ({factor}): scale the values in the mapping, or wait for a repair."
    );
    (DriftKind::UnitFlip, "x1".to_owned(), factor, DriftSeverity::Breaking, agree, suggestion)
}

/// All rows share a factor that is no power of ten: another quote currency.
fn scaled(middle: i64, both: &Both) -> Option<Found> {
    let agree = share(both, |before, now| (now - before - middle).abs() <= FACTOR_ROW);
    (middle.abs() >= FACTOR && agree >= AGREE).then(|| {
        (
            DriftKind::Distribution,
            "usual values".to_owned(),
            "one factor in all rows".to_owned(),
            DriftSeverity::Breaking,
            agree,
            "Every row is off by the same factor, as with another currency: check what the upstream \
             quotes in."
                .to_owned(),
        )
    })
}

fn scattered(facing: &Facing<'_>, role: FieldRole, usual: i64, both: &Both) -> Option<Found> {
    // Rows are remembered for 60 days, in which no market moves most prices by five; volumes do.
    let calm = role == FieldRole::Price || !facing.far_apart && usual * 10 <= SCATTERED;
    let least = if calm { SCATTERED } else { SCATTERED_FAR };
    let agree = share(both, |before, now| (now - before).abs() > least);
    (agree >= AGREE).then(|| {
        (
            DriftKind::Distribution,
            "usual values".to_owned(),
            "values far from those before".to_owned(),
            // Values that are used to moving may have moved; the others are those of other rows.
            if calm { DriftSeverity::Breaking } else { DriftSeverity::Warning },
            agree,
            "Most rows moved further than any market does: compare a few with the upstream's site."
                .to_owned(),
        )
    })
}

/// Changes have no stable ratio from page to page, so their size as a whole is compared.
fn percent(facing: &Facing<'_>, pointer: &str) -> Option<Found> {
    let range = facing.profile.members.get(pointer)?.medians?;
    let median = facing.page.member(pointer)?.median(ROWS)?;
    let beyond = (median - range.high).max(range.low - median);
    let shift = median - range.middle();
    (beyond >= PERCENT_BEYOND && (shift.abs() - 2.0).abs() <= PERCENT_NEAR)
        .then(|| unit(if shift > 0.0 { 2 } else { -2 }, 0.9))
}
