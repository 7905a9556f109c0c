//! One small question to a server, and its answer.
//!
//! A question has ten seconds where nothing else is said, and an answer is read up to 8 MiB. What it means is left to who asked.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, LOCATION, SERVER};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::Value;

use super::error::cause;
use super::fault::Fault;

/// For one question to a server that listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that can be asked; its client knows the key.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub client: Client,
    /// Without a trailing slash.
    pub root: String,
}

impl Asker {
    /// What stands at this path; the reason where nothing came.
    pub async fn get(&self, path: &str) -> Result<Answer, String> {
        self.get_within(path, PATIENCE).await
    }

    /// The same, where the answer may take longer than that of a small question.
    pub async fn get_within(&self, path: &str, patience: Duration) -> Result<Answer, String> {
        let url = format!("{}{path}", self.root);
        tracing::debug!(%url, "asked");
        answer(self.client.get(url).timeout(patience)).await
    }

    /// The JSON at this path; null where there is none.
    pub async fn page(&self, path: &str) -> Value {
        self.get(path).await.map_or(Value::Null, |answer| answer.body)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        let url = format!("{}{path}", self.root);
        tracing::debug!(%url, "asked");
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body.to_string());
        answer(request.timeout(PATIENCE)).await
    }
}

/// One small answer.
pub(super) struct Answer {
    pub status: StatusCode,
    /// The header of that name; empty where there is none, as is the next.
    pub server: String,
    pub location: String,
    /// Null where it is no JSON.
    pub body: Value,
}

impl Answer {
    pub fn fault(&self) -> Fault {
        let mut fault = Fault::of_value(&self.body).unwrap_or_default();
        fault.status = Some(self.status.as_u16());
        fault
    }

    pub fn is_locked(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer, String> {
    const BODY_LIMIT: usize = 8 << 20;
    let ask = async {
        let mut response = request.send().await?;
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (status, server, location) = (response.status(), header(SERVER), header(LOCATION));
        let mut body = Vec::new();
        while body.len() < BODY_LIMIT
            && let Some(bytes) = response.chunk().await?
        {
            body.extend_from_slice(&bytes);
        }
        Ok(Answer { status, server, location, body: serde_json::from_slice(&body).unwrap_or_default() })
    };
    ask.await.map_err(|error| cause(&error))
}
