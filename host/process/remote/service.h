// The commands of moonlet-keeper, by which a host on another machine controls attempts here.
// Each command reads a JSON text and prints JSON lines. Commands keep no state, so each may be
// repeated. Blocking; main thread of moonlet-keeper.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "host/base/result.h"

namespace moonlet {

void print_line(const nlohmann::json& line);
nlohmann::json error_of(const Error& error);

/// Prints the version, system, architecture, processors, free bytes, the installed agents and
/// git, and the attempts below `root`.
Result<void> remote_probe(const std::string& root, const nlohmann::json& request);
/// Starts each attempt of `request.attempts` (see spec.h) unless it was claimed before. Returns
/// when each attempt runs or has failed to start. Prints for each attempt {nonce, state = started |
/// exists | failed, error?}. `program` is the path of this executable.
Result<void> remote_start(const std::string& root, const nlohmann::json& request,
                          const std::string& program);
/// Writes the descriptions of `request.attempts` for a scheduler's jobs, but starts nothing.
/// Also makes the folder `request.map` below `root`/maps, and prints the paths of two files in it:
/// {map (a nonce on each line), environment (of the jobs, for sbatch's --export-file)}.
Result<void> remote_prepare(const std::string& root, const nlohmann::json& request);
/// Waits up to `request.wait_ms` for changes of `request.attempts`, a list of {nonce, out, err}.
/// `out` and `err` count the bytes of the logs that the host already has. Prints a line for each
/// attempt, which tells how many new bytes of its logs follow the line. With `request.elsewhere`,
/// the keepers run on other machines. With `request.fence`, prevents the start of attempts that
/// have not started and have no job, because a delayed request could still start them.
Result<void> remote_look(const std::string& root, const nlohmann::json& request);
/// Ends the attempts `request.nonces` with their process trees. An attempt that has not started
/// never will. With `request.elsewhere`, only requests the end: the attempts' jobs carry it out.
Result<void> remote_end(const std::string& root, const nlohmann::json& request);
/// Removes the folders of the attempts `request.nonces`, and the maps that no other attempt needs.
/// Refuses an attempt whose keeper is alive.
Result<void> remote_remove(const std::string& root, const nlohmann::json& request);
/// Runs an attempt inside of a scheduler's job and waits for its end.
/// Line `index` of the file `map` names the attempt. Returns the exit status of the process.
int remote_job(const std::string& root, const std::string& map, std::size_t index,
               const std::string& program);

}  // namespace moonlet
