#include "host/executor/tools/search.h"

#include <re2/re2.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "host/base/text.h"
#include "host/executor/tools/files.h"

namespace moonlet::executor {

namespace {

constexpr std::size_t kMostNames = 1000;
constexpr std::size_t kMostLines = 200;
constexpr std::size_t kMostEntries = 500'000;
constexpr std::uint64_t kMostBytes = 512ULL << 20;
constexpr std::size_t kLineCap = 400;
constexpr int kDeepest = 64;

/// Walk visits the files below a folder, sorted by name. `visit` returns false to stop.
class Walk {
 public:
  using Visit = std::function<bool(const std::string& rel)>;
  Walk(const Workspace& workspace, const Limit& limit, Visit visit)
      : workspace_(workspace), root_(workspace.root()), limit_(limit), visit_(std::move(visit)) {}

  /// Returns false if `visit` or the limit has stopped the walk, or if there are too many files.
  bool run(const std::string& rel, int depth = 0) {
    auto listing = root_.list(rel, kMostEntries);
    if (!listing) return true;  // the folder was removed or is unreadable
    for (const Entry& entry : listing->entries) {
      if (++entries_ > kMostEntries || (entries_ % 64 == 0 && limit_.reached())) return false;
      const std::string path = rel == "." ? entry.name : rel + "/" + entry.name;
      if (entry.kind == EntryKind::kDir) {
        if (entry.name == ".git" || depth >= kDeepest) continue;
        // Skip the sessions. They contain the conversation, which includes the search pattern.
        if (workspace_.holds_sessions(path)) continue;
        if (!run(path, depth + 1)) return false;
      } else if (entry.kind != EntryKind::kOther && !visit_(path)) {
        return false;
      }
    }
    return true;
  }

