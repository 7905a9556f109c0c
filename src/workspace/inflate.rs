//! Whether a zlib stream comes to its end (RFC 1950 and 1951). Nothing is kept of what it holds.

/// `None`: it stops before its end, or is no such stream.
pub fn reaches_its_end(stream: &[u8]) -> Option<()> {
    let (head, body) = stream.split_at_checked(2)?;
    let is_zlib = head[0] & 15 == 8 && u16::from_be_bytes([head[0], head[1]]).is_multiple_of(31);
    let mut bits = is_zlib.then_some(Bits { rest: body, held: 0, count: 0 })?;
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => bits.stored()?,
            1 => bits.coded(&Code::fixed(), &Code::of(&[5; 30]))?,
            2 => {
                let (lengths, distances) = bits.codes()?;
                bits.coded(&lengths, &distances)?;
            }
            _ => return None,
        }
        if is_last {
            // The checksum stands behind it.
            return (bits.rest.len() >= 4).then_some(());
        }
    }
}

struct Bits<'a> {
    rest: &'a [u8],
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, count: u32) -> Option<u32> {
        while self.count < count {
            let (first, rest) = self.rest.split_first()?;
            self.held |= u32::from(*first) << self.count;
            self.count += 8;
            self.rest = rest;
        }
        let value = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Some(value)
    }

    fn stored(&mut self) -> Option<()> {
        (self.held, self.count) = (0, 0);
        let (head, rest) = self.rest.split_at_checked(4)?;
        let length = u16::from_le_bytes([head[0], head[1]]);
        let is_sound = length == !u16::from_le_bytes([head[2], head[3]]);
        self.rest = rest.get(usize::from(length)..)?;
        is_sound.then_some(())
    }

    /// Up to the symbol that ends the block.
    fn coded(&mut self, lengths: &Code, distances: &Code) -> Option<()> {
        loop {
            match self.symbol(lengths)? {
                0..256 => {}
                256 => return Some(()),
                symbol @ 257..286 => {
                    let extra = if symbol < 265 || symbol == 285 { 0 } else { (u32::from(symbol) - 261) / 4 };
                    self.take(extra)?;
                    let distance = u32::from(self.symbol(distances)?);
                    self.take(if distance < 2 { 0 } else { distance / 2 - 1 })?;
                }
                _ => return None,
            }
        }
    }

    /// The codes of a block that brings its own.
    fn codes(&mut self) -> Option<(Code, Code)> {
        const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let lengths = self.take(5)? as usize + 257;
        let distances = self.take(5)? as usize + 1;
        let count = self.take(4)? as usize + 4;
        let mut own = [0; 19];
        for place in &ORDER[..count] {
            own[*place] = self.take(3)? as u8;
        }
        let code = Code::of(&own);
        let mut all: Vec<u8> = Vec::with_capacity(lengths + distances);
        while all.len() < lengths + distances {
            let (value, times) = match self.symbol(&code)? {
                length @ 0..16 => (length as u8, 1),
                16 => (*all.last()?, 3 + self.take(2)?),
                17 => (0, 3 + self.take(3)?),
                _ => (0, 11 + self.take(7)?),
            };
            all.resize(all.len() + times as usize, value);
        }
        (all.len() == lengths + distances).then(|| (Code::of(&all[..lengths]), Code::of(&all[lengths..])))
    }

    fn symbol(&mut self, code: &Code) -> Option<u16> {
        let (mut value, mut first, mut index) = (0_i32, 0_i32, 0_i32);
        for length in 1..16 {
            value |= self.take(1)? as i32;
            let count = i32::from(code.counts[length]);
            if value - first < count {
                return code.symbols.get(usize::try_from(index + value - first).ok()?).copied();
            }
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        None
    }
}

/// A canonical Huffman code: how many symbols of each length, and the symbols in their order.
struct Code {
    counts: [u16; 16],
    symbols: Vec<u16>,
}

impl Code {
    fn of(lengths: &[u8]) -> Self {
        let mut counts = [0; 16];
        lengths.iter().filter(|length| **length > 0).for_each(|length| counts[usize::from(*length & 15)] += 1);
        let mut symbols: Vec<u16> = (0..).zip(lengths).filter(|(_, length)| **length > 0).map(|(at, _)| at).collect();
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        Self { counts, symbols }
    }

    fn fixed() -> Self {
        let length = |symbol| match symbol {
            0..144 | 280.. => 8,
            144..256 => 9,
            256..280 => 7,
        };
        Self::of(&(0..288_u16).map(length).collect::<Vec<u8>>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::reaches_its_end;

    /// What git's own library makes of the content.
    fn compressed(content: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(folder.path()).unwrap();
        let id = repository.blob(content).unwrap().to_string();
        crate::base::fs::read(&folder.path().join("objects").join(&id[..2]).join(&id[2..])).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn what_git_writes_is_whole_and_no_part_of_it_is(
            words in prop::collection::vec("[a-e ]{1,6}", 0..400),
            noise in prop::collection::vec(any::<u8>(), 0..300),
            cut in any::<prop::sample::Index>(),
        ) {
            for content in [words.concat().into_bytes(), noise] {
                let stream = compressed(&content);
                prop_assert!(reaches_its_end(&stream).is_some());
                prop_assert!(reaches_its_end(&stream[..cut.index(stream.len())]).is_none());
            }
        }

        #[test]
        fn any_bytes_are_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = reaches_its_end(&[&[0x78, 0x01][..], &bytes].concat());
        }
    }
}
