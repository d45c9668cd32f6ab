use std::io;

use kasparro_domain::RejectionReason;
use proptest::prelude::*;
use serde_json::Value;

use super::{Cut, Drip, cut_with, texts};
use crate::Framing;
use crate::frame::{FrameError, MAX_ROW_BYTES, MAX_ROW_DEPTH, check};

fn cut(body: &[u8]) -> Cut {
    let (rows, end) = cut_with(&Framing::XmlItems, &Value::Null, body);
    end.unwrap();
    rows
}

fn code(body: &[u8]) -> &'static str {
    check(&Framing::XmlItems, &Value::Null, body).unwrap_err().code()
}

/// Every kind of markup, with rows of each feed format and what looks like rows but is none.
const NASTY: &str = concat!(
    "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<?style <item>?>\n",
    "<!DOCTYPE rss [\n <!ENTITY lol \"lol\"> <!-- it's <item> -->\n",
    " <!ENTITY lol2 \"&lol;&lol;>]<item>\"> <?pi it's?> <!ELEMENT item (#PCDATA)>\n]>\n",
    "<rss version='2.0' note=\"<item>/>\"><channel>\n",
    "<title>&lt;item&gt; &amp; > ]]</title><!-- <item>no</item> -- -> -->\n",
    "<![CDATA[<item>no</item>]] >]]]><items><li/></items><item-like/>",
    "<item><title>1 > 0 &lol2;</title></item>",
    "<item\n a='</item>' b=\"/>\" ><item>inner</item><x><![CDATA[</item>]]></x><!--</item>--><?x </item>?></item >",
    "<item/><item a=\"/\" / >x</item>",
    "<atom:entry><entry>not the end</entry></atom:entry>",
    "<rss:item>é</rss:item>",
    "<item>one < two <3 </> </item>",
    "</channel></rss>\n<!-- end --><?end?>\n",
);

fn nasty_rows() -> Cut {
    texts(&[
        "<item><title>1 > 0 &lol2;</title></item>",
        "<item\n a='</item>' b=\"/>\" ><item>inner</item><x><![CDATA[</item>]]></x><!--</item>--><?x </item>?></item >",
        "<item/>",
        "<item a=\"/\" / >x</item>",
        "<atom:entry><entry>not the end</entry></atom:entry>",
        "<rss:item>é</rss:item>",
        "<item>one < two <3 </> </item>",
    ])
}

#[test]
fn items_are_cut_by_their_tags_alone() {
    assert_eq!(cut(NASTY.as_bytes()), nasty_rows());
    assert_eq!(cut(b"<entry>1</entry>"), texts(&["<entry>1</entry>"]));
    assert_eq!(cut(b" <feed/>"), Cut::new());
    assert_eq!(cut(b"<rss><channel></channel></rss>"), Cut::new());
}

#[test]
fn where_the_reads_end_does_not_matter() {
    let body = NASTY.as_bytes();
    for at in 0..=body.len() {
        let (left, right) = body.split_at(at);
        let halves = io::Read::chain(left, right);
        let (rows, end) = cut_with(&Framing::XmlItems, &Value::Null, halves);
        end.unwrap();
        assert_eq!(rows, nasty_rows(), "{at}");
    }
    for step in 1..16 {
        let drip = Drip { bytes: body, step };
        let (rows, end) = cut_with(&Framing::XmlItems, &Value::Null, drip);
        end.unwrap();
        assert_eq!(rows, nasty_rows(), "{step}");
    }
}

#[test]
fn n5_a_document_cut_off_anywhere_is_not_believed() {
    let body = NASTY.trim_end().strip_suffix("\n<!-- end --><?end?>").unwrap().as_bytes();
    for length in 0..body.len() {
        let (rows, end) = cut_with(&Framing::XmlItems, &Value::Null, &body[..length]);
        assert!(end.is_err(), "{length} bytes pass for a document of {} rows", rows.len());
    }
    assert!(matches!(
        check(&Framing::XmlItems, &Value::Null, &b"<rss><item>1</item><item>"[..]),
        Err(FrameError::Truncated { rows: 1 })
    ));
}

