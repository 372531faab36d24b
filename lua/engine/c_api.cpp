// Implements the C interface, moonlet.h. It wraps the C++ interface and turns exceptions into
// errors.
#include <cstdio>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <nlohmann/json.hpp>

#include "host/base/json.h"
#include "moonlet/engine.h"
#include "moonlet/moonlet.h"

using moonlet::Error;
using moonlet::ErrorKind;

struct moonlet_error {
  Error error;
};
struct moonlet_engine {
  moonlet::Engine engine;
};
struct moonlet_run {
  moonlet::Run run;
  std::string envelope, verdict, steps, artifacts;  // the getters return pointers into these
};
struct moonlet_call {
  moonlet::Call call;
  moonlet::Reply reply;
};

namespace {

/// The error that is returned if there is no memory for another one. It is never freed.
moonlet_error no_memory{{ErrorKind::kFailed, "out of memory", {}, {}}};

moonlet_error* failed(Error error) noexcept {
  auto* made = new (std::nothrow) moonlet_error{std::move(error)};
  return made != nullptr ? made : &no_memory;
}

/// Calls `fn`, which returns a Result, and returns its error or NULL. Turns exceptions into errors.
template <typename Fn>
moonlet_error* guarded(Fn fn) noexcept {
  try {
    auto done = fn();
    return done ? nullptr : failed(done.error());
  } catch (const std::bad_alloc&) {
    return &no_memory;
  } catch (const std::exception& e) {
    return failed({ErrorKind::kFailed, e.what(), {}, {}});
  }
}

/// Returns `fn()`, or `otherwise` if it throws.
template <typename Fn, typename T>
T value_or(T otherwise, Fn fn) noexcept {
  try {
    return fn();
  } catch (...) {
    return otherwise;
  }
}

Error invalid(const char* message) { return {ErrorKind::kInvalid, message, {}, {}}; }

/// Given is a pointer argument that may not be NULL, and its name for the error message.
struct Given {
  const char* name;
  const void* pointer;
};

moonlet::Result<void> required(std::initializer_list<Given> all) {
  for (const Given& given : all) {
    if (given.pointer != nullptr) continue;
    return Error{ErrorKind::kInvalid,
                 std::string("the argument '") + given.name + "' is NULL",
                 "moonlet/moonlet.h says which arguments may be NULL",
                 {}};
  }
  return {};
}

/// Calls guarded(fn) after checking that none of the pointers is NULL.
template <typename Fn>
moonlet_error* guarded(std::initializer_list<Given> all, Fn fn) noexcept {
  return guarded([&]() -> moonlet::Result<void> {
    if (auto given = required(all); !given) return given;
    return fn();
  });
}

std::string text(const char* given) { return given == nullptr ? std::string() : given; }

/// Wraps a callback's data, and calls destroy(data) when the last copy is destroyed.
std::shared_ptr<void> owned(void* data, moonlet_destroy_fn destroy) {
  return {data, [destroy](void* last) {
            if (destroy != nullptr) destroy(last);
          }};
}

moonlet::Result<void> give(moonlet::Result<moonlet::Run> started, moonlet_run** run) {
  if (!started) return started.error();
  *run = new moonlet_run{std::move(*started), {}, {}, {}, {}};
  return {};
}

ErrorKind kind_of(const char* name) {
  for (int i = 0; name != nullptr && i <= static_cast<int>(ErrorKind::kFailed); ++i) {
    if (to_string(static_cast<ErrorKind>(i)) == name) return static_cast<ErrorKind>(i);
  }
  return ErrorKind::kFailed;
}

moonlet::EngineOptions options_of(const moonlet_options& given, std::shared_ptr<void> data) {
  moonlet::EngineOptions options;
  options.directory = text(given.directory);
  if ((given.flags & MOONLET_NO_ENVIRONMENT) != 0) {
    options.environment.emplace();
  } else if (given.environment != nullptr) {
    options.environment.emplace();
    for (auto entry = given.environment; *entry != nullptr; ++entry) {
      options.environment->emplace_back(*entry);
    }
  }
  if ((given.flags & MOONLET_NO_CONFIG) != 0) {
    options.config = "";
  } else if (given.config != nullptr) {
    options.config = given.config;
  }
  options.moonlet_program = text(given.program);
  options.lua_memory_bytes = given.lua_memory_bytes;
  options.lua_run_ms = given.lua_run_ms;
  if (given.log != nullptr) {
    options.log = [log = given.log, data = std::move(data)](std::string_view line) {
      log(data.get(), std::string(line).c_str());
    };
  }
  return options;
}

}  // namespace

const char* moonlet_version(void) { return moonlet::version().data(); }

// --- errors

