//! The workspace against hostile names, links and devices, and against a model of itself.
#![expect(clippy::disallowed_methods, reason = "a test looks at the folder past the code that it tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use rustix::fs::{FileType, Mode, mknodat};
use tempfile::{TempDir, tempdir};

use super::{
    Entry, FileOp, Own, Progress, Versions, Workspace, WorkspaceError, diff, map, map_with_signatures, refuse_as_root,
};
use crate::base::faults::{self, Fault};
use crate::base::path::RelPath;
use crate::base::report::{ChangeKind, FileChange};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn write(name: &str, content: &str) -> FileOp {
    FileOp::Write { path: path(name), content: content.as_bytes().to_vec() }
}

fn open() -> (TempDir, Workspace) {
    let folder = tempdir().unwrap();
    let workspace = Workspace::open(folder.path()).unwrap();
    (folder, workspace)
}

fn open_versions() -> (TempDir, Versions) {
    let repository = tempdir().unwrap();
    let versions = Versions::open(repository.path()).unwrap();
    (repository, versions)
}

fn names(workspace: &Workspace) -> Vec<String> {
    workspace.files().unwrap().files.into_iter().map(|file| file.path.into()).collect()
}

fn changed(kind: ChangeKind, name: &str) -> FileChange {
    FileChange { path: name.to_owned(), kind }
}

#[test]
fn steps_are_done_in_order() {
    let (folder, workspace) = open();
    let steps = [
        write("a/b/c.txt", "one"),
        FileOp::Move { from: path("a/b/c.txt"), to: path("d/e.txt") },
        write("f.txt", "two"),
        FileOp::Delete { path: path("f.txt") },
        write("f.txt", "three"),
    ];
    workspace.apply(&steps).unwrap();
    assert_eq!(names(&workspace), ["d/e.txt", "f.txt"]);
    assert_eq!(fs::read_to_string(folder.path().join("f.txt")).unwrap(), "three");
    assert!(!folder.path().join("a").exists(), "emptied folders go");
}

#[test]
fn a_change_that_fails_leaves_nothing_behind() {
    let (folder, workspace) = open();
    workspace.apply(&[write("file", "old")]).unwrap();
    let failing = [write("file", "new"), write("file/below", "x")];
    workspace.apply(&failing).unwrap_err();
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}

#[test]
fn modes_are_kept() {
    let (folder, workspace) = open();
    let file = folder.path().join("run.sh");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o750)).unwrap();
    workspace.apply(&[write("run.sh", "new")]).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o750);
}

#[test]
fn links_do_not_lead_out() {
    let (outside, _) = open();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let (folder, workspace) = open();
    symlink(outside.path().join("secret"), folder.path().join("absolute")).unwrap();
    symlink("../../../../../../../../etc/passwd", folder.path().join("relative")).unwrap();
    symlink("absolute", folder.path().join("chained")).unwrap();
    symlink(outside.path(), folder.path().join("folder")).unwrap();
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    for name in ["absolute", "relative", "chained", "folder", "dangling", "folder/secret"] {
        assert_eq!(workspace.entry(&path(name)), Entry::Other, "{name}");
        assert_eq!(workspace.read(&path(name), 1_000).unwrap(), None, "{name}");
    }
    for name in ["absolute", "folder/secret", "folder/new"] {
        workspace.apply(&[write(name, "overwritten")]).unwrap_err();
    }
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_link_inside_is_written_through() {
    let (folder, workspace) = open();
    fs::write(folder.path().join("target"), "old").unwrap();
    symlink("target", folder.path().join("link")).unwrap();
    assert_eq!(workspace.entry(&path("link")), Entry::File { size: 3 });
    workspace.apply(&[write("link", "new")]).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("target")).unwrap(), "new");
    assert!(folder.path().join("link").symlink_metadata().unwrap().is_symlink());
}

