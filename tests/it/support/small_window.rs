//! A model with a small context window: it counts what it is sent, refuses what is too long, and sums up when asked to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// What it is like.
#[derive(Clone, Copy, Debug)]
pub struct SmallWindow {
    /// In tokens, of four bytes each.
    pub window: u64,
    /// Its list of models tells the window.
    pub tells: bool,
    /// It can sum up.
    pub sums_up: bool,
    /// Words of each reply.
    pub words: usize,
}

pub const SUMMARY: &str = "The user wants a parser, and every answer to end in an exclamation mark.";

/// One that serves.
pub struct Serving {
    pub url: String,
    seen: Arc<Mutex<Vec<(Value, bool)>>>,
}

impl Serving {
    /// The requests of conversations that were answered, without those for a summary.
    pub fn answered(&self) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(request, fits)| *fits && !asks_for_summary(request))
            .map(|(request, _)| request.clone())
            .collect()
    }

    pub fn too_long(&self) -> usize {
        self.seen.lock().unwrap().iter().filter(|(_, fits)| !fits).count()
    }
}

/// The thread ends with the test's process.
pub fn serve_small(model: SmallWindow) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            drop(answer(stream, model, &shared));
        }
    });
    Serving { url, seen }
}

fn asks_for_summary(request: &Value) -> bool {
    request["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().contains("summary of yours")
}

fn answer(mut stream: TcpStream, model: SmallWindow, seen: &Mutex<Vec<(Value, bool)>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut stream);
    let (mut line, mut length) = (String::new(), 0);
    reader.read_line(&mut line)?;
    let is_chat = line.starts_with("POST");
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, kind, text) = if is_chat { chat(&body, model, seen) } else { (200, "application/json", list(model)) };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn list(model: SmallWindow) -> String {
    let mut entry = json!({"id": "small", "object": "model"});
    if model.tells {
        entry["max_model_len"] = model.window.into();
    }
    json!({"object": "list", "data": [entry]}).to_string()
}

fn chat(body: &[u8], model: SmallWindow, seen: &Mutex<Vec<(Value, bool)>>) -> (u16, &'static str, String) {
    let request: Value = serde_json::from_slice(body).unwrap();
    let messages = request["messages"].as_array().unwrap();
    let tokens: u64 = messages.iter().map(|message| message["content"].as_str().unwrap().len() as u64 / 4 + 4).sum();
    let fits = tokens < model.window;
    let sums_up = asks_for_summary(&request);
    seen.lock().unwrap().push((request, fits));
    if !fits {
        let message = format!("request ({tokens} tokens) exceeds the available context size ({} tokens)", model.window);
        return (400, "application/json", json!({"error": {"code": 400, "message": message}}).to_string());
    }
    if sums_up && !model.sums_up {
        return (400, "application/json", json!({"error": {"code": 400, "message": "I never do"}}).to_string());
    }
    let text = if sums_up { SUMMARY.to_owned() } else { format!("{}!", "word ".repeat(model.words).trim_end()) };
    let usage = json!({"prompt_tokens": tokens, "completion_tokens": text.len() / 4});
    let frames = [
        json!({"choices": [{"index": 0, "delta": {"content": text}}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
        json!({"choices": [], "usage": usage}),
    ];
    let frames: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    (200, "text/event-stream", frames + "data: [DONE]\n\n")
}
