//! The same JSON, written otherwise: for every message a decoder must read alike.

/// A JSON text that keeps the spelling of its numbers and strings.
#[derive(Clone)]
pub(crate) enum Json {
    Raw(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn read(text: &str) -> Self {
        let mut rest = text;
        let json = value(&mut rest);
        assert!(rest.trim().is_empty(), "{rest}");
        json
    }

    /// The keys of every object in reverse.
    pub(crate) fn reversed(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::reversed).collect()),
            Self::Object(fields) => {
                let fields = fields.into_iter().rev().map(|(k, v)| (k, v.reversed()));
                Self::Object(fields.collect())
            }
            other => other,
        }
    }

    /// Unknown keys before, between and behind the others.
    pub(crate) fn with_unknown_keys(self) -> Self {
        let unknown = || Self::read(r#"{"x":[1,"]}",{"bids":[["1","1"]]}],"y":"\"a\":"}"#);
        match self {
            Self::Array(items) => {
                Self::Array(items.into_iter().map(Self::with_unknown_keys).collect())
            }
            Self::Object(fields) => {
                let known = fields.into_iter().map(|(k, v)| (k, v.with_unknown_keys()));
                let both = known
                    .enumerate()
                    .flat_map(|(i, field)| [(format!("new{i}"), unknown()), field]);
                let last = ("last".to_owned(), Self::Raw("-1.5e-7".into()));
                Self::Object(both.chain([last]).collect())
            }
            other => other,
        }
    }

    /// Writes it with `space` wherever white space may stand, and texts as `text` has them.
    pub(crate) fn write(&self, space: &str, text: &dyn Fn(&str) -> String) -> String {
        let sep = format!("{space},{space}");
        let inner = match self {
            Self::Raw(raw) => raw.clone(),
            Self::Text(t) => text(t),
            Self::Array(items) => {
                let items = items.iter().map(|item| item.write(space, text));
                format!("[{space}{}{space}]", items.collect::<Vec<_>>().join(&sep))
            }
            Self::Object(fields) => {
                let field = |(key, value): &(String, Self)| {
                    format!("{}{space}:{space}{}", text(key), value.write(space, text))
                };
                let fields = fields.iter().map(field).collect::<Vec<_>>();
                format!("{{{space}{}{space}}}", fields.join(&sep))
            }
        };
        inner
    }
}

/// A string as it was.
pub(crate) fn plain(text: &str) -> String {
    format!("\"{text}\"")
}

/// A string with every character escaped.
pub(crate) fn escaped(text: &str) -> String {
    if text.contains('\\') {
        return plain(text);
    }
    let escapes = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", escapes.collect::<String>())
}

fn value(rest: &mut &str) -> Json {
    *rest = rest.trim_start();
    match rest.as_bytes()[0] {
        b'"' => Json::Text(string(rest)),
        b'[' => {
            let mut items = Vec::new();
            while !container_ends(rest, ']') {
                items.push(value(rest));
            }
            Json::Array(items)
        }
        b'{' => {
            let mut fields = Vec::new();
            while !container_ends(rest, '}') {
                *rest = rest.trim_start();
                let key = string(rest);
                *rest = rest.trim_start().strip_prefix(':').unwrap();
                fields.push((key, value(rest)));
            }
            Json::Object(fields)
        }
        _ => {
            let end = rest.find([',', ']', '}', ' ', '\n']).unwrap_or(rest.len());
            let (raw, tail) = rest.split_at(end);
            *rest = tail;
            Json::Raw(raw.to_owned())
        }
    }
}

/// Passes the bracket or comma before the next element; true at the end.
fn container_ends(rest: &mut &str, end: char) -> bool {
    *rest = rest.trim_start();
    *rest = rest.strip_prefix(['[', '{', ',']).unwrap_or(rest);
    match rest.trim_start().strip_prefix(end) {
        Some(tail) => {
            *rest = tail;
            true
        }
        None => false,
    }
}

fn string(rest: &mut &str) -> String {
    let body = rest.strip_prefix('"').unwrap();
    let mut skip = false;
    let is_end = |c: char| {
        let end = c == '"' && !skip;
        skip = c == '\\' && !skip;
        end
    };
    let end = body.find(is_end).unwrap();
    *rest = &body[end + 1..];
    body[..end].to_owned()
}
