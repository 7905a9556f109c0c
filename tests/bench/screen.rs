//! What the REPL's screen costs: prose and code of five languages, a token of four bytes at a time, each one written.
//!
//! The bench starts itself for it, so that memory is measured from nothing. What a longer run costs beyond a short one
//! is each token's; what the short one costs is mostly the first lines of five languages.

use std::io::{self, Write};
use std::process::Command;

use faos::frontend::render::{Look, Pane, Size};

use crate::Outcome;
use crate::child::{self, Cost};
use crate::table::{Mark, Row};

/// The argument that makes the bench a child of its own: `--screen prose|code|many TIMES`.
pub const ARGUMENT: &str = "--screen";

const TOKEN: usize = 4;

const CODE: [(&str, &str); 5] = [
    ("todo.py", include_str!("samples/todo.py")),
    ("words.rs", include_str!("samples/words.rs")),
    ("board.js", include_str!("samples/board.js")),
    ("ring.c", include_str!("samples/ring.c")),
    ("page.html", include_str!("samples/page.html")),
];

/// The material of [`CODE`] is read as each of these, which makes their grammars work as hard as their own would.
const MANY: [&str; 16] =
    ["css", "sql", "sh", "cpp", "cs", "yaml", "lua", "php", "ruby", "go", "java", "ts", "tsx", "html", "swift", "perl"];

const PROSE: &str = "## What was wrong\n\nThe list was **sorted twice**: once in `load`, and once more before it was shown. \
    Only the second one is needed, since `load` keeps the order of the file.\n\n- `todo.py` reads the file in one go\n\
    - a task without a date comes last, as it did before\n\nRun `python todo.py list` to see it. Nothing else has changed.\n\n";

/// How often the material is shown, in a short and in a long run.
const TIMES: (usize, usize) = (1, 9);

/// As often that it is a million tokens.
fn million() -> usize {
    (1_000_000 * TOKEN).div_ceil(prose_text().len())
}

pub fn rows(runs: usize) -> Outcome<Vec<Row>> {
    let (mut prose, mut code) = (Vec::new(), Vec::new());
    let (mut first, mut peak, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    let many = (0..runs.min(3)).map(|_| Ok(megabytes(&measure("many", 1)?))).collect::<Outcome<Vec<f64>>>()?;
    let mut flat = Vec::new();
    for _ in 0..runs.min(3) {
        flat.push(megabytes(&measure("prose", million())?) - megabytes(&measure("prose", TIMES.1)?));
    }
    for _ in 0..runs {
        let (short, long) = (measure("prose", TIMES.0)?, measure("prose", TIMES.1)?);
        prose.push(each_token(&short, &long, &prose_text()));
        let (short, long) = (measure("code", TIMES.0)?, measure("code", TIMES.1)?);
        code.push(each_token(&short, &long, &code_text()));
        first.push(short.cpu.as_secs_f64() * 1e3 / CODE.len() as f64);
        peak.push(megabytes(&long));
        growth.push(megabytes(&long) - megabytes(&short));
    }
    let row = |what, unit, ours, most| Row { what, unit, limit: Vec::new(), ours, mark: Mark::AtMost(most) };
    Ok(vec![
        row("a token of prose on the screen, CPU", "µs", prose, 10.0),
        row("a token of code with colours, CPU", "µs", code, 40.0),
        row("a language's first page, beside the text, CPU", "ms", first, 300.0),
        row("peak memory of the screen, five languages", "MB", peak, 120.0),
        row("its growth when they are shown nine times", "MB", growth, 5.0),
        row("peak memory of the screen, sixteen languages", "MB", many, 120.0),
        row("growth of its peak from 100,000 to 1,000,000 tokens of prose", "MB", flat, 2.0),
    ])
}

/// The child's work.
pub fn show(kind: &str, times: usize) -> Outcome<()> {
    let text = match kind {
        "prose" => prose_text(),
        "code" => code_text(),
        "many" => MANY.iter().map(|language| blocks(&format!("```{language}"))).collect(),
        other => return Err(format!("no such material: `{other}`").into()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut pane =
        Pane::new(Look { color: true, motion: true, folds: true, ..Look::default() }, Size { columns: 80, rows: 40 });
    let mut out = io::stdout().lock();
    for number in 0..times {
        pane.live(Some(format!("writing, for the {number}. time")));
        for token in tokens(&text) {
            pane.reply(token);
            out.write_all(pane.take().as_bytes())?;
            // A model is slower than the colours; here they are waited for, so that no line goes without.
            while token.contains('\n') && !pane.is_settled() {
                runtime.block_on(pane.recoloured());
                out.write_all(pane.take().as_bytes())?;
            }
        }
        pane.finish_reply();
    }
    Ok(())
}

fn measure(kind: &str, times: usize) -> Outcome<Cost> {
    child::run(Command::new(std::env::current_exe()?).args([ARGUMENT, kind, &times.to_string()]))
}

fn each_token(short: &Cost, long: &Cost, text: &str) -> f64 {
    let tokens = (text.len() / TOKEN * (TIMES.1 - TIMES.0)) as f64;
    (long.cpu.as_secs_f64() - short.cpu.as_secs_f64()) * 1e6 / tokens
}

fn megabytes(cost: &Cost) -> f64 {
    cost.peak_kib as f64 * 1024.0 / 1e6
}

fn prose_text() -> String {
    PROSE.repeat(100)
}

pub fn code_text() -> String {
    blocks("```")
}

/// Each file below its path and this fence.
fn blocks(fence: &str) -> String {
    CODE.iter().map(|(path, code)| format!("{path}\n{fence}\n{code}```\n\n")).collect()
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (token, after) = rest.split_at(rest.ceil_char_boundary(TOKEN));
        rest = after;
        (!token.is_empty()).then_some(token)
    })
}
