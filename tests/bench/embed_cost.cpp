// Measures what moonlet costs inside a program, relative to plain Lua's C API: an engine, its first
// run, its memory, and one call of a native function.
//   embed_cost MOONLET DIR ROUNDS CALLS
// The contenders take turns, and each time is divided by that of plain Lua in the same round. A
// line has the median time, and the median, least and greatest ratio. Memory is the growth of the
// PSS of a fresh process.
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <lua.hpp>
#include <string>
#include <vector>

#include "moonlet/engine.h"

namespace {

const char* moonlet_program;
std::string folder;

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "embed_cost: %s\n", why.c_str());
  std::exit(1);
}

// --- plain Lua

/// The function that all contenders call: the next integer.
int next_of(lua_State* L) {
  lua_getfield(L, 1, "n");
  lua_pushinteger(L, luaL_checkinteger(L, -1) + 1);
  return 1;
}

lua_State* open_lua() {
  lua_State* L = luaL_newstate();
  luaL_openlibs(L);
  lua_register(L, "next_of", next_of);
  return L;
}

void run_lua(lua_State* L, const std::string& text) {
  if (luaL_dostring(L, text.c_str()) != LUA_OK) fail(lua_tostring(L, -1));
}

// --- moonlet

moonlet::Engine open_engine() {
  moonlet::EngineOptions options;
  options.directory = folder;
  options.moonlet_program = moonlet_program;
  auto engine = moonlet::Engine::open(std::move(options));
  if (!engine) fail(engine.error().message);
  for (const bool acts : {true, false}) {
    moonlet::NativeFunction function;
    function.name = acts ? "act" : "observe";
    function.effect =
        acts ? moonlet::NativeFunction::Effect::kAct : moonlet::NativeFunction::Effect::kObserve;
    function.call = [](const moonlet::Call& call, const moonlet::Reply& reply) {
      // {"n":7}
      reply.result(std::to_string(std::atol(call.arguments().c_str() + 5) + 1));
    };
    if (auto done = engine->provide(std::move(function)); !done) fail(done.error().message);
  }
  return std::move(*engine);
}

void run_preset(moonlet::Engine& engine, const std::string& text) {
  if (auto added = engine.add_preset("p", {{"init.lua", text}}); !added) {
    fail(added.error().message);
  }
  auto run = engine.start({.target = "p", .options = R"({"allow": ["all"]})"});
  if (!run || !run->wait() || run->verdict() != "ok") {
    fail(run && run->result() ? run->result()->envelope : "no run");
  }
}

std::string loop_of(const std::string& call, long calls) {
  return "for i = 1, " + std::to_string(calls) + " do " + call + " end return 1";
}

// --- times

double seconds_of(const std::function<void()>& fn) {
  const auto start = std::chrono::steady_clock::now();
  fn();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Contender {
  const char* name;
  std::function<double()> seconds;  // per operation; the first contender is the reference
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void race(const char* title, int rounds, const std::vector<Contender>& contenders) {
  std::vector<std::vector<double>> took(contenders.size()), ratio(contenders.size());
  for (int round = 0; round <= rounds; ++round) {
    std::vector<double> now;
    for (const Contender& contender : contenders) now.push_back(contender.seconds());
    if (round == 0) continue;
    for (std::size_t i = 0; i < now.size(); ++i) {
      took[i].push_back(now[i]);
      ratio[i].push_back(now[i] / now[0]);
    }
  }
  std::printf("\n%s\n  %-34s %9s %8s %8s %8s\n", title, "", "us", "x limit", "min", "max");
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    const auto [least, most] = std::minmax_element(ratio[i].begin(), ratio[i].end());
    std::printf("  %-34s %9.2f %8.1f %8.1f %8.1f\n", contenders[i].name, median(took[i]) * 1e6,
                median(ratio[i]), *least, *most);
  }
}

void race_starts(int rounds) {
  constexpr int kTimes = 20;
  const auto each = [](const std::function<void()>& fn) {
    return [fn] {
      return seconds_of([&] {
               for (int i = 0; i < kTimes; ++i) fn();
             }) /
             kTimes;
    };
  };
  race("an empty engine, opened and closed (the limit: a Lua state with its libraries)", rounds,
       {{"plain Lua, a state", each([] { lua_close(open_lua()); })},
        {"moonlet, an engine", each([] { open_engine(); })},
        {"moonlet, an engine and a run", each([] {
           moonlet::Engine engine = open_engine();
           run_preset(engine, "return 1");
         })}});
}

void race_calls(int rounds, long calls) {
  // The time of a run without calls is subtracted. A warm-up run goes first, because an engine's
  // first run takes longer.
  const auto preset = [calls](const std::string& call) {
    return [call, calls] {
      moonlet::Engine engine = open_engine();
      run_preset(engine, "return 1");
      const double empty = seconds_of([&] { run_preset(engine, "return 1"); });
      const double full = seconds_of([&] { run_preset(engine, loop_of(call, calls)); });
      return (full - empty) / static_cast<double>(calls);
    };
  };
  const auto plain = [calls] {
    lua_State* L = open_lua();
    const long many = calls * 1000;
    const double seconds = seconds_of([&] { run_lua(L, loop_of("next_of { n = i }", many)); });
    lua_close(L);
    return seconds / static_cast<double>(many);
  };
  race("one call of a native function (the limit: the same by lua_CFunction)", rounds,
       {{"plain Lua, a lua_CFunction", plain},
        {"moonlet, an empty ctx:step", preset("ctx:step('s' .. i, function() return i end)")},
        {"moonlet, ctx.host, it observes", preset("ctx.host.observe { n = i }")},
        {"moonlet, ctx.host, it acts", preset("ctx.host.act { n = i }")}});
}

// --- memory

long pss_kb() {
  malloc_trim(0);
  std::ifstream lines("/proc/self/smaps_rollup");
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("Pss:", 0) == 0) return std::atol(line.c_str() + 4);
  }
  fail("/proc/self/smaps_rollup tells no PSS");
}

/// Prints the memory growth of the first and of each further `open_one`, in a separate process.
void print_growth(const char* name, const std::function<void()>& open_one) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    constexpr int kMany = 20;
    const long before = pss_kb();
    open_one();
    const long first = pss_kb();
    for (int i = 0; i < kMany; ++i) open_one();
    std::printf("  %-34s %9ld %9ld\n", name, first - before, (pss_kb() - first) / kMany);
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) fail(std::string(name) + " failed");
}

void print_memory() {
  std::printf("\nmemory of what stays open, KB of PSS\n  %-34s %9s %9s\n", "", "the first",
              "each more");
  std::vector<moonlet::Engine> engines;
  print_growth("plain Lua, a state", [] { open_lua(); });
  print_growth("moonlet, an engine", [&] { engines.push_back(open_engine()); });
  print_growth("moonlet, an engine after its run", [&] {
    engines.push_back(open_engine());
    run_preset(engines.back(), "return 1");
  });
  print_growth("moonlet, an engine in its run", [&] {
    engines.push_back(open_engine());
    moonlet::Engine& engine = engines.back();
    if (!engine.add_preset("p", {{"init.lua", "ctx:sleep('1h')"}})) fail("no preset");
    auto run = engine.start({.target = "p"});
    if (!run || run->wait(200)) fail("the run did not start");
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  moonlet_program = argv[1];
  folder = argv[2];
  const int rounds = std::atoi(argv[3]);
  print_memory();
  race_starts(rounds);
  race_calls(rounds, std::atol(argv[4]));
}
