//! Lists as vendors answer them, written by hand after their documents.

use kasparro_identity::evaluate::{InputFile, Inputs, Options, Report, evaluate};

const ADDRESS: &str = "0x00000000000000000000000000000000000000a1";

fn file<'a>(chain: Option<&'a str>, text: &'a str) -> Vec<InputFile<'a>> {
    vec![InputFile { name: "list", chain, bytes: text.as_bytes() }]
}

/// One token that the two sources call differently, so that nothing but its contract tells that it is one.
fn by_contract(
    a: &str,
    contracts_a: Option<&str>,
    b: &str,
    contracts_b: Option<(Option<&str>, &str)>,
) -> Report {
    let inputs = Inputs {
        universe_a: file(None, a),
        universe_b: file(None, b),
        contracts_a: contracts_a.map_or_else(Vec::new, |text| file(None, text)),
        contracts_b: contracts_b.map_or_else(Vec::new, |(chain, text)| file(chain, text)),
        truth: file(None, "id_a,id_b\n7,tok-token\n"),
        negatives: Vec::new(),
    };
    evaluate(&inputs, &Options::default()).unwrap()
}

#[test]
fn contracts_are_found_in_every_form_that_a_vendor_gives_them() {
    let plain_a = r#"[{"id":"7","symbol":"tok","name":"Token Seven"}]"#.to_owned();
    let plain_b = r#"[{"id":"tok-token","name":"Token Seven","symbol":"TOK","rank":0,"is_new":false,
"is_active":true,"type":"token"}]"#;
    let coingecko = format!(
        r#"[{{"id":"7","symbol":"tok","name":"Token Seven","platforms":{{"ethereum":"{ADDRESS}","":"","x":null}}}}]"#
    );
    let markets = r#"[{"id":"7","symbol":"tok","name":"Token Seven","market_cap_rank":12,"current_price":1.5}]"#;
    let coinmarketcap = format!(
        r#"{{"status":{{}},"data":[{{"id":7,"symbol":"TOK","name":"Token Seven","rank":3,
"platform":{{"id":1027,"name":"Ethereum","slug":"ethereum","token_address":"{ADDRESS}"}}}}]}}"#
    );
    let by_chain = format!(r#"{{"0x1":{{"{ADDRESS}":"7"}}}}"#);
    let objects =
        format!(r#"{{"0x1":{{"{ADDRESS}":{{"coingeckoId":"7","name":"Token Seven"}}}}}}"#);
    let rows = format!("id,chain,address\n7,ethereum,{ADDRESS}\n");
    let column =
        format!("id,symbol,name,contracts\n7,tok,Token Seven,tron:Tx eip155:1:{ADDRESS}\n");
    let paprika =
        format!(r#"[{{"address":"{ADDRESS}","type":"ERC20","id":"tok-token","active":true}}]"#);
    let contracts_b = Some((Some("eth-ethereum"), paprika.as_str()));
    for (universe, contracts) in [
        (&coingecko, None),
        (&coinmarketcap, None),
        (&plain_a, Some(&coingecko)),
        (&plain_a, Some(&by_chain)),
        (&plain_a, Some(&objects)),
        (&plain_a, Some(&rows)),
        (&markets.to_owned(), Some(&rows)),
        (&column, None),
    ] {
        let report = by_contract(universe, contracts.map(String::as_str), plain_b, contracts_b);
        assert_eq!(report.classes["with_contract"].scored, 1, "{universe}");
        assert_eq!(report.classes["no_shared_contract"].scored, 0, "{universe}");
        assert_eq!(report.overall.tp, 1, "{universe}");
    }
    let report = by_contract(&plain_a, None, plain_b, contracts_b);
    assert_eq!(report.classes["with_contract"].scored, 0, "only one side knows a contract");
    assert_eq!(report.classes["no_shared_contract"].scored, 1);
}

#[test]
fn a_contract_of_an_id_that_the_list_does_not_have_is_counted_and_left_out() {
    let a = r#"[{"id":"7","symbol":"tok","name":"Token Seven"}]"#;
    let b = r#"[{"id":"tok-token","name":"Token Seven","symbol":"TOK"}]"#;
    let report = by_contract(a, Some("id,chain,address\n8,ethereum,0x1\n"), b, None);
    assert_eq!(report.lists["a"].contracts_of_unknown_ids, 1);
    assert_eq!(report.lists["a"].with_contract, 0);
}
