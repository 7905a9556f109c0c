//! What must hold of a whole session, on a real disk.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::record::{ActionKind, Applied, DeltaKind, Entry, Finish, Record, Started, Verdict};
use super::{Opened, Session, SessionError, find, list, newest, read};
use crate::base::faults::{self, Fault};
use crate::base::ids::SessionId;
use crate::base::report::{Backend, RunReport};
use crate::base::usage::Usage;
use crate::base::{clock, fs};

struct Home {
    home: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    fn sessions(&self) -> PathBuf {
        self.home.path().join("data/sessions")
    }

    fn create(&self) -> Session {
        Session::create(&self.sessions(), None).unwrap()
    }

    /// A closed session of this ID with these records.
    fn saved(&self, id: &str, time: &str, entries: Vec<Entry>) -> PathBuf {
        let folder = self.sessions().join(id);
        fs::make_folders(&folder.join("workspace")).unwrap();
        let lines = entries.into_iter().zip(0..).map(|(entry, seq)| {
            let record = Record { v: 1, seq, time: time.into(), turn: u32::from(seq > 0), entry };
            serde_json::to_string(&record).unwrap() + "\n"
        });
        fs::replace(&folder.join("conversation.jsonl"), lines.collect::<String>().as_bytes()).unwrap();
        let identity = json!({"v": 1, "id": id, "created": time, "workspace": null});
        fs::replace(&folder.join("session.json"), identity.to_string().as_bytes()).unwrap();
        folder
    }
}

fn started(id: &SessionId, workspace: &Path) -> Entry {
    Entry::SessionStarted(Started {
        session: id.clone(),
        workspace: workspace.into(),
        program: "faos 0.1.0".into(),
        system_prompt: "You write programs.".into(),
        forked_from: None,
    })
}

fn said(text: &str) -> Entry {
    Entry::UserMessage { text: text.into() }
}

fn delta(text: &str) -> Entry {
    Entry::ReplyDelta { kind: DeltaKind::Text, text: text.into() }
}

fn sent(model: &str) -> Entry {
    Entry::RequestSent { request: 1, messages: 2, feedback: None, model: model.into(), continues: None, lines_of: None }
}

fn turn_finished(verdict: Verdict) -> Entry {
    Entry::TurnFinished { verdict, exit_code: 0 }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn seqs(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.seq).collect()
}

