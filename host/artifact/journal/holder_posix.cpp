#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "host/artifact/journal/holder.h"
#include "host/base/digest.h"

namespace moonlet {

namespace {

std::string place() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return {};
  return sha256_hex(name).substr(0, 16);
}

}  // namespace

Holder this_process() {
  Holder holder;
  holder.pid = ::getpid();
  holder.place = place();
  return holder;
}

HolderState state_of(const Holder& holder) {
  if (holder.pid <= 0 || holder.place.empty() || holder.place != place()) {
    return HolderState::kElsewhere;
  }
  const bool gone = ::kill(static_cast<pid_t>(holder.pid), 0) != 0 && errno == ESRCH;
  return gone ? HolderState::kGone : HolderState::kRuns;
}

}  // namespace moonlet
