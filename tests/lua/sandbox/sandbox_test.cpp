// Every script of tests/sandbox tries one way out of the sandbox. Its header has the expected end:
//   -- expect: result TEXT         it returns TEXT
//   -- expect: error KIND TEXT     the run fails with an error of that kind whose message has TEXT
//   -- expect: killed [time|memory]
//   -- limits: time=MS memory=MB   (5000, 256)
//   -- allow: GRANT …              what the script is granted
//   -- gone: TEXT                  no process with TEXT in its command line is left
// After each script the same engine runs a fixed script, whose result must never change.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "moonlet/engine.h"
#include "tests/catch.h"
#include "tests/places.h"

namespace {

namespace fs = std::filesystem;
using moonlet::Engine;
using moonlet::EngineOptions;
using nlohmann::json;

struct Header {
  std::string end, kind, text, gone;
  std::vector<std::string> allow;
  long time_ms = 5000;
  long memory_mb = 256;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Header read_header(const std::string& script) {
  Header header;
  std::istringstream lines(script);
  for (std::string line; std::getline(lines, line) && line.rfind("-- ", 0) == 0;) {
    std::istringstream words(line.substr(3));
    std::string key;
    words >> key;
    if (key == "expect:") {
      words >> header.end;
      if (header.end != "result") words >> header.kind;
      std::getline(words >> std::ws, header.text);
    } else if (key == "allow:") {
      for (std::string grant; words >> grant;) header.allow.push_back(grant);
    } else if (key == "gone:") {
      words >> header.gone;
    } else if (key == "limits:") {
      for (std::string limit; words >> limit;) {
        const long value = std::stol(limit.substr(limit.find('=') + 1));
        (limit[0] == 't' ? header.time_ms : header.memory_mb) = value;
      }
    }
  }
  return header;
}

/// A folder that is removed with everything in it.
struct Folder {
  fs::path path;
  Folder() {
    std::string form = (fs::temp_directory_path() / "moonlet-sandbox.XXXXXX").string();
    path = mkdtemp(form.data());
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

const char kAfter[] =
    "local t = {} "
    "for i = 1, 50 do t['k' .. i] = i end "
    "local s = {} "
    "for k, v in pairs(t) do s[#s + 1] = k .. '=' .. v end "
    "local doubled = ctx:parallel({ 1, 2, 3 }, function(c, n) c:sleep(0.001) return n * 2 end) "
    "return table.concat(s, ' '):gsub('k', 'K') .. table.concat(doubled, ',') .. tostring({}) .. "
    "tostring(next) .. m.json.encode({ a = 1, b = m.array {} }) .. os.date('%Y', 0)";

/// Multiplies limits of time in builds that run slower.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long kSlower = 5;
#else
constexpr long kSlower = 1;
#endif

/// An engine in its own folder, with the output that it printed.
struct Host {
  Folder folder;
  std::string printed;
  EngineOptions options;

  Host(long time_ms, long memory_mb, int signal) {
    options.directory = folder.path.string();
    options.environment = {"PATH=/usr/bin:/bin", "HOME=" + folder.path.string()};
    options.moonlet_program = moonlet::places::kMoonlet;
    options.lua_memory_bytes = static_cast<std::size_t>(memory_mb) << 20;
    options.lua_run_ms = kSlower * time_ms;
    options.interrupt_signal = signal;
    options.print = [this](int, std::string_view text) { printed += text; };
    std::ofstream(folder.path / "after.lua") << kAfter;
  }
};

json run(Engine& engine, const std::string& script, const std::vector<std::string>& allow) {
  std::vector<std::string> words{"run", script};
  for (const std::string& grant : allow) words.insert(words.end(), {"--allow", grant});
  auto outcome = engine.command(words);
  INFO((outcome.ok() ? "" : outcome.error().message));
  REQUIRE(outcome.ok());
  return json::parse(outcome->envelope);
}

bool process_left(const std::string& text) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    // If a process ends while its file in /proc is read, the stream fails and the process is gone.
    std::ostringstream command;
    command << std::ifstream(entry.path() / "cmdline").rdbuf();
    if (command.str().find(text) != std::string::npos) return true;
  }
  return false;
}

void check_end(const Header& header, const json& envelope) {
  INFO(envelope.dump(2));
  if (header.end == "result") {
    REQUIRE(envelope["error"].is_null());
    CHECK(envelope["result"] == header.text);
    return;
  }
  REQUIRE(envelope["error"].is_object());
  CHECK(envelope["ok"] == false);
  const std::string message = envelope["error"]["message"];
  if (header.end == "killed") {
    CHECK(envelope["error"]["kind"] == "limit");
    const char* what = header.kind == "memory" ? "MB of memory"
                       : header.kind == "time" ? "without waiting"
                                               : "more than";
    CHECK(message.find(what) != std::string::npos);
    if (envelope["run"].is_object()) CHECK(envelope["run"]["verdict"] == "failed");
  } else {
    CHECK(envelope["error"]["kind"] == header.kind);
    CHECK(message.find(header.text) != std::string::npos);
  }
}

void run_case(const std::string& name, int signal) {
  const fs::path file = fs::path(moonlet::places::kTests) / "sandbox" / name;
  const Header header = read_header(read_file(file));
  REQUIRE_FALSE(header.end.empty());
  Host host(header.time_ms, header.memory_mb, signal);
  auto engine = Engine::open(host.options);
  REQUIRE(engine.ok());
  const json before = run(*engine, (host.folder.path / "after.lua").string(), {});
  CHECK(before["ok"] == true);
  check_end(header, run(*engine, file.string(), header.allow));
  CHECK(host.printed.find('\x1b') == std::string::npos);
  const json after = run(*engine, (host.folder.path / "after.lua").string(), {});
  CHECK(after["ok"] == true);
  CHECK(after["result"] == before["result"]);
  if (!header.gone.empty()) CHECK_FALSE(process_left(header.gone));
}

/// ThreadSanitizer delays signals to a thread that makes no system call.
#if defined(__SANITIZE_THREAD__)
constexpr bool kSignals = false;
#elif defined(__has_feature)
constexpr bool kSignals = !__has_feature(thread_sanitizer);
#else
constexpr bool kSignals = true;
#endif

void run_both_ways(const std::string& name) {
  SECTION("with a hook") { run_case(name, 0); }
  if (kSignals) {
    SECTION("with a signal") {
      struct sigaction action {};
      struct sigaction before {};
      action.sa_handler = Engine::on_interrupt;
      action.sa_flags = SA_RESTART;
      sigaction(SIGURG, &action, &before);
      run_case(name, SIGURG);
      sigaction(SIGURG, &before, nullptr);
    }
  }
}

}  // namespace

#define SANDBOX_CASE(file) \
  TEST_CASE("sandbox/" file, "[sandbox]") { run_both_ways(file); }
#include "sandbox_cases.inc"