#[test]
fn a_new_session_is_a_private_folder_that_the_contract_describes() {
    let home = Home::new();
    let session = home.create();
    let folder = session.folder().to_owned();
    assert_eq!(folder, home.sessions().join(session.id().as_str()));
    assert_eq!(session.workspace(), folder.join("workspace"));
    assert_eq!(session.notice(), None);
    for name in ["", "workspace", "runs", "cache"] {
        assert_eq!(mode(&folder.join(name)), 0o700, "{name:?}");
    }
    for name in ["session.json", "conversation.jsonl", "lock"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    let identity: Value = serde_json::from_str(&fs::read_text(&folder.join("session.json")).unwrap()).unwrap();
    let created = identity["created"].as_str().unwrap().to_owned();
    assert_eq!(identity, json!({"v": 1, "id": session.id(), "created": created, "workspace": null}));
    drop(session);
    assert!(!fs::exists(&folder.join("lock")));
}

#[test]
fn a_workspace_elsewhere_is_kept_by_its_true_path_and_not_made() {
    let home = Home::new();
    let (workspace, link) = (home.home.path().join("work"), home.home.path().join("link"));
    fs::make_folders(&workspace).unwrap();
    std::os::unix::fs::symlink(&workspace, &link).unwrap();
    let session = Session::create(&home.sessions(), Some(&link)).unwrap();
    let workspace = fs::canonical(&workspace).unwrap();
    assert_eq!(session.workspace(), workspace);
    assert!(!fs::exists(&session.folder().join("workspace")));
    let folder = session.folder().to_owned();
    drop(session);
    assert_eq!(Session::open(&folder).unwrap().session.workspace(), workspace);
    assert!(matches!(Session::create(&home.sessions(), Some(Path::new("/no/such"))), Err(SessionError::Fs(_))));
    assert_eq!(list(&home.sessions()).unwrap().0.len(), 1);
}

#[test]
fn a_path_that_json_cannot_hold_is_refused_before_anything_is_made() {
    use std::os::unix::ffi::OsStrExt;
    let home = Home::new();
    let strange = home.home.path().join(std::ffi::OsStr::from_bytes(b"wor\xffk"));
    fs::make_folders(&strange).unwrap();
    let error = Session::create(&home.sessions(), Some(&strange)).err().unwrap().to_string();
    assert!(error.ends_with("its path is not UTF-8"), "{error}");
    assert!(!fs::exists(&home.sessions()));
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_acknowledged_is_there_and_numbering_goes_on() {
    let home = Home::new();
    let session = home.create();
    let folder = session.folder().to_owned();
    assert_eq!(session.append(0, started(session.id(), session.workspace())), 0);
    assert_eq!(session.append(1, said("hello")), 1);
    session.sync().await.unwrap();
    session.sync().await.unwrap();
    let (records, reports) = read(&folder).unwrap();
    assert_eq!((seqs(&records), reports), (vec![0, 1], Vec::new()));
    assert_eq!((records[1].v, records[1].turn, &records[1].entry), (1, 1, &said("hello")));
    assert!(records[0].time <= records[1].time && records[1].time <= clock::now());
    session.append(1, delta("half an ans"));
    drop(session);

    let Opened { session, records, repaired } = Session::open(&folder).unwrap();
    assert_eq!((seqs(&records), repaired), (vec![0, 1, 2], Vec::new()));
    assert_eq!(session.append(2, said("go on")), 3);
    session.close().unwrap();
    assert_eq!(seqs(&read(&folder).unwrap().0), [0, 1, 2, 3]);
}

#[test]
fn a_session_is_open_once() {
    let home = Home::new();
    let session = home.create();
    let Err(SessionError::Held { id, pid, since }) = Session::open(session.folder()) else { panic!("it is held") };
    assert_eq!((id.as_str(), pid), (session.id().as_str(), std::process::id()));
    assert!(since.ends_with('Z'), "{since}");
    read(session.folder()).unwrap();
    let folder = session.folder().to_owned();
    drop(session);
    Session::open(&folder).unwrap();
}

#[test]
fn a_log_cut_at_any_byte_opens_and_goes_on() {
    let home = Home::new();
    let time = "2026-11-22T20:00:00.000Z";
    let id = "20261122-200000-ab12";
    let usage = Usage::default();
    let entries = vec![
        started(&SessionId::parse(id).unwrap(), Path::new("/old/20261122-200000-ab12/workspace")),
        said("a äöü message"),
        delta("an \"answer\"\n"),
        Entry::ReplyFinished { reason: Finish::Stop, usage },
        Entry::ActionApplied { kind: ActionKind::Write, path: "a".into(), outcome: Applied::Applied, note: None },
        turn_finished(Verdict::Passed),
    ];
    let folder = home.saved(id, time, entries);
    let log = folder.join("conversation.jsonl");
    let whole = fs::read(&log).unwrap();
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    for cut in 0..=whole.len() {
        fs::replace(&log, &whole[..cut]).unwrap();
        let torn = folder.join("conversation.torn");
        fs::replace(&torn, b"").unwrap();
        let kept = ends.iter().filter(|end| cut >= **end).count();
        let Opened { session, records, repaired } = Session::open(&folder).unwrap();
        assert_eq!(seqs(&records), (0..kept as u64).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(session.append(1, said("next")), kept as u64);
        session.close().unwrap();
        let mut expected = whole[..ends.get(kept.wrapping_sub(1)).map_or(0, |end| end + 1)].to_vec();
        let piece = whole[..cut].strip_prefix(expected.as_slice()).unwrap_or_default();
        let set_aside = if piece.is_empty() { Vec::new() } else { [piece, b"\n"].concat() };
        assert_eq!(fs::read(&torn).unwrap(), set_aside, "cut at {cut}");
        assert_eq!(repaired.iter().any(|said| said.contains("is kept in conversation.torn")), !piece.is_empty());
        let now = fs::read(&log).unwrap();
        expected.extend(now[expected.len()..].iter());
        assert_eq!(now, expected, "cut at {cut}: whole lines stay as they are");
        let Opened { records, repaired, .. } = Session::open(&folder).unwrap();
        assert_eq!((records.len(), repaired), (kept + 1, Vec::new()), "cut at {cut}");
    }
}

#[test]
fn reading_repairs_nothing() {
    let home = Home::new();
    let folder = home.saved("20261122-200000-ab12", "t", vec![said("hi")]);
    let log = folder.join("conversation.jsonl");
    let text = fs::read_text(&log).unwrap() + "{\"v\":1,";
    fs::replace(&log, text.as_bytes()).unwrap();
    let (records, reports) = read(&folder).unwrap();
    assert_eq!((records.len(), reports), (1, vec!["the last line is torn".to_owned()]));
    assert_eq!(fs::read_text(&log).unwrap(), text);
    assert!(!fs::exists(&folder.join("conversation.torn")));
}

#[test]
fn a_newer_session_is_shown_and_left_alone() {
    let home = Home::new();
    let folder = home.saved("20261122-200000-ab12", "t", vec![said("hi")]);
    let log = folder.join("conversation.jsonl");
    let text = fs::read_text(&log).unwrap() + "{\"v\":2,\"seq\":1,\"time\":\"t\",\"turn\":1,\"type\":\"new\"}\ntorn";
    fs::replace(&log, text.as_bytes()).unwrap();
    let error = Session::open(&folder).err().unwrap().to_string();
    let told = "session `20261122-200000-ab12` was written by a newer faos (record version 2): it can be read, not gone on with";
    assert_eq!(error, told);
    assert_eq!(fs::read_text(&log).unwrap(), text);
    assert_eq!(read(&folder).unwrap().0.len(), 2);
    let folder = home.saved("20261122-200000-ab13", "t", vec![said("hi")]);
    fs::replace(&folder.join("session.json"), b"{\"v\":3,\"name\":\"of another shape\"}").unwrap();
    assert!(matches!(Session::open(&folder), Err(SessionError::Newer { version: 3, .. })));
}

#[test]
fn a_lost_identity_is_made_again_and_said() {
    let home = Home::new();
    let session = home.create();
    session.append(0, started(session.id(), session.workspace()));
    session.append(0, Entry::Renamed { title: "mine".into() });
    let folder = session.folder().to_owned();
    drop(session);
    let file = folder.join("session.json");
    let before = fs::read_text(&file).unwrap();
    assert!(before.contains("\"mine\""), "{before}");
    for damaged in [None, Some(""), Some("\0\0\0"), Some("{\"v\":1")] {
        fs::remove_file(&file).unwrap();
        if let Some(text) = damaged {
            fs::replace(&file, text.as_bytes()).unwrap();
        }
        let (listed, unreadable) = list(&home.sessions()).unwrap();
        assert_eq!((listed[0].title.as_str(), unreadable), ("mine", Vec::new()));
        let opened = Session::open(&folder).unwrap();
        assert_eq!(opened.repaired, ["`session.json` was missing or damaged and was made again from the log"]);
        let (before, after) = (before.as_str(), fs::read_text(&file).unwrap());
        let without_created =
            |text: &str| text.lines().filter(|line| !line.contains("created")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(without_created(&after), without_created(before));
    }
}

#[test]
fn a_moved_session_brings_its_workspace() {
    let home = Home::new();
    let session = home.create();
    session.append(0, started(session.id(), session.workspace()));
    let old = session.folder().to_owned();
    drop(session);
    let new = home.home.path().join("elsewhere");
    rename(&old, &new);
    fs::remove_file(&new.join("session.json")).unwrap();
    let opened = Session::open(&new).unwrap();
    assert_eq!(opened.session.workspace(), new.join("workspace"));
    assert_eq!(Some(opened.session.id().as_str()), old.file_name().and_then(|name| name.to_str()));
    assert!(matches!(Session::open(&old), Err(SessionError::NotFound(_))));
}

#[test]
fn what_a_copy_lacks_is_made_and_closed_to_others() {
    let home = Home::new();
    let folder = home.saved("20261122-200000-ab12", "t", vec![said("hi")]);
    fs::remove_folder(&folder.join("workspace")).unwrap();
    set_mode(&folder, 0o755);
    let opened = Session::open(&folder).unwrap();
    assert_eq!(opened.repaired, ["the session's workspace was missing and is empty now"]);
    assert!(opened.session.workspace().is_dir());
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(opened.session.new_run().unwrap().0, 1);
}

#[test]
fn a_log_that_is_no_file_is_an_error_at_once() {
    let home = Home::new();
    let folder = home.saved("20261122-200000-ab12", "t", vec![]);
    let log = folder.join("conversation.jsonl");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &log).unwrap();
    assert!(Session::open(&folder).err().unwrap().to_string().ends_with("it is no regular file"));
    assert_eq!(list(&home.sessions()).unwrap().1.len(), 1);
}

#[test]
fn runs_are_numbered_on_after_a_resume() {
    let home = Home::new();
    let session = home.create();
    let folder = session.folder().to_owned();
    assert_eq!(session.new_run().unwrap(), (1, folder.join("runs/0001")));
    assert_eq!(session.new_run().unwrap(), (2, folder.join("runs/0002")));
    drop(session);
    fs::make_folders(&folder.join("runs/0041")).unwrap();
    fs::make_folders(&folder.join("runs/other")).unwrap();
    let session = Session::open(&folder).unwrap().session;
    let (run, place) = session.new_run().unwrap();
    assert_eq!((run, mode(&place)), (42, 0o700));
    session.keep_report(run, &report()).unwrap();
    let kept: RunReport = serde_json::from_slice(&fs::read(&place.join("report.json")).unwrap()).unwrap();
    assert_eq!(kept, report());
    assert!(matches!(session.keep_report(7, &report()), Err(SessionError::Fs(_))));
}

#[test]
fn a_list_tells_each_sessions_beginning_and_end_newest_first() {
    let home = Home::new();
    assert_eq!(list(&home.sessions()).unwrap(), (Vec::new(), Vec::new()));
    let long = format!("\n  {} {}\nmore", "first words", "x".repeat(200));
    let finished =
        vec![started(&SessionId::generate(), Path::new("/w")), said(&long), sent("m1"), turn_finished(Verdict::Failed)];
    home.saved("20261122-200000-aaaa", "2026-11-24T00:00:00.000Z", finished);
    // Larger than several blocks from the back, and no request or verdict in any of them.
    let mut open = vec![started(&SessionId::generate(), Path::new("/w")), said("hi"), sent("m1")];
    open.extend([turn_finished(Verdict::Passed), said("and now"), sent("m2")]);
    open.extend((0..3000).map(|number| delta(&format!("word {number} {}", "y".repeat(100)))));
    home.saved("20261123-200000-bbbb", "2026-11-23T00:00:00.000Z", open);
    home.saved("20261123-200000-cccc", "2026-11-25T00:00:00.000Z", vec![]);
    fs::make_folders(&home.sessions().join("20261123-200000-dddd")).unwrap();
    fs::make_folders(&home.sessions().join("something else")).unwrap();

    let (listed, unreadable) = list(&home.sessions()).unwrap();
    let told: Vec<_> = listed
        .iter()
        .map(|s| (s.id.as_str().rsplit('-').next().unwrap(), s.model.as_str(), s.turns, s.verdict.as_str()))
        .collect();
    assert_eq!(told, [("cccc", "", 0, "open"), ("aaaa", "m1", 1, "failed"), ("bbbb", "m2", 1, "open")]);
    assert_eq!(listed[1].title, format!("first words {}…", "x".repeat(68)));
    assert_eq!(listed[2].changed, "2026-11-23T00:00:00.000Z");
    assert_eq!(listed[2].workspace, home.sessions().join("20261123-200000-bbbb/workspace"));
    assert_eq!(unreadable, ["session `20261123-200000-dddd` holds no record"]);
}

#[test]
fn a_prefix_names_a_session_if_it_names_one() {
    let home = Home::new();
    let ids = ["20261122-200000-aaaa", "20261122-200000-aabb", "20261123-200000-cccc"];
    let folders = ids.map(|id| home.saved(id, "t", vec![said("hi")]));
    let sessions = home.sessions();
    assert_eq!(find(&sessions, ids[0]).unwrap(), folders[0]);
    assert_eq!(find(&sessions, "20261123").unwrap(), folders[2]);
    let ambiguous = find(&sessions, "20261122").unwrap_err().to_string();
    assert_eq!(ambiguous, "`20261122` could be any of `20261122-200000-aabb`, `20261122-200000-aaaa`");
    for nothing in ["2027", "../sessions", "20261123-200000-cccc/", "20261123-200000-ccccc"] {
        assert_eq!(find(&sessions, nothing).unwrap_err().to_string(), format!("no session `{nothing}`"));
    }
    for number in 0..9 {
        home.saved(&format!("20250101-000000-000{number}"), "t", vec![]);
    }
    assert!(find(&sessions, "2025").unwrap_err().to_string().ends_with(" and 4 more"));
    assert!(matches!(find(&sessions.join("none"), "2"), Err(SessionError::NotFound(_))));
}

#[test]
fn the_newest_is_the_last_changed_one_of_a_workspace() {
    let home = Home::new();
    assert_eq!(newest(&home.sessions(), None).unwrap(), None);
    let work = home.home.path().join("work");
    fs::make_folders(&work).unwrap();
    let old = home.saved("20261122-200000-aaaa", "2026-11-30T00:00:00.000Z", vec![said("hi")]);
    home.saved("20261129-200000-bbbb", "2026-11-29T00:00:00.000Z", vec![said("hi")]);
    let there = Session::create(&home.sessions(), Some(&work)).unwrap();
    there.append(0, said("earlier than the rest is dated"));
    assert_eq!(newest(&home.sessions(), Some(&home.home.path().join("none"))).unwrap(), None);
    let link = home.home.path().join("link");
    std::os::unix::fs::symlink(&work, &link).unwrap();
    assert_eq!(newest(&home.sessions(), Some(&link)).unwrap().as_deref(), Some(there.folder()));
    let folder = there.folder().to_owned();
    drop(there);
    fs::remove_folder(&folder).unwrap();
    assert_eq!(newest(&home.sessions(), None).unwrap(), Some(old.clone()));
    assert_eq!(newest(&home.sessions(), Some(&old.join("workspace"))).unwrap(), Some(old));
}

fn report() -> RunReport {
    RunReport { backend: Backend::Off, peak_memory_bytes: 1, ..RunReport::made_up("true", "/w", 0) }
}

#[expect(clippy::disallowed_methods, reason = "what a user does with mv")]
fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "what a careless copy does")]
fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// What a turn writes, each with its acknowledgement: the records that were acknowledged.
fn a_turn(sessions: &Path) -> Result<(PathBuf, Vec<u64>), SessionError> {
    let session = Session::create(sessions, None)?;
    let mut acknowledged = Vec::new();
    let (id, workspace) = (session.id().clone(), session.workspace().to_owned());
    let entries = [
        started(&id, &workspace),
        said("do it"),
        sent("m"),
        delta("half"),
        Entry::ReplyFinished { reason: Finish::Stop, usage: Usage::default() },
        Entry::Renamed { title: "a title".into() },
        turn_finished(Verdict::Passed),
    ];
    for entry in entries {
        let seq = session.append(1, entry);
        if session.sync_blocking().is_ok() {
            acknowledged.push(seq);
        }
    }
    // A run's report may be missing; the log never is.
    let _ = session.new_run();
    let folder = session.folder().to_owned();
    let _ = session.close();
    Ok((folder, acknowledged))
}

#[test]
fn a_fault_at_any_write_of_a_turn_costs_nothing_that_was_acknowledged() {
    for fault in [Fault::ShortThenFull, Fault::Full, Fault::Broken] {
        let mut struck = 0;
        for at in 0.. {
            let home = Home::new();
            let plan = faults::plan(home.home.path(), fault, at);
            let turn = a_turn(&home.sessions());
            let has_struck = plan.has_struck();
            drop(plan);
            match turn {
                Ok((folder, acknowledged)) => {
                    let Opened { session, records, repaired } = Session::open(&folder).unwrap();
                    let seqs = seqs(&records);
                    assert!(acknowledged.iter().all(|seq| seqs.contains(seq)), "{fault:?} at {at}: {seqs:?}");
                    assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>(), "{fault:?} at {at}: no gap");
                    assert!(repaired.iter().all(|said| !said.contains("damaged") || said.contains("session.json")));
                    assert_eq!(session.append(2, said("next")), seqs.len() as u64);
                    session.close().unwrap();
                }
                // What could not begin is not there.
                Err(_) => assert!(list(&home.sessions()).unwrap().0.is_empty(), "{fault:?} at {at}"),
            }
            if !has_struck {
                break;
            }
            struck += 1;
        }
        assert!(struck > 12, "{fault:?}: only {struck} steps");
    }
}

#[test]
fn a_clock_that_jumps_changes_no_order() {
    let home = Home::new();
    let id = "20261122-200000-ab12";
    let folder = home.saved(id, "2026-11-22T20:00:00.000Z", vec![said("one"), said("two"), said("three")]);
    let log = folder.join("conversation.jsonl");
    let text = fs::read_text(&log).unwrap();
    let jumped = text.replacen("2026-11-22", "2031-01-01", 1).replacen("2026-11-22", "1970-01-01", 1);
    fs::replace(&log, jumped.as_bytes()).unwrap();
    let Opened { records, repaired, .. } = Session::open(&folder).unwrap();
    assert_eq!((seqs(&records), repaired), (vec![0, 1, 2], Vec::new()));
    assert_eq!(list(&home.sessions()).unwrap().0[0].changed, "2026-11-22T20:00:00.000Z");
}