 private:
  const Workspace& workspace_;
  const Dir& root_;
  const Limit& limit_;
  Visit visit_;
  std::size_t entries_ = 0;
};

std::string_view beneath(const std::string& path, const std::string& base) {
  return base == "." ? std::string_view(path) : std::string_view(path).substr(base.size() + 1);
}

struct GrepJob {
  const RE2& pattern;
  std::int64_t context;
  std::string output;
  std::size_t lines = 0, files = 0, unread = 0;
  std::uint64_t bytes = 0;
};

/// Appends the matching lines of a text and the lines around them to the output.
void grep_text(GrepJob& job, const std::string& name, const std::string& text) {
  std::vector<std::string_view> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  std::int64_t shown = -1;  // the last line in the output
  bool any = false;
  const auto size = static_cast<std::int64_t>(lines.size());
  for (std::int64_t i = 0; i < size && job.lines < kMostLines; ++i) {
    const auto line = lines[static_cast<std::size_t>(i)];
    if (!RE2::PartialMatch(re2::StringPiece(line.data(), line.size()), job.pattern)) continue;
    any = true;
    ++job.lines;
    const std::int64_t last = std::min(size - 1, i + job.context);
    for (std::int64_t n = std::max(shown + 1, i - job.context); n <= last; ++n) {
      job.output += name + (n == i ? ":" : "-") + std::to_string(n + 1) + (n == i ? ":" : "-");
      job.output += cut_end(lines[static_cast<std::size_t>(n)], kLineCap);
      job.output += '\n';
    }
    shown = std::max(shown, last);
  }
  if (any) ++job.files;
}

/// Appends the matches in a file to the output. Returns false if the output is full.
bool grep_file(const Dir& root, GrepJob& job, const std::string& rel) {
  auto text = read_text(root, rel);
  if (!text) {
    ++job.unread;
    return true;
  }
  job.bytes += text->size();
  grep_text(job, rel, *text);
  return job.lines < kMostLines && job.bytes < kMostBytes;
}

}  // namespace

std::string regex_of_glob(std::string_view glob) {
  std::string regex = glob.find('/') == std::string_view::npos ? "(?:.*/)?" : "";
  int braces = 0;
  for (std::size_t i = 0; i < glob.size(); ++i) {
    const char c = glob[i];
    if (c == '*' && glob.substr(i, 3) == "**/") {
      regex += "(?:[^/]+/)*";
      i += 2;
    } else if (c == '*' && glob.substr(i, 2) == "**") {
      regex += ".*";
      ++i;
    } else if (c == '*') {
      regex += "[^/]*";
    } else if (c == '?') {
      regex += "[^/]";
    } else if (const auto end = c == '[' ? glob.find(']', i + 2) : std::string_view::npos;
               end != std::string_view::npos) {
      std::string set(glob.substr(i + 1, end - i - 1));
      const bool negated = set[0] == '!' || set[0] == '^';
      if (negated) set.erase(0, 1);
      regex += negated ? "[^/" : "[";
      for (const char s : set) {
        if (s == '\\' || s == '[' || s == '^') regex += '\\';
        regex += s;
      }
      regex += ']';
      i = end;
    } else if (c == '{' && glob.find('}', i) != std::string_view::npos) {
      regex += "(?:";
      ++braces;
    } else if (c == '}' && braces > 0) {
      regex += ')';
      --braces;
    } else if (c == ',' && braces > 0) {
      regex += '|';
    } else {
      regex += RE2::QuoteMeta(re2::StringPiece(&glob[i], 1));
    }
  }
  while (braces-- > 0) regex += ')';
  return regex;
}

ToolResult glob_tool(const Workspace& workspace, const Arguments& arguments, const Limit& limit) {
  auto pattern = arguments.text("pattern");
  auto path = arguments.text_or("path", ".");
  if (!pattern || !path) return !pattern ? pattern.error() : path.error();
  auto base = workspace.relative(*path);
  if (!base) return base.error();
  if (pattern->starts_with('/')) {
    return invalid("the pattern is absolute", "name the folder in 'path'");
  }
  const RE2 regex(regex_of_glob(*pattern), RE2::Quiet);
  if (!regex.ok()) return invalid("the pattern is not understood: " + regex.error(), {});
  auto there = patiently([&] { return workspace.root().dir(*base); });
  if (!there) return there.error();
  std::string output;
  std::size_t names = 0;
  Walk walk(workspace, limit, [&](const std::string& rel) {
    const auto below = beneath(rel, *base);
    if (!RE2::FullMatch(re2::StringPiece(below.data(), below.size()), regex)) return true;
    if (++names > kMostNames) return false;
    output += rel + "\n";
    return true;
  });
  const bool all = walk.run(*base);
  if (names == 0) output = "no file matches\n";
  if (!all) output += "[there are more: narrow the pattern or the path]\n";
  return {output};
}

ToolResult grep_tool(const Workspace& workspace, const Arguments& arguments, const Limit& limit) {
  auto pattern = arguments.text("pattern");
  auto path = arguments.text_or("path", ".");
  auto glob = arguments.text_or("glob", "");
  auto context = arguments.integer_or("context", 0);
  for (const auto* given : {&pattern, &path, &glob}) {
    if (!*given) return given->error();
  }
  if (!context) return context.error();
  auto base = workspace.relative(*path);
  if (!base) return base.error();
  RE2::Options options(RE2::Quiet);
  options.set_case_sensitive(!arguments.flag("ignore_case"));
  const RE2 regex(*pattern, options);
  if (!regex.ok()) {
    return invalid("the pattern is not a regular expression: " + regex.error(),
                   "the syntax is RE2's: no look-around, no backreferences");
  }
  const RE2 names(regex_of_glob(*glob), RE2::Quiet);
  if (!names.ok()) return invalid("glob is not understood: " + names.error(), {});

  GrepJob job{regex, std::clamp<std::int64_t>(*context, 0, 20), {}};
  const Dir& root = workspace.root();
  bool all = true;
  if (auto folder = root.dir(*base)) {
    Walk walk(workspace, limit, [&](const std::string& rel) {
      const auto below = beneath(rel, *base);
      const re2::StringPiece piece(below.data(), below.size());
      return (!glob->empty() && !RE2::FullMatch(piece, names)) || grep_file(root, job, rel);
    });
    all = walk.run(*base);
  } else {
    auto text = read_text(root, *base);
    if (!text) return text.error();
    grep_text(job, *base, *text);
    all = job.lines < kMostLines;
  }
  if (job.lines == 0) job.output = "no line matches\n";
  if (!all) job.output += "[there are more: narrow the pattern, the path or the glob]\n";
  return {job.output};
}

}  // namespace moonlet::executor
