//! The tar format (POSIX ustar, with pax records for what does not fit), both ways, as far as an archive of a session needs it.
//!
//! Reading takes what GNU tar writes too. Nothing here touches a file by name.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::base::fs::Kind;

const BLOCK: usize = 512;
/// A name or a set of pax records is no longer than this.
const LONGEST_EXTRA: u64 = 64 * 1024;
/// What eleven octal digits can say.
const LARGEST_OCTAL: u64 = 0o777_7777_7777;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub path: PathBuf,
    pub kind: Kind,
    /// Bytes of content that follow.
    pub size: u64,
    pub mode: u32,
    /// Seconds since 1970.
    pub modified: u64,
}

/// The header alone; the content and its [`padding`] follow.
pub fn write_header(out: &mut impl Write, header: &Header) -> io::Result<()> {
    let path = header.path.as_os_str().as_bytes();
    let mut extra = Vec::new();
    if path.len() > 100 {
        extra.extend(pax("path", path));
    }
    if header.size > LARGEST_OCTAL {
        extra.extend(pax("size", header.size.to_string().as_bytes()));
    }
    if !extra.is_empty() {
        out.write_all(&block(b"././@PaxHeader", b'x', extra.len() as u64, 0o600, 0))?;
        out.write_all(&extra)?;
        out.write_all(padding(extra.len() as u64))?;
    }
    let kind = if header.kind == Kind::Folder { b'5' } else { b'0' };
    out.write_all(&block(path, kind, header.size.min(LARGEST_OCTAL), header.mode, header.modified))
}

/// What fills the last block of a content of this size.
pub fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let over = (size % BLOCK as u64) as usize;
    if over == 0 { &[] } else { &ZEROS[over..] }
}

/// What an archive ends with.
pub fn write_end(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&[0; 2 * BLOCK])
}

fn block(path: &[u8], kind: u8, size: u64, mode: u32, modified: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let name = &path[..path.len().min(100)];
    block[..name.len()].copy_from_slice(name);
    octal(&mut block[100..108], u64::from(mode & 0o777));
    octal(&mut block[108..116], 0);
    octal(&mut block[116..124], 0);
    octal(&mut block[124..136], size);
    octal(&mut block[136..148], modified.min(LARGEST_OCTAL));
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum = checksum(&block);
    octal(&mut block[148..155], sum);
    block[155] = b' ';
    block
}

fn octal(field: &mut [u8], value: u64) {
    let digits = format!("{value:0width$o}", width = field.len() - 1);
    field[..digits.len()].copy_from_slice(digits.as_bytes());
}

/// Of all bytes, with its own field as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum()
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits too.
fn pax(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}

/// An archive that is read from front to back; between two headers it is the content of the first.
pub struct Reader<R> {
    inner: R,
    /// Bytes of the open content, and of its padding.
    left: u64,
    padding: u64,
}

