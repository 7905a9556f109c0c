//! The limits of runs as scripts see and lower them.

use serde_json::{Map, Value};

use crate::sandbox::Limits;

/// `limits` with the keys of `[sandbox.limits]` lowered; a higher value changes nothing.
pub fn tightened(limits: &Limits, by: &Map<String, Value>) -> Result<Limits, String> {
    let mut limits = limits.clone();
    for (key, value) in by {
        let number = value.as_f64().filter(|number| *number > 0.0);
        let number = number.ok_or_else(|| format!("limit `{key}` is no positive number: {value}"))?;
        // Limits are far below 2^53: the conversion is exact.
        let whole = number as u64;
        match key.as_str() {
            "wall_s" | "validation_wall_s" => limits.wall_s = limits.wall_s.min(number),
            "cpu_s" => {
                let most = limits.cpu_s.unwrap_or_else(|| Limits::usual_cpu_s(limits.wall_s));
                limits.cpu_s = Some(most.min(number));
            }
            "memory_mib" => limits.memory_mib = limits.memory_mib.min(whole),
            "processes" => limits.processes = limits.processes.min(whole),
            "file_mib" => limits.file_mib = limits.file_mib.min(whole),
            "growth_mib" => limits.growth_mib = limits.growth_mib.min(whole),
            "growth_files" => limits.growth_files = limits.growth_files.min(whole),
            "output_mib" => limits.output_mib = limits.output_mib.min(whole),
            _ => return Err(format!("no limit is named `{key}`")),
        }
    }
    Ok(limits)
}

/// The limits as scripts see them.
pub fn as_map(limits: &Limits) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("wall_s".to_owned(), limits.wall_s.into());
    map.insert("memory_mib".to_owned(), limits.memory_mib.into());
    map.insert("processes".to_owned(), limits.processes.into());
    map.insert("file_mib".to_owned(), limits.file_mib.into());
    map.insert("growth_mib".to_owned(), limits.growth_mib.into());
    map.insert("growth_files".to_owned(), limits.growth_files.into());
    map.insert("output_mib".to_owned(), limits.output_mib.into());
    if let Some(cpu_s) = limits.cpu_s {
        map.insert("cpu_s".to_owned(), cpu_s.into());
    }
    map
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::tightened;
    use crate::sandbox::Limits;

    /// Where no CPU time is set something holds all the same.
    #[test]
    fn no_limit_is_raised() {
        let limits = Limits::default();
        for (key, number) in [("cpu_s", 1e6), ("wall_s", 1e6), ("memory_mib", 1e6)] {
            let by = json!({key: number}).as_object().cloned().unwrap_or_default();
            let Limits { wall_s, cpu_s, memory_mib, .. } = tightened(&limits, &by).expect("a limit");
            let cpu_s = cpu_s.unwrap_or_else(|| Limits::usual_cpu_s(wall_s));
            let usual = (limits.wall_s, Limits::usual_cpu_s(limits.wall_s), limits.memory_mib);
            assert_eq!((wall_s, cpu_s, memory_mib), usual, "{key}");
        }
    }
}
