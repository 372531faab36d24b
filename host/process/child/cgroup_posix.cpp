#include "host/process/child/cgroup.h"

namespace moonlet {

std::string make_run_cgroup(std::string_view) { return {}; }
std::string make_step_cgroup(const std::string&, unsigned) { return {}; }
int open_cgroup(const std::string&) { return -1; }
pid_t fork_into_cgroup(const std::string&) { return -1; }
bool join_cgroup(const std::string&) { return false; }
std::string own_cgroup() { return {}; }
bool kill_cgroup(const std::string&) { return false; }
bool remove_cgroup(const std::string&, int) { return true; }
bool is_run_cgroup(const std::string&, std::string_view) { return false; }

}  // namespace moonlet