#[test]
fn only_regular_files_are_read() {
    let (folder, workspace) = open();
    mknodat(rustix::fs::CWD, folder.path().join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    assert_eq!(workspace.entry(&path("fifo")), Entry::Other);
    assert_eq!(workspace.entry(&path("folder")), Entry::Folder);
    assert_eq!(workspace.entry(&path("none")), Entry::Absent);
    for name in ["fifo", "folder", "none"] {
        assert_eq!(workspace.read(&path(name), 10).unwrap(), None, "{name}");
    }
    fs::write(folder.path().join("large"), "eleven char").unwrap();
    let error = workspace.read(&path("large"), 10).unwrap_err();
    assert_eq!(error.to_string(), "`large` has 11 bytes, more than the 10 that are read");
}

#[test]
fn what_is_versioned_and_what_a_run_may_not_destroy() {
    let (folder, workspace) = open();
    for name in [
        "app.py",
        "__pycache__/app.pyc",
        "target/debug/app",
        ".env",
        "data/big.csv",
        "data/keep.csv",
        "sub/.gitignore",
        "sub/local.txt",
        "sub/other.txt",
        ".git/config",
        ".faos/config.toml",
        "sub/.git/config",
    ] {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "x").unwrap();
    }
    fs::write(folder.path().join(".gitignore"), ".env\n/data/*\n!/data/keep.csv\n").unwrap();
    fs::write(folder.path().join("sub/.gitignore"), "local.txt\n").unwrap();
    fs::write(folder.path().join(std::ffi::OsStr::new("a\u{1}b")), "control").unwrap();
    assert_eq!(names(&workspace), [".gitignore", "app.py", "data/keep.csv", "sub/.gitignore", "sub/other.txt"]);
    let mut protected = workspace.protected().unwrap();
    protected.sort();
    let wanted = [".env", ".faos", ".git", "a\u{1}b", "data/big.csv", "sub/.git", "sub/local.txt"];
    assert_eq!(protected, wanted.map(Path::new));
}

#[test]
fn versions_are_counted_and_compared() {
    let (folder, workspace) = open();
    let repository = tempdir().unwrap();
    let mut versions = Versions::open(repository.path()).unwrap();
    let first = versions.keep(&workspace, "empty").unwrap().unwrap();
    assert_eq!((first.number, first.changes.len()), (0, 0));
    assert_eq!(versions.keep(&workspace, "again").unwrap(), None);

    workspace.apply(&[write("a.txt", "1"), write("b/c.txt", "2")]).unwrap();
    let second = versions.keep(&workspace, "two files").unwrap().unwrap();
    let wanted = [changed(ChangeKind::Created, "a.txt"), changed(ChangeKind::Created, "b/c.txt")];
    assert_eq!((second.number, second.changes.as_slice()), (1, wanted.as_slice()));

    // The next one is kept by another process, which knows no file yet.
    drop(versions);
    let mut versions = Versions::open(repository.path()).unwrap();
    assert_eq!(versions.newest(), Some(1));
    assert_eq!(versions.keep(&workspace, "unchanged").unwrap(), None);
    workspace.apply(&[write("a.txt", "x"), FileOp::Delete { path: path("b/c.txt") }]).unwrap();
    symlink("a.txt", folder.path().join("link")).unwrap();
    let third = versions.keep(&workspace, "more").unwrap().unwrap();
    let wanted = [
        changed(ChangeKind::Modified, "a.txt"),
        changed(ChangeKind::Deleted, "b/c.txt"),
        changed(ChangeKind::Created, "link"),
    ];
    assert_eq!(third.changes, wanted);
    assert_eq!(
        versions.between(0, 2).unwrap(),
        [changed(ChangeKind::Created, "a.txt"), changed(ChangeKind::Created, "link")]
    );
}

#[test]
fn an_edit_of_the_same_size_at_the_same_time_is_seen() {
    let (folder, workspace) = open();
    let repository = tempdir().unwrap();
    let mut versions = Versions::open(repository.path()).unwrap();
    for round in 0..50 {
        fs::write(folder.path().join("counter"), format!("{round:02}")).unwrap();
        assert!(versions.keep(&workspace, "round").unwrap().is_some(), "round {round}");
    }
}

