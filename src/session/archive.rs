//! A session as one file: a tar archive of its folder, and a folder made from such an archive.
//!
//! An archive comes from anywhere. Nothing of it is named by a path until all its names are checked; links, what is no
//! file, what git would act on, and what is too much are refused or left out. The session appears whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::identity::{self, Identity};
use super::lock::Lock;
use super::record::Record;
use super::tar::{self, Header, Reader};
use super::{LOG, SessionError, blotted, opening, recovery};
use crate::base::fs::{self, FsError, Kind};
use crate::base::ids::SessionId;
use crate::base::path::is_reserved;
use crate::base::secrets;

/// More than this is no session of ours.
const MOST_BYTES: u64 = 8 << 30;
const MOST_ENTRIES: u64 = 500_000;
const DEEPEST: usize = 64;

/// Bytes of a file that is looked at for keys.
const LARGEST_LOOKED_AT: u64 = 1 << 20;

const VERSIONS: &str = "versions";

/// What `versions/config` says; an archive's own could name programs.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";

/// What came of an archive.
#[derive(Debug)]
pub struct Imported {
    pub id: SessionId,
    /// What was left out, a sentence each.
    pub notices: Vec<String>,
}

/// What becomes of what looks like a key in the records and outputs of an archive. The files and their versions are what
/// they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    Masked,
    Kept,
}

/// What an archive holds otherwise than the session does.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Links that were left out.
    pub links: u32,
    /// Records or outputs were masked.
    pub masked: bool,
    /// A file of the session's own workspace that looks like it holds a key, and how many more do.
    pub with_a_key: Option<(String, u32)>,
}

impl Exported {
    /// What the user should know, a sentence each.
    pub fn notices(&self) -> Vec<String> {
        let links = (self.links > 0)
            .then(|| format!("{} links are left out; the versions hold those of the workspace", self.links));
        let masked = self.masked.then(|| {
            "what looks like a key is masked in the records; files and versions hold what they hold".to_owned()
        });
        let files = self.with_a_key.as_ref().map(|(path, more)| {
            let more = if *more > 0 { format!(" and {more} more files") } else { String::new() };
            format!("`{path}`{more} may hold a key, and go in as they are")
        });
        [links, masked, files].into_iter().flatten().collect()
    }
}

/// Writes an archive into a new file, which is there whole or not at all.
pub fn export_to(folder: &Path, file: &Path, keys: Keys) -> Result<Exported, SessionError> {
    let mut out = fs::create_new(file, 0o600)?;
    export(folder, &mut out, keys).inspect_err(|_| {
        // Half an archive helps nobody.
        let _ = fs::remove_file(file);
    })
}

/// Writes everything but the lock and what can be made again.
pub fn export(folder: &Path, out: &mut impl Write, keys: Keys) -> Result<Exported, SessionError> {
    opening::known(folder)?;
    let top = PathBuf::from(folder.file_name().unwrap_or_default());
    let written = |source| FsError { operation: "write the archive of", path: folder.to_owned(), source };
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let mut exported = Exported::default();
    // Where a session has moved, its own workspace holds what was there before.
    let is_elsewhere = Identity::load(folder)?.is_some_and(|identity| identity.workspace.is_some());
    for entry in fs::below(folder)? {
        let first = entry.path.iter().next().unwrap_or_default();
        let is_old = is_elsewhere && first == identity::OWN_WORKSPACE;
        if is_old || first == opening::LOCK || first == opening::CACHE {
            continue;
        }
        let kind = entry.kind;
        match kind {
            Kind::File | Kind::Folder => {}
            Kind::Link => {
                exported.links += 1;
                continue;
            }
            Kind::Other => continue,
        }
        let modified = u64::try_from(entry.modified).unwrap_or(0);
        let mut header = Header { path: top.join(&entry.path), kind, size: entry.size, mode: entry.mode, modified };
        if kind == Kind::Folder {
            tar::write_header(&mut out, &header).map_err(written)?;
            continue;
        }
        if let Some(content) = masked(folder, &entry, keys, &mut exported)? {
            header.size = content.len() as u64;
            tar::write_header(&mut out, &header).and_then(|()| out.write_all(&content)).map_err(written)?;
        } else {
            // The log may grow meanwhile: what is there now goes in.
            let file = fs::open_to_read(&folder.join(&entry.path))?;
            header.size = file.metadata().map_err(written)?.len();
            tar::write_header(&mut out, &header).map_err(written)?;
            let copied = io::copy(&mut file.take(header.size), &mut out).map_err(written)?;
            if copied < header.size {
                return Err(written(io::Error::other(format!("`{}` was cut meanwhile", entry.path.display()))).into());
            }
        }
        out.write_all(tar::padding(header.size)).map_err(written)?;
    }
    tar::write_end(&mut out).and_then(|()| out.flush()).map_err(written)?;
    Ok(exported)
}

