//! Counts that were worked out on paper.
//!
//! A lists seven coins, B six. What the truth says and what any resolver must make of it:
//!
//! | A | B by truth | same symbol and name in B | without dropping |
//! |---|---|---|---|
//! | alpha | alp-alpha | alp-alpha | right |
//! | beta | bet-beta | bet-beta, same contract | right |
//! | gamma | gam-other | gam-gamma, which is something else | wrong |
//! | delta | del-far | nothing | missed |
//! | epsilon | eps-gone, which B does not list | nothing | alone, and rightly |
//! | zeta | in no pair | zet-zeta | not scored |

use std::collections::BTreeSet;

use kasparro_identity::evaluate::{InputFile, Inputs, Options, Report, evaluate};
use serde_json::Value;

const A: &str = "\
name,id,rank,symbol
Alpha Money,alpha,1,alp
Beta Money,beta,2,bet
Gamma Money,gamma,,gam
Delta Money,delta,,del
Epsilon Money,epsilon,,eps
Zeta Money,zeta,,zet
Other Gamma,gamma-2,,gam
";
const B: &str = "\
id,symbol,name
alp-alpha,ALP,Alpha Money
bet-beta,BET,Beta Money
gam-gamma,GAM,Gamma Money
gam-other,GMO,Unlike Anything
del-far,FAR,Very Different
zet-zeta,ZET,Zeta Money
";
const CONTRACTS_A: &str = "\
id,chain,address
beta,ethereum,0x00000000000000000000000000000000000000b1
delta,ethereum,0x00000000000000000000000000000000000000d1
";
const CONTRACTS_B: &str = "\
id,chain,address
bet-beta,eth-ethereum,0x00000000000000000000000000000000000000B1
";
const TRUTH: &str = "\
id_a,id_b
alpha,alp-alpha
beta,bet-beta
gamma,gam-other
delta,del-far
epsilon,eps-gone
unknown,alp-alpha
";
const NEGATIVES: &str = "\
id_a,id_b
gamma,gam-gamma
zeta,alp-alpha
gamma,eps-gone
";

fn file(text: &'static str) -> Vec<InputFile<'static>> {
    vec![InputFile { name: "by hand", chain: None, bytes: text.as_bytes() }]
}

fn inputs() -> Inputs<'static> {
    Inputs {
        universe_a: file(A),
        universe_b: file(B),
        contracts_a: file(CONTRACTS_A),
        contracts_b: file(CONTRACTS_B),
        truth: file(TRUTH),
        negatives: file(NEGATIVES),
    }
}

fn report(drop_counterparts: f64, seed: u64) -> Report {
    let options = Options { drop_counterparts, seed, ..Options::default() };
    evaluate(&inputs(), &options).unwrap()
}

fn close(share: Option<f64>, expected: f64) -> bool {
    share.is_some_and(|share| (share - expected).abs() < 1e-12)
}

#[test]
fn counts_are_those_worked_out_on_paper() {
    let report = report(0.0, 0);
    let all = report.overall;
    assert_eq!((all.tp, all.fp, all.missed), (2, 1, 1), "{:#?}", report.confusions);
    assert_eq!((all.scored, all.present), (5, 4), "epsilon's counterpart is not listed");
    assert!(close(all.precision, 2.0 / 3.0) && close(all.recall, 2.0 / 3.0), "{all:?}");
    assert!(close(all.f1, 2.0 / 3.0), "{all:?}");
    assert_eq!((report.truth_pairs, report.truth_pairs_unknown), (6, 2));
    assert_eq!(report.lists["a"].with_contract, 2);
}

#[test]
fn classes_are_what_their_definitions_say() {
    let classes = report(0.0, 0).classes;
    let counts = |name: &str| {
        let score = classes[name];
        (score.scored, score.tp, score.fp, score.missed)
    };
    assert_eq!(counts("with_contract"), (1, 1, 0, 0), "beta");
    assert_eq!(counts("no_shared_contract"), (4, 1, 1, 1), "all but beta");
    assert_eq!(counts("colliding_symbol"), (1, 0, 1, 0), "gamma, since gamma-2 is called so too");
}

#[test]
fn negatives_count_where_both_listings_are_there() {
    let report = report(0.0, 0);
    assert_eq!((report.negatives.n, report.negatives.linked), (2, 1), "gamma is not gam-gamma");
    assert_eq!((report.same_symbol.n, report.same_symbol.linked), (1, 1), "gamma, gam-gamma");
}

#[test]
fn a_mistake_stands_in_the_file_of_errors_with_what_was_expected() {
    let text = String::from_utf8(report(0.0, 0).confusions_as_csv()).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("kind,id_a,id_b,expected,score,reason"));
    let starts: Vec<String> =
        lines.map(|line| line.split(',').take(4).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(
        starts,
        ["fp,gamma,gam-gamma,gam-other", "fn,delta,,del-far", "negative_linked,gamma,gam-gamma,"]
    );
}

#[test]
fn without_any_counterpart_every_link_is_wrong_and_nothing_is_missed() {
    let report = report(1.0, 7);
    assert_eq!(report.dropped, 4, "those of the truth that B lists");
    let all = report.overall;
    assert_eq!((all.tp, all.missed, all.present, all.scored), (0, 0, 0, 5));
    assert_eq!(all.fp, 1, "gamma is still linked to gam-gamma, which the truth does not name");
    assert!(close(all.precision, 0.0));
    assert_eq!(all.recall, None, "nothing was there to be found");
}

#[test]
fn a_counterpart_that_was_dropped_makes_a_link_elsewhere_wrong() {
    // Alpha's own listing goes; a second one of its name stays, and is not what Alpha is.
    let mut inputs = inputs();
    let twin = "id,symbol,name\nalp-alpha,ALP,Alpha Token\nalp-twin,ALP,Alpha Money\n";
    inputs.universe_b = file(twin);
    inputs.contracts_b = Vec::new();
    inputs.truth = file("id_a,id_b\nalpha,alp-alpha\n");
    let options = Options { drop_counterparts: 1.0, ..Options::default() };
    let report = evaluate(&inputs, &options).unwrap();
    assert_eq!((report.overall.fp, report.overall.missed), (1, 0), "{report:#?}");
    assert_eq!(report.confusions[0].id_b, "alp-twin");
    assert_eq!(report.confusions[0].expected, "", "nothing that is there was right");
}

#[test]
fn the_seed_alone_decides_what_is_dropped() {
    let dropped = |seed| {
        let report = report(0.5, seed);
        assert_eq!(report.dropped, 2, "half of four");
        serde_json::to_string(&report).unwrap()
    };
    assert_eq!(dropped(3), dropped(3));
    let of_many: BTreeSet<String> =
        (0..20).map(|seed| dropped(seed).replace(&format!("\"seed\":{seed}"), "")).collect();
    assert!(of_many.len() > 1, "twenty seeds drop the same");
}

#[test]
fn the_json_document_has_the_documented_fields() {
    let json = serde_json::to_value(report(0.0, 0)).unwrap();
    let has = |value: &Value, fields: &[&str]| {
        for field in fields {
            assert!(value.get(field).is_some(), "{field} in {value}");
        }
    };
    let score = ["tp", "fp", "fn", "abstained", "precision", "recall", "f1"];
    has(&json["overall"], &score);
    for class in ["with_contract", "no_shared_contract", "colliding_symbol"] {
        has(&json["classes"][class], &score);
    }
    has(&json["negatives"], &["n", "linked"]);
    assert!(json["overall"]["fn"].is_u64() && json["overall"]["precision"].is_f64(), "{json}");
}
