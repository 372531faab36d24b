#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "host/executor/plan.h"
#include "host/executor/tools/files.h"
#include "host/executor/tools/search.h"
#include "tests/catch.h"

using namespace moonlet;
using namespace moonlet::executor;
using nlohmann::json;

namespace {

struct Scratch {
  Scratch() {
    char name[] = "/tmp/executor-test-XXXXXX";
    path = ::mkdtemp(name);
    ::mkdir((path + "/root").c_str(), 0755);
    ::mkdir((path + "/outside").c_str(), 0755);
    write("outside/secret", "planted\n");
  }
  ~Scratch() {
    auto parent = Dir::open("/tmp");
    (void)parent->remove_tree(path.substr(5));
  }
  void write(const std::string& rel, const std::string& text) const {
    std::ofstream(path + "/" + rel) << text;
  }
  std::string read(const std::string& rel) const {
    std::ifstream file(path + "/" + rel);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Workspace workspace() const {
    return Workspace(std::move(*Dir::open(path + "/root")), path + "/root/state");
  }
  std::string path;
};

bool is_soak() { return std::getenv("MOONLET_SOAK") != nullptr; }

ToolResult edit(const Workspace& workspace, const json& arguments) {
  return edit_tool(workspace, Arguments(arguments));
}

}  // namespace

TEST_CASE("executor edit: an exact match, and how many there are") {
  Scratch scratch;
  scratch.write("root/a.txt", "one\ntwo\none\n");
  ::chmod((scratch.path + "/root/a.txt").c_str(), 0755);
  const Workspace workspace = scratch.workspace();
  auto result = edit(workspace, {{"path", "a.txt"}, {"old_string", "three"}, {"new_string", "x"}});
  CHECK(result.output.find("old_string not found in 'a.txt'") != std::string::npos);
  CHECK(result.output.find("Read the file first") != std::string::npos);
  result = edit(workspace, {{"path", "a.txt"}, {"old_string", "one"}, {"new_string", "x"}});
  CHECK(result.output.find("matches 2 times") != std::string::npos);
  CHECK(result.output.find("lines 1, 3") != std::string::npos);
  CHECK(scratch.read("root/a.txt") == "one\ntwo\none\n");
  result =
      edit(workspace,
           {{"path", "a.txt"}, {"old_string", "one"}, {"new_string", "x"}, {"replace_all", true}});
  CHECK(result.status == ToolResult::Status::kOk);
  CHECK(scratch.read("root/a.txt") == "x\ntwo\nx\n");
  struct stat info {};
  ::stat((scratch.path + "/root/a.txt").c_str(), &info);
  CHECK((info.st_mode & 0777) == 0755);
}

TEST_CASE("executor files: a file too large to be read back is not written") {
  Scratch scratch;
  const std::string before(1'000'000, 'a');
  scratch.write("root/big.txt", before);
  const Workspace workspace = scratch.workspace();
  auto result = edit(workspace, {{"path", "big.txt"},
                                 {"old_string", "a"},
                                 {"new_string", std::string(100'000, 'b')},
                                 {"replace_all", true}});
  CHECK(result.output.find("would have 100000000000 bytes") != std::string::npos);
  CHECK(scratch.read("root/big.txt") == before);
  result = edit(workspace, {{"path", "big.txt"},
                            {"old_string", "a"},
                            {"new_string", std::string(10, 'b')},
                            {"replace_all", true}});
  CHECK(result.status == ToolResult::Status::kOk);
  const json folder = {{"path", "new/"}, {"content", "x"}};
  CHECK(write_tool(workspace, Arguments(folder)).output.find("names a folder") !=
        std::string::npos);
  const json large = {{"path", "new.txt"}, {"content", std::string(11 << 20, 'x')}};
  CHECK(write_tool(workspace, Arguments(large)).status == ToolResult::Status::kFailed);
}

TEST_CASE("executor search: the sessions are left out") {
  Scratch scratch;
  ::mkdir((scratch.path + "/root/state").c_str(), 0755);
  ::mkdir((scratch.path + "/root/.codex-sessions").c_str(), 0755);
  for (const char* name : {"state/a.json", ".codex-sessions/a.json", "a.json"}) {
    scratch.write(std::string("root/") + name, "frobnicate\n");
  }
  const Workspace workspace = scratch.workspace();
  const json arguments = {{"pattern", "frobnicate"}}, names = {{"pattern", "**/*.json"}};
  CHECK(grep_tool(workspace, Arguments(arguments)).output == "a.json:1:frobnicate\n");
  CHECK(glob_tool(workspace, Arguments(names)).output == "a.json\n");
  // A session file can be read by its path: it is read-only and no secret.
  const json named = {{"path", "state/a.json"}};
  CHECK(read_tool(workspace, Arguments(named)).status == ToolResult::Status::kOk);
}

TEST_CASE("executor files: a path outside the work tree is refused with an explanation") {
  Scratch scratch;
  const Workspace workspace = scratch.workspace();
  ::symlink("../outside", (scratch.path + "/root/out").c_str());
  ::symlink("loop", (scratch.path + "/root/loop").c_str());
  const std::vector<std::string> paths = {scratch.path + "/outside/secret",
                                          "../outside/secret",
                                          "a/../../outside/secret",
                                          "out/secret",
                                          "loop",
                                          "/proc/self/environ",
                                          "/etc/passwd",
                                          std::string("a\0b", 3),
                                          std::string(5000, 'a'),
                                          std::string(300, 'b'),
                                          "a/" + std::string(300, 'c'),
                                          "\x01\xff\n"};
  for (const std::string& path : paths) {
    INFO(path);
    const json read = {{"path", path}};
    const json write = {{"path", path}, {"content", "x"}};
    const auto seen = read_tool(workspace, Arguments(read));
    CHECK(seen.status != ToolResult::Status::kOk);
    CHECK(seen.output.find("planted") == std::string::npos);
    if (path != "\x01\xff\n" && path != "loop") {
      CHECK(write_tool(workspace, Arguments(write)).status != ToolResult::Status::kOk);
    }
  }
  CHECK(scratch.read("outside/secret") == "planted\n");
}

TEST_CASE("executor files: a hard link to the outside is never written through") {
  Scratch scratch;
  const Workspace workspace = scratch.workspace();
  ::link((scratch.path + "/outside/secret").c_str(), (scratch.path + "/root/linked").c_str());
  const json write = {{"path", "linked"}, {"content", "new"}};
  CHECK(write_tool(workspace, Arguments(write)).status == ToolResult::Status::kOk);
  CHECK(scratch.read("outside/secret") == "planted\n");
  CHECK(scratch.read("root/linked") == "new");
}

TEST_CASE("executor files: FIFOs, folders, huge and binary files are refused at once") {
  Scratch scratch;
  const Workspace workspace = scratch.workspace();
  ::mkfifo((scratch.path + "/root/pipe").c_str(), 0644);
  ::mkdir((scratch.path + "/root/folder").c_str(), 0755);
  scratch.write("root/binary", std::string("\0\1\2\3", 4) + std::string(100, '\0'));
  const int fd = ::open((scratch.path + "/root/huge").c_str(), O_CREAT | O_WRONLY, 0644);
  REQUIRE(::ftruncate(fd, 1LL << 40) == 0);
  ::close(fd);
  for (const char* path : {"pipe", "folder", "binary", "huge", "missing"}) {
    const json read = {{"path", path}};
    const auto result = read_tool(workspace, Arguments(read));
    INFO(path << ": " << result.output);
    CHECK(result.status != ToolResult::Status::kOk);
    CHECK(result.output.find(path) != std::string::npos);
  }
  for (const char* path : {"pipe", "folder"}) {
    const json write = {{"path", path}, {"content", "x"}};
    CHECK(write_tool(workspace, Arguments(write)).status != ToolResult::Status::kOk);
  }
}

TEST_CASE("executor files: git, startup files and sessions are read-only") {
  Scratch scratch;
  ::mkdir((scratch.path + "/root/state").c_str(), 0755);
  const Workspace workspace = scratch.workspace();
  for (const char* path :
       {".git/hooks/pre-commit", "sub/.git/config", ".GIT/config", "state/t.json",
        ".claude/settings.json", ".codex/config.toml", ".mcp.json", "a/../.git/config", ".agent/x",
        "./.git//config", "sub/.envrc", ".vscode/tasks.json", ".husky/pre-commit",
        ".devcontainer/devcontainer.json", ".idea/workspace.xml", ".github",
        ".pre-commit-config.yaml", "sub/.gitattributes"}) {
    INFO(path);
    const json write = {{"path", path}, {"content", "x"}};
    CHECK(write_tool(workspace, Arguments(write)).status == ToolResult::Status::kDenied);
    const json change = {{"path", path}, {"old_string", "a"}, {"new_string", "b"}};
    CHECK(edit(workspace, change).status == ToolResult::Status::kDenied);
  }
  const json fine = {{"path", ".github/workflows/ci.yml"}, {"content", "x"}};
  CHECK(write_tool(workspace, Arguments(fine)).status == ToolResult::Status::kOk);
  const Workspace startup(std::move(*Dir::open(scratch.path + "/root")), "", true);
  for (const char* path : {".vscode/tasks.json", ".envrc", ".claude/settings.json"}) {
    const json write = {{"path", path}, {"content", "x"}};
    CHECK(write_tool(startup, Arguments(write)).status == ToolResult::Status::kOk);
  }
  const json hook = {{"path", ".git/hooks/pre-commit"}, {"content", "x"}};
  CHECK(write_tool(startup, Arguments(hook)).status == ToolResult::Status::kDenied);
}

TEST_CASE("executor search: globs and greps stay beneath, and say what is cut") {
  Scratch scratch;
  const Workspace workspace = scratch.workspace();
  ::symlink("../outside", (scratch.path + "/root/out").c_str());
  ::mkdir((scratch.path + "/root/src").c_str(), 0755);
  scratch.write("root/src/a.cpp", "int planted = 1;\nint b;\n");
  scratch.write("root/src/a.h", "int c;\n");
  const auto glob = [&](const json& arguments) {
    return glob_tool(workspace, Arguments(arguments)).output;
  };
  const auto grep = [&](const json& arguments) {
    return grep_tool(workspace, Arguments(arguments)).output;
  };
  CHECK(glob({{"pattern", "**/*.cpp"}}) == "src/a.cpp\n");
  CHECK(glob({{"pattern", "*.{cpp,h}"}}) == "src/a.cpp\nsrc/a.h\n");
  CHECK(glob({{"pattern", "a.[!c]*"}, {"path", "src"}}) == "src/a.h\n");
  CHECK(glob({{"pattern", "out/*"}}) == "no file matches\n");
  CHECK(grep({{"pattern", "planted"}}) == "src/a.cpp:1:int planted = 1;\n");
  CHECK(grep({{"pattern", "INT B"}, {"ignore_case", true}, {"context", 1}}) ==
        "src/a.cpp-1-int planted = 1;\nsrc/a.cpp:2:int b;\n");
  CHECK(grep({{"pattern", "("}}).find("not a regular expression") != std::string::npos);
  CHECK(grep({{"pattern", "planted"}, {"path", "out"}}).find("src/") == std::string::npos);
}

TEST_CASE("executor: a folder that is swapped for a link to the outside is no way out") {
  Scratch scratch;
  const Workspace workspace = scratch.workspace();
  ::mkdir((scratch.path + "/root/at").c_str(), 0755);
  scratch.write("root/at/secret", "inside\n");
  ::symlink("../outside", (scratch.path + "/root/link").c_str());
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    const std::string at = scratch.path + "/root/at", link = scratch.path + "/root/link";
    constexpr unsigned kExchange = 2;
    while (!stop) {
      ::syscall(SYS_renameat2, AT_FDCWD, at.c_str(), AT_FDCWD, link.c_str(), kExchange);
    }
  });
  const int writes = is_soak() ? 50'000 : 2'000, reads = is_soak() ? 500'000 : 8'000;
  int written = 0, seen = 0, escaped = 0;
  const json read = {{"path", "at/secret"}}, glob = {{"pattern", "*"}, {"path", "at"}};
  const json write = {{"path", "at/new"}, {"content", "x"}};
  const json changes[2] = {
      {{"path", "at/secret"}, {"old_string", "inside"}, {"new_string", "INSIDE"}},
      {{"path", "at/secret"}, {"old_string", "INSIDE"}, {"new_string", "inside"}}};
  int edited = 0;
  for (int i = 0; i < writes; ++i) {
    const bool edits = i % 2 == 1;
    const auto result =
        edits ? edit(workspace, changes[edited % 2]) : write_tool(workspace, Arguments(write));
    if (result.status != ToolResult::Status::kOk) continue;
    ++written;
    if (edits) ++edited;
  }
  for (int i = 0; i < reads; ++i) {
    const auto result =
        i % 2 == 0 ? read_tool(workspace, Arguments(read)) : glob_tool(workspace, Arguments(glob));
    if (result.output.find("planted") != std::string::npos) ++escaped;
    if (result.status == ToolResult::Status::kOk) ++seen;
  }
  stop = true;
  swapper.join();
  CHECK(escaped == 0);
  CHECK(scratch.read("outside/secret") == "planted\n");
  CHECK(::access((scratch.path + "/outside/new").c_str(), F_OK) != 0);
  WARN("allowed: " << written << " of " << writes << " writes, " << seen << " of " << reads
                   << " reads");
  CHECK(written >= writes / 5);
  CHECK(edited > 0);
  CHECK(seen >= reads / 5);
}

TEST_CASE("executor plan: the template lacks nothing, and the gaps of a bare plan are reported") {
  CHECK(missing_sections(plan_template(), "").empty());
  CHECK(missing_sections("# Plan\nDo it.\n", "").size() == 5);
  const auto missing = missing_sections("## Integration points\n", "Requirements:\n- x\n");
  CHECK(missing == std::vector<std::string>{"Existing patterns", "Edge cases", "Expectations"});
}
