#![cfg(feature = "serde")]

use serde_json::{Value, json};
use worker_metrics_thread_dump::coverage;

use crate::rig;

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("it is data")
}

#[test]
fn an_activity_is_an_object_of_its_fields() {
    let subject = rig::spawn(std::thread::park);
    let activity = to_json(&subject.once_in(&["futex"]));
    assert_eq!(activity["name"], json!("subject"));
    assert_eq!(activity["call"], json!("futex"));
    assert_eq!(activity["state"], json!("sleeping"));
    assert_eq!(activity["waits_on"]["kind"], json!("lock"));
    assert_eq!(activity["waits_on"]["is_timed"], json!(false));
    assert_eq!(activity["look"]["call"]["in"]["arguments"][0], activity["waits_on"]["address"]);
    subject.handle.thread().unpark();
    subject.handle.join().expect("it does not panic");
}

#[test]
fn a_coverage_has_null_where_nothing_is_missing() {
    assert_eq!(to_json(&coverage())["looks"], Value::Null);
    let missing = worker_metrics_thread_dump::Unavailable::Missing { file: "/proc/x" };
    assert_eq!(to_json(&missing), json!({"reason": "missing", "file": "/proc/x"}));
}
