//! Long replies: what a token costs and what memory it takes, in the gateway by itself and in the whole program.
//!
//! The bench starts itself for the gateway, so that memory is measured from nothing. It reads each delta and drops it. What
//! a process costs before its first token is taken away by a reply of 64.

use std::process::Command;
use std::time::Duration;

use faos::base::message::{Message, Role};
use faos::gateway::{Delta, Gateway, Options};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::child::{self, Cost};
use crate::server::{Script, Server};
use crate::table::{Mark, Row};
use crate::{Bench, Outcome, PROMPT, curl};

/// The argument that makes the bench a child of its own: `--gateway URL`.
pub const ARGUMENT: &str = "--gateway";

/// Tokens of the replies: as good as none, long, and as long as a model in a loop makes them.
const NONE: usize = 64;
const LONG: usize = 20_000;
const ENDLESS: usize = 1_000_000;

/// 10 MiB in events of so many KiB.
const TOTAL_KIB: usize = 10 << 10;
const EVENT_KIB: [usize; 5] = [1, 10, 100, 1024, TOTAL_KIB];

pub fn rows(bench: &Bench<'_>) -> Outcome<Vec<Row>> {
    let runs = bench.options.runs.min(5);
    let mut rows = long_replies(bench, runs)?;
    rows.extend(large_events(runs)?);
    Ok(rows)
}

/// The child's work: one request, read to its end. Prints its own peak, which has no floor, and the length of the text.
pub fn read(url: &str) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let length = runtime.block_on(async {
        let options = Options { endpoint: Some(url.to_owned()), ..Options::default() };
        let gateway = Gateway::connect(&options).await?;
        let mut deltas = gateway.chat(&[Message::new(Role::User, PROMPT)], &CancellationToken::new());
        let mut length = 0;
        while let Some(delta) = deltas.next().await {
            if let Delta::Text(text) = delta? {
                length += text.len();
            }
        }
        Outcome::Ok(length)
    })?;
    println!("{} {length}", child::own_peak_kib()?);
    Ok(())
}

fn gateway(server: &Server) -> Outcome<Cost> {
    let mut cost = child::run(Command::new(std::env::current_exe()?).args([ARGUMENT, server.url()]))?;
    cost.peak_kib = cost.printed.split(' ').next().ok_or("the child tells no peak")?.parse()?;
    Ok(cost)
}

/// One program's costs for the three lengths, in this order, one of each a run.
#[derive(Default)]
struct Lengths(Vec<[Cost; 3]>);

impl Lengths {
    /// Microseconds of CPU for each token of the long or the endless reply.
    fn each_token(&self, at: usize) -> Vec<f64> {
        let tokens = [NONE, LONG, ENDLESS];
        let each = |costs: &[Cost; 3]| {
            (costs[at].cpu.as_secs_f64() - costs[0].cpu.as_secs_f64()) * 1e6 / (tokens[at] - tokens[0]) as f64
        };
        self.0.iter().map(each).collect()
    }

    /// Megabytes that the peak of the endless reply is above that of the long one.
    fn growth(&self) -> Vec<f64> {
        let growth = |costs: &[Cost; 3]| (costs[2].peak_kib as f64 - costs[1].peak_kib as f64) * 1024.0 / 1e6;
        self.0.iter().map(growth).collect()
    }

    /// Megabytes, of the endless reply.
    fn peak(&self) -> Vec<f64> {
        self.0.iter().map(|costs| costs[2].peak_kib as f64 * 1024.0 / 1e6).collect()
    }

    /// Megabytes of text that the endless reply has more, of a program that prints it.
    fn text(&self) -> Vec<f64> {
        let text = |costs: &[Cost; 3]| (costs[2].printed_bytes - costs[1].printed_bytes) as f64 / 1e6;
        self.0.iter().map(text).collect()
    }
}

fn long_replies(bench: &Bench<'_>, runs: usize) -> Outcome<Vec<Row>> {
    let servers = [NONE, LONG, ENDLESS].map(|tokens| Server::start(Script::tokens(tokens, Duration::ZERO)));
    let [none, long, endless] = servers;
    let servers = [none?, long?, endless?];
    let (mut limit, mut alone, mut whole) = (Lengths::default(), Lengths::default(), Lengths::default());
    for _ in 0..runs {
        let costs = |of: &dyn Fn(&Server) -> Outcome<Cost>| -> Outcome<[Cost; 3]> {
            let [none, long, endless] = &servers;
            Ok([of(none)?, of(long)?, of(endless)?])
        };
        limit.0.push(costs(&|server| child::run(&mut curl(server)))?);
        alone.0.push(costs(&gateway)?);
        whole.0.push(costs(&|server| child::run(&mut bench.request(server)))?);
    }
    let row = |what, unit, limit, ours, mark| Row { what, unit, limit, ours, mark };
    Ok(vec![
        row(
            "gateway alone, 20,000 tokens, CPU of each",
            "µs",
            limit.each_token(1),
            alone.each_token(1),
            Mark::Ratio(4.0),
        ),
        row("gateway alone, 1,000,000 beside 20,000", "µs", alone.each_token(1), alone.each_token(2), Mark::Ratio(1.2)),
        row("gateway alone, peak of 1,000,000", "MB", Vec::new(), alone.peak(), Mark::AtMost(20.0)),
        row("gateway alone, above that of 20,000", "MB", Vec::new(), alone.growth(), Mark::AtMost(2.0)),
        row(
            "whole, 1,000,000 beside 20,000, CPU of each",
            "µs",
            whole.each_token(1),
            whole.each_token(2),
            Mark::Ratio(1.2),
        ),
        row("whole, growth of its peak beside the text", "MB", whole.text(), whole.growth(), Mark::Ratio(5.0)),
    ])
}

/// 10 MiB of text in larger and larger events: the last is one event.
fn large_events(runs: usize) -> Outcome<Vec<Row>> {
    const WHAT: [&str; 5] = [
        "10 MiB in events of 1 KiB, CPU of each MiB",
        "in events of 10 KiB, beside those of 1 KiB",
        "in events of 100 KiB, the same",
        "in events of 1 MiB, the same",
        "in one event, the same",
    ];
    let none = Server::start(Script::events(1, 1))?;
    let mut sizes = vec![Vec::new(); EVENT_KIB.len()];
    let servers = EVENT_KIB.map(|kib| Server::start(Script::events(TOTAL_KIB.div_ceil(kib), kib)));
    let servers = servers.into_iter().collect::<Result<Vec<_>, _>>()?;
    for _ in 0..runs {
        let base = gateway(&none)?.cpu;
        for (server, costs) in servers.iter().zip(&mut sizes) {
            let cost = gateway(server)?.cpu.saturating_sub(base);
            costs.push(cost.as_secs_f64() * 1e6 / 10.0);
        }
    }
    let smallest = sizes[0].clone();
    let rows = WHAT.into_iter().zip(sizes).enumerate().map(|(at, (what, ours))| {
        let (limit, mark) =
            if at == 0 { (Vec::new(), Mark::AtMost(20_000.0)) } else { (smallest.clone(), Mark::Ratio(2.0)) };
        Row { what, unit: "µs", limit, ours, mark }
    });
    Ok(rows.collect())
}