impl<R: Read> Reader<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, left: 0, padding: 0 }
    }

    /// The next entry; `None` at the archive's end. What was not read of the content before is passed over.
    pub fn next(&mut self) -> io::Result<Option<Header>> {
        let (mut path, mut size) = (None, None);
        loop {
            self.pass_over()?;
            let mut block = [0; BLOCK];
            match self.inner.read_exact(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(damaged("it ends too early"));
                }
                outcome => outcome?,
            }
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            if number(&block[148..156]) != Some(checksum(&block)) {
                return Err(damaged("a header's checksum is wrong, or it is no tar archive"));
            }
            self.left = number(&block[124..136]).ok_or_else(|| damaged("a size is no number"))?;
            match block[156] {
                b'x' | b'g' => {
                    self.open();
                    let is_global = block[156] == b'g';
                    let records = self.extra()?;
                    for (key, value) in records_of(&records).into_iter().filter(|_| !is_global) {
                        match key {
                            b"path" => path = Some(value.to_vec()),
                            b"size" => size = str::from_utf8(value).ok().and_then(|text| text.parse().ok()),
                            _ => {}
                        }
                    }
                }
                b'L' => {
                    self.open();
                    let name = self.extra()?;
                    path = Some(name.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
                }
                b'K' => self.open(),
                kind => {
                    self.left = size.unwrap_or(self.left);
                    self.open();
                    let path = path.unwrap_or_else(|| name_of(&block));
                    return Ok(Some(self.header(&block, &path, kind)));
                }
            }
        }
    }

    fn header(&self, block: &[u8; BLOCK], path: &[u8], kind: u8) -> Header {
        Header {
            path: PathBuf::from(OsStr::from_bytes(path)),
            kind: match kind {
                b'0' | 0 if path.ends_with(b"/") => Kind::Folder,
                b'0' | 0 | b'7' => Kind::File,
                b'5' => Kind::Folder,
                b'1' | b'2' => Kind::Link,
                _ => Kind::Other,
            },
            size: self.left,
            mode: number(&block[100..108]).and_then(|mode| u32::try_from(mode).ok()).unwrap_or(0o600),
            modified: number(&block[136..148]).unwrap_or(0),
        }
    }

    fn open(&mut self) {
        self.padding = padding(self.left).len() as u64;
    }

    fn extra(&mut self) -> io::Result<Vec<u8>> {
        if self.left > LONGEST_EXTRA {
            return Err(damaged("a name is too long"));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn pass_over(&mut self) -> io::Result<()> {
        let rest = self.left.saturating_add(self.padding);
        let passed = io::copy(&mut (&mut self.inner).take(rest), &mut io::sink())?;
        (self.left, self.padding) = (0, 0);
        if passed == rest { Ok(()) } else { Err(damaged("it ends too early")) }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.inner.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(damaged("it ends too early"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn name_of(block: &[u8; BLOCK]) -> Vec<u8> {
    let text = |field: &'_ [u8]| field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
    let name = text(&block[..100]);
    // GNU's own format keeps other things where ustar has the beginning of a long name.
    let prefix = if &block[257..263] == b"ustar\0" { text(&block[345..500]) } else { Vec::new() };
    if prefix.is_empty() { name } else { [prefix, vec![b'/'], name].concat() }
}

/// Octal, or GNU's binary for what is larger.
fn number(field: &[u8]) -> Option<u64> {
    if field.first().is_some_and(|byte| byte & 0x80 != 0) {
        let (head, tail) = field.split_at(field.len().saturating_sub(8));
        let is_small = head.iter().enumerate().all(|(at, byte)| *byte == if at == 0 { 0x80 } else { 0 });
        return is_small.then(|| tail.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    }
    let text = str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

fn records_of(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut records = Vec::new();
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let length = str::from_utf8(&bytes[..space]).ok().and_then(|text| text.parse::<usize>().ok());
        let Some(record) =
            length.filter(|length| *length > space + 1).and_then(|length| bytes.get(space + 1..length - 1))
        else {
            break;
        };
        if let Some(equals) = record.iter().position(|byte| *byte == b'=') {
            records.push((&record[..equals], &record[equals + 1..]));
        }
        bytes = bytes.get(length.unwrap_or(bytes.len())..).unwrap_or_default();
    }
    records
}

/// The path as a list of plain names; `None` where it is absolute, goes up, or is none.
pub fn names(path: &Path) -> Option<Vec<&OsStr>> {
    use std::path::Component;
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::{Header, Kind, Reader, names, padding, write_end, write_header};

    fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        for (path, content) in files {
            let size = content.len() as u64;
            let header = Header { path: path.into(), kind: Kind::File, size, mode: 0o600, modified: 1_800_000_000 };
            write_header(&mut out, &header).unwrap();
            out.extend_from_slice(content);
            out.extend_from_slice(padding(size));
        }
        write_end(&mut out).unwrap();
        out
    }

    fn read(bytes: &[u8]) -> std::io::Result<Vec<(PathBuf, Vec<u8>)>> {
        let mut reader = Reader::new(bytes);
        let mut files = Vec::new();
        while let Some(header) = reader.next()? {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            files.push((header.path, content));
        }
        Ok(files)
    }

    #[test]
    fn what_the_systems_own_tar_reads_and_writes_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let long = format!("s/{}/{}.txt", "d".repeat(90), "ä".repeat(60));
        let files = [("s/a.txt".to_owned(), b"one\n".to_vec()), (long.clone(), vec![7; 1000])];
        let path = folder.path().join("a.tar");
        crate::base::fs::replace(&path, &archive(&files)).unwrap();
        let tar = |arguments: &[&str]| {
            #[expect(clippy::disallowed_methods, reason = "a test asks another program")]
            let output = std::process::Command::new("tar").args(arguments).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        tar(&["-xf", "a.tar"]);
        assert_eq!(crate::base::fs::read(&folder.path().join(&long)).unwrap(), vec![7; 1000]);
        for format in ["gnu", "ustar", "pax"] {
            // ustar cannot hold the long name.
            let what = if format == "ustar" { "s/a.txt" } else { "s" };
            tar(&["-cf", "b.tar", &format!("--format={format}"), what]);
            let read = read(&crate::base::fs::read(&folder.path().join("b.tar")).unwrap()).unwrap();
            assert!(read.contains(&(PathBuf::from("s/a.txt"), b"one\n".to_vec())), "{format}");
            assert_eq!(read.iter().any(|(path, _)| path == Path::new(&long)), format != "ustar", "{format}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_no_names() {
        assert_eq!(names(Path::new("./a/b")).map(|names| names.len()), Some(2));
        for path in ["/a", "../a", "a/../b", "a/..", "", ".", "/"] {
            assert_eq!(names(Path::new(path)), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn files_come_back_as_they_were(files in prop::collection::vec(("[a-zä/]{1,200}[a-z]", any::<Vec<u8>>()), 0..5)) {
            let wanted: Vec<(PathBuf, Vec<u8>)> = files.iter().map(|(path, content)| (path.into(), content.clone())).collect();
            prop_assert_eq!(read(&archive(&files)).unwrap(), wanted);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2048), cut in 0usize..4096) {
            let _ = read(&bytes);
            let whole = archive(&[("a".to_owned(), bytes)]);
            let cut = &whole[..cut.min(whole.len())];
            // The end may miss one of its two blocks.
            prop_assert!(read(cut).is_err() || whole.len() - cut.len() <= 512);
        }
    }
}
