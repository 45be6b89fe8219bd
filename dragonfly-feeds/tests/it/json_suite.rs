//! JSONTestSuite: what every JSON parser must take, what it must refuse, and what is free.
//!
//! A message is an object or an array here, and what nobody asked for is skipped without looking into
//! it; so some texts that are no JSON pass. Which ones is written down below, name by name: none of
//! them can be taken for a book, and a list that grows or shrinks is a failing test.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use dragonfly_core::{feed::Decoded, market::BookUpdate};
use dragonfly_feeds::{
    json::{Cursor, MAX_NESTING, Parse, simd, unescape},
    venue::{self, Subscription},
};
use serde_json::Value;

/// JSON that is no object and no array, so no message.
const NO_MESSAGES: &[&str] = &[
    "y_structure_lonely_int",
    "y_structure_lonely_negative_real",
    "y_structure_lonely_null",
    "y_structure_lonely_true",
];

/// Taken though they are no JSON, when every value is passed by its kind. What may stand in a number, a
/// word or a string is not looked at before it is wanted: a decoder that wants the number, refuses it.
const TAKEN: &[&str] = &[
    "n_incomplete_false",
    "n_incomplete_true",
    "n_number_++",
    "n_number_+1",
    "n_number_+Inf",
    "n_number_-1.0.",
    "n_number_-NaN",
    "n_number_.-1",
    "n_number_.2e-3",
    "n_number_0.e1",
    "n_number_0_capital_E+",
    "n_number_0_capital_E",
    "n_number_0e+",
    "n_number_0e",
    "n_number_1.0e-",
    "n_number_1.0e",
    "n_number_1eE2",
    "n_number_2.e+3",
    "n_number_2.e-3",
    "n_number_9.e+",
    "n_number_Inf",
    "n_number_expression",
    "n_number_hex_1_digit",
    "n_number_hex_2_digits",
    "n_number_infinity",
    "n_number_invalid+-",
    "n_number_invalid-negative-real",
    "n_number_minus_sign_with_trailing_garbage",
    "n_number_neg_real_without_int_part",
    "n_number_real_garbage_after_e",
    "n_number_starting_with_dot",
    "n_number_with_alpha",
    "n_number_with_alpha_char",
    "n_number_with_leading_zero",
    "n_string_1_surrogate_then_escape_u1",
    "n_string_1_surrogate_then_escape_u1x",
    "n_string_backslash_00",
    "n_string_escape_x",
    "n_string_escaped_ctrl_char_tab",
    "n_string_incomplete_escaped_character",
    "n_string_incomplete_surrogate",
    "n_string_incomplete_surrogate_escape_invalid",
    "n_string_invalid_backslash_esc",
    "n_string_invalid_utf8_after_escape",
    "n_string_unescaped_tab",
    "n_structure_capitalized_True",
];

/// Taken besides where nobody asked for them: of what is skipped, strings must end and brackets must
/// fit, and nothing else is looked at.
const SKIPPED: &[&str] = &[
    "n_array_a_invalid_utf8",
    "n_array_colon_instead_of_comma",
    "n_array_comma_and_number",
    "n_array_just_comma",
    "n_array_missing_value",
    "n_array_number_and_comma",
    "n_array_number_and_several_commas",
    "n_array_star_inside",
    "n_number_1_000",
    "n_number_U+FF11_fullwidth_digit_one",
    "n_number_invalid-utf-8-in-int",
    "n_number_minus_space_1",
    "n_number_real_with_invalid_utf8_after_e",
    "n_object_double_colon",
    "n_object_garbage_at_end",
    "n_object_lone_continuation_byte_in_key_and_trailing_comma",
    "n_object_missing_semicolon",
    "n_object_non_string_key",
    "n_object_non_string_key_but_huge_number_instead",
    "n_object_repeated_null_null",
    "n_object_several_trailing_commas",
    "n_object_trailing_comma",
    "n_object_with_single_string",
    "n_string_accentuated_char_no_quotes",
    "n_string_leading_uescaped_thinspace",
    "n_string_single_quote",
    "n_structure_object_with_comment",
    "n_structure_uescaped_LF_before_string",
    "n_structure_whitespace_U+2060_word_joiner",
    "n_structure_whitespace_formfeed",
];

