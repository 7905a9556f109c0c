//! SGLang, as of 0.5.
//!
//! It speaks chat completions with no peculiarity that was met; its list of models tells the window of this launch.

use serde_json::{Map, Value};

use super::{Adapter, asks_for_usage, by_response_format, owner};
use crate::gateway::ask::Answer;

pub struct Sglang;

impl Adapter for Sglang {
    fn name(&self) -> &'static str {
        "SGLang"
    }

    fn is_told_by(&self, list: &Answer) -> bool {
        owner(list) == Some("sglang")
    }

    fn more_fields(&self) -> Map<String, Value> {
        asks_for_usage()
    }

    fn shaped(&self, schema: &Value) -> Option<Map<String, Value>> {
        Some(by_response_format(schema))
    }
}
