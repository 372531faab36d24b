#include "host/executor/tools/guard.h"

#include <algorithm>
#include <deque>

namespace moonlet::executor {

namespace {

constexpr std::uint64_t kLargest = 1 << 20;
constexpr std::uint64_t kMostBytes = 16 << 20;
constexpr std::size_t kMostFiles = 20'000;
constexpr std::size_t kMostEntries = 200'000;  // that are looked at to find the places
constexpr int kDeepest = 16;

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool same(const FileInfo& a, const FileInfo& b) {
  return a.kind == b.kind && a.inode == b.inode && a.size == b.size && a.ctime_ns == b.ctime_ns;
}

}  // namespace

/// The read-only places, at the top and below. Folders near the top come first, so that a heap of
/// packages hides none of the project's own.
Guard::Files Guard::places() {
  Files found;
  const Dir& root = workspace_.root();
  const auto add = [&](const std::string& rel) {
    if (auto info = root.stat(rel)) found[rel] = *info;
  };
  for (const std::string& place : workspace_.read_only()) add(place);
  std::size_t entries = 0;
  std::deque<std::string> folders{"."};
  for (; !folders.empty() && entries < kMostEntries; folders.pop_front()) {
    const std::string prefix = folders.front() == "." ? "" : folders.front() + "/";
    (void)root.each(folders.front(), [&](const Entry& entry) {
      const std::string path = prefix + entry.name;
      if (Workspace::is_read_only_name(entry.name) || workspace_.holds_sessions(path)) {
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
  for (const auto& [place, info] : places) {
    if (place.find('/') == std::string::npos) look_into(place, files, 0);
  }
  for (const auto& [place, info] : places) {
    if (place.find('/') != std::string::npos) look_into(place, files, 0);
  }
  return files;
}

void Guard::look_into(const std::string& rel, Files& files, int depth) const {
  if (ends_with(rel, ".git/objects") || ends_with(rel, ".git/lfs") || depth > kDeepest) return;
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

void Guard::remember() {
  places_ = places();
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

/// A place that a command made goes; one that it moved goes back to where it was.
bool Guard::undo_place(const std::string& place, const FileInfo& info) {
  const Dir& root = workspace_.root();
  for (const auto& [old, before] : places_) {
    if (before.inode != info.inode || before.kind != info.kind || root.exists(old)) continue;
    const auto slash = old.rfind('/');
    if (slash != std::string::npos && !root.make_dirs(old.substr(0, slash))) return false;
    return root.rename(place, old).ok();
  }
  return info.kind == EntryKind::kDir ? root.remove_tree(place).ok() : root.remove_file(place).ok();
}

std::vector<std::string> Guard::put_back(bool mounted) {
  std::vector<std::string> changed;
  const Dir& root = workspace_.root();
  const bool was_partial = partial_;
  for (const auto& [place, info] : places()) {
    // A place beyond the bounds may have been there before.
    if (places_.count(place) > 0) continue;
    const bool undone = !was_partial && undo_place(place, info);
    changed.push_back(undone ? place : "!" + place);
  }
  partial_ = partial_ || was_partial;
  Files watched = places_;
  std::vector<std::string> held;
  for (const std::string& place : workspace_.read_only()) {
    const auto known = watched.find(place);
    if (!mounted || known == watched.end() || known->second.kind == EntryKind::kLink) continue;
    held.push_back(place);
    watched.erase(known);
  }
  for (const auto& [path, info] : look(watched)) {
    if (saved_.count(path) > 0) continue;
    changed.push_back(root.remove_file(path).ok() ? path : "!" + path);
  }
  const Files files = look(watched);
  for (auto& [path, saved] : saved_) {
    const auto holds = [&path = path](const std::string& place) { return is_beneath(path, place); };
    if (std::any_of(held.begin(), held.end(), holds)) continue;
    const auto now = files.find(path);
    if (now != files.end() && same(now->second, saved.info)) continue;
    const bool done = restore(path, saved);
    changed.push_back(done ? path : "!" + path);
    if (auto info = root.stat(path)) saved.info = *info;
  }
  std::sort(changed.begin(), changed.end());
  return changed;
}

bool Guard::restore(const std::string& path, const Saved& saved) {
  if (!saved.kept) return false;
  const Dir& root = workspace_.root();
  // A folder on the way may be a link by now, or gone.
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
