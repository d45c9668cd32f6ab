//! What is said of files that cannot be used.

use kasparro_identity::evaluate::{InputError, InputFile, Inputs, Options, evaluate};

const A: &str = "id,symbol,name\na,AAA,Alpha\n";
const B: &str = "id,symbol,name\nb,AAA,Alpha\n";
const TRUTH: &str = "id_a,id_b\na,b\n";

#[derive(Clone, Copy)]
struct Texts {
    a: &'static [u8],
    contracts: Option<&'static [u8]>,
    truth: &'static [u8],
}

const FINE: Texts = Texts { a: A.as_bytes(), contracts: None, truth: TRUTH.as_bytes() };

fn file<'a>(name: &'a str, bytes: &'a [u8]) -> Vec<InputFile<'a>> {
    vec![InputFile { name, chain: None, bytes }]
}

fn told(texts: Texts) -> Result<(), InputError> {
    let inputs = Inputs {
        universe_a: file("a.csv", texts.a),
        universe_b: file("b.csv", B.as_bytes()),
        contracts_a: texts.contracts.map_or_else(Vec::new, |bytes| file("contracts.csv", bytes)),
        truth: file("truth.csv", texts.truth),
        ..Inputs::default()
    };
    evaluate(&inputs, &Options::default()).map(|_| ())
}

#[test]
fn an_error_names_the_file_the_line_and_the_field() {
    let universe = |a: &'static [u8]| Texts { a, ..FINE };
    let contracts = |bytes: &'static [u8]| Texts { contracts: Some(bytes), ..FINE };
    let truth = |truth: &'static [u8]| Texts { truth, ..FINE };
    for (texts, place) in [
        (universe(b""), "a.csv: the file is empty"),
        (universe(b"\x1f\x8b\x08"), "a.csv: the file is compressed"),
        (universe(b"id,name\na,Alpha\n"), "a.csv, line 1, `symbol`: the header `id,name`"),
        (universe(b"id,symbol,name\na,AAA\n"), "a.csv, line 2: the row has 2 values"),
        (universe(b"id,symbol,name\na,AAA,\xff\n"), "a.csv, line 2: the row is not UTF-8"),
        (universe(b"id,symbol,name,rank\na,A,Alpha,first\n"), "a.csv, line 2, `rank`: `first`"),
        (
            universe(b"id,symbol,name\na,A,Alpha\na,A,Beta\n"),
            "a.csv, line 3, `id`: `a` stands twice",
        ),
        (universe(b"id,symbol,name\n"), "a.csv: the list names no listing"),
        (universe(b"[{\"id\":\"a\",\n"), "a.csv, line 2: the JSON cannot be read"),
        (universe(b"{\"coins\":[]}"), "a.csv: neither the file nor its field `data`"),
        (universe(b"[1]"), "a.csv, entry 1: it is no object"),
        (
            universe(b"[{\"id\":\"a\",\"name\":\"A\"}]"),
            "a.csv, entry 1, `symbol`: the field is missing",
        ),
        (
            universe(b"[{\"id\":[],\"symbol\":\"\",\"name\":\"\"}]"),
            "a.csv, entry 1, `id`: an array is no text",
        ),
        (contracts(b"id,address\na,0x1\n"), "contracts.csv, line 1, `chain`"),
        (
            contracts(b"id,chain,address\na,,0x1\n"),
            "contracts.csv, line 2, `chain`: the value is empty",
        ),
        (
            contracts(b"[{\"id\":\"a\",\"address\":\"0x1\",\"type\":\"ERC20\"}]"),
            "contracts.csv, entry 1, `address`: nothing says which chain",
        ),
        (truth(b"a,b\na,b\n"), "truth.csv, line 1, `id_a`"),
        (truth(b"id_a,id_b\na,\n"), "truth.csv, line 2, `id_b`: the value is empty"),
        (truth(b"id_a,id_b\nb,a\n"), "truth.csv: none of its 1 pairs has both ids"),
        (truth(b"[]"), "truth.csv: pairs are not read from JSON"),
    ] {
        let error = told(texts).unwrap_err();
        assert!(error.to_string().starts_with(place), "{error}\n{place}");
        assert!(!error.remedy.is_empty(), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    assert_eq!(told(FINE), Ok(()));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let inputs = Inputs {
        universe_a: file("a.csv", A.as_bytes()),
        universe_b: file("b.csv", B.as_bytes()),
        truth: file("truth.csv", TRUTH.as_bytes()),
        ..Inputs::default()
    };
    for (options, place) in [
        (Options { drop_counterparts: 1.5, ..Options::default() }, "--drop-counterparts: 1.5"),
        (Options { drop_counterparts: f64::NAN, ..Options::default() }, "--drop-counterparts: NaN"),
        (Options { source_b: "coingecko".to_owned(), ..Options::default() }, "--source-b: both"),
    ] {
        let error = evaluate(&inputs, &options).unwrap_err();
        assert!(error.to_string().starts_with(place), "{error}");
    }
}

#[test]
fn a_row_without_an_id_is_left_out_and_counted() {
    let inputs = Inputs {
        universe_a: file("a.csv", b"\xef\xbb\xbfID, Symbol ,NAME\n,x,Nameless\na,AAA,Alpha\n"),
        universe_b: file("b.csv", B.as_bytes()),
        truth: file("truth.csv", TRUTH.as_bytes()),
        ..Inputs::default()
    };
    let report = evaluate(&inputs, &Options::default()).unwrap();
    assert_eq!((report.lists["a"].listings, report.lists["a"].rows_without_id), (1, 1));
    assert_eq!(report.overall.tp, 1);
}
