#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "host/executor/agent.h"
#include "host/executor/context.h"
#include "host/executor/options.h"
#include "host/executor/plan.h"
#include "host/executor/reaper.h"
#include "host/process/child/subreaper.h"

namespace moonlet::executor {

namespace {

namespace fs = std::filesystem;

/// Opens REPO_ROOT, or the nearest folder upwards with a .git, or else the working directory.
Result<Dir> find_repository(const std::string& named) {
  std::error_code failed;
  fs::path root = fs::canonical(named.empty() ? "." : named, failed);
  if (failed) {
    return Error::from_errno(failed.value(), "open the repository root",
                             named.empty() ? "." : named);
  }
  for (fs::path at = root; named.empty(); at = at.parent_path()) {
    const bool found = fs::exists(at / ".git", failed);
    if (found) root = at;
    if (found || at == at.root_path()) break;
  }
  if (root != "/") return Dir::open(root);
  return Error{ErrorKind::kInvalid, "the repository root is /, the whole machine",
               "name the project's folder in REPO_ROOT, or start in it", root};
}

/// Opens the task's session. With --fork, the new one begins with the task's conversation.
Result<Session> open_session(const Dir& state, const Options& options, const Redactor& redactor,
                             pid_t owner) {
  if (options.fork.empty()) return Session::open(state, options.task_id, redactor, owner);
  auto source = Session::read(state, options.task_id);
  if (!source) return source.error();
  if (!source->has_value()) {
    return Error{ErrorKind::kInvalid, "there is no session " + options.task_id + " to branch from",
                 "look into " + state.path()};
  }
  auto branch = Session::open(state, options.fork, redactor, owner);
  if (!branch) return branch.error();
  if (branch->existed()) {
    return Error{ErrorKind::kInvalid, "the task " + options.fork + " exists already",
                 "choose another NEW-ID for --fork"};
  }
  branch->data() = std::move(**source);
  branch->data().task_id = options.fork;
  branch->data().forked_from = options.task_id;
  return branch;
}

/// Adds the new request to the conversation. Returns false if there is nothing to do: the request
/// is unchanged and the task is finished or waits for an answer.
bool begin_turn(SessionData& data, Agent& agent, const Options& options, const Plan& plan,
                const Workspace& workspace, bool is_new, bool forked) {
  const std::string& root = workspace.root().path();
  if (is_new) {
    data.description = options.description;
    data.items.push_back(message_item(
        "user", "input_text", first_message(data.task_id, options.description, plan, workspace)));
  } else {
    const bool same = options.description == data.description && !forked;
    if (same && data.status != Status::kRunning && data.status != Status::kBlocked) return false;
    if (!same || data.status == Status::kBlocked) {
      agent.leave_calls();
      const bool new_plan = !plan.path.empty() && plan.sha256 != data.plan_sha256;
      data.items.push_back(message_item(
          "user", "input_text",
          next_message(options.description, data.status == Status::kQuestion,
                       new_plan ? &plan : nullptr, root != data.root ? &root : nullptr)));
    }
  }
  data.root = root;
  data.model = options.model;
  if (!plan.sha256.empty()) data.plan_sha256 = plan.sha256;
  data.status = Status::kRunning;
  return true;
}

struct Work {
  Options options;
  Redactor redactor;
  Report report;
  pid_t owner;
};

int exit_code_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kDenied:
      return kExitUsage;
    case ErrorKind::kTimeout:
      return kExitLimit;
    case ErrorKind::kCancelled:
      return kExitInterrupted;
    default:
      return kExitFailed;
  }
}

int refuse(Work& work, const Error& error) {
  work.report.error(error, "refused");
  work.report.done(false, error.message);
  return exit_code_of(error);
}

