// core.detach: leaving a run to a process of its own, which drives it when this one is gone.
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "lua/core/core.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"

namespace moonlet {

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

/// Starts `argv` in a session of its own, its input from nowhere; gives the descriptor that its
/// output is read from. Messages go where ours do, until it says otherwise.
Result<Fd> start_session(std::vector<std::string> argv, std::vector<std::string> environment) {
  int ends[2];
  if (::pipe(ends) != 0) return Error::from_errno(errno, "make a pipe");
  Fd reader(ends[0]), writer(ends[1]);
  ::fcntl(reader.get(), F_SETFD, FD_CLOEXEC);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, writer.get());
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  const int number = ::posix_spawn(&pid, argv[0].c_str(), &actions, &attributes,
                                   pointers(argv).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (number != 0) return Error::from_errno(number, "start", argv[0]);
  return reader;
}

std::string read_line(const Fd& reader) {
  std::string line;
  char byte = 0;
  for (;;) {
    const ssize_t got = ::read(reader.get(), &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || byte == '\n') return line;
    line += byte;
  }
}

/// start{word, …} -> the first line that `moonlet word…` prints; empty when it ended without one
int detach_start(lua_State* L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  Services& services = Services::of(L);
  if (!services.on_detached) {
    return raise(L, ErrorKind::kInvalid, "this program cannot leave a run to another process",
                 "use the moonlet command for --background");
  }
  auto& argv = push_box<std::vector<std::string>>(L);
  argv.push_back(services.keeper_program);
  const lua_Integer count = static_cast<lua_Integer>(lua_rawlen(L, 1));
  for (lua_Integer i = 1; i <= count; ++i) {
    lua_rawgeti(L, 1, i);
    std::size_t size = 0;
    const char* word = luaL_checklstring(L, -1, &size);
    argv.emplace_back(word, size);
    lua_pop(L, 1);
  }
  auto& line = push_box<std::string>(L);
  auto& failure = push_box<Error>(L);
  bool started = false;
  if (auto reader = start_session(argv, services.environment); reader.ok()) {
    started = true;
    line = read_line(*reader);
  } else {
    failure = reader.error();
  }
  if (!started) return raise_error(L, failure);
  lua_pushlstring(L, line.data(), line.size());
  return 1;
}

/// done(log): the run has its id; from now on what is printed goes to the file
int detach_done(lua_State* L) {
  const char* log = luaL_checkstring(L, 1);
  Services& services = Services::of(L);
  auto& path = push_box<std::string>(L);
  path = log;
  if (services.on_detached) services.on_detached(path);
  services.detached = true;
  return 0;
}

constexpr luaL_Reg kFunctions[] = {
    {"start", guard<detach_start>},
    {"done", guard<detach_done>},
    {nullptr, nullptr},
};

}  // namespace

int luaopen_core_detach(lua_State* L) {
  luaL_newlib(L, kFunctions);
  return 1;
}

}  // namespace moonlet
