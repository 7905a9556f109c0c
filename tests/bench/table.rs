//! Medians of two programs side by side, and the marks that ours has to keep to.

use std::fmt::Write as _;

pub struct Row {
    pub what: &'static str,
    pub unit: &'static str,
    /// What does the least or is smaller, one value a run; empty where there is none.
    pub limit: Vec<f64>,
    pub ours: Vec<f64>,
    pub mark: Mark,
}

#[derive(Clone, Copy)]
pub enum Mark {
    /// In the row's unit.
    AtMost(f64),
    /// Times the limit.
    Ratio(f64),
}

impl Row {
    pub fn within(&self) -> bool {
        match self.mark {
            Mark::AtMost(most) => median(&self.ours) <= most,
            Mark::Ratio(most) => self.ratio() <= most,
        }
    }

    /// The median of each run's own ratio: what slows the machine for a moment slows both.
    fn ratio(&self) -> f64 {
        median(&self.limit.iter().zip(&self.ours).map(|(limit, ours)| ours / limit).collect::<Vec<_>>())
    }
}

pub fn render(rows: &[Row], runs: usize) -> String {
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
    let mut out = format!("medians of {runs} runs, in turns\n\n");
    let _ = writeln!(out, "{:width$}  {:>10}  {:>10}  {:>7}  {:>10}", "", "limit", "faos", "ratio", "mark");
    for row in rows {
        let value = |values| format!("{:.2} {}", median(values), row.unit);
        let mark = match row.mark {
            Mark::AtMost(most) => format!("≤ {most} {}", row.unit),
            Mark::Ratio(most) => format!("≤ {most}×"),
        };
        let missed = if row.within() { "" } else { "  missed" };
        let (limit, ratio) = match row.limit.is_empty() {
            true => (String::new(), String::new()),
            false => (value(&row.limit), format!("{:.1}×", row.ratio())),
        };
        let ours = value(&row.ours);
        let _ = writeln!(out, "{:width$}  {limit:>10}  {ours:>10}  {ratio:>7}  {mark:>10}{missed}", row.what);
    }
    out
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}
