// Adds functions to core.file that replace files one by one for a merge and keep the old ones.

#include "host/artifact/file/swap.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

Result<void> make_dirs(const Dir& dir, std::string_view path) { return dir.make_dirs(path); }

/// link(dir, name, target) makes a symbolic link in the folder. Returns true, or nil and an error
Result<void> file_link(const Dir& dir, std::string_view name, std::string_view target) {
  if (name.empty() || name.find('/') != std::string_view::npos) {
    return Error{ErrorKind::kInvalid, "a link needs a name without a slash", {}, {}};
  }
  // Both texts are Lua strings, which end with a zero byte.
  if (::symlinkat(target.data(), dir.fd(), name.data()) == 0) return {};
  return Error::from_errno(errno, "make the link", std::string(name));
}

}  // namespace

const luaL_Reg kCoreFileSwap[] = {
    {"link", returning<file_link>},
    {"content", returning<content_of, kHostWork>},
    {"swap", returning<swap_files, kHostWork>},
    {"sync", returning<&Dir::sync_files, kHostWork>},
    {"inherit", returning<inherit>},
    {"set_mode", returning<set_mode>},
    {"make_dirs", returning<make_dirs>},
    {"remove_empty", returning<remove_empty>},
    {nullptr, nullptr},
};

}  // namespace moonlet