/// A file's content with its keys masked, where it has some and is not the user's own to keep.
fn masked(
    folder: &Path,
    entry: &fs::Below,
    keys: Keys,
    exported: &mut Exported,
) -> Result<Option<Vec<u8>>, SessionError> {
    let first = entry.path.iter().next().unwrap_or_default();
    if keys == Keys::Kept || first == VERSIONS {
        return Ok(None);
    }
    if first == identity::OWN_WORKSPACE {
        let is_text = |bytes: Vec<u8>| String::from_utf8(bytes).ok();
        let text = if entry.size <= LARGEST_LOOKED_AT { is_text(fs::read(&folder.join(&entry.path))?) } else { None };
        if text.is_some_and(|text| secrets::holds_a_key(&text)) {
            match &mut exported.with_a_key {
                Some((_, more)) => *more += 1,
                none => *none = Some((entry.path.display().to_string(), 0)),
            }
        }
        return Ok(None);
    }
    // Of what a run left in quarantine nothing is touched, and it may be large.
    let ends_in = |endings: &[&str]| entry.path.extension().is_some_and(|own| endings.iter().any(|end| own == *end));
    let is_record = entry.path.iter().count() <= 3 && ends_in(&["json", "jsonl", "log", "torn"]);
    if !is_record {
        return Ok(None);
    }
    let bytes = fs::read(&folder.join(&entry.path))?;
    let is_json = ends_in(&["json"]);
    let new = match std::str::from_utf8(&bytes) {
        Ok(text) if entry.path == Path::new(LOG) => blotted::log(text).into_owned().into_bytes(),
        Ok(text) if is_json => blotted::json(text).into_owned().into_bytes(),
        Ok(_) | Err(_) => blotted::output(&bytes),
    };
    let is_masked = new != bytes;
    exported.masked |= is_masked;
    Ok(is_masked.then_some(new))
}

/// Makes a session from an archive. It keeps its id where that is free here.
pub fn import(sessions: &Path, archive: impl Read) -> Result<Imported, SessionError> {
    fs::make_folders(sessions)?;
    let (making, _lock) = make_beside(sessions)?;
    let imported = Unpacking { folder: &making, id: None, left_out: Vec::new(), bytes: 0 }.all(archive).and_then(
        |(id, notices)| {
            adopt(&making)?;
            Ok(Imported { id: settle(sessions, &making, id.unwrap_or_else(SessionId::generate))?, notices })
        },
    );
    if imported.is_err() {
        // Where it cannot be removed now, the next clean-up does.
        let _ = fs::remove_folder(&making);
    }
    imported
}

/// What the folder of an archive is called while it is unpacked; no session's name begins so.
pub const UNPACKING: &str = ".import-";

/// With its lock: a clean-up of left-overs passes over what is locked.
pub(super) fn make_beside(sessions: &Path) -> Result<(PathBuf, Lock), SessionError> {
    loop {
        let folder = sessions.join(format!("{UNPACKING}{}", SessionId::generate()));
        if fs::make_new_folder(&folder)? {
            let lock = opening::take_lock(&folder)?;
            return Ok((folder, lock));
        }
    }
}

