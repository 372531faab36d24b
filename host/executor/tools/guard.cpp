#include "host/executor/tools/guard.h"

#include <algorithm>
#include <deque>

#include "host/base/id.h"

namespace moonlet::executor {

namespace {

constexpr std::uint64_t kLargest = 1 << 20;
constexpr std::uint64_t kMostBytes = 16 << 20;
constexpr std::size_t kMostFiles = 20'000;
constexpr std::size_t kMostEntries = 200'000;  // a scan stops after this many entries
constexpr std::size_t kMostObjects = 100'000;
constexpr int kDeepest = 16;
constexpr const char* kRunRecords = ".agent";

bool same(const FileInfo& a, const FileInfo& b) {
  return a.kind == b.kind && a.inode == b.inode && a.size == b.size && a.ctime_ns == b.ctime_ns;
}

}  // namespace

/// Finds the read-only places at the top of the root and in subfolders. Visits folders near the top
/// first. If a limit ends the scan, only places in deep folders (such as packages) are missing.
Guard::Files Guard::places() {
  Files found;
  const Dir& root = workspace_.root();
  const auto add = [&](const std::string& rel) {
    // Do not restore moonlet's records. Keepers and hosts change them meanwhile, and Landlock or a
    // mount protects them from commands.
    if (held_.count(rel) > 0 || rel == kRunRecords) return;
    if (auto info = root.stat(rel)) found[rel] = *info;
  };
  for (const std::string& place : workspace_.read_only()) add(place);
  std::size_t entries = 0;
  std::deque<std::string> folders{"."};
  for (; !folders.empty() && entries < kMostEntries; folders.pop_front()) {
    const std::string prefix = folders.front() == "." ? "" : folders.front() + "/";
    (void)root.each(folders.front(), [&](const Entry& entry) {
      const std::string path = prefix + entry.name;
      if (workspace_.is_read_only(path, entry.kind == EntryKind::kDir)) {
        add(path);
      } else if (entry.kind == EntryKind::kDir) {
        folders.push_back(path);
      }
      return ++entries < kMostEntries;
    });
  }
  partial_ = !folders.empty();
  return found;
}

Guard::Files Guard::look(const Files& places) const {
  Files files;
  for (const bool is_deep : {false, true}) {
    for (const auto& [place, info] : places) {
      if ((place.find('/') != std::string::npos) == is_deep) look_into(place, files, 0);
    }
  }
  return files;
}

void Guard::look_into(const std::string& rel, Files& files, int depth) const {
  if (rel.ends_with(".git/objects") || rel.ends_with(".git/lfs") || depth > kDeepest) return;
  const Dir& root = workspace_.root();
  auto info = root.stat(rel);
  if (!info || files.size() >= kMostFiles) return;
  if (info->kind != EntryKind::kDir) {
    files[rel] = *info;
    return;
  }
  auto listing = root.list(rel, kMostFiles);
  if (!listing) return;
  for (const Entry& entry : listing->entries) {
    look_into(rel + "/" + entry.name, files, depth + 1);
  }
}

/// Returns the paths of the object files in the root's .git; empty if there are too many.
std::set<std::string> Guard::objects() const {
  std::set<std::string> names;
  std::deque<std::string> folders;
  if (places_.count(".git") > 0) folders.push_back(".git/objects");
  for (; !folders.empty(); folders.pop_front()) {
    (void)workspace_.root().each(folders.front(), [&](const Entry& entry) {
      const std::string path = folders.front() + "/" + entry.name;
      if (entry.kind == EntryKind::kDir) {
        folders.push_back(path);
      } else {
        names.insert(path);
      }
      return names.size() <= kMostObjects;
    });
    if (names.size() > kMostObjects) return {};
  }
  return names;
}

void Guard::remember(const std::vector<std::string>& held) {
  held_ = {held.begin(), held.end()};
  places_ = places();
  objects_ = objects();
  const Files files = look(places_);
  for (auto it = saved_.begin(); it != saved_.end();) {
    const auto now = files.find(it->first);
    if (now != files.end() && same(now->second, it->second.info)) {
      ++it;
      continue;
    }
    kept_bytes_ -= it->second.bytes.size();
    it = saved_.erase(it);
  }
  for (const auto& [path, info] : files) {
    if (saved_.count(path) > 0) continue;
    Saved saved{info, {}, false};
    if (info.kind == EntryKind::kFile && info.size <= kLargest &&
        kept_bytes_ + info.size <= kMostBytes) {
      if (auto bytes = workspace_.root().read_file(path, kLargest); bytes && !bytes->cut) {
        saved.bytes = std::move(bytes->bytes);
        saved.kept = true;
        kept_bytes_ += saved.bytes.size();
      }
    }
    saved_.emplace(path, std::move(saved));
  }
}

/// Moves back protected folders, which may contain more files than Guard remembers.
void Guard::move_back(std::vector<std::string>& changed) {
  const Dir& root = workspace_.root();
  std::map<std::uint64_t, std::string> moved;  // maps an inode to the original path
  for (const auto& [place, info] : places_) {
    const auto now = root.stat(place);
    const bool there = now && now->kind == info.kind && now->inode == info.inode;
    if (info.kind == EntryKind::kDir && !there) moved[info.inode] = place;
  }
  std::size_t entries = 0;
  std::deque<std::string> folders;
  if (!moved.empty()) folders.emplace_back(".");
  for (; !folders.empty() && entries < kMostEntries; folders.pop_front()) {
    const std::string prefix = folders.front() == "." ? "" : folders.front() + "/";
    std::map<std::string, std::string> found;
    (void)root.each(folders.front(), [&](const Entry& entry) {
      if (entry.kind == EntryKind::kDir) {
        const auto info = root.stat(prefix + entry.name);
        const auto place = info ? moved.find(info->inode) : moved.end();
        if (place != moved.end()) {
          found[prefix + entry.name] = place->second;
        } else {
          folders.push_back(prefix + entry.name);
        }
      }
      return ++entries < kMostEntries;
    });
    for (const auto& [path, place] : found) {
      // Rename the folder first. It may be inside the new folder at `place`, which is removed next.
      const std::string aside = "moved-" + random_hex(8);
      const auto slash = place.rfind('/');
      const bool done = root.rename(path, aside) &&
                        (slash == std::string::npos || root.make_dirs(place.substr(0, slash))) &&
                        (!root.exists(place) || root.remove_tree(place)) &&
                        root.rename(aside, place);
      changed.push_back(done ? place : "!" + place);
    }
  }
}

std::vector<std::string> Guard::put_back() {
  std::vector<std::string> changed;
  const Dir& root = workspace_.root();
  move_back(changed);
  const bool was_partial = partial_;
  for (const auto& [place, info] : places()) {
    // Remove places that the command has created. If the earlier scan was incomplete, keep them,
    // because they may have existed before.
    if (places_.count(place) > 0) continue;
    const bool undone = !was_partial && root.remove_tree(place).ok();
    changed.push_back(undone ? place : "!" + place);
  }
  partial_ = partial_ || was_partial;
  for (const auto& [path, info] : look(places_)) {
    if (saved_.count(path) > 0) continue;
    changed.push_back(root.remove_file(path).ok() ? path : "!" + path);
  }
  const Files files = look(places_);
  for (auto& [path, saved] : saved_) {
    const auto now = files.find(path);
    if (now != files.end() && same(now->second, saved.info)) continue;
    const bool done = restore(path, saved);
    changed.push_back(done ? path : "!" + path);
    if (auto info = root.stat(path)) saved.info = *info;
  }
  const auto now = objects();
  if (!std::includes(now.begin(), now.end(), objects_.begin(), objects_.end())) {
    changed.push_back("!.git/objects");
  }
  std::sort(changed.begin(), changed.end());
  return changed;
}

bool Guard::restore(const std::string& path, const Saved& saved) {
  if (!saved.kept) return false;
  const Dir& root = workspace_.root();
  // The command may have removed a parent folder or replaced it by a symbolic link.
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string parent = path.substr(0, at);
    auto info = root.stat(parent);
    if (info && info->kind != EntryKind::kDir && !root.remove_file(parent)) return false;
    if (!info && !root.make_dirs(parent)) return false;
  }
  if (auto info = root.stat(path); info && info->kind == EntryKind::kDir) {
    if (!root.remove_tree(path)) return false;
  }
  return root.write_file(path, saved.bytes, Durable::kYes, {}, saved.info.mode).ok();
}

}  // namespace moonlet::executor
