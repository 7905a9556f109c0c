//! What real servers sent, file by file: our view of each answer to a chat request is a snapshot beside the capture.

use std::path::{Path, PathBuf};

use faos::gateway::{Delta, GatewayError};
use faos::playback::{Reply, Step};

use crate::gateway::ask;
use crate::support::model_server::{capture, random_pieces};

/// A stream in a few lines: the text, the reasoning, and whatever else came.
fn summary(deltas: &[Result<Delta, GatewayError>]) -> String {
    let (mut text, mut reasoning, mut rest) = (String::new(), String::new(), String::new());
    for delta in deltas {
        match delta {
            Ok(Delta::Text(piece)) => text += piece,
            Ok(Delta::Reasoning(piece)) => reasoning += piece,
            Ok(Delta::Finished { reason, usage }) => {
                let (prompt, cached, completion) = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens);
                rest += &format!(
                    "  finished: {reason:?}, {prompt} prompt tokens ({cached} cached), {completion} written\n"
                );
            }
            Ok(other) => rest += &format!("  {other:?}\n"),
            Err(error) => rest += &format!("  error: {error:?}\n"),
        }
    }
    format!("  text: {text:?}\n  reasoning: {reasoning:?}\n{rest}")
}

fn is_chat(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    // What is behind the path tells how it was recorded; the pages are those of `gateway_probe`.
    let asked = [&b"> POST /v1/chat/completions\n"[..], b"> POST /v1/chat/completions "];
    bytes.starts_with(b"HTTP") || asked.iter().any(|asked| bytes.starts_with(asked))
}

async fn check(server: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(server);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut read = String::new();
    for path in files.iter().filter(|path| is_chat(path)) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let whole = capture(&format!("{server}/{name}"));
        let [Step::Bytes(body)] = &whole.steps[..] else { panic!("{name}") };
        let cut = Reply { steps: random_pieces(body, read.len() as u64), ..whole.clone() };
        let status = whole.status;
        let (whole, cut) = (summary(&ask([whole]).await), summary(&ask([cut]).await));
        assert_eq!(whole, cut, "{name}");
        read += &format!("{name} ({status})\n{whole}");
    }
    insta::assert_snapshot!(server, read);
}

#[tokio::test]
async fn llama_cpp() {
    check("llama.cpp").await;
}

#[tokio::test]
async fn vllm() {
    check("vllm").await;
}

#[tokio::test]
async fn vllm_with_a_reasoning_parser_for_another_model() {
    check("vllm-r1parser").await;
}

#[tokio::test]
async fn transformers_serve() {
    check("transformers-serve").await;
}
