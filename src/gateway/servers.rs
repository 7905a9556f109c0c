//! The servers that are known by name: where they listen by default, how one is started, what they take.

/// Which program serves the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LlamaCpp,
    Vllm,
    Tgi,
    Ollama,
    LmStudio,
    /// Anything else that speaks the chat-completions API.
    Other,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::LlamaCpp => "llama.cpp",
            Self::Vllm => "vLLM",
            Self::Tgi => "TGI",
            Self::Ollama => "Ollama",
            Self::LmStudio => "LM Studio",
            Self::Other => "OpenAI-compatible",
        }
    }

    /// `transformers serve` and strict proxies answer 422 to a field that they do not know.
    pub fn takes_stream_options(self) -> bool {
        match self {
            Self::LlamaCpp | Self::Vllm | Self::Tgi | Self::Ollama | Self::LmStudio => true,
            Self::Other => false,
        }
    }
}

/// A server's default place on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub kind: Kind,
    pub port: u16,
    /// One command that starts it.
    pub start: &'static str,
}

impl Known {
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

pub(super) const KNOWN: [Known; 5] = [
    Known { kind: Kind::Ollama, port: 11434, start: "ollama serve" },
    Known { kind: Kind::LlamaCpp, port: 8080, start: "llama-server -m MODEL.gguf" },
    Known { kind: Kind::Vllm, port: 8000, start: "vllm serve MODEL" },
    Known { kind: Kind::Tgi, port: 3000, start: "text-generation-launcher --model-id MODEL" },
    Known { kind: Kind::LmStudio, port: 1234, start: "lms server start" },
];
