//! What a document must be: whole, safe to open, and alone.

use super::{html, markdown};
use crate::base::report::{ChangeKind, Exit, ExitKind, FileChange, RunReport};
use crate::core::view::{Piece, Run, Transcript, ValidationOutcome, Verdict};

fn report() -> RunReport {
    RunReport {
        wall_s: 0.5,
        user_s: 0.25,
        peak_memory_bytes: 2 << 20,
        stdout_bytes: 3,
        ..RunReport::made_up("python3 a.py", "/", 1)
    }
}

fn transcript() -> Transcript {
    let files = vec![FileChange { path: "a.py".to_owned(), kind: ChangeKind::Created }];
    let diff = "--- /dev/null\n+++ b/a.py\n@@ -0,0 +1 @@\n+print(\"<hi>\")\n".to_owned();
    let (command, output) = ("python3 a.py".to_owned(), "```\nhi\n".to_owned());
    let pieces = vec![
        Piece::Message("say <b>hi</b> & \"bye\"".to_owned()),
        Piece::Reply("Here:\n\na.py\n```python\nprint(\"<hi>\")  # say\n```\n<script>alert(1)</script>\n".to_owned()),
        Piece::Remark("write a.py".to_owned()),
        Piece::Version { number: 1, why: "reply 1".to_owned(), files, diff },
        Piece::Run(Box::new(Run { number: 1, command, report: report(), output })),
        Piece::Check {
            version: 1,
            outcome: ValidationOutcome::Passed,
            script: "50-validate-python.rhai".to_owned(),
            feedback: String::new(),
        },
        Piece::Verdict { verdict: Verdict::Passed, exit_code: 0 },
    ];
    Transcript {
        title: "say <hi>".to_owned(),
        session: "20261122-200000-ab12".to_owned(),
        pieces,
        ..Transcript::default()
    }
}

#[test]
fn a_page_stands_alone_and_holds_no_foreign_markup() {
    let page = html(&transcript());
    for foreign in ["<script", "<b>hi", "http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for wanted in [
        "<title>say &lt;hi&gt;</title>",
        "prefers-color-scheme: dark",
        "say &lt;b&gt;hi&lt;/b&gt; &amp; &quot;bye&quot;",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<span class=\"c\"># say</span>",
        "<span class=\"i\">+",
        "exit 1 · 0.50 s · 0.25 s of CPU · 2.0 MiB at most · sandbox ns · network off",
        "<p class=\"good\">passed, exit code 0</p>",
        "Version 1: reply 1 (1 created)",
    ] {
        assert!(page.contains(wanted), "`{wanted}` is missing:\n{page}");
    }
    for tag in ["section", "details", "pre", "code", "div", "span", "p"] {
        let opened = page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn what_stopped_a_run_is_told_before_its_signal() {
    let mut report = report();
    report.exit = Exit { kind: ExitKind::WallLimit, code: None, signal: Some(9) };
    let run = Run { number: 1, command: "sleep 99".to_owned(), report, output: String::new() };
    let text = markdown(&Transcript { pieces: vec![Piece::Run(Box::new(run))], ..Transcript::default() });
    assert!(text.contains("stopped: it took too long · 0.50 s"), "{text}");
}

#[test]
fn markdown_keeps_replies_and_fences_what_holds_fences() {
    let text = markdown(&transcript());
    assert!(text.starts_with("# say <hi>\n\n- session: 20261122-200000-ab12\n"), "{text}");
    assert!(text.contains("## Reply\n\nHere:\n\na.py\n```python\nprint(\"<hi>\")  # say\n```\n"), "{text}");
    assert!(text.contains("````\n```\nhi\n````\n"), "{text}");
    assert!(text.contains("```diff\n--- /dev/null\n"), "{text}");
}
