//! A server with one answer, made before it is asked for, that notes when it was asked and when it wrote what.
//!
//! It is not the recorded model of the tests: nothing here may cost time between two frames, and each frame is one write
//! to the socket, as servers do that have one token at a time.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const MODELS: &str = r#"{"object":"list","data":[{"id":"scripted","object":"model","max_model_len":131072}]}"#;
const NOT_FOUND: &str = r#"{"error":{"message":"File Not Found","type":"not_found_error","code":404}}"#;

/// How long a client may be silent before its connection is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// One chat request, as the server saw it.
pub struct Stamps {
    /// The request was read whole.
    pub asked: Instant,
    /// Right before the first token was written.
    pub first: Instant,
    /// Right after the last byte was written.
    pub last: Instant,
}

/// Answers until the process ends.
pub struct Server {
    url: String,
    stamps: Receiver<Stamps>,
}

/// What is written, a write each. The pieces come round again and again, so that a long reply takes no memory: a child's
/// peak is never below its parent's.
pub struct Script {
    pieces: Vec<Vec<u8>>,
    writes: usize,
    end: Vec<Vec<u8>>,
    pace: Duration,
}

impl Server {
    pub fn start(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, stamps) = mpsc::channel();
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, sender) = (Arc::clone(&script), sender.clone());
                // A client that hangs up is its own affair: the bench sees how it ended.
                thread::spawn(move || serve(&stream, &script, &sender).ok());
            }
        });
        Ok(Self { url, stamps })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Of the request that ended last.
    pub fn stamps(&self) -> Result<Stamps, Box<dyn Error>> {
        Ok(self.stamps.recv_timeout(PATIENCE).map_err(|_| "the program made no chat request")?)
    }
}

/// One connection, request after request.
fn serve(stream: &TcpStream, script: &Script, sender: &Sender<Stamps>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    while let Some(path) = read_request(&mut reader)? {
        match path.as_str() {
            "/v1/chat/completions" => {
                let stamps = stream_reply(stream, script)?;
                // The receiver is gone only when the bench is over.
                let _ = sender.send(stamps);
            }
            "/v1/models" => answer(stream, "200 OK", MODELS)?,
            _ => answer(stream, "404 Not Found", NOT_FOUND)?,
        }
    }
    Ok(())
}

/// Reads one request whole; gives its path, or `None` at the connection's end.
fn read_request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    io::copy(&mut reader.take(length), &mut io::sink())?;
    Ok(Some(path))
}

fn answer(mut stream: &TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes())
}

fn stream_reply(mut stream: &TcpStream, script: &Script) -> io::Result<Stamps> {
    let asked = Instant::now();
    stream.write_all(HEAD.as_bytes())?;
    let first = Instant::now();
    for (number, frame) in (0..).zip(script.writes()) {
        if !script.pace.is_zero() {
            wait_until(first + script.pace * number);
        }
        stream.write_all(frame)?;
    }
    Ok(Stamps { asked, first, last: Instant::now() })
}

fn wait_until(moment: Instant) {
    while let Some(left) = moment.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
}

impl Script {
    /// Each token as one chunk of HTTP that holds one event, as llama-server writes them; then finish, usage and the end.
    pub fn tokens(tokens: usize, pace: Duration) -> Self {
        let words = ["A ", "river ", "finds ", "its ", "way ", "down ", "to ", "the ", "sea, ", "slowly", ".", "\\n"];
        let word = |text| frame(&format!(r#"[{{"index":0,"delta":{{"content":"{text}"}},"finish_reason":null}}]"#), "");
        Self { pieces: words.map(word).into(), writes: tokens, end: Self::end(tokens), pace }
    }

    /// So many events with so many KiB of text each, and each event in one chunk of HTTP, as a proxy makes them that
    /// collects what it passes on.
    pub fn events(events: usize, kib: usize) -> Self {
        let [head, tail] = [r#"data: {"choices":[{"index":0,"delta":{"content":""#, "\"}}]}\n\n"];
        let length = head.len() + kib * 1024 + tail.len();
        let text: String = "A river finds its way down to the sea. ".chars().cycle().take(1022).collect();
        let text = format!("{text}\\n");
        let mut pieces = vec![format!("{length:x}\r\n{head}").into_bytes()];
        pieces.extend(std::iter::repeat_n(text.into_bytes(), kib));
        pieces.push(format!("{tail}\r\n").into_bytes());
        Self { writes: events * pieces.len(), pieces, end: Self::end(events), pace: Duration::ZERO }
    }

    fn end(tokens: usize) -> Vec<Vec<u8>> {
        let total = tokens + 20;
        let usage = format!(r#","usage":{{"prompt_tokens":20,"completion_tokens":{tokens},"total_tokens":{total}}}"#);
        vec![
            frame(r#"[{"index":0,"delta":{},"finish_reason":"stop"}]"#, ""),
            frame("[]", &usage),
            chunk("data: [DONE]\n\n"),
            b"0\r\n\r\n".to_vec(),
        ]
    }

    fn writes(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.pieces.iter().cycle().take(self.writes).chain(&self.end)
    }
}

fn frame(choices: &str, more: &str) -> Vec<u8> {
    let head = r#""id":"chatcmpl-1","object":"chat.completion.chunk","created":1795378421,"model":"scripted""#;
    chunk(&format!("data: {{{head},\"choices\":{choices}{more}}}\n\n"))
}

fn chunk(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}
