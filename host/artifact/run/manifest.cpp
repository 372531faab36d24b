#include "host/artifact/run/manifest.h"

#include <sys/stat.h>

#include <cerrno>

#include "host/base/digest.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

constexpr const char* kTooLarge =
    "larger than 64 MiB: give the part that matters, by cmd: for instance";

std::string part_for_prompt(InputEntry& entry, const MiddleCut& kept) {
  if (entry.binary) return "[binary data, " + std::to_string(entry.bytes) + " bytes, not shown]\n";
  entry.cut = kept.cut();
  entry.kept = kept.kept();
  return to_valid_utf8(kept.text());
}

// Makes a Markdown code span for a table cell. Escapes pipes and backticks.
std::string cell(std::string_view text) {
  std::string out = "`";
  for (char c : printable(text)) {
    if (c == '|') {
      out += "\\x7c";
    } else if (c == '`') {
      out += "\\x60";
    } else {
      out += c;
    }
  }
  return text.empty() ? "-" : out + "`";
}

std::string remarks(const InputEntry& entry) {
  std::string out;
  const auto add = [&](const std::string& remark) {
    out.append(out.empty() ? "" : "; ").append(remark);
  };
  if (entry.binary) add("binary, not shown");
  if (entry.cut) add("cut");
  if (!entry.error.empty()) add(std::string("error: ").append(cell(entry.error)));
  return out.empty() ? "-" : out;
}

}  // namespace

std::string_view to_string(InputKind kind) {
  constexpr std::string_view kNames[] = {"file", "glob", "cmd", "diff", "text"};
  return kNames[static_cast<int>(kind)];
}

std::string take_text(InputEntry& entry, std::string_view text, std::size_t cap) {
  entry.bytes = text.size();
  entry.sha256 = sha256_hex(text);
  entry.binary = looks_binary(text);
  MiddleCut kept(cap);
  kept.feed(text);
  return part_for_prompt(entry, kept);
}

std::string load_file(InputEntry& entry, const Dir& dir, std::size_t cap) {
  auto fd = dir.open_read(entry.path);
  if (!fd) {
    entry.error = fd.error().message;
    return {};
  }
  struct stat info;
  if (::fstat(fd->get(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) > kLargestInput) {
    entry.bytes = static_cast<std::uint64_t>(info.st_size);
    entry.error = kTooLarge;
    return {};
  }
  Sha256 sha;
  MiddleCut kept(cap);
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    const long got = read_some(fd->get(), buffer.data(), buffer.size());
    if (got < 0) {
      entry.error = Error::from_errno(errno, "read", printable(dir.path_of(entry.path))).message;
      return {};
    }
    const std::string_view chunk(buffer.data(), static_cast<std::size_t>(got));
    if (kept.total() == 0) entry.binary = looks_binary(chunk);
    if (chunk.empty()) break;
    if (kept.total() + chunk.size() > kLargestInput) {  // the file grew during the read
      entry.bytes = kept.total() + chunk.size();
      entry.error = kTooLarge;
      return {};
    }
    sha.update(chunk);
    kept.feed(chunk);
  }
  entry.bytes = kept.total();
  entry.sha256 = sha.hex();
  return part_for_prompt(entry, kept);
}

std::string manifest_markdown(const std::vector<InputEntry>& entries) {
  std::string out = "# Inputs\n\n";
  if (entries.empty()) return out + "None.\n";
  out += "| # | input | kind | path | bytes | kept | sha256 | remarks |\n";
  out += "|---|---|---|---|---|---|---|---|\n";
  std::size_t number = 0;
  for (const auto& entry : entries) {
    for (const auto& text :
         {std::to_string(++number), cell(entry.spec), std::string(to_string(entry.kind)),
          cell(entry.path), std::to_string(entry.bytes), std::to_string(entry.kept),
          cell(entry.sha256), remarks(entry)}) {
      out.append("| ").append(text).append(" ");
    }
    out += "|\n";
  }
  return out;
}

}  // namespace moonlet
