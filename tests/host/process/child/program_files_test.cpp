#include "host/process/child/program_files.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/catch.h"

using namespace moonlet;

namespace {

struct Tree {
  Tree() {
    char name[] = "/tmp/moonlet-files-XXXXXX";
    root = mkdtemp(name);
  }
  ~Tree() { std::filesystem::remove_all(root); }

  std::string put(const std::string& name, const std::string& text) {
    const std::string path = root + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), 0700);
    return path;
  }
  std::vector<std::string> files(const std::string& program, const std::string& search = {},
                                 std::vector<std::string> homes = {}) {
    auto found = program_files(program, search.empty() ? nullptr : search.c_str(), "/", homes);
    std::sort(found.begin(), found.end());
    return found;
  }

  std::string root;
};

bool has(const std::vector<std::string>& list, const std::string& path) {
  return std::find(list.begin(), list.end(), path) != list.end();
}

}  // namespace

TEST_CASE("a program is its file, its folder and the lib beside its bin") {
  Tree tree;
  const std::string program = tree.put("v1/bin/tool",
                                       "\x7f"
                                       "ELF");
  std::filesystem::create_symlink(program, tree.root + "/link");
  for (const auto& path : {program, tree.root + "/link"}) {
    CHECK(tree.files(path) ==
          std::vector<std::string>{tree.root + "/v1/bin", program, tree.root + "/v1/lib"});
  }
  CHECK(tree.files(tree.root + "/nothing").empty());
}

TEST_CASE("a script is its interpreter's files, too, also through env") {
  Tree tree;
  const std::string engine = tree.put("engine/bin/engine",
                                      "\x7f"
                                      "ELF");
  const std::string direct = tree.put("a/direct", "#! " + engine + " -x\nbody");
  const std::string through = tree.put("b/through", "#!/usr/bin/env -S engine --flag\n");
  CHECK(has(tree.files(direct), engine));
  const auto files = tree.files(through, tree.root + "/engine/bin");
  CHECK(has(files, "/usr/bin/env"));
  CHECK(has(files, engine));
  CHECK(has(files, tree.root + "/engine/lib"));
  CHECK_FALSE(has(tree.files(through, "/usr/bin"), engine));
}

TEST_CASE("a folder that other programs share is left out") {
  Tree tree;
  const std::string program = tree.put("home/me/tool",
                                       "\x7f"
                                       "ELF");
  const std::string home = tree.root + "/home/me";
  CHECK(has(tree.files(program), home));
  CHECK(tree.files(program, {}, {home}) == std::vector<std::string>{program});
  CHECK(tree.files(program, {}, {home + "/deeper"}) == std::vector<std::string>{program});
  CHECK(has(tree.files(program, {}, {tree.root + "/home/m"}), home));
  chmod(home.c_str(), 01777);
  CHECK(tree.files(program) == std::vector<std::string>{program});
}

TEST_CASE("scripts that name each other for ever, or no interpreter, end") {
  Tree tree;
  const std::string loop = tree.put("loop", "#!" + tree.root + "/loop\n");
  CHECK(has(tree.files(loop), loop));
  for (const char* head :
       {"#!", "#!\n", "#!   ", "#!/usr/bin/env", "#!/usr/bin/env -S A=1\n", ""}) {
    CHECK(has(tree.files(tree.put("odd", head)), tree.root + "/odd"));
  }
}
