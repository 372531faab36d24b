// Lists all commands that the page may start. Each runs as `moonlet VERB … --json`, with the
// same checks as if a user had typed it in a shell. Stateless, any thread.
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
/// `acts` is true for a POST request; only such a request may start a command with side effects.
/// Fails with kInvalid if the command or a value's name is unknown, or a value is missing or
/// malformed.
Result<std::vector<std::string>> command_words(const std::string& name, const Values& values,
                                               const std::string& repo, bool acts);

/// Starts a program and returns its standard output as a stream.
/// A command with side effects (`acts`) completes even if the server ends or the page is closed.
/// Any other command is terminated when the Body is destroyed.
Result<std::unique_ptr<Body>> start_command(std::vector<std::string> argv, const std::string& cwd,
                                            bool acts);

/// Discards the output of commands whose page was closed, and reaps those that have ended.
void reap_commands();

}  // namespace moonlet::web
