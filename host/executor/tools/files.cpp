#include "host/executor/tools/files.h"

#include <algorithm>

#include "host/base/text.h"

namespace moonlet::executor {

namespace {

constexpr std::size_t kLargestFile = 10 << 20;
constexpr std::size_t kReadCap = 64 * 1024;
constexpr std::size_t kLineCap = 2000;
constexpr std::int64_t kDefaultLines = 2000;

std::string shown_path(const std::string& rel) { return "'" + printable(rel, 200) + "'"; }

/// `Before` holds the state and content that a file had before a tool replaced it.
struct Before {
  FileInfo info;
  std::string text;
};

/// `Place` is a file name in a folder that stays open, so every step of a change uses that folder.
struct Place {
  Dir folder;
  std::string name;
};

Result<Place> place_of(const Dir& root, const std::string& rel, bool make) {
  const auto slash = rel.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : rel.substr(0, slash);
  if (make && !root.exists(parent)) {
    if (auto made = root.make_dirs(parent); !made) return made.error();
  }
  auto folder = patiently([&] { return root.dir(parent); });
  if (!folder) return folder.error();
  return Place{std::move(*folder), slash == std::string::npos ? rel : rel.substr(slash + 1)};
}

Result<Before> read_before(const Dir& root, const std::string& rel) {
  auto info = root.stat(rel);
  if (!info) return info.error();
  if (info->kind == EntryKind::kLink) {
    return invalid(shown_path(rel) + " is a symbolic link", "name the file that it leads to");
  }
  auto text = read_text(root, rel);
  if (!text) return text.error();
  return Before{*info, std::move(*text)};
}

/// Replaces a file. Fails if the file has changed since `before` was read.
Result<void> replace(const Dir& root, const std::string& rel, const Before& before,
                     const std::string& text) {
  const auto unchanged = [&]() -> Result<void> {
    auto now = root.stat(rel);
    if (now && now->inode == before.info.inode && now->ctime_ns == before.info.ctime_ns) return {};
    return Error{ErrorKind::kFailed, shown_path(rel) + " was changed meanwhile",
                 "Read it again, then repeat the change"};
  };
  return root.write_file(rel, text, Durable::kNo, unchanged, before.info.mode);
}

Result<void> check_size(const std::string& rel, std::uint64_t size) {
  if (size <= kLargestFile) return {};
  return invalid(shown_path(rel) + " would have " + std::to_string(size) + " bytes, at most " +
                     std::to_string(kLargestFile) + " are written",
                 "write less, or have a command of Bash make the file");
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) {
    ++n;
  }
  return n;
}

std::string lines_of(const std::string& text, const std::string& part) {
  std::string list;
  std::size_t shown = 0;
  for (auto at = text.find(part); at != std::string::npos && shown < 20;
       at = text.find(part, at + part.size()), ++shown) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n');
    list += (list.empty() ? "" : ", ") + std::to_string(line);
  }
  return list;
}

/// Returns the argument `path` relative to the root. Refuses a path that is read-only to tools.
Result<std::string> writable_path(const Workspace& workspace, const Arguments& arguments) {
  auto path = arguments.text("path");
  if (!path) return path.error();
  auto rel = workspace.relative(*path);
  if (!rel) return rel;
  if (auto allowed = workspace.check_writable(*rel); !allowed) return allowed.error();
  return rel;
}

}  // namespace

Result<std::string> read_text(const Dir& root, const std::string& rel) {
  auto file = root.read_file(rel, kLargestFile);
  if (!file) return file.error();
  if (file->cut) {
    return invalid(shown_path(rel) + " is too large: " + std::to_string(file->size) +
                       " bytes, at most " + std::to_string(kLargestFile) + " are read",
                   "use Grep, or Bash with head, tail or sed -n");
  }
  if (looks_binary(file->bytes)) {
    return invalid(
        shown_path(rel) + " is a binary file of " + std::to_string(file->size) + " bytes",
        "look at it with Bash (file, xxd), if you must");
  }
  return std::move(file->bytes);
}

