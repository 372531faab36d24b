#include "host/process/client/ask_git.h"

#include <utility>

#include "host/process/client/helper.h"

namespace moonlet {

AskGit ask_git(std::vector<std::string> environment) {
  // Remove the variables of a git hook, because they name the hook's repository.
  std::erase_if(environment, [](const std::string& entry) { return entry.starts_with("GIT_"); });
  return [environment = std::move(environment)](const std::vector<std::string>& arguments) {
    HelperCall query;
    // Disable the programs that the repository's config names, because git would start them.
    query.argv = {"git", "--no-optional-locks",     "-c", "core.fsmonitor=false",
                  "-c",  "core.hooksPath=/dev/null"};
    query.argv.insert(query.argv.end(), arguments.begin(), arguments.end());
    query.environment = environment;
    query.limit_ms = 10'000;
    const auto answer = ask(std::move(query));
    return answer && answer->code == 0 ? answer->out : std::string();
  };
}

}  // namespace moonlet
