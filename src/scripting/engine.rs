//! Rhai with its limits: what a script may use of the machine, and where its modules come from.
//!
//! Rhai itself has no input or output; what it is given is in `functions` (pure) and `world` (through the host).

use std::sync::Arc;

use rhai::packages::{Package, StandardPackage};
use rhai::{Dynamic, Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared};

use super::location::raise;
use super::meter::{MAX_ARRAY, MAX_STRING};
use super::world::Desk;
use super::{Level, answer, functions, world};

/// Any change to a longer text fails, and replies and files reach 5 MiB.
const MAX_MAP: usize = 5_000;
const MAX_CALLS: usize = 32;
/// Modules that one call may load, and so the longest chain of imports.
const MAX_MODULES: usize = 32;

pub(super) fn build(desk: &Arc<Desk>) -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(StandardPackage::new().as_shared_module());
    engine.set_module_resolver(Library { desk: Arc::clone(desk) });
    limit(&mut engine);
    let meter = Arc::clone(desk.meter());
    engine.on_progress(move |_| meter.tick());
    let (print, debug) = (Arc::clone(desk), Arc::clone(desk));
    engine.on_print(move |text| print.say(Level::Info, text));
    engine.on_debug(move |text, _, _| debug.say(Level::Info, text));
    functions::register(&mut engine, desk);
    world::register(&mut engine, desk);
    answer::register(&mut engine);
    engine
}

fn limit(engine: &mut Engine) {
    engine.set_max_call_levels(MAX_CALLS);
    engine.set_max_expr_depths(64, 64);
    engine.set_max_string_size(MAX_STRING);
    engine.set_max_array_size(MAX_ARRAY);
    engine.set_max_map_size(MAX_MAP);
    engine.set_max_modules(MAX_MODULES);
    engine.set_max_variables(1_000);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.disable_symbol("eval");
    engine.register_fn("sleep", |_: i64| asleep());
    engine.register_fn("sleep", |_: f64| asleep());
}

fn asleep() -> Result<(), Box<EvalAltResult>> {
    Err(raise("a script cannot sleep"))
}

/// Modules come from the `lib/` folder beside the importing script, read when the scripts were loaded: an import
/// reaches no file, so no path leaves the folder.
struct Library {
    desk: Arc<Desk>,
}

impl ModuleResolver for Library {
    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        scope: &mut Scope,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let ast = self.desk.module(global.source(), path).map_err(|mut error| {
            error.set_position(position);
            error
        })?;
        self.desk.entering(path)?;
        let module = Module::eval_ast_as_new_raw(engine, scope, global, &ast);
        self.desk.leaving();
        module.map(Into::into).map_err(|error| EvalAltResult::ErrorInModule(path.into(), error, position).into())
    }

    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let mut global = engine.new_global_runtime_state();
        global.source = source.map(Into::into);
        self.resolve_raw(engine, &mut global, &mut Scope::new(), path, position)
    }
}

/// A handler's call: `this` is bound, top-level statements (constants, imports) are evaluated first.
pub(super) fn call(
    engine: &Engine,
    ast: &rhai::AST,
    handler: &str,
    arguments: impl rhai::FuncArgs,
    this: &mut Dynamic,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let options = rhai::CallFnOptions::new().bind_this_ptr(this);
    engine.call_fn_with_options(options, &mut Scope::new(), ast, handler, arguments)
}