/// Makes what was unpacked a session of this machine.
fn adopt(making: &Path) -> Result<(), SessionError> {
    let found = recovery::scan(making)?;
    if found.records.is_empty() {
        return Err(refused(format!("it holds no `{LOG}` with a record")));
    }
    // The folder that it named is another machine's; its files come back from its versions.
    let identity = Identity::load(making)?.unwrap_or_else(|| Identity::rebuild(making, &found.records));
    let own = making.join(identity::OWN_WORKSPACE);
    if identity.workspace.is_some() && fs::exists(&own) {
        fs::remove_folder(&own)?;
    }
    if let (true, Some(last)) = (identity::has_moved(&found.records), found.records.last()) {
        let record = Record { seq: found.next_seq, entry: identity::moved(None), ..last.clone() };
        let line = serde_json::to_string(&record).map_err(|error| SessionError::Write(error.to_string()))?;
        let mut log = fs::open_to_append(&making.join(LOG))?;
        recovery::repair(making, &mut log, found.tail)?;
        let written = |source| FsError { operation: "write", path: making.join(LOG), source };
        log.write_all(format!("{line}\n").as_bytes()).map_err(written)?;
    }
    Identity { workspace: None, ..identity }.store(making)?;
    match fs::write_new(&making.join(VERSIONS).join("config"), CONFIG.as_bytes()) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Gives what was made beside the sessions its name: this one, or another where it is taken.
pub(super) fn settle(sessions: &Path, making: &Path, mut id: SessionId) -> Result<SessionId, SessionError> {
    while fs::exists(&sessions.join(id.as_str())) {
        id = SessionId::generate();
    }
    fs::sync_all_of(making)?;
    // The lock stays with whoever holds it, and its name does not go along.
    fs::remove_file(&making.join(opening::LOCK))?;
    fs::rename(making, &sessions.join(id.as_str()))?;
    fs::sync_folder(sessions)?;
    Ok(id)
}

struct Unpacking<'a> {
    folder: &'a Path,
    /// The archive's one top folder, where that is a session's name.
    id: Option<SessionId>,
    left_out: Vec<String>,
    bytes: u64,
}

impl Unpacking<'_> {
    fn all(mut self, archive: impl Read) -> Result<(Option<SessionId>, Vec<String>), SessionError> {
        let mut reader = Reader::new(archive);
        let mut entries = 0;
        let mut top: Option<Vec<u8>> = None;
        while let Some(header) = reader.next().map_err(|error| refused(error.to_string()))? {
            entries += 1;
            self.bytes = self.bytes.saturating_add(header.size);
            if entries > MOST_ENTRIES || self.bytes > MOST_BYTES {
                return Err(refused(format!("it holds more than {MOST_ENTRIES} files or {} GiB", MOST_BYTES >> 30)));
            }
            let shown = header.path.display().to_string();
            let names = tar::names(&header.path).filter(|names| names.len() <= DEEPEST);
            let Some(names) = names else { return Err(refused(format!("`{shown}` is no path inside of a session"))) };
            let first = names[0].as_bytes();
            if top.get_or_insert_with(|| first.to_vec()) != first {
                return Err(refused(format!("`{shown}` is beside the session's folder")));
            }
            self.id = SessionId::parse(&String::from_utf8_lossy(first));
            if matches!(header.kind, Kind::Link | Kind::Other) {
                return Err(refused(format!("`{shown}` is a link or no file")));
            }
            let inside: PathBuf = names[1..].iter().collect();
            if inside.as_os_str().is_empty() {
                continue;
            }
            match fate(&inside) {
                Fate::Taken => self.take(&inside, &header, &mut reader)?,
                Fate::MadeAnew => {}
                Fate::LeftOut if self.left_out.len() < 20 => self.left_out.push(format!("`{shown}` was left out")),
                Fate::LeftOut => {}
            }
        }
        Ok((self.id, self.left_out))
    }

    fn take(&self, inside: &Path, header: &Header, reader: &mut Reader<impl Read>) -> Result<(), SessionError> {
        let path = self.folder.join(inside);
        if header.kind == Kind::Folder {
            return Ok(fs::make_folders(&path)?);
        }
        fs::make_folders(path.parent().unwrap_or(self.folder))?;
        let mode = if inside.starts_with(identity::OWN_WORKSPACE) { 0o600 | header.mode & 0o100 } else { 0o600 };
        let mut file: File = fs::create_new(&path, mode)?;
        // What comes of reading is the archive's fault, of writing the disk's.
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = reader.read(&mut buffer).map_err(|error| refused(error.to_string()))?;
            if read == 0 {
                return Ok(());
            }
            let written = file.write_all(&buffer[..read]);
            written.map_err(|source| FsError { operation: "write", path: path.clone(), source })?;
        }
    }
}