const char* moonlet_error_kind(const moonlet_error* error) {
  return error == nullptr ? "" : to_string(error->error.kind).data();
}
const char* moonlet_error_message(const moonlet_error* error) {
  return error == nullptr ? "" : error->error.message.c_str();
}
const char* moonlet_error_hint(const moonlet_error* error) {
  return error == nullptr ? "" : error->error.hint.c_str();
}
const char* moonlet_error_at(const moonlet_error* error) {
  return error == nullptr ? "" : error->error.at.c_str();
}
void moonlet_error_free(moonlet_error* error) {
  if (error != &no_memory) delete error;
}
int moonlet_error_print(moonlet_error* error) {
  if (error == nullptr) return 0;
  const std::string line = value_or(std::string(), [&] { return moonlet::text_of(error->error); });
  std::fputs(line.c_str(), stderr);
  moonlet_error_free(error);
  return 1;
}

// --- engine

void moonlet_options_init(moonlet_options* options) {
  const moonlet_options defaults = MOONLET_OPTIONS_INIT;
  if (options != nullptr) *options = defaults;
}

moonlet_error* moonlet_engine_open(const moonlet_options* options, moonlet_engine** engine) {
  return guarded([&]() -> moonlet::Result<void> {
    moonlet_options given = MOONLET_OPTIONS_INIT;
    if (options != nullptr) given = *options;
    auto data = owned(given.log_data, given.log_destroy);
    if (auto out = required({{"engine", engine}}); !out) return out;
    *engine = nullptr;
    if (given.version != MOONLET_OPTIONS_VERSION) {
      return invalid("moonlet_options has an unknown version: fill it by moonlet_options_init");
    }
    auto opened = moonlet::Engine::open(options_of(given, std::move(data)));
    if (!opened) return opened.error();
    *engine = new moonlet_engine{std::move(*opened)};
    return {};
  });
}

void moonlet_engine_free(moonlet_engine* engine) { delete engine; }

int moonlet_engine_descriptor(const moonlet_engine* engine) {
  return engine == nullptr ? -1 : engine->engine.descriptor();
}
int moonlet_engine_timeout(const moonlet_engine* engine) {
  return engine == nullptr ? 0 : engine->engine.timeout();
}

moonlet_error* moonlet_engine_turn(moonlet_engine* engine, int* busy) {
  return guarded({{"engine", engine}}, [&]() -> moonlet::Result<void> {
    auto turned = engine->engine.turn();
    if (!turned) return turned.error();
    if (busy != nullptr) *busy = *turned ? 1 : 0;
    return {};
  });
}

// --- events

moonlet_error* moonlet_engine_on_event(moonlet_engine* engine, moonlet_event_fn fn, void* data,
                                       moonlet_destroy_fn destroy) {
  return guarded([&]() -> moonlet::Result<void> {
    auto kept = owned(data, destroy);
    if (auto given = required({{"engine", engine}}); !given) return given;
    if (fn == nullptr) return engine->engine.on_event(nullptr);
    return engine->engine.on_event([fn, kept](const moonlet::RunEvent& event) {
      const std::string type(event.name), run(event.run), step(event.step), json(event.json);
      const moonlet_event told{
          1, type.c_str(), run.c_str(), step.c_str(), event.number, event.wall_ms, json.c_str()};
      fn(kept.get(), &told);
    });
  });
}

// --- native functions

void moonlet_function_init(moonlet_function* function) {
  const moonlet_function defaults = MOONLET_FUNCTION_INIT;
  if (function != nullptr) *function = defaults;
}

moonlet_error* moonlet_engine_provide(moonlet_engine* engine, const moonlet_function* function) {
  return guarded({{"function", function}}, [&]() -> moonlet::Result<void> {
    auto kept = owned(function->data, function->destroy);
    if (auto given = required({{"engine", engine}}); !given) return given;
    if (function->version != MOONLET_FUNCTION_VERSION) {
      return invalid("moonlet_function has an unknown version: fill it by moonlet_function_init");
    }
    moonlet::NativeFunction made;
    made.name = text(function->name);
    made.summary = text(function->summary);
    made.schema = text(function->schema);
    made.result_schema = text(function->result_schema);
    made.timeout_ms = function->timeout_ms;
    made.blocking = (function->flags & MOONLET_BLOCKS) != 0;
    made.effect = (function->flags & MOONLET_OBSERVES) != 0
                      ? moonlet::NativeFunction::Effect::kObserve
                      : moonlet::NativeFunction::Effect::kAct;
    if (function->call != nullptr) {
      made.call = [fn = function->call, kept](const moonlet::Call& call,
                                              const moonlet::Reply& reply) {
        moonlet_call both{call, reply};
        fn(kept.get(), &both);
      };
    }
    return engine->engine.provide(std::move(made));
  });
}

const char* moonlet_call_function(const moonlet_call* call) {
  return call == nullptr ? "" : call->call.function().c_str();
}
const char* moonlet_call_arguments(const moonlet_call* call) {
  return call == nullptr ? "" : call->call.arguments().c_str();
}
const char* moonlet_call_run(const moonlet_call* call) {
  return call == nullptr ? "" : call->call.run().c_str();
}
const char* moonlet_call_step(const moonlet_call* call) {
  return call == nullptr ? "" : call->call.step().c_str();
}
int moonlet_call_cancelled(const moonlet_call* call) {
  return call == nullptr || call->call.cancelled() ? 1 : 0;
}

