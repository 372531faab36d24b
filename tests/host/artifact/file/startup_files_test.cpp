#include "host/artifact/file/startup_files.h"

#include "tests/catch.h"

using namespace moonlet;

TEST_CASE("startup files count in any folder, in any case, with all that a folder holds") {
  for (const char* path :
       {".envrc", "a/b/.envrc", ".vscode/tasks.json", "sub/.Husky/_/pre-commit", ".IDEA/x.xml",
        ".devcontainer/devcontainer.json", ".pre-commit-config.yaml", "a/.gitattributes",
        ".mcp.json", ".claude/notes.md", "app.code-workspace", "run/Unit.run.xml",
        ".github/hooks/a.json", "a/.config/mise/config.toml", "//a//.envrc"}) {
    INFO(path);
    CHECK(is_startup_file(path));
  }
  for (const char* path :
       {"envrc", "a.envrc", ".envrc.example", "vscode/tasks.json", ".github/ci.yml", ".gitignore",
        "Makefile", ".code-workspace/x", ".config/other", "", "/"}) {
    INFO(path);
    CHECK(!is_startup_file(path));
  }
}

TEST_CASE(
    "a file in place of a folder that holds startup files counts, the folder itself does not") {
  CHECK(is_startup_file("a/.github"));
  CHECK(is_startup_file(".config/mise"));
  CHECK(!is_startup_folder("a/.github"));
  CHECK(!is_startup_folder("a.run.xml"));
  CHECK(is_startup_folder(".github/hooks"));
  CHECK(is_startup_folder("a/.vscode/b"));
}

TEST_CASE("a startup file is let through where a path names it or its folder") {
  const std::string path = "sub/.claude/settings.json";
  for (const char* folder : {"sub/.claude", "sub/.Claude/", "sub/.claude/settings.json"}) {
    CHECK(!is_startup_file(path, {"other", folder}));
  }
  for (const char* folder : {".", "", "sub", ".claude", "sub/.claud", "sub/.claude/other"}) {
    INFO(folder);
    CHECK(is_startup_file(path, {folder}));
  }
}