ToolResult read_tool(const Workspace& workspace, const Arguments& arguments) {
  auto path = arguments.text("path");
  if (!path) return path.error();
  auto offset = arguments.integer_or("offset", 1);
  auto limit = arguments.integer_or("limit", kDefaultLines);
  if (!offset || !limit) return !offset ? offset.error() : limit.error();
  auto rel = workspace.relative(*path);
  if (!rel) return rel.error();
  auto text = patiently([&] { return read_text(workspace.root(), *rel); });
  if (!text) return text.error();
  if (text->empty()) return {"(the file is empty)"};

  const std::int64_t from = std::max<std::int64_t>(1, *offset);
  std::int64_t number = 0, shown = 0;
  std::string output;
  std::size_t at = 0;
  for (; at < text->size();) {
    const auto end = std::min(text->find('\n', at), text->size());
    const std::string_view line = std::string_view(*text).substr(at, end - at);
    if (++number >= from) {
      if (shown >= *limit || output.size() >= kReadCap) break;
      output += std::to_string(number) + "\t";
      output += cut_end(line, kLineCap);
      if (line.size() > kLineCap) output += "… [the line continues]";
      output += '\n';
      ++shown;
    }
    at = end + 1;
  }
  if (shown == 0) return {"(the file has " + std::to_string(number) + " lines)"};
  if (at < text->size()) {
    output += "[the file continues; read on with offset " + std::to_string(number) + "]\n";
  }
  return {output};
}

ToolResult write_tool(const Workspace& workspace, const Arguments& arguments) {
  auto path = arguments.text("path");
  auto content = arguments.text("content");
  if (!path || !content) return !path ? path.error() : content.error();
  auto rel = writable_path(workspace, arguments);
  if (!rel) return rel.error();
  if (path->empty() || path->back() == '/') {
    return invalid(shown_path(*path) + " names a folder", "name a file");
  }
  if (auto fits = check_size(*rel, content->size()); !fits) return fits.error();
  auto place = place_of(workspace.root(), *rel, true);
  if (!place) return place.error();
  auto info = place->folder.stat(place->name);
  if (info && info->kind != EntryKind::kFile) {
    return invalid(shown_path(*rel) + " is there, and is not a regular file",
                   "choose another name");
  }
  const std::uint32_t mode = info ? info->mode : 0;
  auto done = place->folder.write_file(place->name, *content, Durable::kNo, {}, mode);
  if (!done) return done.error();
  return {(info ? "replaced " : "created ") + *rel + ": " + std::to_string(content->size()) +
          " bytes"};
}

ToolResult edit_tool(const Workspace& workspace, const Arguments& arguments) {
  auto rel = writable_path(workspace, arguments);
  auto from = arguments.text("old_string");
  auto to = arguments.text("new_string");
  for (const auto* given : {&rel, &from, &to}) {
    if (!*given) return given->error();
  }
  if (from->empty()) return invalid("old_string is empty", "use Write to make a file");
  if (*from == *to) return invalid("old_string and new_string are the same", "nothing to change");
  auto place = place_of(workspace.root(), *rel, false);
  if (!place) return place.error();
  auto before = read_before(place->folder, place->name);
  if (!before) return before.error();
  const std::size_t matches = count(before->text, *from);
  if (matches == 0) {
    return invalid("old_string not found in " + shown_path(*rel),
                   "Read the file first and copy the text exactly, with its indentation and "
                   "without the line numbers");
  }
  if (matches > 1 && !arguments.flag("replace_all")) {
    return invalid("old_string matches " + std::to_string(matches) + " times in " +
                       shown_path(*rel) + " (lines " + lines_of(before->text, *from) + ")",
                   "take in more of the text around it, or set replace_all");
  }
  const std::uint64_t size =
      before->text.size() - matches * from->size() + std::uint64_t{matches} * to->size();
  if (auto fits = check_size(*rel, size); !fits) return fits.error();
  std::string text;
  std::size_t at = 0;
  for (auto found = before->text.find(*from); found != std::string::npos;
       found = before->text.find(*from, at)) {
    text.append(before->text, at, found - at).append(*to);
    at = found + from->size();
  }
  text.append(before->text, at, std::string::npos);
  if (auto done = replace(place->folder, place->name, *before, text); !done) return done.error();
  return {"edited " + *rel + ": " + std::to_string(matches) +
          (matches == 1 ? " match replaced" : " matches replaced")};
}

}  // namespace moonlet::executor
