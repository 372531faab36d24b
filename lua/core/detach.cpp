// core.detach moves a run to a background process, which drives the run after this process has
// ended.

#include "host/process/client/helper.h"
#include "lua/core/core.h"
#include "lua/vm/bind.h"

namespace moonlet {

namespace {

Result<std::string> start(const Services& services, const std::vector<std::string>& words,
                          std::atomic<bool>& stop) {
  HelperCall request{words, services.environment};
  request.argv.insert(request.argv.begin(), services.keeper_program);
  request.limit_ms = 60'000;
  request.longest = 1 << 20;
  request.stop = &stop;
  return start_detached(std::move(request));
}

/// start{word, …} starts `moonlet word…` and returns its first line of output, or nil and an error.
/// Returns "" if the program ended without output.
int detach_start(lua_State* L) {
  if (Services::of(L).on_detached) return working<start>(L);
  return raise(L, ErrorKind::kInvalid, "this program cannot leave a run to another process",
               "use the moonlet command for --background");
}

/// done(log): makes the program redirect all later output to the file `log`. Call it in the
/// background process once the run has an id.
void detach_done(Services& services, std::string_view log) {
  if (services.on_detached) services.on_detached(std::string(log));
  services.detached = true;
}

}  // namespace

const luaL_Reg kCoreDetach[] = {
    {"start", guard<detach_start>},
    {"done", raising<detach_done>},
    {nullptr, nullptr},
};

}  // namespace moonlet
