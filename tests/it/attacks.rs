//! The table of attacks (`tests/attacks/attacks.toml`), run under every backend that can run here, as root and as an
//! ordinary user, with no sandbox at all as the control: what cannot succeed there proves nothing elsewhere.
//!
//! What cannot run here is named on standard error, past the test harness, and counts as nothing.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::support::process::Running;
use crate::support::sandboxed::{Who, as_who, copy_program, give, is_root, program_in, say};

const TABLE: &str = include_str!("../attacks/attacks.toml");
const PROBE: &str = include_str!("../attacks/probe.c");
const VICTIM: &str = include_str!("../attacks/victim.py");
const MARK: &str = "@@attack ";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    attack: Vec<Attack>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attack {
    name: String,
    run: String,
    proof: Option<String>,
    needs: Option<String>,
    #[serde(default)]
    off: Control,
    #[serde(default)]
    ns: Expected,
    #[serde(default)]
    bwrap: Expected,
    #[serde(default)]
    landlock: Expected,
    /// Why it is not held.
    why: Option<String>,
}

/// Who gets through without a sandbox.
#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Control {
    #[default]
    Both,
    Root,
    User,
    Nobody,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    #[default]
    Held,
    Through,
}

impl Attack {
    fn expected(&self, backend: &str, who: Who) -> Expected {
        let without = match (self.off, who) {
            (Control::Both, _) | (Control::Root, Who::Root) | (Control::User, Who::User) => Expected::Through,
            (Control::Root, Who::User) | (Control::User, Who::Root) | (Control::Nobody, _) => Expected::Held,
        };
        match backend {
            "ns" => self.ns,
            "bwrap" => self.bwrap,
            // Nobody can do under it what he cannot do without it.
            "landlock" if without == Expected::Through => self.landlock,
            "landlock" => Expected::Held,
            _ => without,
        }
    }
}

/// The folders of one round: a workspace, what is beside it, a home folder, and a neighbour who has secrets.
struct Scene {
    temp: TempDir,
    who: Who,
    values: BTreeMap<&'static str, String>,
    victim: Option<Running>,
}

impl Drop for Scene {
    /// The neighbour takes its queue and its memory with it.
    fn drop(&mut self) {
        if let Some(victim) = self.victim.take() {
            victim.finish();
        }
    }
}

impl Scene {
    fn new(who: Who) -> Self {
        let temp = TempDir::with_prefix("faos-attacks-").unwrap();
        let base = temp.path();
        // Of this scene alone: abstract sockets are called by it too.
        let token = format!("secret-of-{}", base.file_name().unwrap().display());
        lay_out(base, &token);
        if who == Who::User && is_root() {
            give(base);
            chown(base.join("ws/suid-probe"), Some(0), Some(0)).unwrap();
            fs::set_permissions(base.join("ws/suid-probe"), fs::Permissions::from_mode(0o4755)).unwrap();
        }
        fs::set_permissions(base, fs::Permissions::from_mode(0o755)).unwrap();
        let mut victim = as_who(who, "python3");
        victim.arg(base.join("victim.py")).arg(base.join("out")).arg(&token).stdin(Stdio::piped());
        victim.env("SECRET", &token).current_dir(base.join("out"));
        let mut victim = Running::start(&mut victim, Duration::from_secs(600));
        victim.wait_for_stdout("}\n");
        let there: BTreeMap<String, serde_json::Value> = serde_json::from_str(victim.stdout()).unwrap();
        let mut scene = Self { who, values: BTreeMap::new(), victim: Some(victim), temp };
        scene.name_values(token, &there);
        scene
    }

    fn name_values(&mut self, token: String, there: &BTreeMap<String, serde_json::Value>) {
        let base = self.temp.path();
        let path = |name: &str| base.join(name).display().to_string();
        let address = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
            socket.connect("192.0.2.1:53")?;
            socket.local_addr()
        });
        let address = address.map_or_else(|_| String::new(), |address| address.ip().to_string());
        self.values = BTreeMap::from([
            ("ws", path("ws")),
            ("out", path("out")),
            ("home", path("home")),
            ("probe", path("probe")),
            ("suid", path("ws/suid-probe")),
            ("token", token),
            ("name", format!("faos-attack-{}", there["pid"])),
            ("address", address),
        ]);
        for name in ["pid", "tcp", "tcp6", "udp", "shm", "mq", "posix", "at", "fd"] {
            let value = &there[name];
            self.values.insert(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text.replace("{{", "{").replace("}}", "}")
    }

    /// A look from outside.
    fn holds(&self, who: Who, script: &str) -> bool {
        let mut bash = as_who(who, "bash");
        bash.args(["-c", &self.filled(script)]).current_dir(self.temp.path().join("out"));
        bash.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        bash.status().unwrap().success()
    }

    fn faos(&self, arguments: &[&str]) -> Command {
        let mut faos = as_who(self.who, self.temp.path().join("faos"));
        faos.env("HOME", self.temp.path().join("home")).env("FAOS_HOME", self.temp.path().join("home/faos"));
        faos.env("FAOS_API_KEY", &self.values["token"])
            .current_dir(self.temp.path())
            .args(arguments)
            .stdin(Stdio::null());
        faos
    }

    /// All attacks one after the other in one run; whether each got through.
    fn outcomes(&self, backend: &str, attacks: &[&Attack]) -> Vec<Expected> {
        let mut script = "export SUPERVISOR=$PPID\n".to_owned();
        for (number, attack) in attacks.iter().enumerate() {
            let quoted = self.filled(&attack.run).replace('\'', r"'\''");
            script += &format!("echo '{MARK}{number}'\ntimeout -k 1 20 bash -c '{quoted}' </dev/null 2>&1\n");
        }
        fs::write(self.temp.path().join("ws/attacks.sh"), script).unwrap();
        let ws = &self.values["ws"];
        let arguments =
            ["sandbox", "--sandbox", backend, "-w", ws, "--limit", "wall_s=500", "--", "bash", "attacks.sh"];
        let output = Running::start(&mut self.faos(&arguments), Duration::from_secs(600)).finish();
        let mut printed = vec![String::new(); attacks.len()];
        let mut at = None;
        for line in output.stdout.lines() {
            match line.strip_prefix(MARK) {
                Some(number) => at = number.parse::<usize>().ok(),
                None => at.into_iter().for_each(|at| printed[at] += &format!("{line}\n")),
            }
        }
        assert_eq!(
            at,
            Some(attacks.len() - 1),
            "{backend}, {:?}: not all were run\n{}\n{}",
            self.who,
            output.stdout,
            output.stderr
        );
        let through = attacks.iter().zip(&printed).map(|(attack, printed)| match &attack.proof {
            // Root sees what there is, whoever did it.
            Some(proof) => self.holds(if is_root() { Who::Root } else { Who::User }, proof),
            None => printed.contains("THROUGH"),
        });
        through.map(|through| if through { Expected::Through } else { Expected::Held }).collect()
    }
}

