#include "host/artifact/run/git_index.h"

#include <cstdint>
#include <unordered_set>
#include <utility>

namespace moonlet {

namespace {

constexpr std::size_t kHead = 12, kModeAt = 24, kIdAt = 40;
constexpr std::uint32_t kTypeMask = 0170000, kFolder = 0040000, kSubmodule = 0160000;
constexpr std::uint32_t kAssumed = 0x8000, kExtended = 0x4000, kStages = 0x3000;
constexpr std::uint32_t kSkipped = 0x4000;  // skip-worktree, one of the extended flags

class Reader {
 public:
  Reader(std::string_view index, std::size_t id_bytes) : index_(index), id_bytes_(id_bytes) {}

  bool read() {
    if (index_.size() < kHead + id_bytes_ || index_.substr(0, 4) != "DIRC") return false;
    version_ = number(4, 4);
    if (version_ < 2 || version_ > 4) return false;
    at_ = kHead;
    const std::uint32_t count = number(8, 4);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!entry()) return false;
    }
    return extensions();
  }

  GitIndexFacts facts{{""}, {}, false, false};

 private:
  // Reads a big-endian number. The caller has checked the size.
  std::uint32_t number(std::size_t at, std::size_t bytes) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      value = value << 8 | static_cast<unsigned char>(index_[at + i]);
    }
    return value;
  }

  std::size_t end() const { return index_.size() - id_bytes_; }

  bool entry() {
    const std::size_t start = at_;
    at_ += kIdAt + id_bytes_ + 2;
    if (at_ + 2 > end()) return false;
    const std::uint32_t type = number(start + kModeAt, 4) & kTypeMask, flags = number(at_ - 2, 2);
    if (type == kFolder) return false;  // a sparse index has folders in place of their files
    facts.has_submodules |= type == kSubmodule;
    facts.has_flags |= (flags & (kAssumed | kStages)) != 0;
    if ((flags & kExtended) != 0) {
      facts.has_flags |= (number(at_, 2) & kSkipped) != 0;
      at_ += 2;
    }
    if (version_ == 4 && !shorten()) return false;
    const std::size_t stop = index_.find('\0', at_);
    if (stop >= end()) return false;
    if (version_ == 4) {
      path_ += index_.substr(at_, stop - at_);
      at_ = stop + 1;
    } else {
      path_ = index_.substr(at_, stop - at_);
      at_ = start + (stop - start + 8) / 8 * 8;
    }
    note();
    return true;
  }

  // In a version 4 index, a path begins with how many bytes to cut from the previous path's end.
  bool shorten() {
    std::size_t less = 0;
    for (bool more = true, first = true; more; first = false) {
      if (at_ >= end() || less > index_.size()) return false;
      const auto byte = static_cast<unsigned char>(index_[at_++]);
      less = (first ? 0 : (less + 1) << 7) | (byte & 0x7F);
      more = (byte & 0x80) != 0;
    }
    if (less > path_.size()) return false;
    path_.resize(path_.size() - less);
    return true;
  }

  void note() {
    const std::string_view path = path_;
    auto slash = path.rfind('/');
    if (path.substr(slash + 1) == ".gitattributes") facts.attributes.push_back(path_);
    if (slash == std::string_view::npos || path.substr(0, slash) == last_) return;
    last_ = path.substr(0, slash);
    for (std::string folder = last_; known_.insert(folder).second; folder.resize(slash)) {
      facts.folders.push_back(folder);
      slash = folder.rfind('/');
      if (slash == std::string::npos) break;
    }
  }

  // Skips the extensions of the index. Returns false if an extension's name does not begin with a
  // capital letter, because a reader must understand such an extension.
  bool extensions() {
    while (at_ + 8 <= end()) {
      if (index_[at_] < 'A' || index_[at_] > 'Z') return false;
      at_ += 8 + std::size_t{number(at_ + 4, 4)};
    }
    return at_ == end();
  }

  std::string_view index_;
  std::size_t id_bytes_, at_ = 0;
  std::uint32_t version_ = 0;
  std::string path_, last_;  // path_: of the current entry; last_: the folder of an earlier entry
  std::unordered_set<std::string> known_;
};

}  // namespace

Result<GitIndexFacts> git_index_facts(std::string_view index, std::size_t id_bytes) {
  Reader reader(index, id_bytes);
  if (!reader.read()) return Error{ErrorKind::kInvalid, "git must read this index itself", {}, {}};
  return std::move(reader.facts);
}

}  // namespace moonlet