#[test]
fn the_map_fits_its_room() {
    let (_folder, workspace) = open();
    assert_eq!(map(&workspace.files().unwrap(), 100), "");
    let steps: Vec<FileOp> = (0..40).map(|n| write(&format!("src/data/file{n}.txt"), "12345")).collect();
    workspace.apply(&steps).unwrap();
    workspace.apply(&[write("main.py", "x")]).unwrap();
    let listing = workspace.files().unwrap();
    assert!(map(&listing, 10_000).starts_with("main.py (1 bytes)\nsrc/data/file0.txt (5 bytes)\n"));
    assert_eq!(map(&listing, 60), "main.py (1 bytes)\nsrc/data/ (40 files)\n");
    assert_eq!(map(&listing, 3), "");
}

#[test]
fn diffs_for_people() {
    assert_eq!(diff("a", Some("x\n"), Some("x\n")), "");
    assert_eq!(diff("a", None, Some("x\n")), "--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+x\n");
    assert_eq!(diff("a", None, Some("")), "--- /dev/null\n+++ b/a\n");
    assert_eq!(diff("a", Some("\0"), Some("x")), "Binary file a changed\n");
}

#[test]
fn some_folders_are_no_workspace() {
    let home = Path::new("/home/you");
    let data = Path::new("/home/you/.local/share/faos");
    let (sessions, settings) = (data.join("sessions"), Path::new("/home/you/.config/faos"));
    let own = Own { sessions: &sessions, settings, state: Path::new("/home/you/.local/state/faos") };
    for root in [
        "/",
        "/home",
        "/home/you",
        "/home/you/.ssh",
        "/home/you/.local",
        "/home/you/.local/share/faos",
        "/home/you/.local/share/faos/sessions",
        "/home/you/.local/share/faos/sessions/x",
        "/home/you/.local/share/faos/sessions/x/versions",
        "/home/you/.config/faos",
        "/home/you/.config/faos/scripts",
        "/home/you/.config/faos/prompts/more",
        "/home/you/.local/state/faos/locks",
    ] {
        assert!(refuse_as_root(Path::new(root), Some(home), own).is_some(), "{root}");
    }
    for root in [
        "/home/you/project",
        "/srv/project",
        "/home/you/.local/share/faos/sessions/x/workspace",
        "/home/you/.local/share/faos/sessions/x/workspace/part",
    ] {
        assert_eq!(refuse_as_root(Path::new(root), Some(home), own), None, "{root}");
    }
}

