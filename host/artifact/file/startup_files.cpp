#include "host/artifact/file/startup_files.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_set>

#include "host/base/ascii.h"

namespace moonlet {

namespace {

/// Lists the names of startup files, and of folders in which every file is a startup file.
const std::unordered_set<std::string_view> kNames = {
    ".claude",
    ".claude-plugin",
    ".codex",
    ".cursor",
    ".gemini",
    ".kiro",
    ".opencode",
    ".aider.conf.yml",
    ".crush.json",
    ".mcp.json",
    "crush.json",
    "opencode.json",
    "opencode.jsonc",
    ".devcontainer",
    ".devcontainer.json",
    ".dir-locals-2.el",
    ".dir-locals.el",
    ".exrc",
    ".fleet",
    ".gitpod.yml",
    ".helix",
    ".idea",
    ".lvimrc",
    ".nvim.lua",
    ".nvimrc",
    ".vimrc",
    ".vs",
    ".vscode",
    ".zed",
    // Shells and interpreters read these files from their working directory.
    ".direnv",
    ".envrc",
    ".gdbinit",
    ".irbrc",
    ".lldbinit",
    ".mise.local.toml",
    ".mise.toml",
    ".pryrc",
    ".rprofile",
    "mise.local.toml",
    "mise.toml",
    // Git attributes choose the filters and drivers that run on a file.
    ".gitattributes",
    ".git-hooks",
    ".githooks",
    ".husky",
    ".lefthook",
    ".lefthook-local.yml",
    ".lefthook.json",
    ".lefthook.toml",
    ".lefthook.yaml",
    ".lefthook.yml",
    ".overcommit.yml",
    ".pre-commit-config.yaml",
    ".pre-commit-config.yml",
    ".pre-commit-hooks",
    ".simple-git-hooks.cjs",
    ".simple-git-hooks.js",
    ".simple-git-hooks.json",
    "lefthook-local.yml",
    "lefthook.json",
    "lefthook.toml",
    "lefthook.yaml",
    "lefthook.yml",
};

/// Lists startup files and folders whose parent folder also contains harmless files.
/// Each path must begin with ".", otherwise special_part() does not find it.
constexpr std::string_view kPaths[] = {
    ".amazonq/cli-agents",    ".amazonq/mcp.json",   ".amp/settings.json",
    ".augment/settings.json", ".config/mise.toml",   ".config/mise/config.toml",
    ".continue/config.json",  ".continue/config.ts", ".continue/config.yaml",
    ".continue/mcpservers",   ".factory/hooks",      ".factory/mcp.json",
    ".factory/settings.json", ".github/hooks",       ".junie/mcp",
    ".mise/config.toml",      ".qwen/settings.json", ".roo/mcp.json",
    ".windsurf/hooks.json",
};

constexpr std::string_view kEndings[] = {".code-workspace", ".run.xml"};

bool lies_in(std::string_view path, std::string_view folder) {
  return path.substr(0, folder.size()) == folder &&
         (path.size() == folder.size() || path[folder.size()] == '/');
}

/// Returns the path in lower case and without empty components.
std::string normal(std::string_view path) {
  std::string result;
  for (const char c : path) {
    if (c == '/' && (result.empty() || result.back() == '/')) continue;
    result += lower(c);
  }
  if (!result.empty() && result.back() == '/') result.pop_back();
  return result;
}

/// Returns the length of the shortest prefix of `path` that is a startup file or folder.
std::optional<std::size_t> special_part(std::string_view path, bool folder) {
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (kNames.count(path.substr(at, end - at)) > 0) return end;
    for (const auto& known : kPaths) {
      if (path[at] != '.') break;
      const std::string_view rest = path.substr(at);
      if (lies_in(rest, known)) return at + known.size();
      // This file has the name of a folder for startup files. A link may lead to such files.
      if (!folder && lies_in(known, rest)) return path.size();
    }
    at = end + 1;
  }
  const auto ends = [&](std::string_view ending) {
    return path.size() >= ending.size() && path.substr(path.size() - ending.size()) == ending;
  };
  if (!folder && std::any_of(std::begin(kEndings), std::end(kEndings), ends)) return path.size();
  return std::nullopt;
}

}  // namespace

bool is_startup_file(std::string_view path, const std::vector<std::string>& writes) {
  const std::string name = normal(path);
  const auto size = special_part(name, false);
  if (!size) return false;
  const std::string_view special = std::string_view(name).substr(0, *size);
  return std::none_of(writes.begin(), writes.end(), [&](const std::string& folder) {
    const std::string given = normal(folder);
    return lies_in(given, special) && lies_in(name, given);
  });
}

bool is_startup_folder(std::string_view path) {
  return special_part(normal(path), true).has_value();
}

}  // namespace moonlet
