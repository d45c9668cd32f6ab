//! Texts that others have broken servers with, and some that nobody means.

use std::collections::BTreeSet;

/// What a text is meant to break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Sql,
    Path,
    Line,
    Script,
    Template,
    Address,
    Unicode,
    Number,
}

/// Every text of every kind.
pub(super) fn texts() -> Vec<(Kind, String)> {
    let kinds = [
        (Kind::Sql, sql()),
        (Kind::Path, paths()),
        (Kind::Line, lines()),
        (Kind::Script, scripts()),
        (Kind::Template, templates()),
        (Kind::Address, addresses()),
        (Kind::Unicode, unicode()),
        (Kind::Number, numbers()),
    ];
    kinds
        .into_iter()
        .flat_map(|(kind, texts)| texts.into_iter().map(move |it| (kind, it)))
        .collect()
}

/// Each of the first with each of the second.
fn each<'a>(first: &[&'a str], second: &[&'a str], join: fn(&str, &str) -> String) -> Vec<String> {
    first.iter().flat_map(|one| second.iter().map(move |two| join(one, two))).collect()
}

fn behind(one: &str, two: &str) -> String {
    format!("{one}{two}")
}

fn sql() -> Vec<String> {
    let begins = ["1", "btc", "'", "1'", "1\"", "1)", "-1", "0x31", "\\'", "1`"];
    let ends = [
        " OR 1=1--",
        " OR '1'='1",
        " UNION SELECT NULL--",
        " UNION ALL SELECT hmac FROM api_key--",
        "; DROP TABLE listing;--",
        "; SELECT pg_sleep(10)--",
        " AND (SELECT randomblob(1000000000))--",
        "/**/AND/**/1=1",
        " ORDER BY 100--",
        " HAVING 1=1",
        "||(SELECT sqlite_version())",
        "||(SELECT version())",
        " LIKE '%'",
        "; COPY listing TO PROGRAM 'id'--",
        " /*!50000UNION*/ SELECT 1#",
    ];
    each(&begins, &ends, behind)
}

fn paths() -> Vec<String> {
    let ups = ["../", "..\\", "%2e%2e/", "%2e%2e%2f", "..%2f", "..%c0%af", "..%252f", "....//"];
    let aims =
        ["etc/passwd", "etc/passwd%00.js", "windows\\win.ini", "proc/self/environ", "Cargo.toml"];
    let near = each(&ups, &aims, behind);
    near.into_iter().chain(each(&ups, &aims, |up, aim| up.repeat(9) + aim)).collect()
}

fn lines() -> Vec<String> {
    let ends =
        ["\r\n", "\n", "\r", "%0d%0a", "%0a", "\\r\\n", "\u{2028}", "\u{85}", "\u{1b}[2J", "\0"];
    let next = [
        "Set-Cookie: a=b",
        "X-Injected: 1",
        "Location: https://evil.example/",
        "HTTP/1.1 200 OK",
        "INFO an admin was let in",
    ];
    each(&ends, &next, |end, next| format!("x{end}{next}"))
}

fn scripts() -> Vec<String> {
    let around = [("", ""), ("\">", ""), ("'>", ""), ("</title>", "<!--"), ("<![CDATA[", "]]>")];
    let vectors = [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<iframe src=javascript:alert(1)>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<body onload=alert(1)>",
        "<ScRiPt>alert(1)</sCrIpT>",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "\\u003cscript\\u003ealert(1)",
        "<math><mi xlink:href=\"data:x,<script>alert(1)</script>\">",
        "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>&y;",
    ];
    let wrapped = around.iter().flat_map(|(before, after)| {
        vectors.iter().map(move |vector| format!("{before}{vector}{after}"))
    });
    wrapped.collect()
}

fn templates() -> Vec<String> {
    let marks =
        [("{{", "}}"), ("${", "}"), ("#{", "}"), ("<%= ", " %>"), ("{%", "%}"), ("@(", ")")];
    let inside = ["7*7", "self", "config.items()", "env.SECRET", "''.__class__"];
    let made = marks.iter().flat_map(|(before, after)| {
        inside.iter().map(move |inside| format!("{before}{inside}{after}"))
    });
    made.collect()
}

fn addresses() -> Vec<String> {
    let schemes = ["http://", "https://", "ftp://", "gopher://", "//", "http://good.example@"];
    let hosts = [
        "127.0.0.1:5432/",
        "localhost/metrics",
        "[::1]:8000/keys",
        "169.254.169.254/latest/meta-data/",
        "0.0.0.0/",
        "2130706433/",
        "0x7f.1/",
        "127.0.0.1.nip.example/",
        "[::ffff:169.254.169.254]/",
        "metadata.google.internal/computeMetadata/v1/",
    ];
    each(&schemes, &hosts, behind)
}

fn unicode() -> Vec<String> {
    let odd = [
        "\0",
        "\u{7f}",
        "\u{feff}",
        "\u{202e}",
        "\u{200b}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10ffff}",
        "\u{e000}",
        "e\u{301}",
        "\u{fb01}",
        "\u{130}\u{131}\u{17f}\u{212a}",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
        "%ff%fe",
    ];
    let places: [fn(&str) -> String; 5] = [
        |odd| odd.to_owned(),
        |odd| format!("btc{odd}"),
        |odd| format!("{odd}btc"),
        |odd| format!("b{odd}c"),
        |odd| odd.repeat(300),
    ];
    odd.iter().flat_map(|odd| places.iter().map(move |place| place(odd))).collect()
}

fn numbers() -> Vec<String> {
    let sizes = [
        "0",
        "1",
        "2",
        "20",
        "500",
        "501",
        "127",
        "255",
        "32768",
        "65535",
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967296",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
        "1e9",
        "1e400",
        "1e-400",
        "0.1",
    ];
    let forms: [fn(&str) -> String; 4] = [
        str::to_owned,
        |size| format!("-{size}"),
        |size| format!("+{size}"),
        |size| format!("00{size}"),
    ];
    let made = sizes.iter().flat_map(|size| forms.iter().map(move |form| form(size)));
    made.chain(["NaN", "-Infinity", "0x10", "1_000"].map(str::to_owned)).collect()
}

#[test]
fn there_are_six_hundred_texts_and_none_twice() {
    let texts = texts();
    let of = |kind: Kind| texts.iter().filter(|(of, _)| *of == kind).count();
    let counts = [
        (Kind::Sql, 150),
        (Kind::Path, 80),
        (Kind::Line, 50),
        (Kind::Script, 60),
        (Kind::Template, 30),
        (Kind::Address, 60),
        (Kind::Unicode, 70),
        (Kind::Number, 100),
    ];
    for (kind, count) in counts {
        assert_eq!(of(kind), count, "{kind:?}");
    }
    let different: BTreeSet<_> = texts.iter().map(|(_, text)| text).collect();
    assert_eq!(different.len(), texts.len());
    for part in ["%2e%2e", "..%c0%af", "%00", "\0"] {
        assert!(texts.iter().any(|(_, text)| text.contains(part)), "{part:?}");
    }
}
