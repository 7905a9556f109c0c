//! The seven events: what each tells, which answers it takes, and what they come to.

use rhai::{Array, Dynamic, Map};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{self, Verdict, Yes, only_one};
use super::chain::{Call, Chain, Taken, list};
use super::handler::Event;
use super::plain::to_map;
use super::{
    FileWrite, Opinion, PromptDecision, PromptEvent, ReplyDecision, ReplyEvent, RunDecision, RunEvent, RunResult,
    RunResultDecision, TurnEnd, TurnEndDecision, Validation, WriteDecision, plain,
};
use crate::base::path::RelPath;

/// Runs that one validator may ask for at once.
const MAX_RUNS: usize = 20;

/// Keys of `[sandbox.limits]`.
pub(super) const LIMITS: [&str; 9] = [
    "wall_s",
    "validation_wall_s",
    "cpu_s",
    "memory_mib",
    "processes",
    "file_mib",
    "growth_mib",
    "growth_files",
    "output_mib",
];

#[derive(Clone)]
pub(super) struct Prompt {
    event: PromptEvent,
    context: Vec<String>,
    end: Option<PromptDecision>,
}

impl Prompt {
    pub fn new(event: PromptEvent) -> Self {
        Self { event, context: Vec::new(), end: None }
    }
}

impl Chain for Prompt {
    const EVENT: Event = Event::Prompt;
    type Decision = PromptDecision;

    fn fields(&self) -> Map {
        let PromptEvent { text, source, files } = &self.event;
        let files = files.iter().map(|file| Dynamic::from(file.clone())).collect::<Array>();
        map([("text", text.as_str().into()), ("source", source.as_str().into()), ("files", files.into())])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::Prompt>(self.fields())? else { return Ok(None) };
        let changes = answer.text.is_some() || !answer.context.0.is_empty();
        one(call, &[("deny", answer.deny.is_some()), ("handled", answer.handled.is_some()), ("a change", changes)])?;
        if let Some(why) = answer.deny {
            let taken = Taken::ends("denied", &why);
            self.end = Some(PromptDecision::Denied { script: call.script().to_owned(), why });
            return Ok(Some(taken));
        }
        if let Some(text) = answer.handled {
            self.end = Some(PromptDecision::Handled { text });
            return Ok(Some(Taken::ends("handled", "")));
        }
        if let Some(text) = answer.text {
            self.event.text = text;
        }
        self.context.extend(answer.context.0);
        Ok(changed_or_allowed(call, changes, answer.allow))
    }

    fn broken(&mut self, script: &str, why: &str) {
        self.end = Some(PromptDecision::Denied { script: script.to_owned(), why: why.to_owned() });
    }

    fn decide(self) -> PromptDecision {
        self.end.unwrap_or(PromptDecision::Go { text: self.event.text, context: self.context })
    }
}

#[derive(Clone)]
pub(super) struct Reply {
    event: ReplyEvent,
    end: Option<ReplyDecision>,
}

impl Reply {
    pub fn new(event: ReplyEvent) -> Self {
        Self { event, end: None }
    }
}

impl Chain for Reply {
    const EVENT: Event = Event::Reply;
    type Decision = ReplyDecision;