/// What there is to read, to change and to reach.
fn lay_out(base: &Path, token: &str) {
    let write = |path: &str, content: &str| {
        let path = base.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for name in [
        "truncate",
        "truncate2",
        "rename",
        "taken",
        "hard",
        "remove",
        "mode",
        "mode2",
        "time",
        "attribute",
        "owner",
        "append",
    ] {
        write(&format!("out/{name}"), "before\n");
    }
    for path in ["out/secret.txt", "home/.ssh/id", "home/.cargo/credentials.toml", "home/faos/state.txt"] {
        write(path, token);
    }
    write("home/faos/config.toml", &format!("# {token}\n"));
    for path in [
        "out/touched",
        "home/.profile",
        "home/faos/sessions/log",
        "ws/.git/config",
        "ws/.git/gone",
        "ws/.faos/config.toml",
        "ws/data/.env",
        "ws/data/gone",
        "ws/data/linked",
    ] {
        write(path, "");
    }
    write("ws/.gitignore", "data/\n");
    write("probe.c", PROBE);
    write("victim.py", VICTIM);
    fs::create_dir(base.join("out/empty")).unwrap();
    program_in(base);
    let compiled = Command::new("cc").args(["-O1", "-o"]).arg(base.join("probe")).arg(base.join("probe.c")).status();
    assert!(compiled.unwrap().success(), "the probes compile");
    for copy in ["ws/probe", "ws/suid-probe"] {
        copy_program(&base.join("probe"), &base.join(copy));
    }
}

/// Why a backend cannot run here.
fn not_here(scene: &Scene, backend: &str) -> Option<String> {
    let ws = &scene.values["ws"];
    let output = Running::start(
        &mut scene.faos(&["sandbox", "--sandbox", backend, "-w", ws, "--", "true"]),
        Duration::from_secs(60),
    );
    let output = output.finish();
    (output.code != Some(0)).then(|| output.stderr.lines().next().unwrap_or_default().to_owned())
}

fn round(who: Who, backend: &str, attacks: &[Attack]) -> Vec<String> {
    let scene = Scene::new(who);
    if let Some(why) = not_here(&scene, backend) {
        say(&format!("{backend} as {who:?}: not run: {why}"));
        return Vec::new();
    }
    let can = |attack: &&Attack| attack.needs.as_ref().is_none_or(|needs| scene.holds(who, needs));
    let (run, left): (Vec<&Attack>, Vec<&Attack>) = attacks.iter().partition(can);
    if backend == "off" && !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|attack| attack.name.as_str()).collect();
        say(&format!("as {who:?}: not run, for want of what they need here: {}", names.join(", ")));
    }
    let outcomes = scene.outcomes(backend, &run);
    let held = outcomes.iter().filter(|outcome| **outcome == Expected::Held).count();
    say(&format!("{backend} as {who:?}: {} attacks run, {held} held, {} got through", run.len(), run.len() - held));
    let wrong = run.iter().zip(outcomes).filter(|(attack, outcome)| attack.expected(backend, who) != *outcome);
    wrong.map(|(attack, outcome)| format!("{backend} as {who:?}: `{}`: {outcome:?}", attack.name)).collect()
}

fn rounds(who: Who) {
    let table: Table = toml::from_str(TABLE).unwrap();
    assert!(table.attack.len() >= 120);
    for attack in &table.attack {
        let open = [attack.ns, attack.bwrap, attack.landlock].contains(&Expected::Through);
        assert_eq!(open, attack.why.is_some(), "`{}`: what is open has a reason", attack.name);
        assert!(
            attack.off != Control::Nobody || attack.needs.is_some(),
            "`{}`: nothing shows that it can be done",
            attack.name
        );
        assert!(attack.ns == Expected::Held, "`{}`: namespaces hold everything", attack.name);
    }
    let wrong: Vec<String> =
        ["off", "ns", "bwrap", "landlock"].iter().flat_map(|backend| round(who, backend, &table.attack)).collect();
    assert!(wrong.is_empty(), "{} not as expected:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn attacks_by_root_end_as_the_table_says() {
    if is_root() {
        rounds(Who::Root);
    } else {
        say("as Root: not run: this is no root");
    }
}

#[test]
fn attacks_by_a_user_end_as_the_table_says() {
    rounds(Who::User);
}
