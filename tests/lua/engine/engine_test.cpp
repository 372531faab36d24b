#include "moonlet/engine.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/catch.h"
#include "tests/lua/engine/folder.h"
#include "tests/places.h"

using namespace moonlet;
using nlohmann::json;

namespace {

struct Runner {
  explicit Runner(EngineOptions options = {}) {
    options.directory = folder.path();
    options.moonlet_program = places::kMoonlet;
    options.print = [this](int stream, std::string_view text) {
      (stream == 1 ? out : err).append(text);
    };
    auto opened = Engine::open(std::move(options));
    REQUIRE(opened);
    engine = std::make_unique<Engine>(std::move(*opened));
  }

  json command(const std::vector<std::string>& words) {
    out.clear();
    err.clear();
    auto outcome = engine->command(words);
    INFO((outcome ? "" : outcome.error().message));
    REQUIRE(outcome);
    code = outcome->exit_code;
    return json::parse(outcome->envelope);
  }

  json script(const std::string& text, std::vector<std::string> options = {"--allow", "all"}) {
    folder.write("script.lua", text);
    options.insert(options.begin(), {"run", folder.path() + "/script.lua"});
    return command(options);
  }

  Folder folder;
  std::string out, err;
  int code = -1;
  std::unique_ptr<Engine> engine;
};

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += fcntl(fd, F_GETFD) != -1;
  return count;
}

}  // namespace

TEST_CASE("a script gives its result in the envelope") {
  Runner moonlet;
  json envelope = moonlet.script("return { answer = 6 * 7, args = args, list = m.array {} }",
                                 {"--allow", "all", "one", "two"});
  CHECK(moonlet.code == 0);
  CHECK(envelope["ok"] == true);
  CHECK(envelope["command"] == "run");
  CHECK(envelope["error"].is_null());
  CHECK(envelope["result"]["answer"] == 42);
  CHECK(envelope["result"]["args"] == json({"one", "two"}));
  CHECK(envelope["result"]["list"].is_array());
  CHECK(envelope["run"]["id"] == "R-001");
  CHECK(envelope["run"]["verdict"] == "ok");
}

TEST_CASE("programs run side by side and come back as data") {
  Runner moonlet;
  json envelope = moonlet.script(R"(
    local r = ctx:exec { "sh", "-c", "cat; echo err >&2; exit 3", stdin = "given\n" }
    local many = ctx:parallel({ 1, 2, 3 }, function(c, i) return c:exec { "echo", tostring(i) }.stdout end)
    return { r = r, many = many })");
  CHECK(moonlet.code == 0);
  CHECK(envelope["result"]["r"] ==
        json({{"code", 3}, {"stdout", "given\n"}, {"stderr", "err\n"}, {"cut", false}}));
  CHECK(envelope["result"]["many"] == json({"1\n", "2\n", "3\n"}));
  CHECK(envelope["run"]["steps"].size() == 4);
}

TEST_CASE("a program that cannot be started raises, and the verdict is failed") {
  Runner moonlet;
  json envelope = moonlet.script("ctx:exec { 'no-such-program-at-all' }");
  CHECK(moonlet.code == 1);
  CHECK(envelope["ok"] == false);
  CHECK(envelope["run"]["verdict"] == "failed");
  CHECK(envelope["error"]["message"].get<std::string>().find("no-such-program-at-all") !=
        std::string::npos);
}

TEST_CASE("usage errors start nothing and write nothing") {
  Runner moonlet;
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"run", "precommit-clasifier"},
           {"run", "precommit-classifier", "--no-such-option"},
           {"run", "precommit-classifier", "--runner", "nobody"},
           {"run", "precommit-classifier", "--task-id", "../x"},
           {"run", "precommit-classifier"},  // not a repository
           {"run", "missing.lua"},
           {"frobnicate"},
       }) {
    json envelope = moonlet.command(words);
    INFO(words.back());
    CHECK(moonlet.code == 2);
    CHECK(envelope["ok"] == false);
    CHECK(envelope["error"]["kind"] == "invalid");
    CHECK_FALSE(envelope["error"]["message"].get<std::string>().empty());
    CHECK(access((moonlet.folder.path() + "/.agent").c_str(), F_OK) != 0);
  }
  json envelope = moonlet.command({"run", "precommit-clasifier"});
  CHECK(envelope["error"]["hint"] == "did you mean 'precommit-classifier'?");
}

TEST_CASE("a syntax error names its line") {
  Runner moonlet;
  json envelope = moonlet.script("local x = 1\nlocal = 2\n");
  CHECK(moonlet.code == 2);
  CHECK(envelope["error"]["at"].get<std::string>().find("script.lua:2") != std::string::npos);
}

TEST_CASE("without grants a script may do nothing") {
  Runner moonlet;
  for (const char* text :
       {"ctx:exec { 'true' }", "return ctx:read('script.lua')",
        "ctx:agent { prompt = 'x', argv = { 'true' } }", "return ctx:list('.')"}) {
    json envelope = moonlet.script(text, {});
    INFO(text);
    CHECK(moonlet.code == 1);
    CHECK(envelope["error"]["kind"] == "denied");
  }
}

