//! A news feed in three formats; a new item appears every ten steps, and between them the feed is
//! unchanged to the byte and says so.

use std::sync::Arc;

use axum::http::StatusCode;

use crate::answer::{Answer, Ask, Content, RowWriter, Rows, Validator};
use crate::chance::Purpose;
use crate::names::Identity;
use crate::text::{http_date, push_instant, push_json_text};
use crate::world::World;

/// Items in a feed, newest first.
const ITEMS: u32 = 30;
const STEPS_PER_ITEM: u64 = 10;

const RSS_HEAD: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel>",
    "<title>Simulated Market News</title><link>https://news.example/</link>",
    "<description>Headlines about generated coins</description>",
);
const JSON_HEAD: &str = concat!(
    "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"Simulated Market News\",",
    "\"home_page_url\":\"https://news.example/\",\"items\":[",
);

const HEADLINES: [&str; 6] = [
    "rallies as traders return",
    "slips <b>again</b>",
    "& partners announce a new network",
    "reaches \"record\" volume",
    "delays its upgrade",
    "joins another exchange – what next?",
];

/// One item: what it says and when.
struct Item {
    number: u64,
    title: String,
    published_ms: i64,
}

impl Item {
    fn new(world: &World, number: u64) -> Self {
        let drawn = world.seed.draw(Purpose::News, u32::try_from(number).unwrap_or(u32::MAX));
        let headline = usize::try_from(drawn % 6).ok().and_then(|at| HEADLINES.get(at));
        let subject = (drawn >> 8) % u64::from(world.coins().clamp(1, 500));
        let mut identity = Identity::default();
        identity.fill(world.seed, u32::try_from(subject).unwrap_or(0));
        let title = format!("{} {}", identity.name, headline.unwrap_or(&""));
        // The feed was full before step 0; its older items keep their distance.
        let item_ms = world.now_ms(STEPS_PER_ITEM).saturating_sub(world.now_ms(0));
        let since_base = i64::try_from(number).unwrap_or(i64::MAX).saturating_sub(i64::from(ITEMS));
        let published_ms =
            world.now_ms(0).saturating_add(since_base.saturating_mul(item_ms)).max(0);
        Self { number, title, published_ms }
    }

    /// Permanent, and not always an address.
    fn guid(&self) -> String {
        if self.number.is_multiple_of(3) {
            format!("simulated-news-{}", self.number)
        } else {
            self.link()
        }
    }

    fn link(&self) -> String {
        format!("https://news.example/{}?ref=feed&lang=en", self.number)
    }
}

/// Answers a request below `/feed`.
pub(crate) fn answer(world: &Arc<World>, ask: &Ask) -> Answer {
    let newest = ask.step / STEPS_PER_ITEM + u64::from(ITEMS);
    let updated_ms = Item::new(world, newest).published_ms;
    let (content_type, prefix, separator, suffix, push): (_, _, _, _, fn(&mut Vec<u8>, &Item)) =
        match ask.path.as_str() {
            "/feed/rss.xml" => (
                "application/rss+xml; charset=utf-8",
                RSS_HEAD.to_owned(),
                "",
                "</channel></rss>\n",
                push_rss,
            ),
            "/feed/atom.xml" => {
                let prefix = atom_head(updated_ms);
                ("application/atom+xml; charset=utf-8", prefix, "", "</feed>\n", push_atom)
            }
            "/feed/feed.json" => {
                ("application/feed+json", JSON_HEAD.to_owned(), ",", "]}", push_json)
            }
            _ => return Answer::error(StatusCode::NOT_FOUND, "application/json", "not found"),
        };
    let world = Arc::clone(world);
    let write: RowWriter = Box::new(move |age, out, external_id| {
        let item = Item::new(&world, newest.saturating_sub(u64::from(age)));
        external_id.push_str(&item.guid());
        push(out, &item);
    });
    let rows = Rows {
        prefix: prefix.into_bytes(),
        lead: "",
        separator,
        suffix,
        subjects: Box::new(0..ITEMS),
        write,
    };
    Answer {
        status: StatusCode::OK,
        content_type,
        cache_control: Some("max-age=300"),
        validator: Validator::Both { version: newest, changed_ms: updated_ms },
        content: Content::Rows(rows),
    }
}

fn instant(millis: i64) -> String {
    let mut text = Vec::new();
    push_instant(&mut text, millis, false);
    String::from_utf8_lossy(&text).into_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn atom_head(updated_ms: i64) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\
         <id>https://news.example/</id><title>Simulated Market News</title><updated>{}</updated>",
        instant(updated_ms)
    )
}

fn push_rss(out: &mut Vec<u8>, item: &Item) {
    let permanent = !item.number.is_multiple_of(3);
    let text = format!(
        "<item><title>{}</title><link>{}</link><guid isPermaLink=\"{permanent}\">{}</guid>\
         <pubDate>{}</pubDate><description><![CDATA[<p>{}</p>]]></description></item>",
        escaped(&item.title),
        escaped(&item.link()),
        escaped(&item.guid()),
        http_date(item.published_ms),
        item.title,
    );
    out.extend_from_slice(text.as_bytes());
}

fn push_atom(out: &mut Vec<u8>, item: &Item) {
    let text = format!(
        "<entry><id>{}</id><title>{}</title><link href=\"{}\"/><updated>{}</updated>\
         <summary>{1}</summary></entry>",
        escaped(&item.guid()),
        escaped(&item.title),
        escaped(&item.link()),
        instant(item.published_ms),
    );
    out.extend_from_slice(text.as_bytes());
}

fn push_json(out: &mut Vec<u8>, item: &Item) {
    out.extend_from_slice(b"{\"id\":");
    push_json_text(out, &item.guid());
    out.extend_from_slice(b",\"url\":");
    push_json_text(out, &item.link());
    out.extend_from_slice(b",\"title\":");
    push_json_text(out, &item.title);
    out.extend_from_slice(b",\"content_text\":");
    push_json_text(out, &item.title);
    out.extend_from_slice(b",\"date_published\":\"");
    push_instant(out, item.published_ms, false);
    out.extend_from_slice(b"\"}");
}
