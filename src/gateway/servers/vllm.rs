//! vLLM, as of 0.32.
//!
//! It states the window in its list of models, and starts a new turn after an assistant's message unless it is asked to
//! go on with it.

use serde_json::{Map, Value};

use super::{Adapter, Continuing, Counting, Kind, Known, asks_for_usage, by_response_format, owner};
use crate::gateway::ask::Answer;

pub const KNOWN: Known = Known { kind: Kind::Vllm, port: 8000, start: "vllm serve MODEL" };

pub struct Vllm;

impl Adapter for Vllm {
    fn name(&self) -> &'static str {
        "vLLM"
    }

    fn is_told_by(&self, list: &Answer) -> bool {
        owner(list) == Some("vllm")
    }

    fn version(&self) -> Option<(&'static str, &'static str)> {
        Some(("/version", "version"))
    }

    fn more_fields(&self) -> Map<String, Value> {
        asks_for_usage()
    }

    fn shaped(&self, schema: &Value) -> Option<Map<String, Value>> {
        Some(by_response_format(schema))
    }

    fn counting(&self) -> Option<Counting> {
        Some(Counting { path: "/tokenize", count: |answer| answer.get("count")?.as_u64() })
    }

    fn continuing(&self) -> Option<Continuing> {
        Some(Continuing::Asked)
    }
}