fn any_step() -> impl Strategy<Value = (u8, &'static str, &'static str, String)> {
    let names = prop_oneof![Just("a"), Just("b"), Just("d/a"), Just("d/e/f"), Just("g/h")];
    (0_u8..3, names.clone(), names, "[xy]{0,3}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The folder holds what a map of names to contents holds after the same steps.
    #[test]
    fn applying_is_what_a_map_does(steps in prop::collection::vec(any_step(), 1..12)) {
        let (_folder, workspace) = open();
        let mut model: BTreeMap<String, String> = BTreeMap::new();
        let mut ops = Vec::new();
        for (kind, one, other, content) in steps {
            match kind {
                0 => {
                    model.insert(one.to_owned(), content.clone());
                    ops.push(write(one, &content));
                }
                1 if model.remove(one).is_some() => ops.push(FileOp::Delete { path: path(one) }),
                2 if model.contains_key(one) && !model.contains_key(other) => {
                    let moved = model.remove(one).unwrap_or_default();
                    model.insert(other.to_owned(), moved);
                    ops.push(FileOp::Move { from: path(one), to: path(other) });
                }
                _ => {}
            }
        }
        workspace.apply(&ops).unwrap();
        let found: BTreeMap<String, String> = names(&workspace)
            .into_iter()
            .map(|name| {
                let bytes = workspace.read(&path(&name), 100).unwrap().unwrap();
                (name, String::from_utf8(bytes).unwrap())
            })
            .collect();
        prop_assert_eq!(found, model);
    }
}

#[test]
fn a_restored_file_is_as_private_as_it_was() {
    let ((_folder, workspace), (_repository, mut versions)) = (open(), open_versions());
    for (name, mode) in [("key", 0o600), ("script", 0o755), ("text", 0o644), ("tool", 0o700)] {
        let path = workspace.root().join(name);
        fs::write(&path, name).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let kept = versions.keep(&workspace, "all").unwrap().unwrap();
    for name in ["key", "script", "text", "tool"] {
        fs::remove_file(workspace.root().join(name)).unwrap();
    }
    versions.keep(&workspace, "none").unwrap();
    let restored = versions.restore(&workspace, kept.number).unwrap();
    assert_eq!((restored.changes.len(), restored.left.len()), (4, 0));
    for (name, mode) in [("key", 0o600), ("script", 0o755), ("text", 0o644), ("tool", 0o700)] {
        let metadata = fs::metadata(workspace.root().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
}

#[test]
fn what_a_killed_process_has_locked_is_unlocked() {
    let (_folder, workspace) = open();
    let (repository, mut versions) = open_versions();
    versions.keep(&workspace, "first").unwrap();
    drop(versions);
    for name in ["refs/heads/main.lock", "refs/tags/v1.lock", "HEAD.lock"] {
        fs::write(repository.path().join(name), "").unwrap();
    }
    workspace.apply(&[write("a.txt", "one")]).unwrap();
    let mut versions = Versions::open(repository.path()).unwrap();
    assert_eq!(versions.keep(&workspace, "second").unwrap().unwrap().number, 1);
}

#[test]
fn versions_come_back_whole_whatever_stands_where_now() {
    let ((_folder, workspace), (_repository, mut versions)) = (open(), open_versions());
    let root = workspace.root().to_owned();
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/b/c"), "deep").unwrap();
    fs::write(root.join("d"), "a file").unwrap();
    symlink("d", root.join("link")).unwrap();
    let first = versions.keep(&workspace, "first").unwrap().unwrap();
    fs::remove_dir_all(root.join("a")).unwrap();
    fs::write(root.join("a"), "a file now").unwrap();
    fs::remove_file(root.join("d")).unwrap();
    fs::create_dir(root.join("d")).unwrap();
    fs::write(root.join("d/e"), "below").unwrap();
    fs::remove_file(root.join("link")).unwrap();
    let second = versions.keep(&workspace, "second").unwrap().unwrap();
    versions.restore(&workspace, first.number).unwrap();
    assert_eq!(fs::read_to_string(root.join("a/b/c")).unwrap(), "deep");
    assert_eq!(fs::read_to_string(root.join("link")).unwrap(), "a file");
    assert_eq!(versions.since(&workspace, first.number).unwrap(), []);
    versions.restore(&workspace, second.number).unwrap();
    assert_eq!(versions.since(&workspace, second.number).unwrap(), []);
}

#[test]
fn what_is_ignored_by_now_is_left_alone() {
    let ((_folder, workspace), (_repository, mut versions)) = (open(), open_versions());
    let root = workspace.root().to_owned();
    versions.keep(&workspace, "nothing").unwrap();
    fs::write(root.join("notes"), "one").unwrap();
    let with_notes = versions.keep(&workspace, "notes").unwrap().unwrap();
    fs::remove_file(root.join("notes")).unwrap();
    versions.keep(&workspace, "none").unwrap();
    fs::write(root.join(".gitignore"), "notes\n").unwrap();
    fs::write(root.join("notes"), "the user's own").unwrap();
    let restored = versions.restore(&workspace, with_notes.number).unwrap();
    assert_eq!(restored.left, ["notes"]);
    assert_eq!(fs::read_to_string(root.join("notes")).unwrap(), "the user's own");
}

#[test]
fn of_a_workspace_that_is_too_large_only_touched_files_are_versioned() {
    let (folder, workspace) = open();
    let (_repository, mut versions) = open_versions();
    // Under test 500 files are too many.
    let steps: Vec<FileOp> = (0..=500).map(|n| write(&format!("src/file{n}.txt"), "old")).collect();
    workspace.apply(&steps).unwrap();
    versions.keep(&workspace, "begin").unwrap();
    assert!(versions.is_partial() && versions.notice().is_some_and(|text| text.contains("too large")));
    assert_eq!(versions.notice(), None, "it is said once");
    assert_eq!(versions.read(0, &path("src/file7.txt")).unwrap(), None);
    assert_eq!(workspace.protected().unwrap(), [Path::new("src")], "a run can destroy nothing");
    assert!(workspace.left_out().unwrap().is_empty());

    versions.adopt([path("src/file7.txt"), path("new.txt")]);
    versions.keep(&workspace, "before").unwrap().unwrap();
    workspace.apply(&[write("src/file7.txt", "new"), write("new.txt", "new")]).unwrap();
    let kept = versions.keep(&workspace, "reply").unwrap().unwrap();
    let wanted = [changed(ChangeKind::Created, "new.txt"), changed(ChangeKind::Modified, "src/file7.txt")];
    assert_eq!(kept.changes, wanted);
    versions.restore(&workspace, 1).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("src/file7.txt")).unwrap(), "old");
    assert!(!folder.path().join("new.txt").exists() && folder.path().join("src/file8.txt").exists());
}

#[test]
fn slow_work_is_told_of_and_can_be_stopped() {
    let (_folder, workspace) = open();
    let (_repository, mut versions) = open_versions();
    workspace.apply(&[write("a", "x"), write("b", "x")]).unwrap();
    for stop in [Progress::Found(2), Progress::Read { done: 1, all: 2 }] {
        versions.watched_by(Box::new(move |progress| progress != stop));
        assert!(matches!(versions.keep(&workspace, "begin"), Err(WorkspaceError::Stopped)));
        assert_eq!(versions.newest(), None, "a version is whole or not there");
    }
    versions.watched_by(Box::new(|_| true));
    assert!(versions.keep(&workspace, "begin").unwrap().is_some());
}

#[test]
fn some_files_of_a_version_come_back_alone() {
    let (_folder, workspace) = open();
    let (_repository, mut versions) = open_versions();
    let all = |text: &str| workspace.apply(&["a", "src/b", "src/c", "srcs"].map(|name| write(name, text))).unwrap();
    all("one");
    versions.keep(&workspace, "one").unwrap();
    all("two");
    versions.keep(&workspace, "two").unwrap();
    let restored = versions.restore_only(&workspace, 0, &[path("src")]).unwrap();
    let wanted = ["src/b", "src/c"].map(|name| changed(ChangeKind::Modified, name));
    assert_eq!(restored.changes, wanted);
    assert_eq!(workspace.read(&path("srcs"), 9).unwrap().as_deref(), Some(&b"two"[..]));
}

#[test]
fn a_copy_of_the_versions_ends_where_it_is_asked_to() {
    let (_folder, workspace) = open();
    let repository = tempdir().unwrap();
    let mut versions = Versions::open(repository.path()).unwrap();
    for text in ["one", "two", "three"] {
        workspace.apply(&[write("a", text)]).unwrap();
        versions.keep(&workspace, text).unwrap();
    }
    let copy = tempdir().unwrap();
    Versions::copy(repository.path(), &copy.path().join("versions"), Some(1)).unwrap();
    let mut copied = Versions::open(&copy.path().join("versions")).unwrap();
    assert_eq!(copied.newest(), Some(1));
    assert_eq!(copied.read(1, &path("a")).unwrap().as_deref(), Some(&b"two"[..]));
    workspace.apply(&[write("a", "other")]).unwrap();
    assert_eq!(copied.keep(&workspace, "other").unwrap().map(|version| version.number), Some(2));
    assert_eq!(versions.read(2, &path("a")).unwrap().as_deref(), Some(&b"three"[..]), "the other one stays");
}

#[test]
fn a_faosignore_decides_over_a_gitignore() {
    let (_folder, workspace) = open();
    let files = ["a.log", "b.log", "secret.txt", "src/c.log"].map(|name| write(name, "x"));
    workspace.apply(&files).unwrap();
    let ignores = [write(".gitignore", "*.log\n"), write(".faosignore", "!b.log\nsecret.*\n")];
    workspace.apply(&ignores).unwrap();
    assert_eq!(names(&workspace), [".faosignore", ".gitignore", "b.log"]);
}

#[test]
fn a_name_that_is_no_text_is_shown_escaped() {
    use std::os::unix::ffi::OsStrExt;
    let (folder, workspace) = open();
    fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt")), "x").unwrap();
    let listing = workspace.files().unwrap();
    assert_eq!((listing.files.len(), listing.unnamed), (0, vec!["caf\\xe9.txt".to_owned()]));
}

#[test]
fn the_map_shows_what_files_offer_where_there_is_room() {
    let (_folder, workspace) = open();
    let files = [
        write("a.py", "def add(a, b):\n    pass\n"),
        write("b.txt", "x"),
        write("c.py", "class C:\n"),
        write("d.py", "\0def x():\n\u{ff}"),
    ];
    workspace.apply(&files).unwrap();
    let listing = workspace.files().unwrap();
    let whole = "a.py (24 bytes)\n  def add(a, b)\nb.txt (1 bytes)\nc.py (9 bytes)\n  class C\nd.py (12 bytes)\n";
    assert_eq!(map_with_signatures(&workspace, &listing, 1_000), whole);
    for most in 0..whole.len() + 2 {
        assert!(map_with_signatures(&workspace, &listing, most).chars().count() <= most, "{most}");
    }
}

#[test]
fn many_new_files_become_one_pack_and_few_stay_single() {
    let (_folder, workspace) = open();
    let repository = tempdir().unwrap();
    let mut versions = Versions::open(repository.path()).unwrap();
    let count = |folder: &str, extension: &str| {
        let found = crate::base::fs::below(&repository.path().join("objects").join(folder)).unwrap();
        found.iter().filter(|below| below.path.to_string_lossy().ends_with(extension)).count()
    };
    // Under test more than 100 are many.
    let steps: Vec<FileOp> = (0..150).map(|n| write(&format!("src/file{n}.txt"), &format!("text {n}"))).collect();
    workspace.apply(&steps).unwrap();
    versions.keep(&workspace, "begin").unwrap();
    assert_eq!(count("pack", ".pack"), 1);
    assert_eq!(versions.read(0, &path("src/file77.txt")).unwrap().as_deref(), Some(&b"text 77"[..]));
    workspace.apply(&[write("src/file1.txt", "other")]).unwrap();
    versions.keep(&workspace, "one more").unwrap();
    assert_eq!(count("pack", ".pack"), 1);
    let mut again = Versions::open(repository.path()).unwrap();
    assert!(again.keep(&workspace, "the same").unwrap().is_none(), "what is packed is not new");
}

#[test]
fn a_fault_at_any_step_leaves_each_file_as_it_was_or_as_it_is_to_be() {
    for fault in [Fault::ShortThenFull, Fault::Full, Fault::Broken] {
        let mut struck = 0;
        for step in 0.. {
            let (folder, workspace) = open();
            workspace.apply(&[write("a", "old a"), write("b", "old b"), write("c/d", "old d")]).unwrap();
            let plan = faults::plan(workspace.root(), fault, step);
            let moving = FileOp::Move { from: path("b"), to: path("n/b") };
            let applied = workspace.apply(&[
                write("a", "new a"),
                write("new/e", "new e"),
                moving,
                FileOp::Delete { path: path("c/d") },
            ]);
            let has_struck = plan.has_struck();
            drop(plan);
            assert_eq!(applied.is_err(), has_struck, "{fault:?} at {step}");
            let read = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
            let place = format!("{fault:?} at {step}: {applied:?}");
            let a = read("a").unwrap();
            assert!(a == "old a" || a == "new a", "{place}: {a}");
            assert!(read("new/e").is_none_or(|text| text == "new e"), "{place}");
            assert!(read("b").is_some() != read("n/b").is_some(), "{place}");
            assert!(read("c/d").is_none_or(|text| text == "old d"), "{place}");
            // Nothing is begun before all is there.
            assert!(a == "new a" || [read("new/e"), read("n/b")].iter().all(Option::is_none), "{place}");
            let left = workspace.files().unwrap().files.into_iter().any(|file| file.path.as_str().contains(".faos-"));
            assert!(!left, "{place}");
            if !has_struck {
                assert_eq!((a.as_str(), read("new/e").as_deref()), ("new a", Some("new e")));
                assert_eq!((read("n/b").as_deref(), read("c/d")), (Some("old b"), None));
                break;
            }
            struck += 1;
        }
        assert!(struck > 10, "{fault:?}: only {struck} steps");
    }
}