/// Taken once their escapes are resolved, which stand where none may: outside of strings.
const RESOLVED: &[&str] = &["n_string_leading_uescaped_thinspace"];

struct Case {
    name: String,
    expect: String,
    text: Vec<u8>,
}

fn cases() -> Vec<Case> {
    let file = include_bytes!("../json/jsontestsuite.jsonl.zst");
    let text = String::from_utf8(zstd::decode_all(&file[..]).unwrap()).unwrap();
    let case = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| line[name].as_str().unwrap().to_owned();
        let name = field("case");
        let name = name.rsplit('/').next().unwrap().trim_end_matches(".json");
        Case {
            name: name.to_owned(),
            expect: field("expect"),
            text: STANDARD.decode(field("b64")).unwrap(),
        }
    };
    text.lines().map(case).collect()
}

/// Passes a value by its own kind, and everything in it.
fn walk(cursor: &mut Cursor<'_>, depth: u32) -> Parse<()> {
    if depth > MAX_NESTING {
        return Err(cursor.fault("nested too deep"));
    }
    if cursor.is_object() {
        cursor.object(|_, cursor| walk(cursor, depth + 1))
    } else if cursor.is_array() {
        cursor.array(|cursor| walk(cursor, depth + 1))
    } else {
        cursor.text().map(|_| ())
    }
}

fn is_walked(text: &[u8]) -> bool {
    let mut cursor = Cursor::new(text);
    walk(&mut cursor, 1).and_then(|()| cursor.end()).is_ok()
}

fn is_skipped(text: &[u8]) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.skip().and_then(|()| cursor.end()).is_ok()
}

/// The names of the cases of which `is_wrong`.
fn names(cases: &[Case], expect: &str, is_wrong: impl Fn(&[u8]) -> bool) -> Vec<String> {
    let of_kind = cases.iter().filter(|case| case.expect == expect);
    let wrong = of_kind.filter(|case| is_wrong(&case.text));
    wrong.map(|case| case.name.clone()).collect()
}

#[test]
fn what_is_json_is_read() {
    let cases = cases();
    assert_eq!(cases.len(), 214);
    assert_eq!(
        names(&cases, "accept", |text| !is_walked(text)),
        NO_MESSAGES
    );
    assert_eq!(
        names(&cases, "accept", |text| !is_skipped(text)),
        NO_MESSAGES
    );
}

#[test]
fn what_is_no_json_is_refused_but_for_what_is_listed() {
    let cases = cases();
    assert_eq!(names(&cases, "reject", is_walked), TAKEN);
    let skipped = names(&cases, "reject", |text| {
        is_skipped(text) && !is_walked(text)
    });
    assert_eq!(skipped, SKIPPED);
}

#[test]
fn wide_registers_and_resolved_escapes_change_no_verdict() {
    for case in cases() {
        let mut plain = case.text.clone();
        unescape(&mut plain);
        for text in [&case.text, &plain] {
            let verdict = (is_walked(text), is_skipped(text));
            let plainly = simd::plainly(|| (is_walked(text), is_skipped(text)));
            assert_eq!(verdict, plainly, "{}", case.name);
        }
        let both = [&case.text, &plain].map(|text| (is_walked(text), is_skipped(text)));
        let is_resolved = RESOLVED.contains(&&*case.name);
        assert_eq!(both[0] == both[1], !is_resolved, "{}", case.name);
    }
}

#[test]
fn no_decoder_takes_any_of_it_for_a_book() {
    for case in cases() {
        for spec in venue::all() {
            let wanted = Subscription::default();
            let diffs = spec.diffs.map(|diffs| (diffs.decoder)(&wanted));
            for mut decoder in [Some((spec.decoder)(&wanted)), diffs].into_iter().flatten() {
                let mut read = |text: &[u8]| {
                    let mut update = BookUpdate::default();
                    decoder.decode(&mut text.to_vec(), &mut update, &mut |_| {})
                };
                let decoded = read(&case.text);
                let plainly = simd::plainly(|| read(&case.text));
                assert_eq!(decoded, plainly, "{}: {}", spec.id, case.name);
                assert_ne!(decoded, Ok(Decoded::Book), "{}: {}", spec.id, case.name);
            }
        }
    }
}