    fn fields(&self) -> Map {
        map([
            ("text", self.event.text.as_str().into()),
            ("reasoning", self.event.reasoning.as_str().into()),
            ("actions", list(&self.event.actions)),
            ("unnamed", list(&self.event.unnamed)),
            ("finish_reason", self.event.finish_reason.as_str().into()),
            ("usage", to_map(self.event.usage).into()),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::Reply>(self.fields())? else { return Ok(None) };
        let changes = answer.actions.is_some();
        one(call, &[("retry", answer.retry.is_some()), ("stop", answer.stop.is_some()), ("actions", changes)])?;
        let script = call.script().to_owned();
        if let Some(feedback) = answer.retry {
            let taken = Taken::ends("retry", &feedback);
            self.end = Some(ReplyDecision::Retry { script, feedback });
            return Ok(Some(taken));
        }
        if let Some(why) = answer.stop {
            let taken = Taken::ends("stopped", &why);
            self.end = Some(ReplyDecision::Stop { script, why });
            return Ok(Some(taken));
        }
        let Some(actions) = answer.actions else { return Ok(None) };
        for action in &actions {
            Action::deserialize(action).map_err(|error| call.wrong(&format!("returned a wrong action: {error}")))?;
        }
        self.event.actions = actions;
        Ok(Some(Taken::goes_on("changed")))
    }

    fn decide(self) -> ReplyDecision {
        self.end.unwrap_or(ReplyDecision::Go { actions: self.event.actions })
    }
}

/// The shape of an action as `reply::Action` reads it: a script's mistake is told with the script's name, here.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[expect(dead_code, reason = "only the shape matters; core reads the values")]
enum Action {
    Write { path: RelPath, content: String },
    Edit { path: RelPath, search: String, replace: String, number: usize, of: usize },
    Run { script: String },
    Read { what: String },
    Delete { path: RelPath },
    Move { from: RelPath, to: RelPath },
    Refused { what: String, reason: String },
}

#[derive(Clone)]
pub(super) struct Write {
    event: FileWrite,
    end: Option<WriteDecision>,
}

impl Write {
    pub fn new(event: FileWrite) -> Self {
        Self { event, end: None }
    }
}

impl Chain for Write {
    const EVENT: Event = Event::FileWrite;
    type Decision = WriteDecision;

    fn fields(&self) -> Map {
        map([
            ("path", self.event.path.as_str().into()),
            ("lang", self.event.lang.as_str().into()),
            ("old_text", plain::to_script(&self.event.old_text)),
            ("content", self.event.content.as_str().into()),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::Write>(self.fields())? else { return Ok(None) };
        let changes = answer.content.is_some();
        one(call, &[("deny", answer.deny.is_some()), ("retry", answer.retry.is_some()), ("content", changes)])?;
        let script = call.script().to_owned();
        if let Some(why) = answer.deny {
            let taken = Taken::ends("denied", &why);
            self.end = Some(WriteDecision::Denied { script, why });
            return Ok(Some(taken));
        }
        if let Some(feedback) = answer.retry {
            let taken = Taken::ends("retry", &feedback);
            self.end = Some(WriteDecision::Retry { script, feedback });
            return Ok(Some(taken));
        }
        if let Some(content) = answer.content {
            self.event.content = content;
        }
        Ok(changed_or_allowed(call, changes, answer.allow))
    }

    fn broken(&mut self, script: &str, why: &str) {
        self.end = Some(WriteDecision::Denied { script: script.to_owned(), why: why.to_owned() });
    }

    fn decide(self) -> WriteDecision {
        self.end.unwrap_or(WriteDecision::Go { content: self.event.content })
    }
}

#[derive(Clone)]
pub(super) struct Validate {
    files_changed: Vec<Value>,
    files: Vec<String>,
    opinions: Vec<Validation>,
}

impl Validate {
    pub fn new(files_changed: Vec<Value>, files: Vec<String>) -> Self {
        Self { files_changed, files, opinions: Vec::new() }
    }

    fn with(&self, runs: &[Map]) -> Map {
        let mut fields = self.fields();
        fields.insert("runs".into(), runs.iter().cloned().map(Into::into).collect::<rhai::Array>().into());
        fields
    }
}

impl Chain for Validate {
    const EVENT: Event = Event::Validate;
    type Decision = Vec<Validation>;

    fn fields(&self) -> Map {
        map([
            ("files_changed", list(&self.files_changed)),
            ("files", plain::to_script(&self.files)),
            ("runs", rhai::Array::new().into()),
        ])
    }

    /// A validator may ask for runs; it is then asked again, with their reports.
    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(mut answer) = call.ask::<answer::Validate>(self.fields())? else { return Ok(None) };
        opinions(call, &answer)?;
        if let Some(requests) = answer.runs.take() {
            if requests.len() > MAX_RUNS {
                return Err(call.wrong(&format!("asked for {} runs; at most {MAX_RUNS} are made", requests.len())));
            }
            let runs: Result<Vec<Map>, String> = requests.iter().map(|run| call.run(run).map(|r| report(&r))).collect();
            let Some(second) = call.ask::<answer::Validate>(self.with(&runs?))? else { return Ok(None) };
            opinions(call, &second)?;
            if second.runs.is_some() {
                return Err(call.wrong("asked for runs a second time"));
            }
            answer = second;
        }
        let (outcome, feedback, word) = match (answer.fail, answer.none) {
            (Some(feedback), _) => (Opinion::Failed, feedback, "rejected"),
            (None, Some(why)) => (Opinion::None, why, "none"),
            (None, None) if answer.pass.0 => (Opinion::Passed, String::new(), "pass"),
            (None, None) => return Ok(None),
        };
        let taken = Taken { outcome: word, note: feedback.clone(), ends: false };
        self.opinions.push(Validation { script: call.script().to_owned(), outcome, feedback });
        Ok(Some(taken))
    }

    fn decide(self) -> Vec<Validation> {
        self.opinions
    }
}

fn opinions(call: &Call<'_>, answer: &answer::Validate) -> Result<(), String> {
    one(
        call,
        &[
            ("pass", answer.pass.0),
            ("fail", answer.fail.is_some()),
            ("none", answer.none.is_some()),
            ("runs", answer.runs.is_some()),
        ],
    )
}

#[derive(Clone)]
pub(super) struct Run {
    event: RunEvent,
    end: Option<RunDecision>,
}

impl Run {
    pub fn new(event: RunEvent) -> Self {
        Self { event, end: None }
    }

    /// The smaller of the two holds.
    fn tighten(&mut self, limits: serde_json::Map<String, Value>) -> Result<(), String> {
        for (key, value) in limits {
            if !LIMITS.contains(&key.as_str()) {
                return Err(format!("set an unknown limit `{key}`{}", super::location::nearest(&key, &LIMITS)));
            }
            let wanted = value.as_f64().filter(|number| *number > 0.0);
            let wanted =
                wanted.ok_or_else(|| format!("set the limit `{key}` to `{value}`, which is no number over 0"))?;
            let present = self.event.limits.get(&key).and_then(Value::as_f64);
            if present.is_none_or(|present| wanted < present) {
                self.event.limits.insert(key, value);
            }
        }
        Ok(())
    }
}

impl Chain for Run {
    const EVENT: Event = Event::Run;
    type Decision = RunDecision;

    fn fields(&self) -> Map {
        map([
            ("command", self.event.command.as_str().into()),
            ("source", self.event.source.as_str().into()),
            ("cwd", self.event.cwd.as_str().into()),
            ("limits", plain::to_script(&self.event.limits)),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::Run>(self.fields())? else { return Ok(None) };
        let changes = answer.command.is_some() || answer.limits.is_some();
        one(call, &[("deny", answer.deny.is_some()), ("a change", changes)])?;
        if let Some(why) = answer.deny {
            let taken = Taken::ends("denied", &why);
            self.end = Some(RunDecision::Denied { script: call.script().to_owned(), why });
            return Ok(Some(taken));
        }
        if let Some(limits) = answer.limits {
            self.tighten(limits).map_err(|what| call.wrong(&what))?;
        }
        if let Some(command) = answer.command {
            self.event.command = command;
        }
        Ok(changed_or_allowed(call, changes, answer.allow))
    }

    fn broken(&mut self, script: &str, why: &str) {
        self.end = Some(RunDecision::Denied { script: script.to_owned(), why: why.to_owned() });
    }

    fn decide(self) -> RunDecision {
        self.end.unwrap_or(RunDecision::Go { command: self.event.command, limits: self.event.limits })
    }
}

#[derive(Clone)]
pub(super) struct Outcome {
    result: RunResult,
    feedback: Option<String>,
    end: Option<RunResultDecision>,
}

impl Outcome {
    pub fn new(result: RunResult) -> Self {
        Self { result, feedback: None, end: None }
    }
}

impl Chain for Outcome {
    const EVENT: Event = Event::RunResult;
    type Decision = RunResultDecision;

    fn fields(&self) -> Map {
        let mut fields = report(&self.result);
        fields.insert("feedback".into(), self.feedback.as_deref().unwrap_or_default().into());
        fields
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::Outcome>(self.fields())? else { return Ok(None) };
        one(call, &[("stop", answer.stop.is_some()), ("feedback", answer.feedback.is_some())])?;
        if let Some(why) = answer.stop {
            let taken = Taken::ends("stopped", &why);
            self.end = Some(RunResultDecision::Stop { script: call.script().to_owned(), why });
            return Ok(Some(taken));
        }
        if answer.feedback.is_none() {
            return Ok(None);
        }
        self.feedback = answer.feedback;
        Ok(Some(Taken::goes_on("changed")))
    }

    fn decide(self) -> RunResultDecision {
        self.end.unwrap_or(RunResultDecision::Go { feedback: self.feedback })
    }
}

#[derive(Clone)]
pub(super) struct End {
    event: TurnEnd,
    verdict: Option<String>,
    more: Option<TurnEndDecision>,
}

impl End {
    pub fn new(event: TurnEnd) -> Self {
        Self { event, verdict: None, more: None }
    }
}

impl Chain for End {
    const EVENT: Event = Event::TurnEnd;
    type Decision = TurnEndDecision;

    fn fields(&self) -> Map {
        map([
            ("text", self.event.text.as_str().into()),
            ("files_changed", list(&self.event.files_changed)),
            ("runs", list(&self.event.runs)),
            ("verdict", self.event.verdict.as_str().into()),
            ("continues", i64::from(self.event.continues).into()),
            ("continues_left", i64::from(self.event.continues_left).into()),
        ])
    }

    fn consult(&mut self, call: &mut Call<'_>) -> Result<Option<Taken>, String> {
        let Some(answer) = call.ask::<answer::End>(self.fields())? else { return Ok(None) };
        one(call, &[("more", answer.more.is_some()), ("verdict", answer.verdict.is_some())])?;
        if let Some(feedback) = answer.more {
            if self.event.continues_left == 0 {
                return Ok(Some(Taken { note: "no continuation is left".to_owned(), ..Taken::goes_on("ignored") }));
            }
            let taken = Taken::ends("more", &feedback);
            self.more = Some(TurnEndDecision::More { script: call.script().to_owned(), feedback });
            return Ok(Some(taken));
        }
        let Some(verdict) = answer.verdict else { return Ok(None) };
        let loosens = Verdict::parse(&self.event.verdict).is_none_or(|present| verdict > present);
        if loosens && !call.may_loosen() {
            return Ok(None);
        }
        verdict.name().clone_into(&mut self.event.verdict);
        self.verdict = Some(verdict.name().to_owned());
        Ok(Some(Taken::goes_on("changed")))
    }

    fn decide(self) -> TurnEndDecision {
        self.more.unwrap_or(TurnEndDecision::Go { verdict: self.verdict })
    }
}

/// A run as scripts see it: its report, what it printed, and `ok` where it ended by itself with status 0.
pub(super) fn report(result: &RunResult) -> Map {
    let mut fields = plain::to_map(result);
    fields.insert("ok".into(), result.report.succeeded().into());
    fields
}

fn map<const N: usize>(fields: [(&str, rhai::Dynamic); N]) -> Map {
    fields.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

fn one(call: &Call<'_>, given: &[(&str, bool)]) -> Result<(), String> {
    only_one(given).map_err(|what| call.wrong(&what))
}

fn changed_or_allowed(call: &Call<'_>, changes: bool, allow: Yes) -> Option<Taken> {
    match (changes, allow.0 && call.may_loosen()) {
        (true, _) => Some(Taken::goes_on("changed")),
        (false, true) => Some(Taken::goes_on("allowed")),
        (false, false) => None,
    }
}