TEST_CASE("an agent is any program: prompt in, checked answer out") {
  Runner moonlet;
  json envelope = moonlet.script(R"(
    local r = ctx:agent {
      name = "ask", prompt = "question\n",
      argv = { "sh", "-c", "cat > $1/seen; echo '{\"n\": 3}'", "sh", "{out}" },
      schema = { type = "object", required = { "n" }, properties = { n = { type = "integer" } } },
    }
    return { data = r.data, text = r.text })");
  CHECK(moonlet.code == 0);
  CHECK(envelope["result"]["data"]["n"] == 3);
  const std::string dir = envelope["run"]["dir"];
  std::ifstream seen(dir + "/out/seen");
  CHECK(std::string(std::istreambuf_iterator<char>(seen), {}) == "question\n");
  for (const char* file : {"prompt.md", "input-manifest.md", "output.md", "decision.md", "model.md",
                           "model.json", "events.jsonl", "stdout.log", "stderr.log", "exit.json"}) {
    INFO(file);
    CHECK(access((dir + "/" + file).c_str(), F_OK) == 0);
  }
}

TEST_CASE("an answer that does not fit gets one more try, then fails") {
  Runner moonlet;
  json envelope = moonlet.script(R"(
    return ctx:agent {
      prompt = "p", argv = { "sh", "-c", "cat >/dev/null; echo not json" },
      schema = { type = "object" },
    })");
  CHECK(moonlet.code == 1);
  CHECK(envelope["run"]["verdict"] == "failed");
  std::ifstream model(envelope["run"]["dir"].get<std::string>() + "/model.json");
  CHECK(json::parse(model)["attempts"].size() == 2);
}

TEST_CASE("a run over its wall-clock budget ends with the verdict budget") {
  Runner moonlet;
  json envelope =
      moonlet.script("ctx:exec { 'sleep', '600' }", {"--allow", "all", "--budget", "wall=200ms"});
  CHECK(moonlet.code == 5);
  CHECK(envelope["run"]["verdict"] == "budget");
}

TEST_CASE("cancel from another thread ends the run and its children") {
  Runner moonlet;
  const std::string started = moonlet.folder.path() + "/started";
  moonlet.folder.write("script.lua", "ctx:exec { 'sh', '-c', 'touch started; exec sleep 600' }");
  auto run = moonlet.engine->start(
      {.target = moonlet.folder.path() + "/script.lua", .options = R"({"allow": "all"})"});
  REQUIRE(run);
  std::thread other([&] {
    for (int i = 0; i < 3000 && access(started.c_str(), F_OK) != 0; ++i) usleep(10'000);
    run->cancel();
  });
  REQUIRE(run->wait());
  other.join();
  const json envelope = json::parse(run->result()->envelope);
  CHECK(run->result()->exit_code == 130);
  CHECK(envelope["run"]["verdict"] == "cancelled");
}

TEST_CASE("a script that does not end is ended, and the next one runs as if nothing had been") {
  EngineOptions options;
  options.lua_run_ms = 200;
  Runner moonlet(std::move(options));
  const int before = open_descriptors();
  json envelope = moonlet.script("while true do pcall(function() while true do end end) end");
  CHECK(moonlet.code == 1);
  CHECK(envelope["error"]["kind"] == "limit");
  json stuck = moonlet.script(
      "ctx:log('x') ctx:spawn('side', function(c) c:exec { 'sleep', '600' } end) "
      "ctx:sleep('10ms') while true do end");
  CHECK(stuck["run"]["verdict"] == "failed");
  CHECK(stuck["error"]["kind"] == "limit");
  json after = moonlet.script("return 1 + 1");
  CHECK(moonlet.code == 0);
  CHECK(after["result"] == 2);
  CHECK(open_descriptors() == before);
}

TEST_CASE("two engines live side by side in one program") {
  Runner one;
  Runner two;
  CHECK(one.script("return ctx:exec { 'pwd' }.stdout")["result"] !=
        two.script("return ctx:exec { 'pwd' }.stdout")["result"]);
}

TEST_CASE("an engine without a moonlet program does not open") {
  Folder folder;
  EngineOptions options;
  options.directory = folder.path();
  SECTION("the one that is named is not there") {
    options.moonlet_program = folder.path() + "/moonlet";
    auto opened = Engine::open(options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::kInvalid);
    CHECK(opened.error().at == options.moonlet_program);
  }
  SECTION("none is beside this program or in PATH") {
    const std::string path = getenv("PATH");
    setenv("PATH", folder.path().c_str(), 1);
    auto opened = Engine::open(options);
    setenv("PATH", path.c_str(), 1);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().kind == ErrorKind::kInvalid);
    CHECK(opened.error().hint.find("moonlet_program") != std::string::npos);
  }
}

TEST_CASE("many runs leave no descriptor open") {
  Runner moonlet;
  moonlet.script("return ctx:exec { 'true' }.code");
  const int before = open_descriptors();
  for (int i = 0; i < 5; ++i) moonlet.script("return ctx:exec { 'true' }.code");
  CHECK(open_descriptors() == before);
}