#[test]
fn n9_a_body_that_is_no_document_is_refused_by_what_it_is() {
    for (body, expected) in [
        ("", "empty_body"),
        (" \n", "empty_body"),
        ("{\"items\":[]}", "not_xml"),
        ("error code: 1020", "not_xml"),
        ("a <item>1</item>", "not_xml"),
        ("<!DOCTYPE html><HTML><body>Log in</body></HTML>", "not_xml"),
        ("<rss/><rss/>", "trailing_garbage"),
        ("<rss></rss>x", "trailing_garbage"),
        ("<rss></rss><item/>", "trailing_garbage"),
        ("<rss></rss><", "truncated"),
        ("<?xml version=\"1.0\"?><rss", "truncated"),
        ("<!DOCTYPE rss [", "truncated"),
        ("<rss><![CDATA[</rss>", "truncated"),
    ] {
        assert_eq!(code(body.as_bytes()), expected, "{body}");
    }
    assert_eq!(code(b"\xff\xfe<\0r\0s\0s\0"), "not_xml");
}

#[test]
fn what_a_parser_would_refuse_costs_its_own_row_only() {
    for odd in [
        &b"<item><br>never closed</item>"[..],
        b"<item></b></item>",
        b"<item>&nosuch; & \0\xff</item>",
        b"<item><a href=x>y</A></item>",
    ] {
        let body = [b"<rss><item>1</item>", odd, b"<item>2</item></rss>"].concat();
        let expected =
            vec![Ok(b"<item>1</item>".to_vec()), Ok(odd.to_vec()), Ok(b"<item>2</item>".to_vec())];
        assert_eq!(cut(&body), expected);
    }
}

#[test]
fn d10_nesting_and_size_are_bounded_and_the_stream_goes_on() {
    let item = |inner: &str| format!("<item>{inner}</item>");
    let deep = |depth: usize| item(&["<b>".repeat(depth - 1), "</b>".repeat(depth - 1)].concat());
    let allowed = MAX_ROW_DEPTH as usize;
    let long = |length: usize| item(&"x".repeat(length - item("").len()));
    let tag = format!("<item a=\"{}\"/>", "y".repeat(3 * MAX_ROW_BYTES));
    let body = [
        "<rss>".to_owned(),
        deep(allowed),
        deep(allowed + 1),
        deep(100_000),
        long(MAX_ROW_BYTES),
        format!("<title>{}</title>", "z".repeat(5 << 20)),
        long(MAX_ROW_BYTES + 1),
        long(5 << 20),
        tag,
        format!("<t{}/>", "n".repeat(5 << 20)),
        item("7"),
        "</rss>".to_owned(),
    ]
    .concat();
    let (malformed, large) = (RejectionReason::Malformed, RejectionReason::RowTooLarge);
    let expected = vec![
        Ok(deep(allowed).into_bytes()),
        Err(malformed),
        Err(malformed),
        Ok(long(MAX_ROW_BYTES).into_bytes()),
        Err(large),
        Err(large),
        Err(large),
        Ok(item("7").into_bytes()),
    ];
    assert_eq!(cut(body.as_bytes()), expected);
}

#[test]
fn entities_are_never_expanded() {
    let mut body = String::from("<!DOCTYPE rss [<!ENTITY a0 \"ha\">");
    for level in 1..100 {
        let earlier = format!("&a{};", level - 1).repeat(10);
        body.push_str(&format!("<!ENTITY a{level} \"{earlier}\">"));
    }
    body.push_str("]><rss><item>&a99;</item></rss>");
    assert_eq!(cut(body.as_bytes()), texts(&["<item>&a99;</item>"]));
}

proptest! {
    #[test]
    fn d10_no_bytes_make_it_panic_and_read_sizes_do_not_matter(
        pieces in prop::collection::vec(
            prop_oneof![
                Just("<item>"), Just("</item>"), Just("<item a='"), Just("<entry/>"), Just("<b>"),
                Just("</b>"), Just("<!--"), Just("-->"), Just("<![CDATA["), Just("]]>"), Just("<?"),
                Just("?>"), Just("<!DOCTYPE"), Just("["), Just("]"), Just(">"), Just("<"), Just("\""),
                Just("'"), Just("-"), Just("!"), Just("/"), Just("x"), Just(" "), Just("&"),
            ],
            0..40,
        ),
        rooted in any::<bool>(),
        step in 1_usize..9,
    ) {
        let body = pieces.concat();
        let body = if rooted { format!("<rss>{body}</rss>") } else { body };
        let (whole, end) = cut_with(&Framing::XmlItems, &Value::Null, body.as_bytes());
        let drip = Drip { bytes: body.as_bytes(), step };
        let (dripped, dripped_end) = cut_with(&Framing::XmlItems, &Value::Null, drip);
        prop_assert_eq!(whole, dripped);
        let told = |end: Result<(), FrameError>| end.err().map(|error| error.to_string());
        prop_assert_eq!(told(end), told(dripped_end));
    }
}
