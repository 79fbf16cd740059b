//! Attributes as JSON, and as a key that does not depend on their order.
//! Used for resources, scopes and points.
//! Never drops an attribute that a peer sent, except a second one of the same name.

use std::{cmp::Ordering, collections::BTreeMap};

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;
use serde_json::Value;

/// Attributes by name.
///
/// Bytes are shown as lower-case hexadecimal; a value that is unset, NaN or infinite is `null`.
pub type Attributes = BTreeMap<String, Value>;

/// The attributes as JSON.
pub(crate) fn to_json(attributes: &[KeyValue]) -> Attributes {
    attributes.iter().map(|pair| (pair.key.clone(), value(pair.value.as_ref()))).collect()
}

/// The attributes sorted by name: equal for two sets that differ in order alone.
pub(crate) fn sorted(mut attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
    attributes
}

/// A key for the attributes: equal exactly if names, types and values are, in any order.
pub(crate) fn key(attributes: Vec<KeyValue>) -> Vec<u8> {
    sorted(attributes).iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}

/// An order for people: by name, then by value, numbers as numbers.
pub(crate) fn compare(a: &Attributes, b: &Attributes) -> Ordering {
    for ((a_name, a_value), (b_name, b_value)) in a.iter().zip(b) {
        let order = a_name.cmp(b_name).then_with(|| compare_values(a_value, b_value));
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// Whether a value reads as this text: a string as it is, anything else as its JSON.
pub(crate) fn reads_as(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        other => {
            let json = other.to_string();
            json == text
        }
    }
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or(f64::NAN).total_cmp(&b.as_f64().unwrap_or(f64::NAN)),
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => a.to_string().cmp(&b.to_string()),
    }
}

fn value(value: Option<&AnyValue>) -> Value {
    use any_value::Value as Any;
    match value.and_then(|value| value.value.as_ref()) {
        None => Value::Null,
        Some(Any::StringValue(string)) => Value::from(string.as_str()),
        Some(Any::BoolValue(bool)) => Value::from(*bool),
        Some(Any::IntValue(int)) => Value::from(*int),
        Some(Any::DoubleValue(double)) => Value::from(*double),
        Some(Any::ArrayValue(array)) => array.values.iter().map(|item| self::value(Some(item))).collect(),
        Some(Any::KvlistValue(list)) => {
            list.values.iter().map(|pair| (pair.key.clone(), self::value(pair.value.as_ref()))).collect()
        }
        Some(Any::BytesValue(bytes)) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
        // An index into a table of strings that only profiles carry.
        Some(Any::StringValueStrindex(index)) => Value::from(*index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(key: &str, value: any_value::Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    #[test]
    fn the_key_tells_types_apart() {
        let int = key(vec![attribute("a", any_value::Value::IntValue(1))]);
        let double = key(vec![attribute("a", any_value::Value::DoubleValue(1.0))]);
        let text = key(vec![attribute("a", any_value::Value::StringValue("1".to_owned()))]);
        assert!(int != double && int != text && double != text);
    }

    #[test]
    fn numbers_are_ordered_as_numbers_and_a_subset_comes_first() {
        let of = |pairs: &[(&str, i64)]| -> Attributes {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
        };
        assert!(compare(&of(&[("i", 2)]), &of(&[("i", 10)])).is_lt());
        assert!(compare(&of(&[("i", 2)]), &of(&[("i", 2), ("j", 0)])).is_lt());
        assert!(compare(&of(&[]), &of(&[("i", 2)])).is_lt());
        assert!(compare(&of(&[("i", 2)]), &of(&[("i", 2)])).is_eq());
    }

    #[test]
    fn every_kind_of_value_has_its_json() {
        use any_value::Value as Any;
        let attributes = to_json(&[
            attribute("bool", Any::BoolValue(true)),
            attribute("bytes", Any::BytesValue(vec![0, 171])),
            attribute("double", Any::DoubleValue(0.5)),
            attribute("nan", Any::DoubleValue(f64::NAN)),
            KeyValue { key: "unset".to_owned(), ..KeyValue::default() },
        ]);
        let expected = r#"{"bool":true,"bytes":"00ab","double":0.5,"nan":null,"unset":null}"#;
        assert_eq!(serde_json::to_string(&attributes).unwrap(), expected);
    }
}
