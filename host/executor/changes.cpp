#include "host/executor/changes.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "host/base/digest.h"

namespace moonlet::executor {

namespace {

constexpr std::size_t kMostFiles = 200'000;
constexpr std::size_t kBaselineCap = 256 << 20;
constexpr std::uint64_t kLargestHashed = 16 << 20, kMostHashed = 128 << 20;
constexpr std::size_t kFoldedFrom = 20;  // a new folder with more files is reported as one change
constexpr int kDeepest = 64;
constexpr std::size_t kLimitEvery = 64;  // number of entries between two checks of the limit

}  // namespace

struct Changes::Look {
  const Limit& limit;
  Files files;
  std::size_t entries = 0;
  bool partial = false;
};

/// Records the files below `rel`. Returns true if it has entries that count, or at a limit.
bool Changes::look_into(const std::string& rel, Look& look, int depth) const {
  const Dir& root = workspace_.root();
  auto listing = root.list(rel, kMostFiles);
  if (!listing) return false;
  bool holds = false;
  for (const Entry& entry : listing->entries) {
    const bool ends = ++look.entries % kLimitEvery == 0 && look.limit.reached();
    if (ends || look.files.size() >= kMostFiles || depth > kDeepest) look.partial = true;
    if (look.partial) return true;
    const std::string path = rel == "." ? entry.name : rel + "/" + entry.name;
    // Skip the data of git, moonlet and the executor, because the task did not produce them.
    const bool records = path == ".git" || path == ".agent" || workspace_.holds_sessions(path) ||
                         (entry.name == "objects" && path.find("/.git/") != std::string::npos);
    if (Dir::is_temporary(entry.name) || records) continue;
    holds = true;
    if (entry.kind == EntryKind::kDir) {
      if (!look_into(path, look, depth + 1)) look.files[path + "/"] = {};
    } else if (auto info = root.stat(path)) {
      look.files[path] = {info->size, info->inode, info->ctime_ns, {}};
    }
  }
  return holds;
}

Changes::Files Changes::look(const Limit& limit, bool& partial) const {
  Look look{limit, {}};
  look_into(".", look, 0);
  partial = look.partial;
  return std::move(look.files);
}

Result<bool> Changes::begin(const Limit& limit) {
  if (!load()) {
    files_ = look(limit, partial_);
    if (limit.reached()) return false;
    if (auto saved = save(); !saved) return saved.error();
  }
  return begun_ = true;
}

std::string Changes::digest(const std::string& rel, std::uint64_t size) const {
  if (size > kLargestHashed) return {};
  auto file = workspace_.root().read_file(rel, kLargestHashed);
  return file && !file->cut ? sha256_hex(file->bytes) : std::string();
}

void Changes::touch(const std::string& rel) {
  const auto known = files_.find(rel);
  if (known == files_.end() || !known->second.sha256.empty()) return;
  auto info = workspace_.root().stat(rel);
  if (!info || info->ctime_ns != known->second.ctime_ns) return;
  known->second.sha256 = digest(rel, info->size);
}

void Changes::touch_all() {
  if (touched_all_) return;
  touched_all_ = true;
  std::uint64_t bytes = 0;
  for (auto& [path, stamp] : files_) {
    if (!stamp.sha256.empty() || stamp.size > kLargestHashed) continue;
    if ((bytes += stamp.size) > kMostHashed) break;
    auto info = workspace_.root().stat(path);
    if (info && info->ctime_ns == stamp.ctime_ns) stamp.sha256 = digest(path, stamp.size);
  }
  (void)save();
}

std::vector<Change> Changes::now(bool& partial, const Limit& limit) const {
  std::vector<Change> changes;
  if (!begun_) return changes;
  const Files files = look(limit, partial);
  std::set<std::string> old_folders;
  for (const auto& [path, stamp] : files_) {
    for (auto at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      old_folders.insert(path.substr(0, at + 1));
    }
    const auto found = files.find(path);
    if (path.back() == '/') continue;
    if (found == files.end()) {
      if (!partial) changes.push_back({path, "deleted"});
    } else if (found->second.ctime_ns != stamp.ctime_ns || found->second.size != stamp.size ||
               found->second.inode != stamp.inode) {
      const bool same = !stamp.sha256.empty() && found->second.size == stamp.size &&
                        digest(path, stamp.size) == stamp.sha256;
      if (!same) changes.push_back({path, "modified"});
    }
  }
  std::map<std::string, std::vector<std::string>> created;  // new files by their topmost new folder
  for (const auto& [path, stamp] : files) {
    if (files_.count(path) > 0 || old_folders.count(path) > 0) continue;
    std::string folder;
    for (auto at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      folder = path.substr(0, at + 1);
      if (old_folders.count(folder) == 0) break;
      folder.clear();
    }
    created[folder].push_back(path);
  }
  for (auto& [folder, paths] : created) {
    if (!folder.empty() && paths.size() > kFoldedFrom) {
      changes.push_back({folder, "created"});
    } else {
      for (auto& path : paths) changes.push_back({std::move(path), "created"});
    }
  }
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.path < b.path; });
  partial = partial || partial_;
  return changes;
}

void Changes::end() { (void)state_.remove_file(name_); }

// Writes the baseline: for each file or empty folder "size inode ctime sha256 path" and a NUL.
Result<void> Changes::save() const {
  std::string text = partial_ ? "partial\n" : "whole\n";
  for (const auto& [path, stamp] : files_) {
    text += std::to_string(stamp.size) + " " + std::to_string(stamp.inode) + " " +
            std::to_string(stamp.ctime_ns) + " " + (stamp.sha256.empty() ? "-" : stamp.sha256) +
            " " + path;
    text += '\0';
  }
  return state_.write_file(name_, text, Durable::kNo);
}

bool Changes::load() {
  auto file = state_.read_file(name_, kBaselineCap);
  if (!file || file->cut) return false;
  const std::string& text = file->bytes;
  std::size_t at = text.find('\n');
  if (at == std::string::npos) return false;
  partial_ = text.compare(0, at, "partial") == 0;
  for (++at; at < text.size();) {
    const auto end = text.find('\0', at);
    if (end == std::string::npos) return false;
    std::istringstream record(text.substr(at, end - at));
    Stamp stamp;
    std::string path;
    record >> stamp.size >> stamp.inode >> stamp.ctime_ns >> stamp.sha256;
    record.get();
    std::getline(record, path, '\0');
    if (!record.eof() || path.empty()) return false;
    if (stamp.sha256 == "-") stamp.sha256.clear();
    files_[path] = std::move(stamp);
    at = end + 1;
  }
  return true;
}

}  // namespace moonlet::executor