int run(Work& work) {
  Options& options = work.options;
  Plan plan;
  if (!options.no_plan) {
    auto read = read_plan(options.plan_file);
    if (!read) return refuse(work, read.error());
    plan = std::move(*read);
  }
  auto root = find_repository(options.repo_root);
  if (!root) return refuse(work, root.error());
  if (options.state_dir.empty()) options.state_dir = root->path() + "/.codex-sessions/tasks";
  if (options.state_dir[0] != '/') options.state_dir = root->path() + "/" + options.state_dir;
  auto state = open_state_dir(options.state_dir, *root);
  if (!state) return refuse(work, state.error());
  auto session = open_session(*state, options, work.redactor, work.owner);
  if (!session) return refuse(work, session.error());
  SessionData& data = session->data();
  const Workspace workspace(std::move(*root), options.state_dir, options.startup_files);

  std::unique_ptr<Bash> bash;
  if (!options.no_bash) {
    auto made = Bash::make(
        workspace, {!options.unconfined, options.network, options.read_only, options.env_names},
        options.limit);
    if (!made) return refuse(work, made.error());
    bash = std::move(*made);
    if (options.unconfined) work.report.warning("Bash runs unconfined, with your own rights");
    if (bash->keeps_folders()) {
      work.report.warning(
          "no mounts are possible here: what a command changes in .git is undone when it has "
          "ended");
    }
  }
  Toolbox toolbox(workspace, bash.get(), work.redactor, options.read_only);

  Client client(options.limit,
                {options.base_url, options.key,
                 options.api != Api::kUnknown ? options.api : api_from(data.api), options.idle_ms},
                {[&](const Failure& failure, int attempt, std::int64_t pause) {
                   work.report.retry(failure, attempt, pause);
                 },
                 [&](const std::string& text) { work.report.warning(text); }});
  auto own_state = Dir::open(state->path());
  if (!own_state) return refuse(work, own_state.error());
  Changes changes(workspace, std::move(*own_state), data.task_id + ".baseline");

  Agent agent(options, instructions(options, bash != nullptr && bash->keeps_folders()), *session,
              client, toolbox, changes, work.report);
  work.report.session(data.task_id, options.model);
  const bool forked = !options.fork.empty();
  const bool is_new = !session->existed() && !forked;
  if (is_new && !options.no_plan) {
    const auto missing = missing_sections(plan.text, options.description);
    std::string names;
    for (const auto& name : missing) names += (names.empty() ? "" : ", ") + name;
    if (!missing.empty()) {
      work.report.warning("the plan lacks: " + names + " (--plan-template shows a whole one)");
    }
  }
  if (!begin_turn(data, agent, options, plan, workspace, is_new, forked)) {
    std::fprintf(
        stderr, "moonlet-executor: %s; give another DESCRIPTION to continue\n",
        data.status == Status::kQuestion ? "the task waits for an answer" : "the task is complete");
    return agent.repeat();
  }
  return agent.run();
}

/// Opens closed standard descriptors on /dev/null, so that no later file becomes one of them.
void fill_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    // open() returns the lowest free number, which is `fd` here.
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);
  }
}

int work(int argc, char** argv) {
  // Other processes must not read the API key from this process's memory.
  hide_memory();
  const Worker worker = begin_worker(argc, argv);
  auto options = read_options(argc, argv, worker.stop_fd);
  if (!options) {
    const Redactor none;
    Report report(wants_json(argc, argv), none);
    report.error(options.error(), "refused");
    return exit_code_of(options.error());
  }
  switch (options->action) {
    case Options::Action::kHelp:
      std::fputs(help_text().c_str(), stdout);
      return 0;
    case Options::Action::kVersion:
      std::puts("moonlet-executor " MOONLET_VERSION);
      return 0;
    case Options::Action::kPlanTemplate:
      std::fputs(std::string(plan_template()).c_str(), stdout);
      return 0;
    case Options::Action::kRun:
      break;
  }
  std::vector<Secret> secrets;
  if (!options->key.empty()) secrets.push_back({"OPENAI_API_KEY", options->key});
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  const Redactor redactor(secrets, environment);
  Work work{std::move(*options), redactor, Report(wants_json(argc, argv), redactor), worker.reaper};
  return run(work);
}

int main(int argc, char** argv) {
  fill_standard_descriptors();
  const int code = work(argc, argv);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::fputs(
      "moonlet-executor: error: standard output could not be written\n"
      "  check its disk or reader; the same TASK-ID prints the end again\n",
      stderr);
  return code == kExitComplete || code == kExitQuestion ? kExitFailed : code;
}

}  // namespace

}  // namespace moonlet::executor

int main(int argc, char** argv) { return moonlet::executor::main(argc, argv); }
