#pragma once

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "host/process/child/confine.h"
#include "host/process/child/spawn.h"
#include "tests/catch.h"
#include "tests/host/process/keeper_fixture.h"
#include "tests/places.h"

namespace moonlet::test {

using Lines = std::vector<std::string>;

/// Formats a verb and its arguments as a line of a script for probe().
inline std::string line(const std::string& verb, const std::string& first = {},
                        const std::string& second = {}) {
  return verb + "\t" + first + (second.empty() ? "" : "\t" + second);
}

inline std::string joined(const Lines& script) {
  std::string text;
  for (const auto& entry : script) text += entry + "\n";
  return text;
}

inline Lines split(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string each; std::getline(in, each);) lines.push_back(each);
  return lines;
}

inline void skipped(const std::string& why) { WARN("skipped: " << why); }

inline bool supported(int abi = 1) {
  const ConfinementSupport support = confinement_support();
  if (support.abi >= abi) return true;
  skipped(support.abi == 0 ? support.reason
                           : "Landlock ABI " + std::to_string(abi) + " is not here");
  return false;
}

/// A keeper with three folders, of which only `work` is writable.
struct Place {
  Place() {
    for (const auto& folder : {work, other, outside}) std::filesystem::create_directory(folder);
    for (const char* name : {"file", "victim", "second"}) put(outside + "/" + name, "precious");
    std::filesystem::create_directory(outside + "/empty");
    confinement.writable = {work};
  }

  void put(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  bool untouched() {
    Lines names;
    for (const auto& entry : std::filesystem::directory_iterator(outside)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    if (names != Lines{"empty", "file", "second", "victim"}) return false;
    return std::all_of(names.begin() + 1, names.end(), [&](const std::string& name) {
      return run.folder.read("outside/" + name) == "precious";
    });
  }
  /// Runs the lines of a script in a child under `confinement`, and returns their results.
  Lines probe(const Lines& script) {
    ChildSpec spec = run.act("probe", joined(script));
    spec.confinement = confinement;
    spec.stdin_fd = stdin_fd;
    const ChildExit& exit = run.run(spec);
    INFO(exit.error.message << exit.err.text);
    CHECK(exit.success());
    return split(exit.out.text);
  }
  Error refused() {
    ChildSpec spec = run.act("rest");
    spec.confinement = confinement;
    const ChildExit& exit = run.run(spec);
    CHECK(exit.why == ChildExit::Why::kNotStarted);
    CHECK(processes_with(run.folder.tag()).empty());
    return exit.error;
  }

  KeeperRun run{false};
  std::string work = run.folder.path() + "/work", other = run.folder.path() + "/other",
              outside = run.folder.path() + "/outside";
  Confinement confinement;
  int stdin_fd = -1;
};

/// Runs a script under the restrictions of a kernel with this Landlock ABI, without a keeper.
inline Lines probe_with_abi(const Confinement& confinement, int abi, const Lines& script) {
  auto ruleset = make_ruleset(confinement, {places::kKeeperProgram}, {abi, {}});
  REQUIRE(ruleset);
  const std::string text = joined(script);
  const char* argv[] = {places::kKeeperProgram, "act", "probe", "no-tag", text.c_str(), nullptr};
  SpawnRequest request;
  request.path = places::kKeeperProgram;
  request.argv = const_cast<char* const*>(argv);
  request.envp = environ;
  request.ruleset_fd = ruleset->get();
  int answers = -1, end = -1;
  REQUIRE(make_output_pipe(answers, end));
  Fd reading(answers), writing(end);
  request.fds = {0, writing.get(), 2};
  const auto started = spawn(request);
  REQUIRE(started);
  waitpid(started->pid, nullptr, 0);
  char buffer[4096];
  const long got = read_some(reading.get(), buffer, sizeof buffer);
  return split(std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0));
}

}  // namespace moonlet::test
