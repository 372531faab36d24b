// Commands is the closed list of commands that the page may start.
// Each is one `moonlet VERB … --json`, with the same checks and gates. Stateless, any thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/base/result.h"
#include "host/web/server.h"

namespace moonlet::web {

using Values = std::map<std::string, std::string>;

/// Returns the arguments of `moonlet` for a command of the page in the work tree `repo`.
/// `acts` is true for a POST request, which a command with side effects requires.
/// Fails with kInvalid for an unknown command or name, or a missing or malformed value.
Result<std::vector<std::string>> command_words(const std::string& name, const Values& values,
                                               const std::string& repo, bool acts);

/// Starts a program and returns its standard output as a stream.
/// The program has its own session, so it completes even if the server ends or the page is closed.
/// A command without side effects is ended when the Body is destroyed.
Result<std::unique_ptr<Body>> start_command(std::vector<std::string> argv, const std::string& cwd,
                                            bool acts);

/// Reads the remaining output of commands whose page is closed, and reaps ended commands.
void reap_commands();

}  // namespace moonlet::web
