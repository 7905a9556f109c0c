//! Values between Rhai and JSON. Only data crosses: no functions, no times, nothing nested without end.

use rhai::{Dynamic, Map};
use serde::Serialize;
use serde_json::Value;

const MAX_DEPTH: usize = 64;

/// A script's value as data; an error says what in it is none.
pub(super) fn to_json(value: &Dynamic) -> Result<Value, String> {
    convert(value, MAX_DEPTH)
}

/// Data as a script's value. What cannot be told to a script becomes `()`: events hold no such thing.
pub(super) fn to_script(value: impl Serialize) -> Dynamic {
    rhai::serde::to_dynamic(value).unwrap_or(Dynamic::UNIT)
}

/// The fields of a value that serialises as a map.
pub(super) fn to_map(value: impl Serialize) -> Map {
    to_script(value).try_cast().unwrap_or_default()
}

fn convert(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth == 0 {
        return Err(format!("the value is nested more than {MAX_DEPTH} deep"));
    }
    if value.is_shared() {
        return convert(&value.flatten_clone(), depth);
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::String(text.to_string()));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.iter().map(|(key, value)| Ok((key.to_string(), convert(value, depth - 1)?))).collect();
    }
    if let Ok(array) = value.as_array_ref() {
        return array.iter().map(|value| convert(value, depth - 1)).collect();
    }
    scalar(value).ok_or_else(|| format!("a value of type {} is no plain data", value.type_name()))
}

fn scalar(value: &Dynamic) -> Option<Value> {
    if let Ok(number) = value.as_int() {
        return Some(number.into());
    }
    if let Ok(truth) = value.as_bool() {
        return Some(truth.into());
    }
    if let Ok(character) = value.as_char() {
        return Some(character.to_string().into());
    }
    serde_json::Number::from_f64(value.as_float().ok()?).map(Value::Number)
}