int moonlet_call_result(moonlet_call* call, const char* json) {
  if (call == nullptr) return 0;
  return value_or(0, [&] { return call->reply.result(text(json)) ? 1 : 0; });
}

int moonlet_call_error(moonlet_call* call, const char* kind, const char* message,
                       const char* hint) {
  if (call == nullptr) return 0;
  return value_or(0, [&] {
    return call->reply.error({kind_of(kind), text(message), text(hint), {}}) ? 1 : 0;
  });
}

moonlet_call* moonlet_call_keep(const moonlet_call* call) {
  return call == nullptr ? nullptr : new (std::nothrow) moonlet_call(*call);
}
void moonlet_call_free(moonlet_call* call) { delete call; }

// --- presets from memory

moonlet_error* moonlet_engine_add_preset(moonlet_engine* engine, const char* name,
                                         const moonlet_file* files, size_t count) {
  return guarded({{"engine", engine}, {"name", name}, {"files", files}}, [&] {
    std::map<std::string, std::string> texts;
    for (size_t i = 0; i < count; ++i) {
      const auto whole = required({{"name", files[i].name}, {"text", files[i].text}});
      if (!whole) return whole;
      texts[files[i].name] = files[i].text;
    }
    return engine->engine.add_preset(name, std::move(texts));
  });
}

// --- runs

moonlet_error* moonlet_engine_start(moonlet_engine* engine, const char* target,
                                    const char* arguments, const char* options, moonlet_run** run) {
  return guarded({{"engine", engine}, {"run", run}}, [&] {
    *run = nullptr;
    moonlet::Request request;
    request.target = text(target);
    request.arguments = text(arguments);
    request.options = text(options);
    return give(engine->engine.start(std::move(request)), run);
  });
}

moonlet_error* moonlet_engine_resume(moonlet_engine* engine, const char* id, const char* options,
                                     moonlet_run** run) {
  return guarded({{"engine", engine}, {"run", run}}, [&] {
    *run = nullptr;
    return give(engine->engine.resume(text(id), text(options)), run);
  });
}

moonlet_error* moonlet_engine_answer(moonlet_engine* engine, const char* id, const char* answer,
                                     const char* options, moonlet_run** run) {
  return guarded({{"engine", engine}, {"text", answer}, {"run", run}}, [&] {
    *run = nullptr;
    return give(engine->engine.answer(text(id), answer, text(options)), run);
  });
}

void moonlet_run_free(moonlet_run* run) { delete run; }

size_t moonlet_run_id(const moonlet_run* run, char* buffer, size_t size) {
  const std::string id =
      value_or(std::string(), [&] { return run == nullptr ? std::string() : run->run.id(); });
  if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%s", id.c_str());
  return id.size();
}

int moonlet_run_done(const moonlet_run* run) { return run != nullptr && run->run.done() ? 1 : 0; }
void moonlet_run_cancel(moonlet_run* run) {
  if (run != nullptr) run->run.cancel();
}

moonlet_error* moonlet_run_wait(moonlet_run* run, int64_t timeout_ms) {
  return guarded({{"run", run}}, [&] { return run->run.wait(timeout_ms); });
}

moonlet_error* moonlet_run_result(moonlet_run* run, const char** envelope, int* exit_code) {
  return guarded({{"run", run}}, [&]() -> moonlet::Result<void> {
    auto outcome = run->run.result();
    if (!outcome) return outcome.error();
    run->envelope = std::move(outcome->envelope);
    if (envelope != nullptr) *envelope = run->envelope.c_str();
    if (exit_code != nullptr) *exit_code = outcome->exit_code;
    return {};
  });
}

const char* moonlet_run_verdict(moonlet_run* run) {
  return value_or("", [&] {
    std::string verdict = run == nullptr ? std::string() : run->run.verdict();
    // Run::verdict() returns "" on a thread other than the engine's. In that case, do not change
    // run->verdict, because the engine's thread may be using it.
    return verdict.empty() ? "" : (run->verdict = std::move(verdict)).c_str();
  });
}

const char* moonlet_run_steps(moonlet_run* run) {
  return value_or("[]", [&] {
    std::string steps = run == nullptr ? "[]" : run->run.steps();
    return steps == "[]" ? "[]" : (run->steps = std::move(steps)).c_str();
  });
}

moonlet_error* moonlet_run_artifacts(moonlet_run* run, const char** list) {
  return guarded({{"run", run}, {"list", list}}, [&]() -> moonlet::Result<void> {
    auto found = run->run.artifacts();
    if (!found) return found.error();
    auto json = nlohmann::json::array();
    for (const auto& file : *found) json.push_back({{"name", file.name}, {"bytes", file.bytes}});
    run->artifacts = moonlet::json_text(json);
    *list = run->artifacts.c_str();
    return {};
  });
}

moonlet_error* moonlet_run_open_artifact(moonlet_run* run, const char* name, int* descriptor) {
  return guarded({{"run", run}, {"name", name}, {"descriptor", descriptor}},
                 [&]() -> moonlet::Result<void> {
                   auto file = run->run.open_artifact(name);
                   if (!file) return file.error();
                   *descriptor = *file;
                   return {};
                 });
}