enum Fate {
    Taken,
    /// It is the program's own to make.
    MadeAnew,
    LeftOut,
}

/// Only what a session consists of; of git only what holds content.
fn fate(inside: &Path) -> Fate {
    let mut names = inside.iter();
    let first = names.next().unwrap_or_default().to_string_lossy();
    let second = names.next().unwrap_or_default().to_string_lossy();
    let third = names.next().unwrap_or_default().to_string_lossy();
    let is_bare = second.is_empty();
    match first.as_ref() {
        opening::LOCK | opening::CACHE => Fate::MadeAnew,
        identity::FILE | LOG | recovery::TORN if is_bare => Fate::Taken,
        identity::OWN_WORKSPACE => {
            // Programs that the user starts there would act on them.
            if inside.iter().any(is_reserved) { Fate::LeftOut } else { Fate::Taken }
        }
        "runs" => Fate::Taken,
        VERSIONS => match second.as_ref() {
            "" | "HEAD" | "packed-refs" | "refs" => Fate::Taken,
            // `info/alternates` would name another repository.
            "objects" if third != "info" => Fate::Taken,
            "config" | "objects" | "info" | "description" => Fate::MadeAnew,
            _ => Fate::LeftOut,
        },
        _ => Fate::LeftOut,
    }
}

fn refused(why: String) -> SessionError {
    SessionError::Archive(why)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Exported, Keys, export, import};
    use crate::base::fs::{self, Kind};
    use crate::session::record::Entry;
    use crate::session::tar::{Header, padding, write_end, write_header};
    use crate::session::{Session, SessionError, read};

    const ID: &str = "20261122-200000-ab12";
    const RECORD: &str = "{\"v\":1,\"seq\":0,\"time\":\"t\",\"turn\":0,\"type\":\"renamed\",\"title\":\"x\"}\n";

    fn archive(entries: &[(&str, Kind, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (path, kind, content) in entries {
            let size = content.len() as u64;
            let header = Header { path: path.into(), kind: *kind, size, mode: 0o777, modified: 0 };
            let start = out.len();
            write_header(&mut out, &header).unwrap();
            if *kind == Kind::Link {
                out[start + 156] = b'2';
                let sum: u32 = out[start..start + 512].iter().map(|byte| u32::from(*byte)).sum();
                let own: u32 = out[start + 148..start + 156].iter().map(|byte| u32::from(*byte)).sum();
                out[start + 148..start + 154].copy_from_slice(format!("{:06o}", sum - own + 256).as_bytes());
            }
            out.extend_from_slice(content.as_bytes());
            out.extend_from_slice(padding(size));
        }
        write_end(&mut out).unwrap();
        out
    }

    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keys_stay_at_home_unless_they_are_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let session = Session::create(home.path(), None).unwrap();
        // Put together here, so that no tool takes this file for a leak.
        let key = ["gh", "p_", "0123456789abcdefABCDEF0123456789abcd"].concat();
        session.append(1, Entry::UserMessage { text: format!("use \"{key}\"") });
        let folder = session.folder().to_owned();
        let config = format!("TOKEN = \"{key}\"\n");
        fs::write_new(&session.workspace().join("config.py"), config.as_bytes()).unwrap();
        session.close().unwrap();
        fs::make_folders(&folder.join("runs/0001")).unwrap();
        fs::write_new(&folder.join("runs/0001/stdout.log"), key.as_bytes()).unwrap();
        for (keys, times) in [(Keys::Masked, 1), (Keys::Kept, 3)] {
            let mut bytes = Vec::new();
            let exported = export(&folder, &mut bytes, keys).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(text.matches(&key).count(), times, "{keys:?}");
            let is_masked = keys == Keys::Masked;
            let with_a_key = is_masked.then(|| ("workspace/config.py".to_owned(), 0));
            assert_eq!(exported, Exported { links: 0, masked: is_masked, with_a_key });
            let sessions = home.path().join(format!("{times}"));
            let imported = import(&sessions, bytes.as_slice()).unwrap();
            let records = read(&sessions.join(imported.id.as_str())).unwrap().0;
            let said = if is_masked { "*".repeat(key.len()) } else { key.clone() };
            assert_eq!(records[0].entry, Entry::UserMessage { text: format!("use \"{said}\"") });
        }
    }

    #[test]
    fn a_session_comes_back_from_its_archive_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let session = Session::create(&home.path().join("a"), None).unwrap();
        session.append(1, Entry::UserMessage { text: "hello".into() });
        fs::write_new(&session.workspace().join("a.txt"), b"a").unwrap();
        let folder = session.folder().to_owned();
        session.close().unwrap();
        let mut bytes = Vec::new();
        assert_eq!(export(&folder, &mut bytes, Keys::Masked).unwrap(), Exported::default());
        let sessions = home.path().join("b");
        let first = import(&sessions, bytes.as_slice()).unwrap();
        let second = import(&sessions, bytes.as_slice()).unwrap();
        assert_eq!(Some(first.id.as_str()), folder.file_name().and_then(|name| name.to_str()));
        assert_ne!(first.id, second.id, "a name that is taken stays whose it is");
        for id in [first.id, second.id] {
            let folder = sessions.join(id.as_str());
            assert_eq!(read(&folder).unwrap().0[0].entry, Entry::UserMessage { text: "hello".into() });
            assert_eq!(fs::read_text(&folder.join("workspace/a.txt")).unwrap(), "a");
            assert_eq!((mode(&folder), mode(&folder.join("conversation.jsonl"))), (0o700, 0o600));
            Session::open(&folder).unwrap();
        }
    }

    #[test]
    fn what_leads_out_of_a_session_is_refused_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let log = format!("{ID}/conversation.jsonl");
        let good = (log.as_str(), Kind::File, RECORD);
        let inside = |path: &str| format!("{ID}/{path}");
        let (up, link, twice) = (inside("workspace/../../x"), inside("workspace/link"), inside("runs/1"));
        for bad in [
            vec![good, (up.as_str(), Kind::File, "x")],
            vec![good, ("/etc/x", Kind::File, "x")],
            vec![good, ("other/x", Kind::File, "x")],
            vec![good, (link.as_str(), Kind::Link, "")],
            vec![good, (twice.as_str(), Kind::File, "x"), (twice.as_str(), Kind::File, "y")],
            vec![(link.as_str(), Kind::File, "no log")],
            vec![],
        ] {
            let sessions = home.path().join("sessions");
            import(&sessions, archive(&bad).as_slice()).unwrap_err();
            assert!(fs::is_empty(&sessions).unwrap(), "{bad:?}");
        }
        let cut = &archive(&[good])[..700];
        assert!(matches!(import(home.path(), cut), Err(SessionError::Archive(_))));
        assert!(!fs::exists(&home.path().join("x")));
    }

    #[test]
    fn what_programs_would_act_on_is_left_out() {
        let home = tempfile::tempdir().unwrap();
        let names = [
            "conversation.jsonl",
            "versions/config",
            "versions/hooks/post-checkout",
            "versions/HEAD",
            "versions/objects/info/alternates",
            "workspace/.git/config",
            "workspace/.GIT/config",
            "workspace/a",
            "odd",
        ];
        let paths = names.map(|name| format!("{ID}/{name}"));
        let entries: Vec<_> = paths.iter().map(|path| (path.as_str(), Kind::File, RECORD)).collect();
        let imported = import(home.path(), archive(&entries).as_slice()).unwrap();
        let folder = home.path().join(ID);
        let there: Vec<_> = names.into_iter().filter(|name| fs::exists(&folder.join(name))).collect();
        assert_eq!(there, ["conversation.jsonl", "versions/config", "versions/HEAD", "workspace/a"]);
        assert!(fs::read_text(&folder.join("versions/config")).unwrap().contains("bare = true"));
        assert_eq!(imported.notices.len(), 4, "{:?}", imported.notices);
        assert_eq!((mode(&folder.join("versions/HEAD")), mode(&folder.join("workspace/a"))), (0o600, 0o700));
    }
}
