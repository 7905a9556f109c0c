//! What must not get out: the API key, a request to another machine's proxy, a damaged call in the model's own words.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use faos::playback::{Reply, Step};
use rustix::fs::{FileType, Mode};
use serde_json::json;

use crate::support::env::TestEnv;
use crate::support::model_server::serve;

const KEY: &str = "sk-the-secret-of-this-test";

/// Processes below this one, with their command lines and environments.
fn descendants(of: u32) -> Vec<(u32, String)> {
    let read = |pid: u32, name: &str| {
        let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let parent = |pid: u32| {
        let stat = read(pid, "stat");
        stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok())
    };
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let all: Vec<(u32, u32)> = pids.filter_map(|pid: u32| Some((pid, parent(pid)?))).collect();
    let mut found = vec![of];
    let mut at = 0;
    while at < found.len() {
        let above = found[at];
        found.extend(all.iter().filter(|(_, parent)| *parent == above).map(|(pid, _)| *pid));
        at += 1;
    }
    found[1..].iter().map(|pid| (*pid, format!("{} {}", read(*pid, "cmdline"), read(*pid, "environ")))).collect()
}

/// Not in the log of `-vv`, not in what is kept, not on the command line or in the environment of anything that is started.
#[test]
fn the_api_key_is_nowhere_to_be_seen() {
    let replies = ["```run\nread line < gate\n```\n", "Fine.\n"].map(Reply::text);
    let server = serve(replies);
    let mut env = TestEnv::new();
    env.set("FAOS_API_KEY", KEY);
    env.set_endpoint(server.url());
    let gate = env.workspace().join("gate");
    rustix::fs::mknodat(rustix::fs::CWD, &gate, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let mut command = env.faos(["-vv", "-w", env.workspace().to_str().unwrap(), "wait at the gate"]);
    let running = env.start(command.stdin(Stdio::null()));
    // Opened as soon as the run waits at the other side.
    let mut opened = fs::File::options().write(true).open(&gate).unwrap();
    let below = descendants(running.pid());
    opened.write_all(b"go on\n").unwrap();
    drop(opened);
    let output = running.finish();
    output.assert_code(0);
    assert!(!below.is_empty(), "nothing was started");
    for (pid, seen) in &below {
        assert!(!seen.contains(KEY), "process {pid}: {seen}");
    }
    let requests = server.seen().requests;
    let wanted = format!("Bearer {KEY}");
    assert!(requests.iter().all(|request| request.header("authorization") == Some(&wanted)), "it was sent");
    assert!(output.stderr.contains("server found"), "{}", output.stderr);
    assert!(!output.stderr.contains(KEY) && !output.stdout.contains(KEY), "{}{}", output.stdout, output.stderr);
    for entry in walkdir::WalkDir::new(env.faos_home()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            let kept = bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes());
            assert!(!kept, "{}", entry.path().display());
        }
    }
}

/// A proxy from the environment is for other machines.
#[test]
fn a_proxy_hears_nothing_of_a_server_on_this_machine() {
    let (server, proxy) = (serve([Reply::text("Fine.\n")]), serve([]));
    let mut env = TestEnv::new();
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        env.set(name, proxy.url());
    }
    env.set_endpoint(server.url());
    env.run(["hello"]).assert_code(0);
    let named = server.url().replace("127.0.0.1", "localhost");
    env.run(["models", "--endpoint", &named]).assert_code(0);
    assert_eq!(proxy.seen().requests.len(), 0);
    assert_eq!(server.requests().len(), 1);

    // It is used where it is meant.
    env.run(["models", "--endpoint", "http://gpu.example:8000"]);
    let paths: Vec<String> = proxy.seen().requests.iter().map(|request| request.path.clone()).collect();
    assert!(paths.iter().any(|path| path == "http://gpu.example:8000/v1/models"), "{paths:?}");
}

/// A server that parses such a call again would refuse the whole conversation from then on.
#[test]
fn a_damaged_call_goes_back_as_words() {
    let piece = |arguments: &str| {
        let call = json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "write_file", "arguments": arguments}});
        let frame = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]});
        Step::Bytes(format!("data: {frame}\n\n").into_bytes())
    };
    for damaged in ["{\"path\": \"a.txt\", \"content\": \"cut", "{\"path\": \"a.txt\" \"content\"", "not JSON at all"] {
        let reply = Reply::stream(vec![
            Step::Text("I write the file.\n".to_owned()),
            piece(damaged),
            Step::Finish("tool_calls".to_owned()),
        ]);
        let server = serve([reply, Reply::text("Fine.\n"), Reply::text("Fine.\n"), Reply::text("Fine.\n")]);
        let mut env = TestEnv::new();
        env.set_endpoint(server.url());
        env.run(["a file"]);
        env.run(["resume", "--last", "-p", "and now"]).assert_code(0);
        let requests = server.requests();
        assert!(requests.len() > 1, "{damaged}");
        for request in &requests {
            let messages = request["messages"].as_array().unwrap();
            for message in messages {
                let fields: Vec<&str> = message.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(fields, ["content", "role"], "{damaged}: {message}");
                assert!(["system", "user", "assistant"].contains(&message["role"].as_str().unwrap()), "{message}");
                assert!(message["content"].is_string(), "{message}");
            }
            assert!(request.get("tools").is_none(), "{request}");
        }
    }
}
