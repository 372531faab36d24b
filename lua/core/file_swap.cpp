// Adds functions to core.file that replace files one by one for a merge and keep the old ones.
#include <string>
#include <string_view>
#include <vector>

#include "host/artifact/file/swap.h"
#include "host/base/release.h"
#include "lua/core/core.h"
#include "lua/core/file.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/state.h"

namespace moonlet {

namespace {

int push_failure(lua_State* L, const Error& error) {
  lua_pushnil(L);
  push_error(L, error);
  return 2;
}

int push_done(lua_State* L, const Result<void>& done) {
  if (!done) return push_failure(L, done.error());
  lua_pushboolean(L, 1);
  return 1;
}

/// content(dir, path, durable?) returns a text that identifies a file's content, or nil and an
/// error.
/// The text has the mode and the hash; see content_of(). It is "" if the file does not exist. If
/// `durable` is true, first waits until the file is on the disk.
int file_content(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  const Durable durable = lua_toboolean(L, 3) != 0 ? Durable::kYes : Durable::kNo;
  auto& content = push_box<Result<std::string>>(L, Error{});
  {
    const LuaState::HostWork work(L);
    content = content_of(dir, path, durable);
  }
  if (!content) return push_failure(L, content.error());
  lua_pushlstring(L, content->data(), content->size());
  release(*content);
  return 1;
}

/// swap(dir, path, other, name) exchanges two files. Returns true, or nil and an error.
/// If only one of the files exists, moves it to the other path.
int file_swap(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  const Dir& other = check_dir(L, 3);
  const std::string_view name = check_text(L, 4);
  auto& done = push_box<Result<void>>(L);
  {
    const LuaState::HostWork work(L);
    done = swap_files(dir, path, other, name);
  }
  return push_done(L, done);
}

/// sync(dir, names) waits until the files are on the disk. Returns true, or nil and an error
int file_sync(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  auto& names = push_box<std::vector<std::string>>(L);
  auto& done = push_box<Result<void>>(L);
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; ++i) {
    names.emplace_back(check_text(L, -1));
    lua_pop(L, 1);
  }
  {
    const LuaState::HostWork work(L);
    done = dir.sync_files(names);
  }
  return push_done(L, done);
}

/// inherit(dir, name, place, path) prepares the file `name` to replace `path` in the folder
/// `place`.
/// Copies the owner, group and attributes of `path`. If `path` does not exist, applies the group of
/// its folder. Returns true, or nil and an error.
int file_inherit(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view name = check_text(L, 2);
  const Dir& place = check_dir(L, 3);
  const std::string_view path = check_text(L, 4);
  auto& done = push_box<Result<void>>(L);
  done = inherit(dir, name, place, path);
  return push_done(L, done);
}

int file_set_mode(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  const lua_Integer mode = luaL_checkinteger(L, 3);
  auto& done = push_box<Result<void>>(L);
  done = set_mode(dir, path, static_cast<unsigned>(mode));
  return push_done(L, done);
}

/// make_dirs(dir, path) makes a folder and its missing parents. Returns true, or nil and an error
int file_make_dirs(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  auto& done = push_box<Result<void>>(L);
  done = dir.make_dirs(path);
  return push_done(L, done);
}

/// remove_empty(dir, path) removes a folder if it is empty.
/// Returns whether it was removed, or nil and an error.
int file_remove_empty(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view path = check_text(L, 2);
  auto& removed = push_box<Result<bool>>(L, Error{});
  removed = remove_empty(dir, path);
  if (!removed) return push_failure(L, removed.error());
  lua_pushboolean(L, *removed);
  return 1;
}

/// link(dir, name, target) makes a symbolic link in the folder. Returns true, or nil and an error
int file_link(lua_State* L) {
  const Dir& dir = check_dir(L, 1);
  const std::string_view name = check_text(L, 2);
  check_text(L, 3);
  auto& done = push_box<Result<void>>(L);
  if (name.empty() || name.find('/') != std::string_view::npos) {
    done = Error{ErrorKind::kInvalid, "a link needs a name without a slash", {}, {}};
  } else if (::symlinkat(lua_tostring(L, 3), dir.fd(), lua_tostring(L, 2)) != 0) {
    done = Error::from_errno(errno, "make the link", std::string(name));
  }
  return push_done(L, done);
}

}  // namespace

const luaL_Reg kCoreFileSwap[] = {
    {"link", guard<file_link>},
    {"content", guard<file_content>},
    {"swap", guard<file_swap>},
    {"sync", guard<file_sync>},
    {"inherit", guard<file_inherit>},
    {"set_mode", guard<file_set_mode>},
    {"make_dirs", guard<file_make_dirs>},
    {"remove_empty", guard<file_remove_empty>},
    {nullptr, nullptr},
};

}  // namespace moonlet
