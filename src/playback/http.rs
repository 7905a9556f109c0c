//! As much of HTTP/1.1 as one request on one connection needs.
//!
//! A body is sent in chunks, so that a connection that closes early can be told from an end. Keep-alive is left out.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body's JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Reads one request; `None` where the connection ends or is no HTTP.
    pub(super) async fn read(reader: &mut ReadHalf<'_>) -> io::Result<Option<Self>> {
        const HEAD_LIMIT: usize = 64 << 10;
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if bytes.len() > HEAD_LIMIT || reader.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let body = bytes.split_off(head_end + 4);
        let Some(mut request) = Self::of_head(&String::from_utf8_lossy(&bytes)) else { return Ok(None) };
        request.body = body;
        let length: usize = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while request.body.len() < length {
            if reader.read_buf(&mut request.body).await? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(request))
    }

    fn of_head(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let field = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Some(Self { method, path, headers: lines.filter_map(field).collect(), body: Vec::new() })
    }
}

/// Writes one answer. The head waits for the first bytes, as it does in a server that has yet to think.
pub(super) struct Answer<'a, 'b> {
    writer: &'a mut WriteHalf<'b>,
    head: Option<String>,
}

impl<'a, 'b> Answer<'a, 'b> {
    pub fn new(writer: &'a mut WriteHalf<'b>, status: u16, headers: &[(String, String)]) -> Self {
        let mut head = format!("HTTP/1.1 {status} Recorded\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        Self { writer, head: Some(head) }
    }

    /// One chunk in one write; no bytes send the head alone.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.head.take().unwrap_or_default().into_bytes();
        if !bytes.is_empty() {
            out.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        self.writer.write_all(&out).await
    }

    pub async fn end(mut self) -> io::Result<()> {
        self.send(b"").await?;
        self.writer.write_all(b"0\r\n\r\n").await?;
        self.writer.shutdown().await
    }
}
